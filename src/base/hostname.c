/* base/hostname.c - labels of letters, digits and hyphens (RFC 1123 2.1, RFC 1035 2.3.4).
 *
 * The last label is never all digits: what looks like an IPv4 address is none, or wrong.
 */
#include "base/hostname.h"

#include <ctype.h>
#include <string.h>

enum { LABEL_MAX = 63 };

static bool is_label(const char *at, size_t len)
{
	if (len == 0 || len > LABEL_MAX || at[0] == '-' || at[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (at[i] != '-' && !isalnum((unsigned char)at[i]))
			return false;
	return true;
}

bool hostname_parse(const char *text, char out[HOSTNAME_MAX])
{
	size_t len = strlen(text), label = 0;

	len -= len > 0 && text[len - 1] == '.';
	if (len == 0 || len >= HOSTNAME_MAX)
		return false;
	for (size_t at = 0; at < len; at += label + 1) {
		label = 0;
		while (at + label < len && text[at + label] != '.')
			label++;
		if (!is_label(text + at, label))
			return false;
	}
	if (text[len - 1] == '.' || strspn(text + len - label, "0123456789") >= label)
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	out[len] = '\0';
	return true;
}
