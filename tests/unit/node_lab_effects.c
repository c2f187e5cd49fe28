/* tests/unit/node_lab_effects.c - a node's effects, carried out on a model of a machine. */
#include "node_lab_parts.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

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
void lab_compact(struct lab *l)
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
		lab_compact(l);
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

bool lab_has_socket(const struct lab_node *m, const struct addr *a)
{
	for (unsigned i = 0; i < m->n_sockets; i++)
		if (addr_equal(&m->sockets[i], a))
			return true;
	return false;
}

/* Out of the NAT, or into it. */
static void cross_nat(const struct lab *l, struct lab_item *item)
{
	const struct addr *insides[] = {&l->inside, &l->inside_too};

	for (unsigned i = 0; i < 2; i++) {
		unsigned shift = l->nat_shift + i * LAB_NAT_NEXT;
		if (!addr_is_set(insides[i]))
			continue;
		if (addr_equal(&item->remote.addr, insides[i])) {
			item->remote.addr = l->outside;
			item->remote.port = (uint16_t)(item->remote.port + shift);
			return;
		}
		if (addr_equal(&item->local.addr, &l->outside) &&
			item->local.port >= shift &&
			item->local.port < shift + LAB_NAT_NEXT) {
			item->local.addr = *insides[i];
			item->local.port = (uint16_t)(item->local.port - shift);
			return;
		}
	}
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
	assert_true(lab_has_socket(m, &path->local.addr));
	l->leaving = span_of(f->u.send.bytes, f->u.send.len);
	if (l->cut || (l->filter && !l->filter(l, (unsigned)(m - l->node), path))) {
		l->filtered++;
		return;
	}
	struct lab_item *item = enqueue(l, LAB_DATAGRAM, l->now_ms + 1);
	item->local = path->remote;
	item->remote = path->local;
	cross_nat(l, item);
	item->natt = path->natt;
	set_bytes(item, f->u.send.bytes, f->u.send.len);
}

static void do_sockets(struct lab_node *m, const struct effect *f)
{
	char text[ADDR_TEXT_MAX];
	const struct addr *a = &f->u.sockets.addr;

	say(m, "sockets %s %s", addr_format(a, text),
		f->u.sockets.open ? "open" : "close");
	assert_int_equal(lab_has_socket(m, a), !f->u.sockets.open);
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

struct lab_child *lab_child_by_id(struct lab_node *m, uint32_t id)
{
	for (unsigned i = 0; i < m->n_child; i++)
		if (m->child[i].c.id == id)
			return &m->child[i];
	return NULL;
}

static void do_child(struct lab_node *m, struct effect *f)
{
	assert_null(lab_child_by_id(m, f->u.child->id));
	assert_true(m->n_child < LAB_CHILDREN);
	struct lab_child *c = &m->child[m->n_child++];
	*c = (struct lab_child){.c = *f->u.child, .active = f->u.child->outbound_ready};
	c->turn = c->active ? ++m->lab->turns : 0;
	c->usage.id = c->c.id;
	say(m, "sa-add %u %s", c->c.id, c->active ? "active" : "passive");
	c->refused = m->refuses;
	if (!c->refused)
		return;
	struct lab_item *item = enqueue(m->lab, LAB_REFUSAL, m->lab->now_ms + 1);
	item->to = (unsigned)(m - m->lab->node);
	item->local.port = (uint16_t)c->c.id;
}

static void do_activate(struct lab_node *m, uint32_t id)
{
	struct lab_child *c = lab_child_by_id(m, id);

	say(m, "sa-activate %u", id);
	if (!c)
		return;
	c->active = true;
	c->turn = ++m->lab->turns;
}

static void do_delete(struct lab_node *m, uint32_t id)
{
	struct lab_child *c = lab_child_by_id(m, id);

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
		do_activate(m, f->u.id);
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
	case FX_FETCH:
		m->fetch = f->u.fetch.id;
		say(m, "fetch %u %s", f->u.fetch.id, f->u.fetch.wish.url);
		break;
	case FX_RESOLVE:
		m->ask = f->u.resolve.id;
		say(m, "resolve %u %s", f->u.resolve.id, f->u.resolve.name);
		break;
	case FX_SA_AWAIT:
		say(m, "sa await %08x", f->u.id);
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
	if (l->wall_s != 0)
		ev->wall_s = l->wall_s + (int64_t)(l->now_ms - LAB_BEGINS_MS) / 1000;
	effects_init(&fx);
	node_step(m->node, ev, &fx);
	for (size_t k = 0; k < fx.n; k++)
		do_effect(m, &fx.at[k]);
	effects_free(&fx);
}
