/* crypto/chain.h - a chain of certificates that was believed, kept to be judged again:
 * what it proves ends with the first date in it, or when a CA takes it back.
 *
 * Floor 1. Shared and counted: all SAs of a peer keep the same one.
 */
#ifndef VIPSEC_CRYPTO_CHAIN_H
#define VIPSEC_CRYPTO_CHAIN_H

#include "crypto/certificate.h"

struct chain;

struct chain *chain_keep(struct chain *c); /* NULL: NULL */
void chain_free(struct chain *c);
/* Seconds since 1970: the first end of a certificate in it, that of our CA included. */
int64_t chain_until_s(const struct chain *c);

#endif
