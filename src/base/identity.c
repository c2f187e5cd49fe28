/* base/identity.c - identities: comparison and text.
 *
 * RFC 7296 3.5. A peer chooses the octets of its identity, so the text form falls back
 * on hexadecimal whenever the plain form would not read back as the same identity:
 * neither control characters nor a name that mimics an address reach a log.
 */
#include "base/identity.h"

#include "base/iana.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

bool identity_from_bytes(uint8_t type, struct span bytes, struct identity *out)
{
	if (bytes.len > IDENTITY_MAX || (bytes.len == 0) != (type == ID_ANY))
		return false;
	if (type == ID_IPV4_ADDR && bytes.len != 4)
		return false;
	if (type == ID_IPV6_ADDR && bytes.len != 16)
		return false;
	*out = (struct identity){.type = type, .len = (uint16_t)bytes.len};
	if (bytes.len > 0)
		memcpy(out->b, bytes.at, bytes.len);
	return true;
}

struct identity identity_from_addr(const struct addr *a)
{
	struct identity i;
	uint8_t type = a->family == ADDR_V4 ? ID_IPV4_ADDR : ID_IPV6_ADDR;
	bool fits = identity_from_bytes(type, span_of(a->b, addr_len(a)), &i);

	assert(fits);
	(void)fits;
	return i;
}

bool identity_is_any(const struct identity *i)
{
	return i->type == ID_ANY;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return identity_cmp(a, b) == 0;
}

bool identity_matches(const struct identity *want, const struct identity *is)
{
	return identity_is_any(want) || identity_equal(want, is);
}

static bool same_letters(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (tolower(a[i]) != tolower(b[i]))
			return false;
	return true;
}

bool identity_fits(const struct identity *want, const struct identity *is)
{
	size_t label = 0;

	if (want->type != ID_FQDN || is->type != ID_FQDN)
		return identity_equal(want, is);
	if (want->len < 3 || want->b[0] != '*' || want->b[1] != '.')
		return want->len == is->len && same_letters(want->b, is->b, is->len);
	while (label < is->len && is->b[label] != '.')
		label++;
	size_t left = is->len - label;
	return label > 0 && is->b[0] != '*' && left == want->len - 1u &&
	       same_letters(want->b + 1, is->b + label, left);
}

int identity_cmp(const struct identity *a, const struct identity *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->b, b->b, a->len);
}

static const char digits[] = "0123456789abcdef";

/* Pairs of lower- or upper-case digits up to the end of the text. */
static bool parse_hex(const char *text, uint8_t type, struct identity *out)
{
	uint8_t b[IDENTITY_MAX];
	size_t len = strlen(text);

	if (len % 2 != 0 || len > 2 * sizeof(b))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c =
			text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + 32) : text[i];
		const char *d = memchr(digits, c, 16);
		if (!d)
			return false;
		b[i / 2] = (uint8_t)(b[i / 2] << 4 | (d - digits));
	}
	return identity_from_bytes(type, span_of(b, len / 2), out);
}

/* "9#3021...": a decimal type from 1 to 255. */
static bool parse_typed(const char *text, struct identity *out)
{
	unsigned type = 0;
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 3 || text[0] == '0' || text[n] != '#')
		return false;
	for (size_t i = 0; i < n; i++)
		type = type * 10 + (unsigned)(text[i] - '0');
	return type <= UINT8_MAX && parse_hex(text + n + 1, (uint8_t)type, out);
}

static bool is_name(const char *text, size_t len)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-._+*=";
	return len > 0 && strspn(text, allowed) >= len;
}

bool identity_parse(const char *text, struct identity *out)
{
	struct addr addr;
	size_t len = strlen(text);
	const char *at = strchr(text, '@');

	if (strcmp(text, "any") == 0)
		return identity_from_bytes(ID_ANY, span_of(NULL, 0), out);
	if (addr_parse(text, &addr)) {
		*out = identity_from_addr(&addr);
		return true;
	}
	if (text[0] == '@' && text[1] == '#')
		return parse_hex(text + 2, ID_KEY_ID, out);
	if (strchr(text, '#'))
		return parse_typed(text, out);
	if (!at)
		return is_name(text, len) &&
		       identity_from_bytes(ID_FQDN, span_text(text), out);
	size_t user = (size_t)(at - text);
	return is_name(text, user) && is_name(at + 1, len - user - 1) &&
	       identity_from_bytes(ID_RFC822_ADDR, span_text(text), out);
}

/* The form a person would write; may be wrong for hostile octets. */
static void format_plain(const struct identity *i, char out[IDENTITY_TEXT_MAX])
{
	struct addr addr = addr_from_bytes(i->b, i->len);

	if (i->type == ID_ANY)
		snprintf(out, IDENTITY_TEXT_MAX, "any");
	else if (i->type == ID_IPV4_ADDR || i->type == ID_IPV6_ADDR)
		addr_format(&addr, out);
	else
		snprintf(out, IDENTITY_TEXT_MAX, "%.*s", (int)i->len, (const char *)i->b);
}

const char *identity_format(const struct identity *i, char out[IDENTITY_TEXT_MAX])
{
	struct identity back;
	size_t n = 0;

	format_plain(i, out);
	if (identity_parse(out, &back) && identity_equal(&back, i))
		return out;

	if (i->type == ID_KEY_ID)
		n = (size_t)snprintf(out, IDENTITY_TEXT_MAX, "@#");
	else
		n = (size_t)snprintf(out, IDENTITY_TEXT_MAX, "%u#", i->type);
	for (size_t k = 0; k < i->len; k++) {
		out[n++] = digits[i->b[k] >> 4];
		out[n++] = digits[i->b[k] & 15];
	}
	out[n] = '\0';
	return out;
}
