/* tests/sim/net.c - the link: loss, doubles, detours, cuts, neighbours, and the NAT box.
 *
 * The NAT box maps each (inner endpoint, endpoint there) to a port of its own, as a
 * masquerading router does, and lets in only answers. ESP without UDP does not pass it.
 */
#include "sim/sim.h"

#include "base/iana.h"
#include "base/mem.h"
#include "wire/ike_header.h"
#include "wire/ip_packet.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAT_PORT_FIRST = 20000, LINGER_MIN_MS = 500, LINGER_MAX_MS = 6000 };
enum { CROSSING_MS = 200, ASK_ANEW_MS = 5000, SPARED = 3 };

void net_init(struct sim *s)
{
	s->net = (struct net){.nat_port = NAT_PORT_FIRST,
		.loss = s->sc.loss,
		.duplicate = s->sc.duplicate,
		.linger = s->sc.linger};
	stream_init(&s->net.dice, s->world.seed, 1);
}

struct packet *packet_new(enum wire_kind kind, struct span bytes)
{
	struct packet *p = mem_new(1, sizeof(*p) + bytes.len);

	p->kind = kind;
	p->len = bytes.len;
	if (bytes.len > 0)
		memcpy(p->bytes, bytes.at, bytes.len);
	return p;
}

void net_cut(struct sim *s, unsigned a, unsigned b, bool cut)
{
	s->net.cut[a][b] = s->net.cut[b][a] = cut;
}

/* For traces; until the next call. */
struct span sealed_at_spi(struct span sealed, bool ah)
{
	struct ip_packet ip;

	if (!ah)
		return sealed;
	enum wire_err err = ip_packet_read(sealed, &ip);
	assert(err == WIRE_OK && ip.proto == IP_AH); /* our own work */
	(void)err;
	struct reader r = rd_over(span_of(sealed.at + ip.l4_at, ip.total_len - ip.l4_at));
	rd_skip(&r, 4); /* next header, length, reserved */
	return rd_rest(&r);
}

const char *packet_spi(const struct packet *p)
{
	static char text[16];
	struct reader r = rd_over(sealed_at_spi(span_of(p->bytes, p->len), p->ah));

	snprintf(text, sizeof(text), "%08x", rd_u32(&r));
	return text;
}

static void trace_ike(struct sim *s, const struct packet *p, const char *what)
{
	struct ike_header h;
	struct reader rest;

	if (s->world.tracing && p->kind == WIRE_IKE &&
		ike_header_read(span_of(p->bytes, p->len), &h, &rest) == WIRE_OK)
		trace(s, "  IKE %s -> %s: %016llx exchange %u %s %u, %zu octets%s",
			s->machines[p->from].name, s->machines[p->to].name,
			(unsigned long long)h.spi_i, h.exchange,
			h.response ? "response" : "request", h.message_id, p->len, what);
}

/* ---- who has an address ---------------------------------------------------------------- */

void net_announce(struct sim *s, const struct addr *a, const struct machine *m)
{
	struct net *n = &s->net;
	char text[ADDR_TEXT_MAX];
	unsigned i = 0;

	while (i < n->n_neighbours && !addr_equal(&n->neighbours[i].addr, a))
		i++;
	if (i == NEIGHBOURS)
		return;
	if (i == n->n_neighbours)
		n->n_neighbours++;
	n->neighbours[i].addr = *a;
	n->neighbours[i].machine = m->index;
	n->neighbours[i].deaf_ms = 0;
	trace(s, "%s announces %s", m->name, addr_format(a, text));
}

static bool has(const struct sim *s, unsigned machine, const struct addr *a)
{
	return s->machines[machine].powered && !s->machines[machine].frozen &&
	       machine_has_addr(&s->machines[machine], a, true);
}

static void ask_anew(struct sim *s, struct neighbour *n)
{
	if (has(s, n->machine, &n->addr)) {
		n->deaf_ms = 0;
		return;
	}
	if (n->deaf_ms == 0)
		n->deaf_ms = s->world.now_ms;
	if (n->deaf_ms + ASK_ANEW_MS > s->world.now_ms)
		return;
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		if (has(s, i, &n->addr))
			n->machine = i;
}

static bool find_machine(struct sim *s, const struct addr *a, unsigned *out)
{
	for (unsigned i = 0; i < s->net.n_neighbours; i++) {
		if (addr_equal(&s->net.neighbours[i].addr, a)) {
			ask_anew(s, &s->net.neighbours[i]);
			*out = s->net.neighbours[i].machine;
			return true;
		}
	}
	for (unsigned i = 0; i < s->sc.n_peers; i++) {
		const struct addr own = peer_addr(&s->sc, i);
		if (addr_equal(&own, a)) {
			*out = s->sc.n_nodes + i;
			return true;
		}
	}
	return false;
}

/* ---- NAT --------------------------------------------------------------------------------- */

void net_nat_reset(struct sim *s)
{
	s->net.n_nat = 0;
	s->net.nat_port = (uint16_t)(s->net.nat_port + NAT_MAPPINGS);
}

static bool is_inside(const struct sim *s, unsigned machine)
{
	return machine >= s->sc.n_nodes &&
	       peer_is_behind_nat(&s->sc, machine - s->sc.n_nodes);
}

static void nat_out(struct net *n, struct packet *p)
{
	const struct addr outer = nat_addr();
	unsigned i = 0;

	while (i < n->n_nat && !(endpoint_equal(&n->nat[i].inner, &p->src) &&
				       endpoint_equal(&n->nat[i].there, &p->dst)))
		i++;
	if (i == NAT_MAPPINGS)
		i = roll(&n->dice, NAT_MAPPINGS);
	if (i >= n->n_nat || !endpoint_equal(&n->nat[i].inner, &p->src)) {
		n->nat[i] = (struct mapping){p->src, p->dst, n->nat_port++};
		if (n->n_nat < NAT_MAPPINGS && i == n->n_nat)
			n->n_nat++;
	}
	p->src = (struct endpoint){outer, n->nat[i].port};
}

static bool nat_in(const struct net *n, struct packet *p)
{
	for (unsigned i = 0; i < n->n_nat; i++) {
		if (n->nat[i].port == p->dst.port &&
			endpoint_equal(&n->nat[i].there, &p->src)) {
			p->dst = n->nat[i].inner;
			return true;
		}
	}
	return false;
}

/* Sets p->to. False: it leads nowhere. */
static bool route(struct sim *s, const struct machine *from, struct packet *p)
{
	const struct addr outer = nat_addr();
	bool udp = p->kind != WIRE_ESP || p->natt;

	if (is_inside(s, from->index)) {
		if (!udp)
			return false;
		nat_out(&s->net, p);
	}
	if (addr_equal(&p->dst.addr, &outer)) {
		if (!udp || !nat_in(&s->net, p))
			return false;
	} else if (find_machine(s, &p->dst.addr, &p->to) && is_inside(s, p->to)) {
		return false; /* an inner address is not known outside */
	}
	return find_machine(s, &p->dst.addr, &p->to);
}

/* ---- what a run goes through -------------------------------------------------------------- */

static void note_call(struct sim *s, const struct packet *p)
{
	struct ike_header h;
	struct reader rest;
	bool up = p->from >= s->sc.n_nodes; /* from a peer */
	unsigned peer = up ? p->from : p->to, node = up ? p->to : p->from;

	if (ike_header_read(span_of(p->bytes, p->len), &h, &rest) != WIRE_OK ||
		h.exchange != IKE_SA_INIT || h.response || node >= s->sc.n_nodes ||
		peer < s->sc.n_nodes)
		return;
	uint64_t *mine = &s->net.called_ms[peer][node][up];
	uint64_t other = s->net.called_ms[peer][node][!up];
	if (other != 0 && other + CROSSING_MS > s->world.now_ms &&
		*mine + CROSSING_MS <= s->world.now_ms)
		s->counts.crossings++;
	*mine = s->net.init_ms = s->world.now_ms;
}

/* ---- under way ---------------------------------------------------------------------------- */

static void on_arrival(struct sim *s, struct action *a)
{
	struct packet *p = a->own;
	struct machine *m = &s->machines[p->to];

	if (s->net.cut[p->from][p->to])
		return;
	/* A daemon that stands still finds in its sockets what came meanwhile. */
	if (m->stopped && p->kind != WIRE_CLEAR && a->tag == m->lives &&
		machine_defers(s, m, a))
		return;
	machine_receive(s, m, p);
}

static void deliver(struct sim *s, const struct packet *p, uint64_t in_ms)
{
	struct packet *copy = mem_new(1, sizeof(*copy) + p->len);

	memcpy(copy, p, sizeof(*p) + p->len);
	world_at(s, world_later(&s->world, in_ms),
		(struct action){.run = on_arrival,
			.who = p->to,
			.tag = s->machines[p->to].lives,
			.own = copy});
}

static unsigned peer_of(const struct sim *s, const struct packet *p)
{
	return (p->from >= s->sc.n_nodes ? p->from : p->to) - s->sc.n_nodes;
}

/* Not one after the other: there is time to ask again, but not for ever. */
static bool falls(struct sim *s, const struct packet *p)
{
	struct net *n = &s->net;
	uint8_t *spared = &n->spared[peer_of(s, p)];

	if (n->rough == 0 || p->kind != WIRE_IKE)
		return false;
	if (*spared > 0) {
		--*spared;
		return false;
	}
	if (!chance(&n->dice, n->rough))
		return false;
	*spared = SPARED;
	return true;
}

void net_send(struct sim *s, struct machine *from, struct packet *p)
{
	struct net *n = &s->net;

	p->from = from->index;
	s->counts.datagrams++;
	p->aim = p->dst.addr;
	check_packet(s, from, p);
	if (p->kind == WIRE_IKE)
		flood_note(s, p);
	bool routed = route(s, from, p);
	if (routed && p->kind == WIRE_IKE)
		note_call(s, p);
	if (!routed || n->cut[p->from][p->to] || chance(&n->dice, n->loss) ||
		falls(s, p) || narrow_stops(s, p)) {
		s->counts.lost++;
		trace_ike(s, p, ", lost");
		free(p);
		return;
	}
	trace_ike(s, p, "");
	deliver(s, p, roll_between(&n->dice, s->sc.delay_lo_ms, s->sc.delay_hi_ms));
	unsigned rough = p->kind == WIRE_IKE ? n->rough : 0;
	if (chance(&n->dice, n->duplicate + rough)) {
		s->counts.duplicated++;
		deliver(s, p,
			roll_between(
				&n->dice, s->sc.delay_lo_ms, s->sc.delay_hi_ms + 20));
	}
	if (chance(&n->dice, n->linger + rough)) {
		s->counts.replays_tried++;
		deliver(s, p, roll_between(&n->dice, LINGER_MIN_MS, LINGER_MAX_MS));
	}
	free(p);
}
