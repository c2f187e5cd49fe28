/* node/gate.c - a scope's gate, and the alarm when its closing is not acknowledged.
 *
 * Opening needs an activation number that is on disk. A closing is complete when the data
 * plane has acknowledged it: until then a packet sealed before may still leave, so the
 * claim is kept and nothing is bound again (release.c, place.c). A thread that does not
 * answer within a second hangs, and only the end of the process ends what it may send; or the
 * kernel does not delete SAs. The node cannot mend that, but must not be silent about it.
 */
#include "node/core.h"

enum { ACKNOWLEDGED_WITHIN_MS = 1000 };

void scope_open_gate(struct node *n, struct scope *s)
{
	if (s->gate_open)
		return;
	s->gate_open = true;
	struct effect *f = effects_add(n->out, FX_GATE, s->id);
	f->u.gate.open = true;
	f->u.gate.activation = n->activation;
}

void scope_close_gate(struct node *n, struct scope *s)
{
	if (!s->gate_open)
		return;
	s->gate_open = false;
	if (s->gate_closings++ == 0)
		s->gate_alarm_ms = n->now_ms + ACKNOWLEDGED_WITHIN_MS;
	effects_add(n->out, FX_GATE, s->id);
}

void on_gate_closed(struct node *n, const struct node_event *ev)
{
	release_owed(n, ev->u.gate.scope);
	if (ev->u.gate.scope >= n->n_scopes)
		return;
	struct scope *s = &n->scopes[ev->u.gate.scope];
	if (s->gate_closings == 0 || --s->gate_closings > 0)
		return;
	if (s->gate_stuck)
		node_tell(n, EVENT_NOTICE, "gate-closed", s, NULL, 0,
			"the data plane answers: nothing is sent any more");
	s->gate_stuck = false;
}

void gates_settle(struct node *n)
{
	for (unsigned i = 0; i < n->n_scopes; i++) {
		struct scope *s = &n->scopes[i];
		if (s->gate_closings == 0 || s->gate_stuck ||
			s->gate_alarm_ms > n->now_ms)
			continue;
		s->gate_stuck = true;
		node_tell(n, EVENT_WARNING, "gate-stuck", s, NULL, 0,
			"not released: " GATE_STUCK_TEXT
			"; its claim is kept until it does, or vipsecd is killed");
	}
}

uint64_t gates_due_ms(const struct node *n)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < n->n_scopes; i++) {
		const struct scope *s = &n->scopes[i];
		if (s->gate_closings > 0 && !s->gate_stuck && s->gate_alarm_ms < due)
			due = s->gate_alarm_ms;
	}
	return due;
}
