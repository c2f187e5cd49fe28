/* tests/sim/stray.c - somebody puts a VIP's address on a node by hand, and takes it away.
 *
 * While it is there, and for a while after its node has heard that it went, rule 3 excuses
 * what two nodes say from it that do not see each other (check.c). A node that stands
 * still hears late: when it goes on, it speaks from the address before it knows that
 * somebody has taken it away meanwhile.
 */
#include "sim/sim.h"

enum { LOOK_MS = 100, LASTS_MS = 2000 /* what it has caused */ };

static void on_gone(struct sim *s, struct action *a)
{
	struct resource *r = &s->pm.vips[a->who];
	const struct machine *m = &s->machines[a->n];

	if (r->stray != NOWHERE || r->strayed != (int)a->n)
		return; /* the next one has begun */
	if (m->node && !machine_serves(m))
		world_at(s, world_later(&s->world, LOOK_MS), *a);
	else
		r->strayed_ms = world_later(&s->world, LASTS_MS);
}

void pm_stray_over(struct sim *s, unsigned vip, unsigned node)
{
	struct resource *r = &s->pm.vips[vip];

	if (r->stray != (int)node)
		return;
	r->stray = NOWHERE;
	world_at(s, s->world.now_ms,
		(struct action){.run = on_gone, .who = vip, .n = node});
}

static bool may_come(const struct resource *r, const struct machine *m)
{
	return r->stray == NOWHERE && r->home != (int)m->index && m->powered && m->guard;
}

void pm_stray(struct sim *s, unsigned vip, unsigned node, bool there)
{
	struct resource *r = &s->pm.vips[vip];
	struct machine *m = &s->machines[node];
	const struct addr four = vip_addr(vip, false);

	if (there ? !may_come(r, m) : r->stray != (int)node)
		return;
	if (!there) {
		pm_stray_over(s, vip, node);
	} else {
		r->stray = r->strayed = (int)node;
		r->strayed_ms = UINT64_MAX;
		s->counts.strays++;
	}
	if (r->home != (int)node)
		machine_addr_set(s, m, &four, there ? NODE_ADDR_PRESENT : NODE_ADDR_GONE);
}
