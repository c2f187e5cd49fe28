/* crypto/kex_group.h - what one method of key exchange brings to kex.c. Private to the room.
 *
 * Groups of one kind share a file: kex_ecp.c, kex_modp.c, kex_montgomery.c.
 */
#ifndef VIPSEC_CRYPTO_KEX_GROUP_H
#define VIPSEC_CRYPTO_KEX_GROUP_H

#include "crypto/kex.h"

struct kex_group {
	uint16_t id; /* enum ke_id */
	const char *name;
	size_t public_len; /* of what the initiator sends */
	size_t answer_len; /* of what comes back; 0: the same */
	size_t secret_len;
	uint16_t work; /* making and agreeing, in those of X25519; 0: as much */
	/* Draws a private key, writes public_len octets. NULL: the library refuses. */
	void *(*make)(const struct entropy *e, uint8_t *public);
	/* peer has the length of what the other side sends, out takes secret_len. */
	enum crypto_err (*agree)(void *private, struct span peer, uint8_t *out);
	/* A KEM's responder has no key of its own: from peer (public_len) it makes the answer
	 * (answer_len) and the secret (secret_len). NULL: Diffie-Hellman, both sides are alike. */
	enum crypto_err (*encapsulate)(
		const struct entropy *e, struct span peer, uint8_t *answer, uint8_t *out);
	void (*free)(void *private); /* wipes */
};

extern const struct kex_group kex_group_x25519;
extern const struct kex_group kex_group_x448;
extern const struct kex_group kex_group_ecp256;
extern const struct kex_group kex_group_ecp384;
extern const struct kex_group kex_group_ecp521;
extern const struct kex_group kex_group_modp2048;
extern const struct kex_group kex_group_modp3072;
extern const struct kex_group kex_group_modp4096;

/* Those of kex_mlkem.c, or none: ends with NULL. */
extern const struct kex_group *const kex_groups_mlkem[];

#endif
