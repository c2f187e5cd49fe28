/* crypto/private_key.h - a private key that signs, and nothing more.
 *
 * The key may be in our memory or behind a provider (a token): nobody can tell.
 *
 * Floor 1. Shared and counted, wiped by the last who frees it.
 */
#ifndef VIPSEC_CRYPTO_PRIVATE_KEY_H
#define VIPSEC_CRYPTO_PRIVATE_KEY_H

#include "crypto/certificate.h"

struct private_key;

/* PEM or DER, not encrypted. NULL: why says what is wrong (static text). */
struct private_key *private_key_read(struct span file, const char **why);
/* By OSSL_STORE from a URI such as "pkcs11:...". It may read files and ask tokens: only
 * what opens the world (port/) calls it. */
struct private_key *private_key_open(const char *uri, const char **why);
struct private_key *private_key_keep(struct private_key *k);
void private_key_free(struct private_key *k);

/* Is it the key of this certificate? */
bool private_key_fits(const struct private_key *k, const struct certificate *c);

#endif
