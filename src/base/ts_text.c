/* base/ts_text.c - a traffic selector as a person reads it.
 *
 * "192.0.2.0/24 tcp 143", "192.0.2.1-192.0.2.9", "2001:db8::1/128 icmpv6 type 128". Leaves
 * reading such text to config/.
 */
#include "base/ts.h"

#include "base/iana.h"

#include <stdarg.h>
#include <stdio.h>

/* A pen over the caller's text; what does not fit is cut. */
struct text {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void put(
	struct text *t, const char *form, ...)
{
	va_list args;

	va_start(args, form);
	int n = vsnprintf(t->at, t->left, form, args);
	va_end(args);
	size_t used = n < 0 ? 0 : (size_t)n;
	if (used >= t->left)
		used = t->left - 1;
	t->at += used;
	t->left -= used;
}

/* The length of the prefix that is exactly this range, or -1. */
static int prefix_bits(const struct ts *t)
{
	for (unsigned bits = 0; bits <= 8 * addr_len(&t->lo); bits++) {
		struct prefix p = {.addr = t->lo, .bits = (uint8_t)bits};
		struct addr first = prefix_first(&p), last = prefix_last(&p);
		if (addr_equal(&first, &t->lo) && addr_equal(&last, &t->hi))
			return (int)bits;
	}
	return -1;
}

static void put_range(struct text *out, const struct ts *t)
{
	char lo[ADDR_TEXT_MAX], hi[ADDR_TEXT_MAX];
	int bits = prefix_bits(t);

	if (bits >= 0)
		put(out, "%s/%d", addr_format(&t->lo, lo), bits);
	else
		put(out, "%s-%s", addr_format(&t->lo, lo), addr_format(&t->hi, hi));
}

static void put_proto(struct text *out, uint8_t proto)
{
	switch (proto) {
	case IP_ANY:
		return;
	case IP_ICMP:
		put(out, " icmp");
		return;
	case IP_TCP:
		put(out, " tcp");
		return;
	case IP_UDP:
		put(out, " udp");
		return;
	case IP_ICMPV6:
		put(out, " icmpv6");
		return;
	default:
		put(out, " proto %u", proto);
	}
}

static void put_ports(struct text *out, const struct ts *t)
{
	unsigned lo = t->port_lo, hi = t->port_hi;
	bool icmp = t->proto == IP_ICMP || t->proto == IP_ICMPV6;

	if (lo == 0 && hi == UINT16_MAX)
		return;
	if (lo == UINT16_MAX && hi == 0)
		put(out, " opaque");
	else if (icmp && lo >> 8 == hi >> 8 && (lo & 0xff) == 0 && (hi & 0xff) == 0xff)
		put(out, " type %u", lo >> 8);
	else if (icmp && lo == hi)
		put(out, " type %u code %u", lo >> 8, lo & 0xff);
	else if (lo == hi)
		put(out, " %u", lo);
	else
		put(out, " %u-%u", lo, hi);
}

const char *ts_format(const struct ts *t, char out[TS_TEXT_MAX])
{
	struct text text = {.at = out, .left = TS_TEXT_MAX};
	struct ts any = {.lo = t->lo};

	out[0] = '\0';
	if (addr_is_set(&t->lo))
		any = ts_any((enum addr_family)t->lo.family);
	if (ts_equal(t, &any)) {
		put(&text, "any");
		return out;
	}
	put_range(&text, t);
	put_proto(&text, t->proto);
	put_ports(&text, t);
	return out;
}
