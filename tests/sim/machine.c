/* tests/sim/machine.c - power, the daemon's life, addresses, and standing still.
 */
#include "sim/sim.h"

#include "base/iana.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { BOOT_MS = 300, SPIN_MAX = 1000, FAILOVER_ROOM_MS = 200 };

void machine_init(struct sim *s, unsigned index, const char *name, char *config_text)
{
	struct machine *m = &s->machines[index];

	*m = (struct machine){.index = index, .config_text = config_text};
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->member = (uint8_t)(index < s->sc.n_nodes ? index + 1 : 1);
	effects_init(&m->fx);
	list_init(&m->orders);
}

void machine_free(struct machine *m)
{
	machine_orders_drop(m);
	node_free(m->node);
	esp_dp_free(m->dp);
	effects_free(&m->fx);
	machine_guard_down(m);
	for (unsigned i = 0; i < m->n_waiting; i++)
		free(m->waiting[i].own);
	for (unsigned i = 0; i < DISK_FILES; i++)
		free(m->disk[i].bytes);
	free(m->config_text);
}

/* ---- standing still ---------------------------------------------------------------- */

bool machine_serves(const struct machine *m)
{
	return m->powered && m->node && !m->frozen && !m->stopped;
}

bool machine_defers(struct sim *s, struct machine *m, struct action *a)
{
	(void)s;
	if (machine_serves(m) && a->tag == m->lives)
		return false;
	if (m->node && a->tag == m->lives && m->n_waiting < WAITING_MAX) {
		m->waiting[m->n_waiting++] = *a;
		a->own = NULL;
	}
	return true;
}

/* What waited comes before what happens in the same millisecond and is planned already:
 * an address that goes just then was there before. */
static void go_on(struct sim *s, struct machine *m)
{
	unsigned n = m->n_waiting;

	if (!machine_serves(m))
		return;
	struct action *waiting = mem_new(n + 1, sizeof(*waiting));
	memcpy(waiting, m->waiting, n * sizeof(*waiting));
	m->n_waiting = 0;
	m->due_ms = 0;
	for (unsigned i = 0; i < n; i++) {
		waiting[i].run(s, &waiting[i]);
		free(waiting[i].own);
	}
	free(waiting);
	if (machine_serves(m))
		machine_tick_plan(s, m);
}

void machine_freeze(struct sim *s, struct machine *m, bool frozen)
{
	if (!m->guard || m->frozen == frozen) /* none yet: it is booting */
		return;
	trace(s, "%s %s", m->name, frozen ? "freezes" : "thaws");
	m->frozen = frozen;
	if (sim_is_node(s, m))
		bus_up(s, m, !frozen);
	go_on(s, m);
}

void machine_daemon_stop(struct sim *s, struct machine *m, bool stopped)
{
	if (!m->node || m->stopped == stopped)
		return;
	trace(s, "%s: the daemon %s", m->name, stopped ? "stands still" : "goes on");
	m->stopped = stopped;
	go_on(s, m);
}

/* ---- the clock -------------------------------------------------------------------------- */

static void on_tick(struct sim *s, struct action *a)
{
	struct machine *m = &s->machines[a->who];
	struct node_event ev = {.kind = NODE_TICK};

	if (a->tag != m->lives || m->due_ms != s->world.now_ms || !machine_serves(m))
		return;
	m->due_ms = 0;
	if (++m->same_ms > SPIN_MAX)
		violation(s, "8: %s spins: %u ticks without time passing", m->name,
			m->same_ms);
	machine_feed(s, m, &ev);
}

void machine_tick_plan(struct sim *s, struct machine *m)
{
	uint64_t due = node_next_due_ms(m->node);

	if (due == UINT64_MAX)
		return;
	if (due > s->world.now_ms)
		m->same_ms = 0;
	else
		due = s->world.now_ms;
	if (m->due_ms != 0 && m->due_ms >= s->world.now_ms && m->due_ms <= due)
		return;
	m->due_ms = due;
	world_at(s, due,
		(struct action){.run = on_tick, .who = m->index, .tag = m->lives});
}

void machine_feed(struct sim *s, struct machine *m, struct node_event *ev)
{
	assert(machine_serves(m));
	ev->now_ms = s->world.now_ms;
	node_step(m->node, ev, &m->fx);
	machine_carry(s, m);
	if (m->node)
		machine_tick_plan(s, m);
}

/* ---- the daemon's life ------------------------------------------------------------------ */

static bool read_psk(
	void *ctx, const char *path, struct secret *out, char *why, size_t why_cap)
{
	(void)ctx;
	(void)path;
	(void)why;
	(void)why_cap;
	return secret_set(out, span_text("a key that the whole simulation shares"));
}

static void on_report(void *ctx, const char *text)
{
	trace(ctx, "configuration: %s", text);
}

static struct config *load_config(struct sim *s, const struct machine *m)
{
	const struct config_files files = {.read = read_psk};
	const struct config_report report = {.line = on_report, .ctx = s};
	struct config *c =
		config_parse(m->name, span_text(m->config_text), &files, &report);

	assert(c);
	scenario_shorten(
		&s->sc, sim_is_node(s, m) ? -1 : (int)(m->index - s->sc.n_nodes), c);
	return c;
}

static uint16_t stored_activation(const struct machine *m)
{
	for (unsigned i = 0; i < DISK_FILES; i++) {
		const struct disk_file *f = &m->disk[i];
		if (strcmp(f->name, "activation") == 0 && f->len == 2)
			return (uint16_t)(f->bytes[0] << 8 | f->bytes[1]);
	}
	return 0;
}

static void feed_stored(struct sim *s, struct machine *m)
{
	for (unsigned i = 0; i < DISK_FILES; i++) {
		struct node_event ev = {.kind = NODE_RESTORE};
		if (m->disk[i].len == 0)
			continue;
		ev.u.restore.name = m->disk[i].name;
		ev.u.restore.bytes = span_of(m->disk[i].bytes, m->disk[i].len);
		machine_feed(s, m, &ev);
	}
}

static void feed_address(struct sim *s, struct machine *m, const struct local_addr *a)
{
	struct node_event ev = {.kind = NODE_ADDRESS};

	ev.u.address.addr = a->addr;
	ev.u.address.state = a->state;
	machine_feed(s, m, &ev);
}

void machine_daemon_start(struct sim *s, struct machine *m)
{
	struct node_event ev = {.kind = NODE_CONFIG};

	if (!m->powered || m->node)
		return;
	m->lives++;
	m->resting = m->stopped = false;
	m->due_ms = 0;
	stream_init(&m->dice, s->world.seed + ((uint64_t)m->lives << 32), 100 + m->index);
	const struct node_params params = {
		.entropy = m->dice.from,
		.member = m->member,
		.activation = stored_activation(m),
		.failover_ms = (uint32_t)s->sc.token_ms + FAILOVER_ROOM_MS,
	};
	trace(s, "%s: daemon %u starts", m->name, m->lives);
	m->node = node_new(&params);
	m->dp = esp_dp_new(&m->dice.from);
	ev.u.config = load_config(s, m);
	machine_guard_up(m, load_config(s, m));
	check_daemon_new(s, m);
	machine_feed(s, m, &ev);
	feed_stored(s, m);
	for (unsigned i = 0; i < m->n_addrs; i++)
		feed_address(s, m, &m->addrs[i]);
	if (sim_is_node(s, m))
		bus_join(s, m);
}

/* The daemon takes what is new in its file; one that is not there reads it later. */
void machine_reload(struct sim *s, struct machine *m, char *config_text)
{
	struct node_event ev = {.kind = NODE_CONFIG};

	free(m->config_text);
	m->config_text = config_text;
	m->edited = !m->edited;
	if (!machine_serves(m))
		return;
	trace(s, "%s: the configuration is loaded again", m->name);
	machine_guard_up(m, load_config(s, m));
	ev.u.config = load_config(s, m);
	machine_feed(s, m, &ev);
}

void machine_daemon_kill(struct sim *s, struct machine *m)
{
	if (!m->node)
		return;
	trace(s, "%s: the daemon is gone", m->name);
	rekeys_count(s, m);
	effects_clear(&m->fx);
	node_free(m->node);
	esp_dp_free(m->dp);
	m->node = NULL;
	m->dp = NULL;
	m->n_sockets = m->n_installed = 0;
	m->stopped = false;
	machine_orders_drop(m);
	for (unsigned i = 0; i < m->n_waiting; i++)
		free(m->waiting[i].own);
	m->n_waiting = 0;
	if (sim_is_node(s, m))
		bus_leave(s, m);
}

/* ---- power ------------------------------------------------------------------------------- */

static void on_booted(struct sim *s, struct action *a)
{
	struct machine *m = &s->machines[a->who];

	if (!m->powered)
		return;
	if (sim_is_node(s, m))
		bus_up(s, m, true);
	machine_daemon_start(s, m);
}

void machine_power_on(struct sim *s, struct machine *m)
{
	if (m->powered)
		return;
	trace(s, "%s is switched on", m->name);
	m->powered = true;
	m->frozen = false;
	if (!sim_is_node(s, m)) {
		const struct addr own = peer_addr(&s->sc, m->index - s->sc.n_nodes);
		machine_addr_set(s, m, &own, NODE_ADDR_PRESENT);
	}
	world_at(s, world_later(&s->world, BOOT_MS),
		(struct action){.run = on_booted, .who = m->index});
}

/* What lies in /run does not outlive the machine. */
static void forget_boot(struct machine *m)
{
	for (unsigned i = 0; i < DISK_FILES; i++)
		if (strcmp(m->disk[i].name, "held") == 0)
			m->disk[i].len = 0;
}

void machine_power_off(struct sim *s, struct machine *m)
{
	if (!m->powered)
		return;
	trace(s, "%s is off", m->name);
	m->powered = m->frozen = m->resting = false;
	if (sim_is_node(s, m))
		bus_up(s, m, false);
	machine_daemon_kill(s, m);
	m->n_addrs = 0;
	machine_guard_down(m);
	forget_boot(m);
}

/* ---- addresses ---------------------------------------------------------------------------- */

static struct local_addr *find_addr(struct machine *m, const struct addr *a)
{
	for (unsigned i = 0; i < m->n_addrs; i++)
		if (addr_equal(&m->addrs[i].addr, a))
			return &m->addrs[i];
	return NULL;
}

bool machine_has_addr(const struct machine *m, const struct addr *a, bool usable)
{
	for (unsigned i = 0; i < m->n_addrs; i++)
		if (addr_equal(&m->addrs[i].addr, a))
			return !usable || m->addrs[i].state == NODE_ADDR_PRESENT;
	return false;
}

bool machine_has_socket(const struct machine *m, const struct addr *a)
{
	for (unsigned i = 0; i < m->n_sockets; i++)
		if (addr_equal(&m->sockets[i], a))
			return true;
	return false;
}

static void on_address(struct sim *s, struct action *a)
{
	if (!machine_defers(s, &s->machines[a->who], a))
		feed_address(s, &s->machines[a->who], a->own);
}

void machine_addr_set(struct sim *s, struct machine *m, const struct addr *a,
	enum node_addr_state state)
{
	static const char *const words[] = {"goes", "is tentative", "is there"};
	struct local_addr *at = find_addr(m, a);
	char text[ADDR_TEXT_MAX];

	if (!m->powered || (!at && state == NODE_ADDR_GONE))
		return;
	trace(s, "%s: address %s %s", m->name, addr_format(a, text), words[state]);
	if (state == NODE_ADDR_GONE) {
		*at = m->addrs[--m->n_addrs];
	} else {
		if (!at) {
			assert(m->n_addrs < LOCAL_ADDRS);
			at = &m->addrs[m->n_addrs++];
		}
		*at = (struct local_addr){*a, state};
	}
	if (!m->node)
		return;
	struct local_addr *told = mem_new(1, sizeof(*told));
	*told = (struct local_addr){*a, state};
	world_at(s, s->world.now_ms,
		(struct action){.run = on_address,
			.who = m->index,
			.tag = m->lives,
			.own = told});
}

/* ---- commands ------------------------------------------------------------------------------ */

struct command {
	enum node_event_kind kind;
	char vip[16], key[32], value[16];
};

static void on_command(struct sim *s, struct action *a)
{
	const struct command *c = a->own;
	struct node_event ev = {.kind = c->kind};

	if (machine_defers(s, &s->machines[a->who], a))
		return;
	ev.u.command.token = 1;
	ev.u.command.vip = c->vip;
	ev.u.command.key = c->key;
	ev.u.command.value = c->value;
	machine_feed(s, &s->machines[a->who], &ev);
}

static const char *command_word(enum node_event_kind kind)
{
	switch (kind) {
	case NODE_BIND:
		return "bind";
	case NODE_UNBIND:
		return "unbind";
	case NODE_UP:
		return "up";
	case NODE_DOWN:
		return "down";
	case NODE_REKEY:
		return "rekey";
	case NODE_TUNE:
		return "tune";
	case NODE_DRAIN:
		return "drain";
	case NODE_UNDRAIN:
		return "undrain";
	default:
		return "shutdown";
	}
}

void machine_command(struct sim *s, struct machine *m, enum node_event_kind kind,
	const char *vip, const char *key, const char *value)
{
	struct command *c = mem_new(1, sizeof(*c));

	c->kind = kind;
	snprintf(c->vip, sizeof(c->vip), "%s", vip);
	snprintf(c->key, sizeof(c->key), "%s", key);
	snprintf(c->value, sizeof(c->value), "%s", value);
	trace(s, "%s: command %s %s %s %s", m->name, command_word(kind), vip, key, value);
	world_at(s, s->world.now_ms,
		(struct action){
			.run = on_command, .who = m->index, .tag = m->lives, .own = c});
}
