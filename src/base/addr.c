/* base/addr.c - IPv4 and IPv6 addresses as plain values: comparison and text.
 *
 * Text follows RFC 4291 2.2 on the way in and RFC 5952 4 on the way out. Leaves sockets
 * and names to port/. Endpoints and prefixes are in prefix.c.
 */
#include "base/addr.h"

#include <stdio.h>
#include <string.h>

size_t addr_len(const struct addr *a)
{
	switch (a->family) {
	case ADDR_V4:
		return 4;
	case ADDR_V6:
		return 16;
	default:
		return 0;
	}
}

struct addr addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct addr){.family = ADDR_V4, .b = {a, b, c, d}};
}

struct addr addr_from_bytes(const uint8_t *bytes, size_t len)
{
	struct addr a = {.family = ADDR_NONE};

	if (len != 4 && len != 16)
		return a;
	a.family = len == 4 ? ADDR_V4 : ADDR_V6;
	memcpy(a.b, bytes, len);
	return a;
}

bool addr_is_set(const struct addr *a)
{
	return a->family != ADDR_NONE;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool addr_is_multicast(const struct addr *a)
{
	if (a->family == ADDR_V4)
		return (a->b[0] & 0xf0) == 0xe0;
	return a->family == ADDR_V6 && a->b[0] == 0xff;
}

/* Four decimal numbers, no leading zeros (some read those as octal), nothing after. */
static bool parse_v4(const char *p, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned v = 0;
		int digits = 0;

		if (i > 0 && *p++ != '.')
			return false;
		for (; *p >= '0' && *p <= '9' && digits < 4; digits++)
			v = v * 10 + (unsigned)(*p++ - '0');
		if (digits == 0 || digits > 3 || v > 255)
			return false;
		if (digits > 1 && p[-digits] == '0')
			return false;
		out[i] = (uint8_t)v;
	}
	return *p == '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* What has been read of an IPv6 address. */
struct v6_text {
	uint8_t b[16];
	size_t len; /* octets read */
	int gap; /* where "::" stood, or -1 */
};

/* One to four hexadecimal digits at *p. */
static bool parse_group(const char **p, struct v6_text *t)
{
	unsigned v = 0;
	int digits = 0;

	for (; hex_digit(**p) >= 0 && digits < 5; digits++)
		v = v << 4 | (unsigned)hex_digit(*(*p)++);
	if (digits == 0 || digits > 4 || t->len > 14)
		return false;
	t->b[t->len++] = (uint8_t)(v >> 8);
	t->b[t->len++] = (uint8_t)v;
	return true;
}

/* Moves what came after "::" to the end. */
static bool close_gap(struct v6_text *t)
{
	if (t->gap < 0)
		return t->len == 16;
	if (t->len > 14)
		return false; /* "::" stands for at least one group */
	size_t gap = (size_t)t->gap;
	size_t tail = t->len - gap;
	memmove(t->b + 16 - tail, t->b + gap, tail);
	memset(t->b + gap, 0, 16 - t->len);
	return true;
}

static bool parse_v6(const char *p, struct v6_text *t)
{
	if (p[0] == ':' && p[1] != ':')
		return false;
	while (*p != '\0') {
		if (p[0] == ':' && p[1] == ':') {
			if (t->gap >= 0 || p[2] == ':')
				return false;
			t->gap = (int)t->len;
			p += 2;
			continue;
		}
		if (*p == ':' && (t->len == 0 || hex_digit(*++p) < 0))
			return false;
		if (strchr(p, '.') && !strchr(p, ':')) {
			if (t->len > 12 || !parse_v4(p, t->b + t->len))
				return false;
			t->len += 4;
			break;
		}
		if (!parse_group(&p, t) || (*p != '\0' && *p != ':'))
			return false;
	}
	return close_gap(t);
}

bool addr_parse(const char *text, struct addr *out)
{
	uint8_t v4[4];
	struct v6_text v6 = {.gap = -1};

	if (parse_v4(text, v4)) {
		*out = addr_from_bytes(v4, 4);
		return true;
	}
	if (!strchr(text, ':') || !parse_v6(text, &v6))
		return false;
	*out = addr_from_bytes(v6.b, 16);
	return true;
}

/* RFC 5952 4.2: the first of the longest runs of two or more zero groups. */
static int longest_zeros(const uint16_t g[8], int *run_len)
{
	int best = -1;

	*run_len = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;
		while (i + n < 8 && g[i + n] == 0)
			n++;
		if (n > *run_len) {
			best = i;
			*run_len = n;
		}
		i += n;
	}
	return best;
}

static void format_v6(const uint8_t b[16], char out[ADDR_TEXT_MAX])
{
	uint16_t g[8];
	int zeros_len;
	size_t len = 0;

	for (int i = 0; i < 8; i++)
		g[i] = (uint16_t)(b[2 * i] << 8 | b[2 * i + 1]);
	int zeros = longest_zeros(g, &zeros_len);
	/* RFC 5952 5: an IPv4-mapped address shows its IPv4 part. */
	if (zeros == 0 && zeros_len == 5 && g[5] == 0xffff) {
		snprintf(out, ADDR_TEXT_MAX, "::ffff:%u.%u.%u.%u", b[12], b[13], b[14],
			b[15]);
		return;
	}
	for (int i = 0; i < 8; i++) {
		if (i == zeros) {
			len += (size_t)snprintf(out + len, ADDR_TEXT_MAX - len, "::");
			i += zeros_len - 1;
			continue;
		}
		bool colon = i > 0 && out[len - 1] != ':';
		len += (size_t)snprintf(
			out + len, ADDR_TEXT_MAX - len, "%s%x", colon ? ":" : "", g[i]);
	}
}

const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	if (a->family == ADDR_V4)
		snprintf(out, ADDR_TEXT_MAX, "%u.%u.%u.%u", a->b[0], a->b[1], a->b[2],
			a->b[3]);
	else if (a->family == ADDR_V6)
		format_v6(a->b, out);
	else
		snprintf(out, ADDR_TEXT_MAX, "none");
	return out;
}
