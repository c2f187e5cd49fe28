/* xfrm/select.c - ranges cut into prefixes and masks.
 *
 * The kernel's selectors name ICMP's type as the source port and its code as the
 * destination port, in either direction; IKE's have both in one number (RFC 7296 3.13.1).
 */
#include "config.h"

#include "xfrm/select.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/iana.h"
#include "base/mem.h"
#include "routing/cover.h"

enum { PORT_BLOCKS_MAX = 32 };

/* ---- addresses ------------------------------------------------------------------------ */

uint16_t select_family(const struct addr *a)
{
	if (a->family == ADDR_V4)
		return AF_INET;
	return a->family == ADDR_V6 ? AF_INET6 : 0;
}

xfrm_address_t select_addr(const struct addr *a)
{
	xfrm_address_t out;

	memset(&out, 0, sizeof(out));
	memcpy(&out, a->b, addr_len(a));
	return out;
}

struct addr select_addr_read(const xfrm_address_t *a, uint16_t family)
{
	return addr_from_bytes((const uint8_t *)a, family == AF_INET ? 4 : 16);
}

/* ---- ports ----------------------------------------------------------------------------- */

/* From the low end the largest aligned block that fits, again and again. */
static size_t cover_ports(uint16_t lo, uint16_t hi, struct select_port *out)
{
	uint32_t at = lo;
	size_t n = 0;

	while (at <= hi) {
		uint32_t size = 1;
		while (at % (2 * size) == 0 && at + 2 * size - 1 <= hi)
			size *= 2;
		out[n++] = (struct select_port){
			.value = (uint16_t)at, .mask = (uint16_t) ~(size - 1)};
		at += size;
	}
	return n;
}

static bool has_ports(uint8_t proto)
{
	return proto == IP_TCP || proto == IP_UDP || proto == 132 || proto == 33 ||
	       proto == 136;
}

static bool is_icmp(uint8_t proto)
{
	return proto == IP_ICMP || proto == IP_ICMPV6;
}

static bool is_every_port(const struct ts *t)
{
	return t->port_lo == 0 && t->port_hi == UINT16_MAX;
}

struct ports {
	struct select_port local[PORT_BLOCKS_MAX], remote[PORT_BLOCKS_MAX];
	size_t n_local, n_remote;
};

/* Whole types, or codes of one type. */
static bool icmp_ports(const struct ts *t, struct ports *out)
{
	unsigned type_lo = t->port_lo >> 8, type_hi = t->port_hi >> 8;

	if ((t->port_lo & 0xff) == 0 && (t->port_hi & 0xff) == 0xff) {
		out->n_local =
			cover_ports((uint16_t)type_lo, (uint16_t)type_hi, out->local);
		out->remote[0] = (struct select_port){0};
		out->n_remote = 1;
		return true;
	}
	if (type_lo != type_hi)
		return false;
	out->local[0] = (struct select_port){(uint16_t)type_lo, UINT16_MAX};
	out->n_local = 1;
	out->n_remote = cover_ports(t->port_lo & 0xff, t->port_hi & 0xff, out->remote);
	return true;
}

static bool make_ports(const struct ts *local, const struct ts *remote, struct ports *out)
{
	bool any = is_every_port(local) && is_every_port(remote);

	*out = (struct ports){.n_local = 1, .n_remote = 1};
	if (any)
		return true;
	if (local->port_lo > local->port_hi || remote->port_lo > remote->port_hi)
		return false; /* OPAQUE: what shows no ports has none here */
	if (is_icmp(local->proto))
		return icmp_ports(is_every_port(local) ? remote : local, out);
	if (!has_ports(local->proto))
		return false;
	out->n_local = cover_ports(local->port_lo, local->port_hi, out->local);
	out->n_remote = cover_ports(remote->port_lo, remote->port_hi, out->remote);
	return true;
}

/* ---- pieces ------------------------------------------------------------------------------ */

struct cut {
	struct prefix local[COVER_MAX], remote[COVER_MAX];
	size_t n_local, n_remote;
	struct ports ports;
};

static bool cut_up(const struct ts *local, const struct ts *remote, struct cut *c)
{
	if (local->lo.family != remote->lo.family || local->proto != remote->proto ||
		!make_ports(local, remote, &c->ports))
		return false;
	c->n_local = cover_range(local, c->local);
	c->n_remote = cover_range(remote, c->remote);
	return c->n_local * c->n_remote * c->ports.n_local * c->ports.n_remote <=
	       SELECT_PIECES_MAX;
}

bool select_each(const struct ts *local, const struct ts *remote,
	void (*each)(const struct select_piece *p, void *ctx), void *ctx)
{
	struct cut *c = mem_new(1, sizeof(*c));
	bool done = cut_up(local, remote, c);
	size_t ports = done ? c->ports.n_local * c->ports.n_remote : 0;

	for (size_t l = 0; l < c->n_local && done; l++)
		for (size_t r = 0; r < c->n_remote; r++)
			for (size_t p = 0; p < ports; p++)
				each(&(struct select_piece){.local = c->local[l],
					     .remote = c->remote[r],
					     .proto = local->proto,
					     .local_port =
						     c->ports.local[p /
								    c->ports.n_remote],
					     .remote_port =
						     c->ports.remote[p %
								     c->ports.n_remote]},
					ctx);
	free(c);
	return done;
}

static void put_ports(struct xfrm_selector *s, const struct select_port *sport,
	const struct select_port *dport)
{
	s->sport = htons(sport->value);
	s->sport_mask = htons(sport->mask);
	s->dport = htons(dport->value);
	s->dport_mask = htons(dport->mask);
}

struct xfrm_selector select_kernel(const struct select_piece *p, enum select_side side)
{
	const struct prefix *src = side == SELECT_OUT ? &p->local : &p->remote;
	const struct prefix *dst = side == SELECT_OUT ? &p->remote : &p->local;
	bool turned = side == SELECT_IN && !is_icmp(p->proto);
	struct xfrm_selector s;

	memset(&s, 0, sizeof(s)); /* with its padding: it is a key */
	s.family = select_family(&p->local.addr);
	s.saddr = select_addr(&src->addr);
	s.daddr = select_addr(&dst->addr);
	s.prefixlen_s = src->bits;
	s.prefixlen_d = dst->bits;
	s.proto = p->proto;
	s.user = SELECT_USER;
	if (turned)
		put_ports(&s, &p->remote_port, &p->local_port);
	else
		put_ports(&s, &p->local_port, &p->remote_port);
	return s;
}

/* ---- the hull ------------------------------------------------------------------------------ */

/* The longest prefix that has both. */
static struct prefix common(const struct addr *lo, const struct addr *hi)
{
	struct prefix p = {.addr = *lo, .bits = (uint8_t)(8 * addr_len(lo))};

	for (;;) {
		struct addr last = prefix_last(&p);
		p.addr = prefix_first(&p);
		if (addr_cmp(hi, &last) <= 0)
			return p;
		p.bits--;
	}
}

static struct prefix hull_addrs(const struct ts_list *l)
{
	struct addr lo = l->at[0].lo, hi = l->at[0].hi;

	for (unsigned i = 1; i < l->n; i++) {
		if (addr_cmp(&l->at[i].lo, &lo) < 0)
			lo = l->at[i].lo;
		if (addr_cmp(&l->at[i].hi, &hi) > 0)
			hi = l->at[i].hi;
	}
	return common(&lo, &hi);
}

static bool one_family(const struct ts_list *a, const struct ts_list *b)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->at[i].lo.family != a->at[0].lo.family)
			return false;
	for (unsigned i = 0; i < b->n; i++)
		if (b->at[i].lo.family != a->at[0].lo.family)
			return false;
	return a->n > 0 && b->n > 0;
}

struct first {
	struct select_piece piece;
	unsigned n;
};

static void take_first(const struct select_piece *p, void *ctx)
{
	struct first *f = ctx;

	if (f->n++ == 0)
		f->piece = *p;
}

struct xfrm_selector select_hull(
	const struct ts_list *local, const struct ts_list *remote, enum select_side side)
{
	struct first f = {.n = 0};
	struct xfrm_selector none;

	if (local->n == 1 && remote->n == 1 &&
		select_each(&local->at[0], &remote->at[0], take_first, &f) && f.n == 1)
		return select_kernel(&f.piece, side);
	if (one_family(local, remote)) {
		f.piece = (struct select_piece){
			.local = hull_addrs(local), .remote = hull_addrs(remote)};
		return select_kernel(&f.piece, side);
	}
	memset(&none, 0, sizeof(none));
	none.user = SELECT_USER;
	return none;
}

struct request_name select_name(const struct xfrm_id *id, uint16_t family)
{
	return (struct request_name){.daddr = select_addr_read(&id->daddr, family),
		.spi = ntohl(id->spi),
		.ah = id->proto == IPPROTO_AH};
}
