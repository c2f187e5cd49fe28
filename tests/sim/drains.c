/* tests/sim/drains.c - virtual IPs are drained and undrained now and then, from any node, and
 * stay so over crashes, partitions and the end of the faults (RFC 5685).
 *
 * Where peers are sent is the other virtual IP, which has another identity and other traffic,
 * or an address where nobody is. So whoever goes has to come back, and in transport mode nobody
 * may go at all: invariant 7 says whether all of them have their SAs in the end. That peers
 * find what they are sent to is for the unit tests and the laboratory.
 */
#include "sim/sim.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { DRAINS = 6 };

struct drain_plan {
	bool off;
	char to[2 * ADDR_TEXT_MAX];
};

static void target(
	struct stream *d, const struct sim *s, unsigned vip, char *out, size_t cap)
{
	char v4[ADDR_TEXT_MAX], v6[ADDR_TEXT_MAX];
	const bool somebody = s->sc.n_vips > 1 && chance(d, 5000);
	const struct addr four =
		somebody ? vip_addr(1 - vip, false) : addr_v4(192, 0, 2, 99);
	const struct addr six = vip_addr(somebody ? 1 - vip : 89, true);

	addr_format(&four, v4);
	addr_format(&six, v6);
	if (chance(d, 5000))
		snprintf(out, cap, "%s,%s", v4, v6);
	else
		snprintf(out, cap, "%s", v4);
}

static void on_drain(struct sim *s, struct action *a)
{
	const struct drain_plan *p = a->own;
	struct machine *m = &s->machines[a->who];

	if (!m->node)
		return;
	s->counts.drains++;
	machine_command(
		s, m, p->off ? NODE_UNDRAIN : NODE_DRAIN, pm_vip_name(a->n), "", p->to);
}

/* From a stream of its own: runs without it are as they were. In the first half of the faults:
 * what it begins has come to rest when everybody must be back, but for a peer that comes back
 * to a VIP which is drained to where nobody is. */
void drains_plan(struct sim *s)
{
	struct stream d;

	if (!s->sc.drains)
		return;
	stream_init(&d, s->world.seed, 12);
	for (unsigned i = 0; i < DRAINS; i++) {
		struct drain_plan *p = mem_new(1, sizeof(*p));
		unsigned vip = roll(&d, s->sc.n_vips);

		p->off = chance(&d, 3000);
		target(&d, s, vip, p->to, sizeof(p->to));
		world_at(s,
			world_later(
				&s->world, roll_between(&d, 500, s->sc.faults_ms / 2)),
			(struct action){.run = on_drain,
				.who = roll(&d, s->sc.n_nodes),
				.n = vip,
				.own = p});
	}
}

void drains_check(struct sim *s)
{
	for (unsigned v = 0; s->sc.drains && v < s->sc.n_vips; v++) {
		struct vip_view first, other;

		for (unsigned i = 0; i < s->sc.n_nodes; i++) {
			if (!node_look_vip(s->machines[i].node, (uint16_t)v, &other))
				return;
			if (i == 0)
				first = other;
			if (other.drained != first.drained ||
				memcmp(other.drain_to, first.drain_to,
					sizeof(first.drain_to)) != 0)
				violation(s,
					"12: %s and %s do not agree whether %s is "
					"drained",
					s->machines[0].name, s->machines[i].name,
					first.name);
		}
	}
}
