/* member.c - see member.h. */
#include "bench/member.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bench/figures.h"

/* ---- effects --------------------------------------------------------------------- */

static void remember(struct member *m, uint32_t id)
{
	if (m->n_children == m->cap_children) {
		m->cap_children = m->cap_children == 0 ? 64 : 2 * m->cap_children;
		m->children =
			realloc(m->children, m->cap_children * sizeof(*m->children));
		assert(m->children != NULL);
	}
	m->children[m->n_children++] = id;
}

static void forget(struct member *m, uint32_t id)
{
	for (size_t i = m->n_children; i-- > 0;) {
		if (m->children[i] != id)
			continue;
		m->children[i] = m->children[--m->n_children];
		return;
	}
}

static void set_gate(struct member *m, const struct effect *f)
{
	struct esp_gate *g = esp_dp_gate(m->dp, f->scope);

	if (f->u.gate.open) {
		esp_gate_open(g, f->u.gate.activation);
		return;
	}
	m->turn = esp_gate_close(g);
	m->closings++;
}

static void put_on_bus(struct member *m, const struct effect *f)
{
	struct world *w = m->world;

	if (w->n_bus == w->cap_bus) {
		w->cap_bus = w->cap_bus == 0 ? 64 : 2 * w->cap_bus;
		w->bus = realloc(w->bus, w->cap_bus * sizeof(*w->bus));
		assert(w->bus != NULL);
	}
	struct message *to = &w->bus[w->n_bus++];
	*to = (struct message){m->number, mem_new(1, f->u.blob.len), f->u.blob.len};
	memcpy(to->bytes, f->u.blob.bytes, f->u.blob.len);
}

static void carry_one(struct member *m, struct effect *f)
{
	enum esp_err err = ESP_OK;

	switch (f->kind) {
	case FX_SEND:
		mail_send(&m->out, &f->u.send.path,
			span_of(f->u.send.bytes, f->u.send.len));
		break;
	case FX_POLICY:
		esp_dp_policy(m->dp, f->scope, f->u.policy.spd, f->u.policy.addrs,
			f->u.policy.n_addrs);
		f->u.policy.spd = NULL;
		break;
	case FX_GATE:
		set_gate(m, f);
		break;
	case FX_SA_ADD:
		err = esp_dp_add(m->dp, f->u.child);
		remember(m, f->u.child->id);
		break;
	case FX_SA_ACTIVATE:
		err = esp_dp_activate(m->dp, f->u.id);
		break;
	case FX_SA_DELETE:
		err = esp_dp_delete(m->dp, f->u.id);
		forget(m, f->u.id);
		break;
	case FX_USAGE_QUERY:
		m->asked = true;
		break;
	case FX_CLUSTER_SEND:
		put_on_bus(m, f);
		break;
	default:
		break; /* files, events, sockets: nobody is there */
	}
	assert(err == ESP_OK || f->kind == FX_SA_DELETE);
}

double member_step(struct member *m, struct node_event *ev)
{
	ev->now_ms = m->world->now_ms;
	double t = figures_now_ns();
	node_step(m->node, ev, &m->fx);
	t = figures_now_ns() - t;
	m->step_ns += t;
	m->steps++;
	for (size_t i = 0; i < m->fx.n; i++)
		carry_one(m, &m->fx.at[i]);
	effects_clear(&m->fx);
	return t;
}

/* ---- what comes back ----------------------------------------------------------------- */

static void answer_usage(struct member *m)
{
	size_t n = m->n_children;
	uint32_t *ids = mem_new(n + 1, sizeof(*ids));

	m->asked = false;
	if (n > 0)
		memcpy(ids, m->children, n * sizeof(*ids));
	for (size_t i = 0; i < n; i++) {
		struct node_event ev = {.kind = NODE_USAGE};
		if (esp_dp_usage(m->dp, ids[i], m->world->now_ms, &ev.u.usage) == ESP_OK)
			member_step(m, &ev);
	}
	free(ids);
}

/* True: something was done. */
static bool answer(struct member *m)
{
	bool any = m->closings > 0 || m->asked;

	for (; m->closings > 0; m->closings--) {
		struct node_event ev = {.kind = NODE_GATE_CLOSED};
		ev.u.gate.turn = m->turn;
		member_step(m, &ev);
	}
	if (m->asked)
		answer_usage(m);
	return any;
}

static bool deliver_to_member(struct world *w)
{
	struct letter l;

	if (!mail_take(&w->clients.out, &l))
		return false;
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct member *m = &w->member[i];
		struct node_event ev = {.kind = NODE_DATAGRAM};
		if (!m->node || !m->has_vip)
			continue;
		ev.u.datagram.local = l.path.local;
		ev.u.datagram.remote = l.path.remote;
		ev.u.datagram.bytes = span_of(l.bytes, l.len);
		member_step(m, &ev);
	}
	free(l.bytes);
	return true;
}

static bool deliver_to_clients(struct world *w, struct member *m)
{
	struct letter l;

	if (!mail_take(&m->out, &l))
		return false;
	l.path.scope = 0; /* the engine's, not the node's */
	ike_receive(w->clients.engine, w->now_ms, &l.path, span_of(l.bytes, l.len));
	free(l.bytes);
	return true;
}

static bool deliver_bus(struct world *w)
{
	if (w->n_bus == 0)
		return false;
	struct message msg = w->bus[0];
	memmove(&w->bus[0], &w->bus[1], --w->n_bus * sizeof(*w->bus));
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct node_event ev = {.kind = NODE_MESSAGE};
		ev.u.message.from = msg.from;
		ev.u.message.bytes = span_of(msg.bytes, msg.len);
		if (w->member[i].node)
			member_step(&w->member[i], &ev);
	}
	free(msg.bytes);
	return true;
}

/* One thing of each kind, so that nothing waits behind all of another. */
static bool deliver(struct world *w)
{
	bool any = deliver_bus(w);

	any = deliver_to_member(w) || any;
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct member *m = &w->member[i];
		if (!m->node)
			continue;
		any = answer(m) || any;
		any = deliver_to_clients(w, m) || any;
	}
	return any;
}

static uint64_t next_due(const struct world *w)
{
	uint64_t due = ike_next_due_ms(w->clients.engine);

	for (unsigned i = 0; i < MEMBERS; i++) {
		const struct member *m = &w->member[i];
		uint64_t at = m->node ? node_next_due_ms(m->node) : UINT64_MAX;
		due = at < due ? at : due;
	}
	return due;
}

static void tick(struct world *w)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct node_event ev = {.kind = NODE_TICK};
		struct member *m = &w->member[i];
		if (m->node && node_next_due_ms(m->node) <= w->now_ms)
			member_step(m, &ev);
	}
	if (ike_next_due_ms(w->clients.engine) <= w->now_ms)
		ike_tick(w->clients.engine, w->now_ms);
}

void world_run(struct world *w, uint64_t until_ms, bool (*done)(struct world *))
{
	for (;;) {
		while (deliver(w))
			;
		if (done && done(w))
			return;
		uint64_t due = next_due(w);
		if (due > until_ms)
			break;
		w->now_ms = due > w->now_ms ? due : w->now_ms;
		tick(w);
	}
	w->now_ms = until_ms;
}

/* ---- lives --------------------------------------------------------------------------- */

static bool read_key(
	void *ctx, const char *path, struct secret *out, char *why, size_t why_cap)
{
	(void)ctx;
	(void)path;
	(void)why;
	(void)why_cap;
	return secret_set(out, span_text(END_PSK));
}

static void complain(void *ctx, const char *line)
{
	(void)ctx;
	if (strstr(line, "error"))
		fprintf(stderr, "%s\n", line);
}

struct config *member_config(bool clustered)
{
	static const char rest[] =
		"vip \"web\" { address 192.0.2.10; }\n"
		"secret \"lab\" { psk file \"/keys/lab\"; }\n"
		"proposal \"p\" { ike aes128gcm16-sha256-x25519; esp aes128gcm16; }\n"
		"filter-list \"all\" { from vip \"web\" port 7001 to any proto udp "
		"mirrored; }\n"
		"filter-action \"esp\" { negotiate require; proposal \"p\"; mode "
		"transport; }\n"
		"policy \"p\" { rule \"all\" { match \"all\"; action \"esp\"; auth psk "
		"\"lab\"; } }\nassign policy \"p\" to vip \"web\";\n";
	const struct config_files files = {.read = read_key};
	const struct config_report report = {.line = complain};
	char text[2048];

	int n = snprintf(text, sizeof(text), "%s%s",
		clustered ? "cluster { name \"web\"; backend corosync; takeover "
			    "reinitiate; }\n"
			  : "cluster { backend none; }\n",
		rest);
	return config_parse("bench", span_of(text, (size_t)n), &files, &report);
}

void world_init(struct world *w)
{
	*w = (struct world){.now_ms = 1000000};
	end_init(&w->clients, 200);
}

void world_start(struct world *w, unsigned i, bool clustered)
{
	struct member *m = &w->member[i];
	struct node_params params = {.member = (uint8_t)(i + 1)};
	struct node_event ev = {.kind = NODE_CONFIG};
	struct entropy e = entropy_seeded(&m->dp_seed, 100 + i);

	m->world = w;
	m->number = params.member;
	params.entropy = entropy_seeded(&m->seed, i + 1);
	effects_init(&m->fx);
	m->dp = esp_dp_new(&e);
	m->node = node_new(&params);
	ev.u.config = member_config(clustered);
	assert(ev.u.config != NULL);
	member_step(m, &ev);
}

void world_end_member(struct world *w, unsigned i)
{
	struct member *m = &w->member[i];

	if (!m->node)
		return;
	node_free(m->node);
	esp_dp_free(m->dp);
	effects_free(&m->fx);
	mail_free(&m->out);
	free(m->children);
	*m = (struct member){.world = w};
}

void world_free(struct world *w)
{
	for (unsigned i = 0; i < MEMBERS; i++)
		world_end_member(w, i);
	for (size_t i = 0; i < w->n_bus; i++)
		free(w->bus[i].bytes);
	free(w->bus);
	end_wipe(&w->clients);
}

void world_group(struct world *w)
{
	uint8_t members[MEMBERS];
	size_t n = 0;

	for (unsigned i = 0; i < MEMBERS; i++)
		if (w->member[i].node)
			members[n++] = w->member[i].number;
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct node_event group = {.kind = NODE_MEMBERS};
		struct node_event quorum = {.kind = NODE_QUORUM};
		group.u.members.members = members;
		group.u.members.n = n;
		quorum.u.quorate = true;
		if (!w->member[i].node)
			continue;
		member_step(&w->member[i], &group);
		member_step(&w->member[i], &quorum);
	}
}

void world_give_vip(struct world *w, unsigned i)
{
	struct node_event ev = {.kind = NODE_ADDRESS};

	ev.u.address.addr = end_vip();
	ev.u.address.state = NODE_ADDR_PRESENT;
	w->member[i].has_vip = true;
	member_step(&w->member[i], &ev);
}

void world_connect(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct addr peer = end_peer(i), vip = end_vip();
		struct ike_path path = end_path(&peer, &vip);
		end_call(&w->clients, w->now_ms, &path);
		world_run(w, w->now_ms + 1, NULL);
	}
}

unsigned member_peers_up(struct member *m)
{
	struct vip_view v;

	return node_look_vip(m->node, 0, &v) ? v.peers_up : 0;
}
