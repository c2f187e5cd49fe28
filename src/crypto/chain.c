/* crypto/chain.c - the certificates of a chain as octets, from the peer's own up to that
 * under our CA. Leaves judging to trust.c.
 */
#include "crypto/pki.h"

#include <stdlib.h>

#include "base/mem.h"

static size_t copied(X509 *x, uint8_t *out)
{
	int len = i2d_X509(x, out ? &out : NULL);

	return len > 0 ? (size_t)len : 0;
}

/* The anchor is the configuration's, unless it is the peer's own certificate. */
static size_t worth_keeping(const STACK_OF(X509) * chain)
{
	size_t n = (size_t)sk_X509_num(chain);

	n -= n > 1;
	return n < CERT_CHAIN_MAX ? n : CERT_CHAIN_MAX;
}

struct chain *chain_new(STACK_OF(X509) * chain)
{
	size_t n = worth_keeping(chain), octets = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		octets += copied(sk_X509_value(chain, (int)i), NULL);
	struct chain *c = mem_new(1, sizeof(*c) + octets);
	c->uses = 1;
	c->until_s = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		size_t len = copied(sk_X509_value(chain, (int)i), c->der + at);

		c->certs[c->n++] = span_of(c->der + at, len);
		at += len;
	}
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t end_s = pki_time_s(X509_get0_notAfter(sk_X509_value(chain, i)));

		c->until_s = end_s < c->until_s ? end_s : c->until_s;
	}
	return c;
}

struct chain *chain_keep(struct chain *c)
{
	if (c)
		c->uses++;
	return c;
}

void chain_free(struct chain *c)
{
	if (c && --c->uses == 0)
		free(c);
}

int64_t chain_until_s(const struct chain *c)
{
	return c->until_s;
}
