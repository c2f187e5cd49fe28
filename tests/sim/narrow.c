/* tests/sim/narrow.c - paths that carry less than 1500 octets, and say so (RFC 1191).
 *
 * What may not be fragmented and does not fit is lost, and its sender gets "fragmentation
 * needed", from which its data plane learns (in the product plane/ reads it, here we do).
 * From then on the SA must send nothing larger whole, and tell its own applications.
 */
#include "sim/narrow.h"

#include "base/mem.h"
#include "sim/sim.h"
#include "wire/ip_packet.h"

enum { MTU_MIN = 600, MTU_MAX = 1450, BACK_MS = 20, UDP_LEN = 8 };
enum { NARROW_MIN_MS = 2000, NARROW_MAX_MS = 15000 };

static size_t outer_len(const struct addr *to, bool encap, bool ah, size_t len)
{
	size_t ip = to->family == ADDR_V4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;

	return ah ? len : ip + (encap ? UDP_LEN : 0) + len;
}

static void on_wide(struct sim *s, struct action *a)
{
	s->net.mtu[a->who] = 0;
}

void narrow_begin(struct sim *s, unsigned peer)
{
	struct stream *d = &s->faults.dice;

	s->counts.narrows++;
	s->net.mtu[peer] = (uint16_t)roll_between(d, MTU_MIN, MTU_MAX);
	trace(s, "the path to peer%u carries %u octets", peer, s->net.mtu[peer]);
	world_at(s, world_later(&s->world, roll_between(d, NARROW_MIN_MS, NARROW_MAX_MS)),
		(struct action){.run = on_wide, .who = peer});
}

void narrow_end(struct sim *s)
{
	memset(s->net.mtu, 0, sizeof(s->net.mtu));
}

struct too_big {
	uint32_t spi;
	struct addr to; /* as its sender wrote it */
};

/* What the ICMP message quotes names the SA. */
static void on_too_big(struct sim *s, struct action *a)
{
	const struct too_big *q = a->own;
	struct machine *m = &s->machines[a->who];

	if (!machine_serves(m) || m->lives != a->tag)
		return;
	struct installed *sa =
		machine_child_of(m, q->spi, &(struct endpoint){.addr = q->to});
	if (!sa || esp_dp_path_mtu(m->dp, sa->id, a->n) != ESP_OK)
		return;
	sa->mtu = a->n;
	s->counts.mtus_learned++;
}

bool narrow_stops(struct sim *s, const struct packet *p)
{
	unsigned peer = (p->from >= s->sc.n_nodes ? p->from : p->to) - s->sc.n_nodes;
	unsigned mtu = s->net.mtu[peer];

	if (p->kind != WIRE_ESP || !p->df || mtu == 0 ||
		outer_len(&p->aim, p->natt, p->ah, p->len) <= mtu)
		return false;
	struct reader r = rd_over(sealed_at_spi(span_of(p->bytes, p->len), p->ah));
	struct too_big *q = mem_new(1, sizeof(*q));
	q->spi = rd_u32(&r);
	q->to = p->aim;
	s->counts.too_big++;
	world_at(s, world_later(&s->world, BACK_MS),
		(struct action){.run = on_too_big,
			.who = p->from,
			.n = mtu,
			.tag = s->machines[p->from].lives,
			.own = q});
	return true;
}

void narrow_check(struct sim *s, const struct machine *m, const struct esp_packet *e,
	const struct installed *sa)
{
	size_t len = outer_len(&e->remote.addr, e->encap, e->ah, e->len);

	if (sa && sa->mtu != 0 && e->dont_fragment && len > sa->mtu)
		violation(s, "9: %s sends %zu octets whole on a path of %u", m->name, len,
			sa->mtu);
}
