/* base/prefix.c - endpoints and prefixes: the second half of base/addr.h.
 *
 * Text "192.0.2.0/24" and "[2001:db8::1]:500".
 */
#include "base/addr.h"

#include <stdio.h>
#include <string.h>

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

const char *endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];
	bool v6 = e->addr.family == ADDR_V6;

	addr_format(&e->addr, text);
	snprintf(out, ENDPOINT_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", text, v6 ? "]" : "",
		e->port);
	return out;
}

/* The octet of a netmask of this length. */
static uint8_t mask_octet(uint8_t bits, size_t i)
{
	size_t before = 8 * i;

	if (bits >= before + 8)
		return 0xff;
	if (bits <= before)
		return 0;
	return (uint8_t)(0xff << (8 - (bits - before)));
}

/* One to three digits, no leading zero, at most max. */
static bool parse_bits(const char *p, unsigned max, uint8_t *out)
{
	unsigned v = 0;
	size_t digits = strspn(p, "0123456789");

	if (digits == 0 || digits > 3 || p[digits] != '\0' || (digits > 1 && *p == '0'))
		return false;
	while (*p != '\0')
		v = v * 10 + (unsigned)(*p++ - '0');
	if (v > max)
		return false;
	*out = (uint8_t)v;
	return true;
}

bool prefix_parse(const char *text, struct prefix *out)
{
	char host[ADDR_TEXT_MAX];
	struct prefix p;
	size_t host_len = strcspn(text, "/");

	if (host_len >= sizeof(host))
		return false;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	if (!addr_parse(host, &p.addr))
		return false;

	uint8_t full = (uint8_t)(8 * addr_len(&p.addr));
	p.bits = full;
	if (text[host_len] == '/' && !parse_bits(text + host_len + 1, full, &p.bits))
		return false;
	struct addr first = prefix_first(&p);
	if (!addr_equal(&first, &p.addr))
		return false;
	*out = p;
	return true;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	if (!addr_is_set(a) || p->addr.family != a->family)
		return false;
	for (size_t i = 0; i < addr_len(a); i++) {
		if ((p->addr.b[i] ^ a->b[i]) & mask_octet(p->bits, i))
			return false;
	}
	return true;
}

struct addr prefix_first(const struct prefix *p)
{
	struct addr a = p->addr;

	for (size_t i = 0; i < addr_len(&a); i++)
		a.b[i] = a.b[i] & mask_octet(p->bits, i);
	return a;
}

struct addr prefix_last(const struct prefix *p)
{
	struct addr a = p->addr;

	for (size_t i = 0; i < addr_len(&a); i++)
		a.b[i] = (uint8_t)(a.b[i] | ~mask_octet(p->bits, i));
	return a;
}
