/* config/read_host.c - the blocks about this host: cluster, tuning, dataplane.
 *
 * Durations are checked against what the daemon can keep; what several settings must have
 * in common is left to check.c.
 */
#include "config/block.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND };
static const uint64_t year_ms = (uint64_t)365 * 24 * HOUR;

/* ---- cluster ---------------------------------------------------------------- */

static void read_cluster_name(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)s, (void)into;
	if (arg_name(a, "the cluster's name", d->c->cluster.name))
		(void)arg_end(a);
}

static void read_backend(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {
		[BACKEND_NONE] = "none", [BACKEND_COROSYNC] = "corosync"};
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)s, (void)into;
	if (choice >= 0 && arg_end(a))
		d->c->cluster.backend = (enum config_backend)choice;
}

static void read_takeover(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {
		[TAKEOVER_WAIT] = "wait", [TAKEOVER_REINITIATE] = "reinitiate"};
	static const struct later later[] = {
		{"stateful", "comes with a later version; use reinitiate or wait"},
		{"resume", "comes with a later version; use reinitiate or wait"},
	};

	(void)s, (void)into;
	if (arg_later(a, later, COUNT_OF(later)))
		return;
	int choice = arg_choice(a, words, COUNT_OF(words));
	if (choice >= 0 && arg_end(a))
		d->c->cluster.takeover = (enum config_takeover)choice;
}

static void read_failover_time(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)s, (void)into;
	if (arg_duration(a, 1, HOUR, &d->c->cluster.failover_time_ms))
		(void)arg_end(a);
}

void read_cluster(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"name", .read = read_cluster_name},
		{"backend", .read = read_backend},
		{"takeover", .read = read_takeover},
		{"failover-time", .read = read_failover_time},
	};

	(void)into;
	if (arg_end(a))
		block_read(d, s->body, "in cluster", table, COUNT_OF(table), NULL);
}

/* ---- tuning ------------------------------------------------------------------ */

static void read_nlbs_flags(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	uint32_t flags;

	(void)s, (void)into;
	if (arg_number(a, 0, 1, &flags) && arg_end(a))
		d->c->tuning.nlbs_flags = flags == 1;
}

static void read_nlbs_present(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {"no", "yes"};
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)s, (void)into;
	if (choice >= 0 && arg_end(a))
		d->c->tuning.nlbs_present = choice == 1;
}

static void read_idle_timeout(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)into;
	d->idle_timeout_at = s->at;
	if (arg_duration(a, SECOND, year_ms, &d->c->tuning.idle_timeout_ms))
		(void)arg_end(a);
}

static void read_idle_timeout_failover(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)into;
	d->idle_failover_at = s->at;
	if (arg_duration(a, SECOND, year_ms, &d->c->tuning.idle_timeout_failover_ms))
		(void)arg_end(a);
}

static void read_idle_lifetime(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)s, (void)into;
	if (arg_duration(a, SECOND, year_ms, &d->c->tuning.idle_lifetime_ms))
		(void)arg_end(a);
}

static void read_delete_wait(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)s, (void)into;
	if (arg_duration(a, 0, 10 * SECOND, &d->c->tuning.delete_wait_ms))
		(void)arg_end(a);
}

static void read_replay_window(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)s, (void)into;
	if (arg_number(a, 32, 4096, &d->c->tuning.replay_window))
		(void)arg_end(a);
}

static void read_mobike(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {"no", "yes"};
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)s, (void)into;
	if (choice >= 0 && arg_end(a))
		d->c->tuning.mobike = choice == 1;
}

static void read_fragment_size(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)s, (void)into;
	if (arg_number(a, 256, 9000, &d->c->tuning.fragment_size))
		(void)arg_end(a);
}

static void read_resolve_refresh(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)s, (void)into;
	if (arg_duration(a, 10000, 24 * HOUR, &d->c->tuning.resolve_refresh_ms))
		(void)arg_end(a);
}

static void read_expiry_warning(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	(void)s, (void)into;
	if (arg_duration(a, HOUR, year_ms, &d->c->tuning.expiry_warning_ms))
		(void)arg_end(a);
}

static void read_on_exit(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {
		[EXIT_CLOSED] = "closed", [EXIT_OPEN] = "open"};
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)s, (void)into;
	if (choice >= 0 && arg_end(a))
		d->c->tuning.on_exit = (enum config_on_exit)choice;
}

void read_tuning(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"nlbs-flags", .read = read_nlbs_flags},
		{"nlbs-present", .read = read_nlbs_present},
		{"idle-timeout", .read = read_idle_timeout},
		{"idle-timeout-failover", .read = read_idle_timeout_failover},
		{"idle-lifetime", .read = read_idle_lifetime},
		{"delete-wait", .read = read_delete_wait},
		{"replay-window", .read = read_replay_window},
		{"fragment-size", .read = read_fragment_size},
		{"mobike", .read = read_mobike},
		{"replay-after-takeover",
			.refused = "replay-after-takeover: comes with stateful takeover, "
				   "in a later version"},
		{"on-exit", .read = read_on_exit},
		{"resolve-refresh", .read = read_resolve_refresh},
		{"expiry-warning", .read = read_expiry_warning},
	};

	(void)into;
	if (arg_end(a))
		block_read(d, s->body, "in tuning", table, COUNT_OF(table), NULL);
}

/* ---- dataplane --------------------------------------------------------------- */

static const char *const planes[] = {
	[PLANE_USERSPACE] = "userspace", [PLANE_KERNEL] = "kernel"};

static void read_prefer(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	int choice = arg_choice(a, planes, COUNT_OF(planes));

	(void)into;
	if (choice < 0 || !arg_end(a))
		return;
	d->c->dataplane.prefer = (enum config_plane)choice;
	d->c->dataplane.prefer_at = (struct config_place){s->at.line, s->at.column};
}

static void read_fallback(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	int choice = arg_choice(a, planes, 1);

	(void)s, (void)into;
	if (choice < 0 || !arg_end(a))
		return;
	d->c->dataplane.fallback = (enum config_plane)choice;
	d->c->dataplane.has_fallback = true;
}

static void read_udp_encap(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {
		[ENCAP_AUTO] = "auto", [ENCAP_FORCE] = "force"};
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)s, (void)into;
	if (choice >= 0 && arg_end(a))
		d->c->dataplane.encap = (enum config_encap)choice;
}

static void read_offload(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {[OFFLOAD_NO] = "no",
		[OFFLOAD_AUTO] = "auto",
		[OFFLOAD_CRYPTO] = "crypto",
		[OFFLOAD_PACKET] = "packet"};
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)into;
	if (choice < 0 || !arg_end(a))
		return;
	d->c->dataplane.offload = (enum policy_offload)choice;
	d->offload_at = s->at;
}

void read_dataplane(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"prefer", .read = read_prefer},
		{"fallback", .read = read_fallback},
		{"udp-encap", .read = read_udp_encap},
		{"offload", .read = read_offload},
	};

	(void)into;
	if (!arg_end(a))
		return;
	block_read(d, s->body, "in dataplane", table, COUNT_OF(table), NULL);
}
