/* tests/unit/node_lab_time.c - the clock goes on, and what is due is delivered. */
#include "node_lab_parts.h"

#include "base/iana.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void deliver_datagram(struct lab *l, struct lab_item *item)
{
	if (item->local.port != IKE_PORT && item->local.port != IKE_NATT_PORT)
		return; /* a mapping that is gone */
	for (unsigned i = 0; i < LAB_NODES; i++) {
		if (!l->node[i].node || !lab_has_socket(&l->node[i], &item->local.addr))
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
		c = lab_child_by_id(&l->node[item->to], item->local.port);
		if (item->natt && (!c || c->refused))
			break;
		if (item->natt) {
			ev.kind = NODE_USAGE;
			ev.u.usage = c->usage;
			ev.u.usage.as_of_ms = l->now_ms;
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
	lab_compact(l);
	l->now_ms = until;
}
