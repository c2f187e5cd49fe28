/* plane/plane.c - the interface in front of the planes, and what they have in common. */
#include "config.h"

#include "plane/ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plane/natt.h"

void plane_close(struct plane *p, bool keep)
{
	p->ops->close(p, keep);
}

int plane_fd(const struct plane *p)
{
	return p->epoll;
}

bool plane_next_report(struct plane *p, struct plane_report *out)
{
	return p->ops->next_report(p, out);
}

/* ---- policy and addresses ------------------------------------------------------------ */

void plane_policy(struct plane *p, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	p->ops->policy(p, scope, spd, addrs, n_addrs);
}

void plane_refresh(struct plane *p)
{
	if (p->ops->refresh)
		p->ops->refresh(p);
}

int plane_touched_fd(const struct plane *p)
{
	return p->touched_fd;
}

enum plane_touch plane_touched(struct plane *p)
{
	return p->ops->touched ? p->ops->touched(p) : PLANE_UNTOUCHED;
}

void plane_found_add(struct plane_found *f, const struct plane_trouble *t)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->at[i].scope == t->scope && f->at[i].rule == t->rule)
			return;
	if (f->n < PLANE_TROUBLES_MAX)
		f->at[f->n++] = *t;
}

void plane_mend(struct plane *p, struct plane_found *found)
{
	memset(found, 0, sizeof(*found));
	if (p->ops->mend)
		p->ops->mend(p, found);
}

void plane_mend_steering(struct steering *s, struct plane_found *found)
{
	struct plane_trouble t = {.rule = PLANE_NO_RULE};
	struct steering_found f;

	steering_mend(s, &f);
	found->deeds |=
		(f.down ? PLANE_DEED_DOWN : 0) | (f.narrow ? PLANE_DEED_NARROW : 0) |
		(f.rules ? PLANE_DEED_RULES : 0) | (f.routes ? PLANE_DEED_ROUTES : 0);
	if (!f.why[0])
		return;
	found->again = true;
	t.scope = f.scope;
	snprintf(t.why, sizeof(t.why), "%s", f.why);
	plane_found_add(found, &t);
}

int plane_bind(struct plane *p, uint16_t scope, const struct addr *local)
{
	return p->ops->bind(p, scope, local);
}

void plane_unbind(struct plane *p, const struct addr *local)
{
	p->ops->unbind(p, local);
}

/* ---- gates and SAs -------------------------------------------------------------------- */

void plane_gate_open(struct plane *p, uint16_t scope, uint16_t activation)
{
	p->ops->gate_open(p, scope, activation);
}

uint32_t plane_gate_close(struct plane *p, uint16_t scope)
{
	return p->ops->gate_close(p, scope);
}

void plane_sa_await(struct plane *p, uint32_t spi)
{
	if (p->ops->sa_await)
		p->ops->sa_await(p, spi);
}

void plane_sa_add(struct plane *p, const struct esp_child *c)
{
	p->ops->sa_add(p, c);
}

void plane_sa_activate(struct plane *p, uint32_t id)
{
	p->ops->sa_activate(p, id);
}

void plane_sa_delete(struct plane *p, uint32_t id)
{
	p->ops->sa_delete(p, id);
}

void plane_sa_move(
	struct plane *p, uint32_t id, const struct endpoint *remote, bool encap)
{
	p->ops->sa_move(p, id, remote, encap);
}

void plane_usage_query(struct plane *p)
{
	p->ops->usage_query(p);
}

void plane_replay_query(struct plane *p, uint32_t id)
{
	p->ops->replay_query(p, id);
}

void plane_replay_set(struct plane *p, uint32_t id, const struct esp_replay_state *state)
{
	p->ops->replay_set(p, id, state);
}

void plane_replay_watch(struct plane *p, uint32_t id, uint32_t packets, uint32_t ms)
{
	p->ops->replay_watch(p, id, packets, ms);
}

void plane_totals(struct plane *p, struct plane_totals *out)
{
	p->ops->totals(p, out);
}

/* ---- IKE on port 4500 ------------------------------------------------------------------- */

int plane_send_ike(struct plane *p, const struct endpoint *local,
	const struct endpoint *remote, struct span bytes)
{
	struct local *l = locals_find(&p->locals, &local->addr);

	return l ? natt_send_ike(l, remote, bytes) : ENOTCONN;
}

int plane_send_keepalive(
	struct plane *p, const struct endpoint *local, const struct endpoint *remote)
{
	struct local *l = locals_find(&p->locals, &local->addr);

	return l ? natt_send_keepalive(l, remote) : ENOTCONN;
}
