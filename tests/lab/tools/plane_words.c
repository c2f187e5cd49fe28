/* plane_words.c - see plane_words.h. */
#include "config.h"

#include "plane_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *what, const char *word)
{
	printf("bad %s: %s\n", what, word);
	exit(2);
}

struct addr addr_word(const char *word)
{
	struct addr a;

	if (!addr_parse(word, &a))
		die("address", word);
	return a;
}

uint64_t long_word(const char *word)
{
	char *end;
	unsigned long long v = strtoull(word, &end, 0);

	if (*end != '\0')
		die("number", word);
	return v;
}

uint32_t number_word(const char *word)
{
	uint64_t v = long_word(word);

	if (v > UINT32_MAX)
		die("number", word);
	return (uint32_t)v;
}

struct ts ts_word(const char *word)
{
	char text[ADDR_TEXT_MAX + 4];
	unsigned proto = 0, lo = 0, hi = 0;
	struct prefix p;
	int n = sscanf(word, "%49[^,],%u,%u,%u", text, &proto, &lo, &hi);

	if (n < 1 || !prefix_parse(text, &p))
		die("selector", word);
	struct ts t = ts_prefix(&p);
	t.proto = (uint8_t)proto;
	if (n >= 3) {
		t.port_lo = (uint16_t)lo;
		t.port_hi = (uint16_t)(n == 4 ? hi : lo);
	}
	return t;
}

void ts_words(const char *word, struct ts_list *out)
{
	char text[512], *rest = NULL;

	snprintf(text, sizeof(text), "%s", word);
	for (char *t = strtok_r(text, "+", &rest); t; t = strtok_r(NULL, "+", &rest)) {
		if (out->n == sizeof(out->at) / sizeof(out->at[0]))
			die("selectors, too many", word);
		out->at[out->n++] = ts_word(t);
	}
}

enum aead_alg alg_word(const char *word)
{
	for (int alg = AEAD_NONE + 1; alg < AEAD_ALGS; alg++)
		if (strcmp(word, aead_name((enum aead_alg)alg)) == 0)
			return (enum aead_alg)alg;
	die("algorithm", word);
}

const char *option(char **w, int n, const char *name)
{
	size_t len = strlen(name);

	for (int i = 1; i < n; i++)
		if (strncmp(w[i], name, len) == 0 && w[i][len] == '=')
			return w[i] + len + 1;
	return NULL;
}

uint32_t option_number(char **w, int n, const char *name, uint32_t otherwise)
{
	const char *word = option(w, n, name);

	return word ? number_word(word) : otherwise;
}

void key_from(uint32_t seed, enum aead_alg alg, struct secret *out)
{
	uint8_t keymat[SECRET_MAX];
	size_t len = aead_keymat_len(alg);

	for (size_t i = 0; i < len; i++)
		keymat[i] = (uint8_t)(seed * 31 + i * 7);
	if (!secret_set(out, span_of(keymat, len)))
		die("key", "");
}
