/* tests/sim/deeds.c - what a node wants done, done; and what the data thread reports.
 *
 * A gate is one atomic word, so it changes at once. Everything else goes to the data
 * thread as an order: later, in order, and a closed gate is acknowledged when the orders
 * before it are done.
 */
#include "sim/sim.h"

#include "base/iana.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the data thread ------------------------------------------------------------------ */

static void order_free(struct order *o)
{
	list_del(&o->link);
	if (o->fx.kind == FX_POLICY)
		spd_free(o->fx.u.policy.spd);
	if (o->fx.kind == FX_SA_ADD)
		free(o->fx.u.child);
	free(o);
}

void machine_orders_drop(struct machine *m)
{
	list_each_safe(item, &m->orders) order_free(list_entry(item, struct order, link));
	m->orders_ms = 0;
}

struct installed *machine_child_of(
	struct machine *m, uint32_t spi, const struct endpoint *to)
{
	for (unsigned i = m->n_installed; i-- > 0;) {
		const struct endpoint *remote = &m->installed[i].remote;

		if (m->installed[i].spi_out == spi &&
			addr_equal(&remote->addr, &to->addr) &&
			(to->port == 0 || to->port == remote->port))
			return &m->installed[i];
	}
	return NULL;
}

static void forget_children(struct machine *m)
{
	struct esp_usage u;
	unsigned kept = 0;

	for (unsigned i = 0; i < m->n_installed; i++)
		if (esp_dp_usage(m->dp, m->installed[i].id, 0, &u) == ESP_OK)
			m->installed[kept++] = m->installed[i];
	m->n_installed = kept;
}

static void do_sa_add(struct sim *s, struct machine *m, struct order *o)
{
	struct esp_child *c = o->fx.u.child;

	if (s->sc.sabotage == BREAK_REPLAY)
		c->replay_window = 0;
	if (s->sc.sabotage == BREAK_HASTE)
		c->outbound_ready = true;
	if (s->sc.sabotage == BREAK_OWNER && c->owner != 0)
		c->owner = 1;
	if (esp_dp_add(m->dp, c) != ESP_OK) {
		violation(s, "%s: the dataplane refuses child %u", m->name, c->id);
		return;
	}
	s->counts.children++;
	assert(m->n_installed < CHILDREN_MAX);
	m->installed[m->n_installed++] = (struct installed){
		.id = c->id,
		.spi_out = c->spi_out,
		.scope = c->scope,
		.remote = c->remote,
		.key_out = hash_bytes(1, secret_span(&c->key_out)),
	};
}

static void on_usage(struct sim *s, struct action *a)
{
	struct node_event ev = {.kind = NODE_USAGE};

	if (machine_defers(s, &s->machines[a->who], a))
		return;
	ev.u.usage = *(struct esp_usage *)a->own;
	machine_feed(s, &s->machines[a->who], &ev);
}

static void do_usage(struct sim *s, struct machine *m)
{
	for (unsigned i = 0; i < m->n_installed; i++) {
		struct esp_usage *u = mem_new(1, sizeof(*u));
		struct action a = {
			.run = on_usage, .who = m->index, .tag = m->lives, .own = u};
		if (esp_dp_usage(m->dp, m->installed[i].id, s->world.now_ms, u) == ESP_OK)
			world_at(s, s->world.now_ms, a);
		else
			free(u);
	}
}

static void on_gate_closed(struct sim *s, struct action *a)
{
	struct node_event ev = {.kind = NODE_GATE_CLOSED};

	if (machine_defers(s, &s->machines[a->who], a))
		return;
	ev.u.gate.scope = (uint16_t)a->n;
	ev.u.gate.turn = *(uint32_t *)a->own;
	machine_feed(s, &s->machines[a->who], &ev);
}

static void do_acknowledge(struct sim *s, struct machine *m, const struct order *o)
{
	uint32_t *turn = mem_new(1, sizeof(*turn));

	*turn = o->turn;
	world_at(s, s->world.now_ms,
		(struct action){.run = on_gate_closed,
			.who = m->index,
			.n = o->fx.scope,
			.tag = m->lives,
			.own = turn});
}

static void trace_order(struct sim *s, const struct machine *m, const struct effect *fx)
{
	const struct installed *in = NULL;

	if (!s->world.tracing)
		return;
	if (fx->kind == FX_SA_ADD)
		trace(s, "  %s: add %u, SPI in %08x out %08x%s", m->name, fx->u.child->id,
			fx->u.child->spi_in, fx->u.child->spi_out,
			fx->u.child->outbound_ready ? ", sent on" : "");
	for (unsigned i = 0; i < m->n_installed; i++)
		if (m->installed[i].id == fx->u.id)
			in = &m->installed[i];
	if (in && (fx->kind == FX_SA_ACTIVATE || fx->kind == FX_SA_DELETE))
		trace(s, "  %s: %s %u, SPI out %08x", m->name,
			fx->kind == FX_SA_DELETE ? "delete" : "send on", fx->u.id,
			in->spi_out);
}

static void do_order(struct sim *s, struct machine *m, struct order *o)
{
	struct effect *fx = &o->fx;
	enum esp_err err = ESP_OK;

	trace_order(s, m, fx);
	switch (fx->kind) {
	case FX_POLICY:
		esp_dp_policy(m->dp, fx->scope, fx->u.policy.spd, fx->u.policy.addrs,
			fx->u.policy.n_addrs);
		fx->u.policy.spd = NULL;
		forget_children(m);
		break;
	case FX_SA_ADD:
		do_sa_add(s, m, o);
		break;
	case FX_SA_ACTIVATE:
		err = esp_dp_activate(m->dp, fx->u.id);
		break;
	case FX_SA_DELETE:
		err = esp_dp_delete(m->dp, fx->u.id);
		forget_children(m);
		break;
	case FX_SA_MOVE:
		err = esp_dp_move(
			m->dp, fx->u.move.id, &fx->u.move.remote, fx->u.move.encap);
		for (unsigned i = 0; i < m->n_installed; i++)
			if (m->installed[i].id == fx->u.move.id)
				m->installed[i].remote = fx->u.move.remote;
		break;
	case FX_USAGE_QUERY:
		do_usage(s, m);
		break;
	case FX_GATE:
		do_acknowledge(s, m, o);
		break;
	default:
		assert(false);
	}
	machine_release(s, m);
	if (err != ESP_OK)
		trace(s, "%s: order %d is too late", m->name, (int)fx->kind);
}

/* As the data thread does between reading packets and judging them: whoever sends on a
 * new SA has heard of it after the order to receive on it was given. */
void machine_orders_now(struct sim *s, struct machine *m)
{
	while (!list_empty(&m->orders)) {
		struct order *o = list_entry(m->orders.next, struct order, link);
		do_order(s, m, o);
		order_free(o);
	}
}

static void on_order(struct sim *s, struct action *a)
{
	struct machine *m = &s->machines[a->who];

	if (machine_defers(s, m, a) || list_empty(&m->orders))
		return;
	struct order *o = list_entry(m->orders.next, struct order, link);
	do_order(s, m, o);
	order_free(o);
}

/* The effect's content goes with the order. */
static void order(struct sim *s, struct machine *m, struct effect *fx, uint32_t turn)
{
	struct order *o = mem_new(1, sizeof(*o));
	uint64_t at = world_later(
		&s->world, roll_between(&s->net.dice, 0, s->sc.order_delay_ms));

	o->fx = *fx;
	o->turn = turn;
	if (fx->kind == FX_POLICY)
		fx->u.policy.spd = NULL;
	if (fx->kind == FX_SA_ADD) {
		o->fx.u.child = mem_new(1, sizeof(*o->fx.u.child));
		*o->fx.u.child = *fx->u.child;
	}
	if (at < m->orders_ms)
		at = m->orders_ms;
	m->orders_ms = at;
	list_add(&m->orders, &o->link);
	world_at(s, at,
		(struct action){.run = on_order, .who = m->index, .tag = m->lives});
}

static void on_notice(struct sim *s, struct action *a)
{
	struct node_event ev = {.kind = NODE_NOTICE};

	if (machine_defers(s, &s->machines[a->who], a))
		return;
	ev.u.notice = *(struct esp_notice *)a->own;
	machine_feed(s, &s->machines[a->who], &ev);
}

void machine_notices(struct sim *s, struct machine *m)
{
	struct esp_notice n;

	while (esp_dp_notice(m->dp, &n)) {
		struct esp_notice *own = mem_new(1, sizeof(*own));
		*own = n;
		world_at(s, s->world.now_ms,
			(struct action){.run = on_notice,
				.who = m->index,
				.tag = m->lives,
				.own = own});
	}
}

/* ---- a safeguard taken out ---------------------------------------------------------------- */

struct search {
	uint32_t id;
	bool found;
};

static bool search_child(const struct child_view *v, void *ctx)
{
	struct search *s = ctx;

	s->found = s->found || v->child.id == s->id;
	return !s->found;
}

/* What was replaced goes at once, and not when the node says so. */
static void drop_waning(struct machine *m)
{
	for (unsigned i = 0; i < m->n_installed; i++) {
		struct search s = {.id = m->installed[i].id};
		node_each_child(m->node, search_child, &s);
		enum esp_err err = s.found ? ESP_OK : esp_dp_delete(m->dp, s.id);
		(void)err;
	}
	forget_children(m);
}

/* ---- deeds of the loop ----------------------------------------------------------------- */

static void do_send(struct sim *s, struct machine *m, struct effect *fx)
{
	struct packet *p =
		packet_new(WIRE_IKE, span_of(fx->u.send.bytes, fx->u.send.len));

	p->natt = fx->u.send.path.natt;
	p->src = fx->u.send.path.local;
	p->dst = fx->u.send.path.remote;
	net_send(s, m, p);
}

/* RFC 3948 2.3 */
static void do_keepalive(struct sim *s, struct machine *m, struct effect *fx)
{
	static const uint8_t octet = 0xff;
	struct packet *p = packet_new(WIRE_ESP, span_of(&octet, 1));

	p->natt = true;
	p->src = fx->u.keepalive.local;
	p->dst = fx->u.keepalive.remote;
	net_send(s, m, p);
}

static void do_sockets(struct sim *s, struct machine *m, struct effect *fx)
{
	unsigned i = 0;

	while (i < m->n_sockets && !addr_equal(&m->sockets[i], &fx->u.sockets.addr))
		i++;
	if (!fx->u.sockets.open && i < m->n_sockets)
		m->sockets[i] = m->sockets[--m->n_sockets];
	if (fx->u.sockets.open && i == m->n_sockets) {
		assert(m->n_sockets < LOCAL_ADDRS);
		m->sockets[m->n_sockets++] = fx->u.sockets.addr;
	}
	if (fx->u.sockets.open)
		check_bound(s, m, &fx->u.sockets.addr);
}

static void do_gate(struct sim *s, struct machine *m, struct effect *fx)
{
	struct esp_gate *gate = esp_dp_gate(m->dp, fx->scope);

	check_gate(s, m, fx->scope, fx->u.gate.open);
	if (fx->u.gate.open)
		(void)esp_gate_open(gate, fx->u.gate.activation);
	else if (s->sc.sabotage == BREAK_GATE)
		order(s, m, fx, 0);
	else
		order(s, m, fx, esp_gate_close(gate));
}

static void do_store(struct machine *m, struct effect *fx)
{
	struct disk_file *f = NULL;

	for (unsigned i = 0; i < DISK_FILES && !f; i++)
		if (strcmp(m->disk[i].name, fx->u.blob.name) == 0)
			f = &m->disk[i];
	for (unsigned i = 0; i < DISK_FILES && !f; i++)
		if (m->disk[i].name[0] == '\0')
			f = &m->disk[i];
	assert(f);
	free(f->bytes);
	memcpy(f->name, fx->u.blob.name, sizeof(f->name));
	f->bytes = fx->u.blob.bytes;
	f->len = fx->u.blob.len;
	fx->u.blob.bytes = NULL;
}

static void do_event(struct sim *s, const struct machine *m, const struct effect *fx)
{
	char peer[ENDPOINT_TEXT_MAX] = "";

	if (addr_is_set(&fx->u.event.peer.addr))
		endpoint_format(&fx->u.event.peer, peer);
	trace(s, "%s: %s vip=%s peer=%s ike=%u %s", m->name, fx->u.event.kind,
		fx->u.event.vip, peer, fx->u.event.ike, fx->u.event.text);
}

static void do_one(struct sim *s, struct machine *m, struct effect *fx)
{
	switch (fx->kind) {
	case FX_SEND:
		do_send(s, m, fx);
		break;
	case FX_RESOLVE: /* no rule here has a name */
	case FX_FETCH: /* no peer here shows a certificate that asks for it */
		break;
	case FX_SA_AWAIT: /* esp/ keeps what comes with any SPI */
		break;
	case FX_KEEPALIVE:
		do_keepalive(s, m, fx);
		break;
	case FX_SOCKETS:
		do_sockets(s, m, fx);
		break;
	case FX_ANNOUNCE:
		net_announce(s, &fx->u.announce, m);
		break;
	case FX_GATE:
		do_gate(s, m, fx);
		break;
	case FX_CLUSTER_SEND:
		bus_send(s, m, span_of(fx->u.blob.bytes, fx->u.blob.len));
		break;
	case FX_STORE:
		do_store(m, fx);
		break;
	case FX_EVENT:
		do_event(s, m, fx);
		rekeys_note(s, fx);
		break;
	case FX_REPLY:
		trace(s, "%s: reply %d %s", m->name, fx->u.reply.code, fx->u.reply.text);
		break;
	case FX_EXIT:
		break;
	default:
		order(s, m, fx, 0);
	}
}

void machine_carry(struct sim *s, struct machine *m)
{
	bool quits = false;

	for (size_t i = 0; i < m->fx.n; i++) {
		struct effect *fx = &m->fx.at[i];
		struct span bytes = {0};
		if (fx->kind == FX_SEND)
			bytes = span_of(fx->u.send.bytes, fx->u.send.len);
		if (fx->kind == FX_STORE || fx->kind == FX_CLUSTER_SEND)
			bytes = span_of(fx->u.blob.bytes, fx->u.blob.len);
		world_note(s, m->index, (unsigned)fx->kind, bytes);
		quits = quits || fx->kind == FX_EXIT;
		do_one(s, m, fx);
	}
	effects_clear(&m->fx);
	if (s->sc.sabotage == BREAK_GRACE)
		drop_waning(m);
	if (quits)
		pm_quit(s, m);
}
