/* crypto/kex.h - ephemeral key exchange: X25519, X448, ECP and MODP groups, and KEMs.
 *
 *	initiator                           responder
 *	k = kex_new(group)
 *	kex_public(k)                  -->
 *	                                    kex_answer(group, its public value, &secret, &k)
 *	                               <--  kex_public(k)
 *	kex_derive(k, what came, &secret)
 *
 * With Diffie-Hellman the responder's k has a key pair of its own; with a KEM (key
 * encapsulation) only the initiator has one, and what comes back is a ciphertext.
 *
 * Key pairs are made from octets of the given entropy, so a seed repeats a run. Public
 * values are encoded as RFC 7296 3.4, RFC 5903 7 and RFC 8031 3 say, and the peer's is
 * checked before use (RFC 6989): a point off the curve, an all-zero X25519 or X448 result
 * or a MODP value outside [2, p-2] is CRYPTO_FORGED.
 *
 * Floor 1.
 */
#ifndef VIPSEC_CRYPTO_KEX_H
#define VIPSEC_CRYPTO_KEX_H

#include "base/entropy.h"
#include "base/iana.h"
#include "base/secret.h"
#include "crypto/crypto.h"

struct kex;

#define KEX_PUBLIC_MAX 1568 /* ML-KEM-1024 */

bool kex_supported(uint16_t group); /* enum ke_id */
size_t kex_public_len(uint16_t group); /* the initiator's; 0: not supported */
/* What making a key pair and agreeing costs, in those of X25519; 1 or more. */
unsigned kex_work(uint16_t group);
const char *kex_name(uint16_t group); /* "x25519", "ecp384", ... */

/* NULL when the group is not supported or the library refuses. */
struct kex *kex_new(uint16_t group, const struct entropy *e);
void kex_free(struct kex *k); /* wipes the private key */
uint16_t kex_group(const struct kex *k);
struct span kex_public(const struct kex *k); /* lives as long as k */
/* Initiator. */
enum crypto_err kex_derive(
	struct kex *k, struct span peer_public, struct secret *out) CRYPTO_CHECKED;
/* Responder: the secret, and what to send back. On error *answer is NULL. */
enum crypto_err kex_answer(uint16_t group, const struct entropy *e,
	struct span peer_public, struct secret *out, struct kex **answer) CRYPTO_CHECKED;

#endif
