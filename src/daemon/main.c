/* daemon/main.c - vipsecd: assemble, become ready, run, take apart.
 *
 * The order of the start is the point: the guard stands before anything can open, the
 * data plane before the node learns of addresses, and "ready" (the parent's exit, systemd
 * told, the pid written) comes when the configuration is in force.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/command.h"
#include "daemon/feed.h"
#include "daemon/guarding.h"
#include "daemon/keylog.h"
#include "daemon/lockfile.h"
#include "daemon/planes.h"
#include "daemon/privileges.h"
#include "daemon/ready.h"
#include "daemon/reload.h"
#include "daemon/step.h"
#include "daemon/tell.h"
#include "os/clock.h"
#include "port/files.h"
#include "port/guard.h"
#include "port/random.h"
#include "xfrm/xfrm.h"

enum { EXIT_CONFIG = 78, EXIT_UNAVAILABLE = 69, EXIT_NOPERM = 77 };

/* To whoever waits for the start; also to the log, once there is one. */
static int refuse(int code, const char *why)
{
	fprintf(stderr, "vipsecd: %s\n", why);
	return code;
}

static int refuse_logged(int code, const char *why)
{
	journal_say(EVENT_ERROR, "vipsecd does not start: %s", why);
	return refuse(code, why);
}

static void report_line(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s\n", text);
	journal_say(EVENT_WARNING, "%s", text);
}

/* ---- signals -------------------------------------------------------------------------- */

/* Once: the node ends in its own time, and an impatient hand has SIGKILL. */
static int32_t on_stop(int32_t signal, void *data)
{
	struct daemon *d = data;
	struct node_event ev = {.kind = NODE_SHUTDOWN};

	(void)signal;
	if (!d->closing) {
		d->closing = true;
		step_node(d, &ev);
	}
	return 0;
}

static int32_t on_hangup(int32_t signal, void *data)
{
	struct config_report report = {.line = report_line};

	(void)signal;
	if (!reload_config(data, &report))
		tell(data, EVENT_ERROR, "config",
			"reload refused: the running configuration stays in force");
	return 0;
}

static void take_signals(struct daemon *d)
{
	static qb_loop_signal_handle handles[3];

	signal(SIGPIPE, SIG_IGN);
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGTERM, d, on_stop, &handles[0]);
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGINT, d, on_stop, &handles[1]);
	qb_loop_signal_add(d->loop, QB_LOOP_HIGH, SIGHUP, d, on_hangup, &handles[2]);
}

/* ---- assembling ------------------------------------------------------------------------ */

static bool know_cluster(struct daemon *d, const struct config *c, char *why, size_t cap)
{
	d->member = 1;
	if (c->cluster.backend != BACKEND_COROSYNC)
		return true;
	d->member = bus_probe(&d->failover_ms, why, cap);
	return d->member != 0;
}

/* One plane's leavings are no business of the other's: whoever was here before, and which
 * plane it had, nothing of it stays, and beside what cannot be cleared away nobody serves. */
static struct plane *try_plane(struct daemon *d, char *why, size_t cap)
{
	if (!d->in_kernel && !xfrm_clear(why, cap))
		return NULL;
	why[0] = '\0';
	return planes_open(d, why, cap);
}

/* The kernel's may turn out not to open. The guard of the other then takes the place of its
 * own, in one transaction, before anything of the other's is opened. */
static bool open_plane(struct daemon *d, const struct config *c, char *why, size_t cap)
{
	d->plane = try_plane(d, why, cap);
	if (!d->plane && planes_choose_again(d, c, why, cap) &&
		guarding_apply(d, c, why, cap))
		d->plane = try_plane(d, why, cap);
	if (d->plane && why[0] != '\0')
		journal_say(EVENT_NOTICE, "%s", why);
	return d->plane != NULL;
}

/* The guard of the kernel's plane takes more of nftables than the other's. */
static bool close_for_other(
	struct daemon *d, const struct config *c, char *why, size_t cap)
{
	char of_guard[256];
	bool chosen = planes_choose_again(d, c, why, cap);

	d->in_kernel = false;
	if (guarding_apply(d, c, of_guard, sizeof(of_guard)))
		return chosen;
	snprintf(why, cap, "%s", of_guard);
	return false;
}

/* Where no plane can serve the guard stands nevertheless: what is to be protected does not
 * travel in clear because the kernel lacks something. But nothing of another vipsecd is
 * touched, nor its guard. */
static bool close_and_choose(
	struct daemon *d, const struct config *c, char *why, size_t cap)
{
	char of_guard[256];

	if (planes_another_serves(why, cap))
		return false;
	bool chosen = planes_choose(d, c, why, cap);
	if (guarding_apply(d, c, of_guard, sizeof(of_guard)))
		return chosen;
	snprintf(why, cap, "%s", of_guard);
	return d->in_kernel && close_for_other(d, c, why, cap);
}

static void new_node(struct daemon *d)
{
	struct node_params p = {
		.entropy = random_entropy(),
		.member = d->member,
		.failover_ms = d->failover_ms,
	};

	d->node = node_new(&p);
	if (keylog_sink())
		node_set_key_sink(d->node, keylog_sink());
}

static bool open_stores(struct daemon *d, char *why, size_t cap)
{
	if (!store_open(&d->store, d->options.state_dir, why, cap) ||
		!store_open(&d->boot_store, d->options.run_dir, why, cap))
		return false;
	activation_open(&d->activation, &d->store);
	return true;
}

/* Everything up to readiness. Takes c over once the node has it. The control socket comes
 * first: where another vipsecd has its name, nothing of that one's may be touched. */
static int assemble(struct daemon *d, struct config *c)
{
	struct control_handlers control = {
		.request = command_request, .gone = command_gone, .ctx = d};
	char why[512] = "";

	d->loop = qb_loop_create();
	privileges_hurry();
	if (!privileges_guard_memory(why, sizeof(why)))
		journal_say(EVENT_WARNING, "%s", why);
	d->control = control_new(d->loop, &control, why, sizeof(why));
	if (!d->control || !know_cluster(d, c, why, sizeof(why)) ||
		!open_stores(d, why, sizeof(why)) ||
		!close_and_choose(d, c, why, sizeof(why)) ||
		!open_plane(d, c, why, sizeof(why))) {
		control_free(d->control);
		config_free(c);
		return refuse_logged(EXIT_UNAVAILABLE, why);
	}
	new_node(d);
	take_signals(d);
	if (!feed_open(d, c, why, sizeof(why)) || !privileges_drop(why, sizeof(why)))
		return refuse_logged(EXIT_UNAVAILABLE, why);
	return 0;
}

/* on-exit closed: what a rule protects stays protected as long as one of its addresses is
 * here. on-exit open, or nothing left to protect: no trace remains. */
static bool stays_closed(struct daemon *d)
{
	const struct config *c = node_config(d->node);
	struct vip_view v;

	if (c->tuning.on_exit == EXIT_OPEN)
		return false;
	if (c->host_policy != CONFIG_NO_POLICY)
		return true;
	for (uint16_t s = 0; s < c->n_vips; s++)
		for (unsigned i = 0; node_look_vip(d->node, s, &v) && i < v.n_addrs; i++)
			if (v.addr_present[i])
				return true;
	return false;
}

static void take_apart(struct daemon *d)
{
	bool keep = d->lost || stays_closed(d);
	char why[256];

	feed_close(d);
	control_free(d->control);
	plane_close(d->plane, keep);
	if (!keep && !guard_remove(why, sizeof(why)))
		journal_say(EVENT_ERROR, "%s", why);
	node_free(d->node);
	keys_forget(&d->keys);
	effects_free(&d->fx);
	store_close(&d->store);
	store_close(&d->boot_store);
	qb_loop_destroy(d->loop);
}

static int run(struct daemon *d, struct config *c, int lock)
{
	int code = assemble(d, c);

	if (code != 0)
		return code;
	lockfile_write(lock);
	journal_say(EVENT_NOTICE, "vipsecd is ready; data plane: %s", d->plane_note);
	ready_tell(d->options.foreground);
	qb_loop_run(d->loop);
	journal_say(EVENT_NOTICE, "vipsecd ends");
	take_apart(d);
	if (d->lost)
		return EXIT_UNAVAILABLE; /* recorded as running: the agents see a failure */
	lockfile_clear(lock);
	return 0;
}

int main(int argc, char **argv)
{
	static struct daemon d;
	static struct journal journal;
	struct config_report report = {.line = report_line};
	char why[512] = "";

	switch (options_parse(&d.options, argc, argv)) {
	case OPTIONS_DONE:
		return 0;
	case OPTIONS_WRONG:
		return 64;
	case OPTIONS_RUN:
		break;
	}
	if (!privileges_check(why, sizeof(why)))
		return refuse(EXIT_NOPERM, why);
	int lock = lockfile_take(d.options.run_dir, why, sizeof(why));
	if (lock < 0)
		return refuse(EXIT_UNAVAILABLE, why);
	if (!d.options.foreground)
		ready_detach();
	d.journal = &journal;
	d.started_ms = clock_now_ms();
	effects_init(&d.fx);
	journal_open_log(&d.options);
	if (d.options.key_log && !keylog_open(d.options.key_log, why, sizeof(why)))
		return refuse(EXIT_CONFIG, why);
	struct files_source from = {.keys = &d.keys, .report = &report, .starting = true};
	struct config *c = files_load_config(d.options.config, &from, &report);
	if (!c)
		return refuse_logged(
			EXIT_CONFIG, "the configuration is not usable, see above");
	return run(&d, c, lock);
}
