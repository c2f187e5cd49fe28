/* crypto/credential.h - what we prove ourselves with: certificates, and the key.
 *
 * Floor 1. Shared and counted: an IKE SA that is being made keeps the one that it began
 * with, whatever a reload brings.
 */
#ifndef VIPSEC_CRYPTO_CREDENTIAL_H
#define VIPSEC_CRYPTO_CREDENTIAL_H

#include "crypto/signature.h"

struct credential;

/* chain[0] is our own; what follows, its issuers, is sent along. 0 < n <= CERT_CHAIN_MAX.
 * Keeps its own references. NULL: the key is not that of chain[0]. */
struct credential *credential_new(
	struct certificate *const *chain, size_t n, struct private_key *key);
struct credential *credential_keep(struct credential *c);
void credential_free(struct credential *c);

size_t credential_count(const struct credential *c);
/* i < credential_count(). Borrowed. */
const struct certificate *credential_at(const struct credential *c, size_t i);
/* As signature_make(). */
enum crypto_err credential_sign(const struct credential *c, uint16_t hashes,
	const struct span *parts, size_t n, struct signature *out,
	const char **why) CRYPTO_CHECKED;

#endif
