/* crypto/credential.c - a chain of certificates with the key of the first. */
#include "crypto/credential.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct credential {
	unsigned uses;
	struct certificate *chain[CERT_CHAIN_MAX];
	size_t n;
	struct private_key *key;
};

struct credential *credential_new(
	struct certificate *const *chain, size_t n, struct private_key *key)
{
	struct credential *c;

	assert(n > 0 && n <= CERT_CHAIN_MAX);
	if (!private_key_fits(key, chain[0]))
		return NULL;
	c = mem_new(1, sizeof(*c));
	c->uses = 1;
	c->n = n;
	for (size_t i = 0; i < n; i++)
		c->chain[i] = certificate_keep(chain[i]);
	c->key = private_key_keep(key);
	return c;
}

struct credential *credential_keep(struct credential *c)
{
	if (c)
		c->uses++;
	return c;
}

void credential_free(struct credential *c)
{
	if (!c || --c->uses > 0)
		return;
	for (size_t i = 0; i < c->n; i++)
		certificate_free(c->chain[i]);
	private_key_free(c->key);
	free(c);
}

size_t credential_count(const struct credential *c)
{
	return c->n;
}

const struct certificate *credential_at(const struct credential *c, size_t i)
{
	assert(i < c->n);
	return c->chain[i];
}

enum crypto_err credential_sign(const struct credential *c, uint16_t hashes,
	const struct span *parts, size_t n, struct signature *out, const char **why)
{
	return signature_make(c->key, hashes, parts, n, out, why);
}
