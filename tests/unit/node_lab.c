/* tests/unit/node_lab.c - the laboratory of node_lab.h. */
#include "node_lab.h"

#include "base/iana.h"
#include "base/mem.h"
#include "config_files.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- carrying effects out -------------------------------------------------------------- */

static void say(struct lab_node *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct lab_node *m, const char *format, ...)
{
	va_list args;
	size_t room = sizeof(m->log) - m->log_len;
	int n = snprintf(
		m->log + m->log_len, room, "%llu ", (unsigned long long)m->lab->now_ms);

	assert_true(n > 0 && (size_t)n < room);
	m->log_len += (size_t)n;
	va_start(args, format);
	n = vsnprintf(m->log + m->log_len, sizeof(m->log) - m->log_len, format, args);
	va_end(args);
	assert_true(n > 0 && (size_t)n + 2 < sizeof(m->log) - m->log_len);
	m->log_len += (size_t)n;
	m->log[m->log_len++] = '\n';
	m->log[m->log_len] = '\0';
}

/* Drops what was delivered; what waits keeps its order. */
static void compact(struct lab *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n_queue; i++)
		if (!l->queue[i].taken)
			l->queue[n++] = l->queue[i];
	l->n_queue = n;
}

static struct lab_item *enqueue(struct lab *l, enum lab_kind kind, uint64_t at_ms)
{
	if (l->n_queue == LAB_QUEUE)
		compact(l);
	assert_true(l->n_queue < LAB_QUEUE);
	struct lab_item *item = &l->queue[l->n_queue++];
	*item = (struct lab_item){.kind = kind, .at_ms = at_ms};
	return item;
}

static void set_bytes(struct lab_item *item, const uint8_t *bytes, size_t len)
{
	item->bytes = mem_new(1, len > 0 ? len : 1);
	item->len = len;
	memcpy(item->bytes, bytes, len);
}

static bool has_socket(const struct lab_node *m, const struct addr *a)
{
	for (unsigned i = 0; i < m->n_sockets; i++)
		if (addr_equal(&m->sockets[i], a))
			return true;
	return false;
}

static void do_send(struct lab_node *m, const struct effect *f)
{
	struct lab *l = m->lab;
	const struct ike_path *path = &f->u.send.path;
	char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];

	m->sent++;
	say(m, "send %s to %s exchange %u%s", endpoint_format(&path->local, from),
		endpoint_format(&path->remote, to), f->u.send.bytes[18],
		f->u.send.bytes[19] & 0x20 ? " response" : "");
	assert_true(has_socket(m, &path->local.addr));
	if (l->cut || (l->filter && !l->filter(l, (unsigned)(m - l->node), path))) {
		l->filtered++;
		return;
	}
	struct lab_item *item = enqueue(l, LAB_DATAGRAM, l->now_ms + 1);
	item->local = path->remote;
	item->remote = path->local;
	if (addr_is_set(&l->inside) && addr_equal(&item->remote.addr, &l->inside)) {
		item->remote.addr = l->outside;
		item->remote.port = (uint16_t)(item->remote.port + l->nat_shift);
	} else if (addr_is_set(&l->inside) &&
		   addr_equal(&item->local.addr, &l->outside)) {
		item->local.addr = l->inside;
		item->local.port = (uint16_t)(item->local.port - l->nat_shift);
	}
	item->natt = path->natt;
	set_bytes(item, f->u.send.bytes, f->u.send.len);
}

static void do_sockets(struct lab_node *m, const struct effect *f)
{
	char text[ADDR_TEXT_MAX];
	const struct addr *a = &f->u.sockets.addr;

	say(m, "sockets %s %s", addr_format(a, text),
		f->u.sockets.open ? "open" : "close");
	assert_int_equal(has_socket(m, a), !f->u.sockets.open);
	if (f->u.sockets.open) {
		assert_true(m->n_sockets < LAB_SOCKETS);
		m->sockets[m->n_sockets++] = *a;
		return;
	}
	for (unsigned i = 0; i < m->n_sockets; i++) {
		if (addr_equal(&m->sockets[i], a)) {
			m->sockets[i] = m->sockets[--m->n_sockets];
			return;
		}
	}
}

static struct lab_child *child_by_id(struct lab_node *m, uint32_t id)
{
	for (unsigned i = 0; i < m->n_child; i++)
		if (m->child[i].c.id == id)
			return &m->child[i];
	return NULL;
}

static void do_child(struct lab_node *m, struct effect *f)
{
	assert_null(child_by_id(m, f->u.child->id));
	assert_true(m->n_child < LAB_CHILDREN);
	struct lab_child *c = &m->child[m->n_child++];
	*c = (struct lab_child){.c = *f->u.child, .active = f->u.child->outbound_ready};
	c->usage.id = c->c.id;
	say(m, "sa-add %u %s", c->c.id, c->active ? "active" : "passive");
	c->refused = m->refuses;
	if (!c->refused)
		return;
	struct lab_item *item = enqueue(m->lab, LAB_REFUSAL, m->lab->now_ms + 1);
	item->to = (unsigned)(m - m->lab->node);
	item->local.port = (uint16_t)c->c.id;
}

static void do_delete(struct lab_node *m, uint32_t id)
{
	struct lab_child *c = child_by_id(m, id);

	assert_non_null(c);
	esp_child_wipe(&c->c);
	*c = m->child[--m->n_child];
	say(m, "sa-delete %u", id);
}

static void do_gate(struct lab_node *m, const struct effect *f)
{
	say(m, "gate %u %s", f->scope, f->u.gate.open ? "open" : "close");
	m->gate[f->scope] = f->u.gate.open;
	if (f->u.gate.open || m->lab->hold_acks)
		return;
	struct lab_item *item = enqueue(m->lab, LAB_ACK, m->lab->now_ms + 1);
	item->to = (unsigned)(m - m->lab->node);
	item->scope = f->scope;
}

static void do_store(struct lab_node *m, const struct effect *f)
{
	struct lab_stored *s = m->stored;

	while (s < m->stored + 3 && s->name[0] && strcmp(s->name, f->u.blob.name) != 0)
		s++;
	free(s->bytes);
	snprintf(s->name, sizeof(s->name), "%s", f->u.blob.name);
	s->len = f->u.blob.len;
	s->bytes = mem_new(1, s->len + 1);
	if (s->len > 0)
		memcpy(s->bytes, f->u.blob.bytes, s->len);
	say(m, "store %s %zu", s->name, s->len);
}

static void do_cluster_send(struct lab_node *m, const struct effect *f)
{
	struct lab *l = m->lab;

	say(m, "message type %u", f->u.blob.bytes[3]);
	for (unsigned i = 0; i < l->n_members; i++) {
		struct lab_item *item = enqueue(l, LAB_MESSAGE, l->now_ms + 1);
		item->to = l->members[i] - 1u;
		item->from = m->member;
		set_bytes(item, f->u.blob.bytes, f->u.blob.len);
	}
}

static void do_query(struct lab_node *m)
{
	m->queries++;
	for (unsigned i = 0; i < m->n_child; i++) {
		struct lab_item *item = enqueue(m->lab, LAB_ACK, m->lab->now_ms);
		item->to = (unsigned)(m - m->lab->node);
		item->natt = true; /* an answer to a query, see deliver() */
		item->local.port = (uint16_t)m->child[i].c.id;
	}
}

static void do_event(struct lab_node *m, const struct effect *f)
{
	say(m, "event %s vip=%s %s", f->u.event.kind, f->u.event.vip, f->u.event.text);
}

static void do_effect(struct lab_node *m, struct effect *f)
{
	char text[ADDR_TEXT_MAX];

	switch (f->kind) {
	case FX_SEND:
		do_send(m, f);
		break;
	case FX_SOCKETS:
		do_sockets(m, f);
		break;
	case FX_ANNOUNCE:
		say(m, "announce %s", addr_format(&f->u.announce, text));
		break;
	case FX_POLICY:
		say(m, "policy %u %s", f->scope, f->u.policy.spd ? "set" : "end");
		break;
	case FX_GATE:
		do_gate(m, f);
		break;
	case FX_SA_ADD:
		do_child(m, f);
		break;
	case FX_SA_ACTIVATE:
		say(m, "sa-activate %u", f->u.id);
		if (child_by_id(m, f->u.id))
			child_by_id(m, f->u.id)->active = true;
		break;
	case FX_SA_DELETE:
		do_delete(m, f->u.id);
		break;
	case FX_SA_MOVE:
		say(m, "sa-move %u", f->u.move.id);
		break;
	case FX_USAGE_QUERY:
		do_query(m);
		break;
	case FX_CLUSTER_SEND:
		do_cluster_send(m, f);
		break;
	case FX_STORE:
		do_store(m, f);
		break;
	case FX_EVENT:
		do_event(m, f);
		break;
	case FX_REPLY:
		m->reply_code = f->u.reply.code;
		memcpy(m->reply, f->u.reply.text, sizeof(m->reply));
		say(m, "reply %d %s", f->u.reply.code, f->u.reply.text);
		break;
	case FX_EXIT:
		m->exited = true;
		say(m, "exit");
		break;
	case FX_KEEPALIVE:
		say(m, "keepalive");
		break;
	}
}

void lab_step(struct lab *l, unsigned i, struct node_event *ev)
{
	struct lab_node *m = &l->node[i];
	struct effects fx;

	if (!m->node)
		return;
	ev->now_ms = l->now_ms;
	effects_init(&fx);
	node_step(m->node, ev, &fx);
	for (size_t k = 0; k < fx.n; k++)
		do_effect(m, &fx.at[k]);
	effects_free(&fx);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void deliver_datagram(struct lab *l, struct lab_item *item)
{
	if (item->local.port != IKE_PORT && item->local.port != IKE_NATT_PORT)
		return; /* a mapping that is gone */
	for (unsigned i = 0; i < LAB_NODES; i++) {
		if (!l->node[i].node || !has_socket(&l->node[i], &item->local.addr))
			continue;
		struct node_event ev = {.kind = NODE_DATAGRAM};
		ev.u.datagram.local = item->local;
		ev.u.datagram.remote = item->remote;
		ev.u.datagram.natt = item->natt;
		ev.u.datagram.bytes = span_of(item->bytes, item->len);
		lab_step(l, i, &ev);
	}
}

/* item is a copy: delivering it may put new ones into the queue. */
static void deliver(struct lab *l, struct lab_item *item)
{
	struct node_event ev = {.kind = NODE_GATE_CLOSED};
	struct lab_child *c;

	switch (item->kind) {
	case LAB_DATAGRAM:
		deliver_datagram(l, item);
		break;
	case LAB_MESSAGE:
		ev.kind = NODE_MESSAGE;
		ev.u.message.from = item->from;
		ev.u.message.bytes = span_of(item->bytes, item->len);
		lab_step(l, item->to, &ev);
		break;
	case LAB_ACK:
		c = child_by_id(&l->node[item->to], item->local.port);
		if (item->natt && (!c || c->refused))
			break;
		if (item->natt) {
			ev.kind = NODE_USAGE;
			ev.u.usage = c->usage;
		} else {
			ev.u.gate.scope = item->scope;
		}
		lab_step(l, item->to, &ev);
		break;
	case LAB_REFUSAL:
		ev.kind = NODE_REFUSED;
		ev.u.refused.id = item->local.port;
		ev.u.refused.why = "no memory";
		lab_step(l, item->to, &ev);
		break;
	}
	free(item->bytes);
}

/* The earliest item, in the order in which equals were put in. */
static struct lab_item *next_item(struct lab *l, uint64_t until_ms)
{
	struct lab_item *best = NULL;

	for (unsigned i = 0; i < l->n_queue; i++) {
		struct lab_item *item = &l->queue[i];
		if (!item->taken && item->at_ms <= until_ms &&
			(!best || item->at_ms < best->at_ms))
			best = item;
	}
	return best;
}

static uint64_t next_due(struct lab *l, unsigned *who)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < LAB_NODES; i++) {
		if (!l->node[i].node || node_next_due_ms(l->node[i].node) >= due)
			continue;
		due = node_next_due_ms(l->node[i].node);
		*who = i;
	}
	return due;
}

void lab_run(struct lab *l, uint64_t ms)
{
	uint64_t until = l->now_ms + ms;
	unsigned steps = 0;

	for (;;) {
		unsigned who = 0;
		uint64_t due = next_due(l, &who);
		struct lab_item *item = next_item(l, due < until ? due : until);
		assert_true(++steps < 200000); /* a node that is always due would spin */
		if (item) {
			if (item->at_ms > l->now_ms)
				l->now_ms = item->at_ms;
			struct lab_item now = *item;
			item->taken = true;
			item->bytes = NULL;
			deliver(l, &now);
		} else if (due <= until) {
			struct node_event ev = {.kind = NODE_TICK};
			if (due > l->now_ms)
				l->now_ms = due;
			lab_step(l, who, &ev);
		} else {
			break;
		}
	}
	compact(l);
	l->now_ms = until;
}

/* ---- life of a node ---------------------------------------------------------------------------- */

struct lab *lab_new(void)
{
	struct lab *l = mem_new(1, sizeof(*l));

	l->now_ms = 1000000;
	for (unsigned i = 0; i < LAB_NODES; i++)
		l->node[i].lab = l;
	return l;
}

void lab_kill(struct lab *l, unsigned i)
{
	struct lab_node *m = &l->node[i];

	node_free(m->node);
	m->node = NULL;
	m->n_sockets = 0;
	for (unsigned k = 0; k < m->n_child; k++)
		esp_child_wipe(&m->child[k].c);
	m->n_child = 0;
	memset(m->gate, 0, sizeof(m->gate));
}

void lab_free(struct lab *l)
{
	for (unsigned i = 0; i < LAB_NODES; i++) {
		lab_kill(l, i);
		for (unsigned k = 0; k < 4; k++)
			free(l->node[i].stored[k].bytes);
	}
	for (unsigned i = 0; i < l->n_queue; i++)
		if (!l->queue[i].taken)
			free(l->queue[i].bytes);
	free(l);
}

static struct config *parse(const char *text)
{
	struct reported report;
	struct config *c = parse_as("lab.conf", span_text(text), &report);

	if (!c)
		fail_msg("%s", report.text);
	return c;
}

void lab_reload(struct lab *l, unsigned i, const char *config)
{
	struct node_event ev = {.kind = NODE_CONFIG};

	ev.u.config = parse(config);
	lab_step(l, i, &ev);
}

static void birth(struct lab *l, unsigned i)
{
	struct lab_node *m = &l->node[i];
	struct node_params params = {.member = (uint8_t)(i + 1)};

	m->member = params.member;
	params.entropy = entropy_seeded(&m->seed, i + 1);
	m->node = node_new(&params);
	m->reply_code = -1;
	m->exited = false;
}

void lab_start(struct lab *l, unsigned i, const char *config)
{
	birth(l, i);
	lab_reload(l, i, config);
}

void lab_restart(struct lab *l, unsigned i, const char *config)
{
	birth(l, i);
	l->node[i].seed.state += 77; /* another life, other numbers */
	for (unsigned k = 0; k < 4; k++) {
		struct lab_stored *s = &l->node[i].stored[k];
		struct node_event ev = {.kind = NODE_RESTORE};
		ev.u.restore.name = s->name;
		ev.u.restore.bytes = span_of(s->bytes, s->len);
		if (s->name[0])
			lab_step(l, i, &ev);
	}
	lab_reload(l, i, config);
}

void lab_address(struct lab *l, unsigned i, const char *addr, enum node_addr_state state)
{
	struct node_event ev = {.kind = NODE_ADDRESS};

	ev.u.address.addr = unit_addr(addr);
	ev.u.address.state = state;
	lab_step(l, i, &ev);
}

void lab_group(struct lab *l, unsigned nodes)
{
	struct node_event ev = {.kind = NODE_MEMBERS};

	l->n_members = 0;
	for (unsigned i = 0; i < LAB_NODES; i++)
		if (nodes >> i & 1)
			l->members[l->n_members++] = (uint8_t)(i + 1);
	ev.u.members.members = l->members;
	ev.u.members.n = l->n_members;
	for (unsigned i = 0; i < LAB_NODES; i++) {
		if (!(nodes >> i & 1))
			continue;
		lab_step(l, i, &ev);
		lab_quorum(l, i, true);
	}
}

void lab_quorum(struct lab *l, unsigned i, bool quorate)
{
	struct node_event ev = {.kind = NODE_QUORUM};

	ev.u.quorate = quorate;
	lab_step(l, i, &ev);
}

void lab_command(struct lab *l, unsigned i, enum node_event_kind kind, const char *vip)
{
	struct node_event ev = {.kind = kind};

	ev.u.command.token = 1;
	ev.u.command.vip = vip;
	lab_step(l, i, &ev);
}

void lab_tune(struct lab *l, unsigned i, const char *key, const char *value)
{
	struct node_event ev = {.kind = NODE_TUNE};

	ev.u.command.token = 1;
	ev.u.command.key = key;
	ev.u.command.value = value;
	lab_step(l, i, &ev);
}

/* ---- traffic --------------------------------------------------------------------------------------- */

void lab_acquire(struct lab *l, unsigned i, uint16_t scope, const char *local,
	const char *remote, uint16_t port)
{
	struct node_event ev = {.kind = NODE_NOTICE};
	struct esp_notice *n = &ev.u.notice;
	struct spd *spd = config_spd(node_config(l->node[i].node), scope);

	n->kind = ESP_ACQUIRE;
	n->scope = scope;
	n->flow = (struct flow){.local = unit_addr(local),
		.remote = unit_addr(remote),
		.proto = IP_TCP,
		.ports_known = true,
		.local_port = 40000,
		.remote_port = port};
	const struct spd_entry *e = spd_lookup(spd, POLICY_OUT, &n->flow);
	assert_true(e && e->action == POLICY_NEGOTIATE);
	n->rule = e->rule;
	spd_free(spd);
	lab_step(l, i, &ev);
}

struct esp_usage *lab_usage(struct lab *l, unsigned i)
{
	assert_int_equal(l->node[i].n_child, 1);
	return &l->node[i].child[0].usage;
}

/* ---- looking --------------------------------------------------------------------------------------- */

enum vip_state lab_vip(struct lab *l, unsigned i, uint16_t scope)
{
	struct vip_view v;

	assert_true(node_look_vip(l->node[i].node, scope, &v));
	return v.state;
}

static bool count_up(const struct peer_view *v, void *ctx)
{
	unsigned *n = ctx;

	if (v->state == PEER_UP)
		(*n)++;
	return true;
}

unsigned lab_up(struct lab *l, unsigned i)
{
	unsigned n = 0;

	node_each_peer(l->node[i].node, count_up, &n);
	return n;
}

struct only {
	struct peer_view view;
	unsigned n;
};

static bool keep_only(const struct peer_view *v, void *ctx)
{
	struct only *o = ctx;

	o->view = *v;
	o->n++;
	return true;
}

struct peer_view lab_peer(struct lab *l, unsigned i)
{
	struct only o = {.n = 0};

	node_each_peer(l->node[i].node, keep_only, &o);
	assert_int_equal(o.n, 1);
	return o.view;
}

static bool line_has(const char *line, size_t len, const char *text)
{
	size_t want = strlen(text);

	for (size_t i = 0; i + want <= len; i++)
		if (memcmp(line + i, text, want) == 0)
			return true;
	return false;
}

int lab_line(struct lab *l, unsigned i, const char *text, unsigned nth)
{
	int at = 0;

	for (const char *line = l->node[i].log; *line; at++) {
		size_t len = strcspn(line, "\n");
		if (line_has(line, len, text) && nth-- == 0)
			return at;
		line += len + 1;
	}
	return -1;
}

unsigned lab_count(struct lab *l, unsigned i, const char *text)
{
	unsigned n = 0;

	while (lab_line(l, i, text, n) >= 0)
		n++;
	return n;
}

void lab_forget_log(struct lab *l, unsigned i)
{
	l->node[i].log_len = 0;
	l->node[i].log[0] = '\0';
}
