/* crypto/dn.c - distinguished names: RFC 4514 text to DER, and comparison.
 *
 * Two encodings of one name are equal as RFC 5280 7.1 wants it: OpenSSL's canonical form
 * folds case, spaces and string types.
 */
#include "crypto/pki.h"

#include <ctype.h>

#include <openssl/err.h>

#include "base/iana.h"

enum { VALUE_MAX = 200, TYPE_MAX = 32, PARTS_MAX = 16 };

/* One type=value, with what stood before it: ',' a new RDN, '+' more of the same. */
struct part {
	char type[TYPE_MAX];
	uint8_t value[VALUE_MAX];
	size_t len;
	bool joined;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_type(const char **text, struct part *p)
{
	size_t n = 0;

	while (**text == ' ')
		(*text)++;
	while (isalnum((unsigned char)**text) || **text == '.' || **text == '-') {
		if (n + 1 >= sizeof(p->type))
			return false;
		p->type[n++] = *(*text)++;
	}
	p->type[n] = '\0';
	return n > 0 && *(*text)++ == '=';
}

/* RFC 4514 2.4, 3: a backslash before a special character, or before two digits. */
static bool take_escaped(const char **text, uint8_t *out)
{
	int high = hex_digit((*text)[0]);
	int low = high >= 0 ? hex_digit((*text)[1]) : -1;

	if (low >= 0) {
		*out = (uint8_t)(high << 4 | low);
		*text += 2;
		return true;
	}
	if (**text == '\0')
		return false;
	*out = (uint8_t) * (*text)++;
	return true;
}

static bool take_value(const char **text, struct part *p)
{
	size_t firm = 0; /* spaces behind this are not part of it */

	p->len = 0;
	while (**text == ' ')
		(*text)++;
	while (**text != '\0' && **text != ',' && **text != '+') {
		bool escaped = **text == '\\';

		if (p->len == sizeof(p->value))
			return false;
		if (escaped)
			(*text)++;
		if (escaped && !take_escaped(text, &p->value[p->len]))
			return false;
		if (!escaped)
			p->value[p->len] = (uint8_t) * (*text)++;
		if (p->value[p->len++] != ' ' || escaped)
			firm = p->len;
	}
	p->len = firm;
	return p->len > 0;
}

static size_t take_parts(const char *text, struct part parts[PARTS_MAX])
{
	for (size_t n = 0; n < PARTS_MAX;) {
		parts[n].joined = n > 0 && text[-1] == '+';
		if (!take_type(&text, &parts[n]) || !take_value(&text, &parts[n]))
			return 0;
		n++;
		if (*text == '\0')
			return n;
		text++;
	}
	return 0;
}

/* RFC 4514 3: case means nothing in a type; OpenSSL knows the short ones in capitals. */
static const char *known_type(const struct part *p, char upper[TYPE_MAX])
{
	size_t i = 0;

	if (OBJ_txt2nid(p->type) != NID_undef)
		return p->type;
	for (; p->type[i] != '\0'; i++)
		upper[i] = (char)toupper((unsigned char)p->type[i]);
	upper[i] = '\0';
	return upper;
}

static bool add_part(X509_NAME *name, const struct part *p, int set)
{
	char upper[TYPE_MAX];

	return X509_NAME_add_entry_by_txt(name, known_type(p, upper), MBSTRING_UTF8,
		       p->value, (int)p->len, -1, set) == 1;
}

/* RFC 4514 2.1: the text begins with the last RDN. */
static bool build(X509_NAME *name, const struct part *parts, size_t n)
{
	for (size_t end = n; end > 0;) {
		size_t first = end - 1;

		while (first > 0 && parts[first].joined)
			first--;
		for (size_t i = first; i < end; i++)
			if (!add_part(name, &parts[i], i == first ? 0 : -1))
				return false;
		end = first;
	}
	return true;
}

bool dn_parse(const char *text, struct identity *out)
{
	struct part parts[PARTS_MAX];
	size_t n = take_parts(text, parts);
	X509_NAME *name = n > 0 ? X509_NAME_new() : NULL;
	uint8_t *der = NULL;
	int len = name && build(name, parts, n) ? i2d_X509_NAME(name, &der) : -1;
	bool ok = len > 0 &&
		  identity_from_bytes(ID_DER_ASN1_DN, span_of(der, (size_t)len), out);

	OPENSSL_free(der);
	X509_NAME_free(name);
	ERR_clear_error();
	return ok;
}

static X509_NAME *name_of(const struct identity *id)
{
	const uint8_t *at = id->b;
	X509_NAME *name = d2i_X509_NAME(NULL, &at, id->len);

	if (name && at != id->b + id->len) {
		X509_NAME_free(name);
		name = NULL;
	}
	ERR_clear_error();
	return name;
}

bool dn_equal(const struct identity *a, const struct identity *b)
{
	if (a->type != ID_DER_ASN1_DN || b->type != ID_DER_ASN1_DN)
		return false;
	X509_NAME *x = name_of(a), *y = name_of(b);
	bool same = x && y && X509_NAME_cmp(x, y) == 0;

	X509_NAME_free(x);
	X509_NAME_free(y);
	return same;
}
