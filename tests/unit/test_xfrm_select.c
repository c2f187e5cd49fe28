/* tests/unit/test_xfrm_select.c - selectors of the kernel mean what traffic selectors mean.
 *
 * The kernel's own rule for a match (include/net/xfrm.h) is written down here once more, and
 * random selectors and flows are asked of both.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/entropy.h"
#include "base/iana.h"
#include "xfrm/select.h"

enum { ROUNDS = 2000, FLOWS = 60 };

static struct seeded_entropy seeded;
static struct entropy dice;

static uint32_t below(uint32_t bound)
{
	return entropy_below(&dice, bound);
}

/* ---- the kernel's rule -------------------------------------------------------------- */

static bool addr_in(const xfrm_address_t *net, unsigned bits, const struct addr *a)
{
	const uint8_t *n = (const uint8_t *)net;

	for (unsigned i = 0; i < bits; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);
		if ((n[i / 8] & bit) != (a->b[i / 8] & bit))
			return false;
	}
	return true;
}

static bool port_in(uint16_t port, uint16_t want, uint16_t mask)
{
	return ((htons(port) ^ want) & mask) == 0;
}

static bool kernel_matches(const struct xfrm_selector *s, const struct addr *src,
	const struct addr *dst, uint8_t proto, uint16_t sport, uint16_t dport)
{
	return s->family == (src->family == ADDR_V4 ? AF_INET : AF_INET6) &&
	       addr_in(&s->saddr, s->prefixlen_s, src) &&
	       addr_in(&s->daddr, s->prefixlen_d, dst) &&
	       (s->proto == 0 || s->proto == proto) &&
	       port_in(sport, s->sport, s->sport_mask) &&
	       port_in(dport, s->dport, s->dport_mask);
}

/* ---- random things ------------------------------------------------------------------- */

static struct addr some_addr(void)
{
	return addr_v4(10, 0, 0, (uint8_t)below(16));
}

static struct ts some_ts(uint8_t proto)
{
	struct ts t = ts_any(ADDR_V4);
	struct addr a = some_addr(), b = some_addr();

	t.lo = addr_cmp(&a, &b) < 0 ? a : b;
	t.hi = addr_cmp(&a, &b) < 0 ? b : a;
	t.proto = proto;
	if (proto != IP_ANY && below(2)) {
		t.port_lo = (uint16_t)(1000 + below(40));
		t.port_hi = (uint16_t)(t.port_lo + below(40));
	}
	return t;
}

struct pieces {
	const struct flow *flow;
	unsigned out, in, n;
};

static void ask_piece(const struct select_piece *p, void *ctx)
{
	struct pieces *k = ctx;
	const struct flow *f = k->flow;
	struct xfrm_selector out = select_kernel(p, SELECT_OUT);
	struct xfrm_selector in = select_kernel(p, SELECT_IN);

	k->n++;
	k->out += kernel_matches(
		&out, &f->local, &f->remote, f->proto, f->local_port, f->remote_port);
	k->in += kernel_matches(
		&in, &f->remote, &f->local, f->proto, f->remote_port, f->local_port);
}

static void pieces_are_the_pair(void **state)
{
	static const uint8_t protos[] = {IP_ANY, IP_TCP, IP_UDP};

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t proto = protos[below(3)];
		struct ts l = some_ts(proto), r = some_ts(proto);

		for (unsigned k = 0; k < FLOWS; k++) {
			struct flow f = {.local = some_addr(),
				.remote = some_addr(),
				.proto = below(2) ? IP_TCP : IP_UDP,
				.ports_known = true,
				.local_port = (uint16_t)(990 + below(100)),
				.remote_port = (uint16_t)(990 + below(100))};
			struct pieces got = {.flow = &f};

			assert_true(select_each(&l, &r, ask_piece, &got));
			unsigned want = ts_pair_matches(&l, &r, &f);
			assert_int_equal(got.out, want);
			assert_int_equal(got.in, want);
		}
	}
}

static void take_piece(const struct select_piece *p, void *ctx)
{
	*(struct select_piece *)ctx = *p;
}

/* RFC 7296 3.13.1: the type is the upper octet. The kernel has it as the source port, in
 * both directions. */
static void icmp_types_and_codes(void **state)
{
	struct ts l = ts_any(ADDR_V4), r = ts_any(ADDR_V4);
	struct select_piece p;

	(void)state;
	l.proto = r.proto = IP_ICMP;
	l.port_lo = 8 << 8;
	l.port_hi = 8 << 8 | 0xff;
	assert_true(select_each(&l, &r, take_piece, &p));
	struct xfrm_selector in = select_kernel(&p, SELECT_IN);
	assert_int_equal(ntohs(in.sport), 8);
	assert_int_equal(in.sport_mask, UINT16_MAX);
	assert_int_equal(in.dport_mask, 0);
	l.port_lo = l.port_hi = 3 << 8 | 4;
	assert_true(select_each(&l, &r, take_piece, &p));
	in = select_kernel(&p, SELECT_OUT);
	assert_int_equal(ntohs(in.sport), 3);
	assert_int_equal(ntohs(in.dport), 4);
	assert_int_equal(in.dport_mask, UINT16_MAX);
}

/* What the kernel cannot say is not said: the guard has it. */
static void what_cannot_be_said(void **state)
{
	struct ts l = ts_any(ADDR_V4), r = ts_any(ADDR_V4), six = ts_any(ADDR_V6);
	struct select_piece p;

	(void)state;
	assert_false(select_each(&l, &six, take_piece, &p));
	l.proto = r.proto = IP_TCP;
	l.port_lo = UINT16_MAX;
	l.port_hi = 0; /* OPAQUE */
	assert_false(select_each(&l, &r, take_piece, &p));
	l.port_lo = 1;
	l.port_hi =
		65534; /* thirty blocks on each side, and more than a dozen prefixes */
	r.port_lo = 1;
	r.port_hi = 65534;
	l.lo = addr_v4(10, 0, 0, 1);
	l.hi = addr_v4(10, 0, 255, 254);
	assert_false(select_each(&l, &r, take_piece, &p));
}

static void a_hull_has_all_of_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct ts_list l = {.n = 0}, r = {.n = 0};

		for (unsigned k = below(3) + 1; k > 0; k--) {
			struct ts one = some_ts(IP_TCP), other = some_ts(IP_TCP);
			ts_list_add(&l, &one);
			ts_list_add(&r, &other);
		}
		struct xfrm_selector hull = select_hull(&l, &r, SELECT_OUT);
		for (unsigned k = 0; k < FLOWS; k++) {
			struct flow f = {.local = some_addr(),
				.remote = some_addr(),
				.proto = IP_TCP,
				.ports_known = true,
				.local_port = (uint16_t)(990 + below(100)),
				.remote_port = (uint16_t)(990 + below(100))};
			if (ts_lists_match(&l, &r, &f))
				assert_true(kernel_matches(&hull, &f.local, &f.remote,
					f.proto, f.local_port, f.remote_port));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_the_pair),
		cmocka_unit_test(icmp_types_and_codes),
		cmocka_unit_test(what_cannot_be_said),
		cmocka_unit_test(a_hull_has_all_of_it),
	};

	dice = entropy_seeded(&seeded, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
