/* ike/follow.h - a CREATE_CHILD_SA whose additional key exchanges go on (RFC 9370 2.2.4).
 * Private to ike/.
 *
 * The SA that it makes comes when the last of them is over. At the initiator it belongs to
 * the task that asks, at the responder to the IKE SA: one at a time, for 20 s.
 */
#ifndef VIPSEC_IKE_FOLLOW_H
#define VIPSEC_IKE_FOLLOW_H

#include "crypto/kex.h"
#include "ike/nonce.h"
#include "ike/suites.h"
#include "wire/message.h"

struct exchange;
struct ike_engine;
struct ike_sa;
struct task;

/* What new keys are made of, beside the SK_d of the IKE SA: SK(0) | Ni | Nr | SK(1) | ... */
struct ike_seed {
	size_t len;
	uint8_t b[(1 + IKE_MORE_MAX) * SECRET_MAX + 2 * IKE_NONCE_MAX];
};
/* shared is empty where there is no key exchange. */
void ike_seed_begin(struct ike_seed *s, const struct secret *shared,
	const struct nonce *ni, const struct nonce *nr);
void ike_seed_add(struct ike_seed *s, const struct secret *shared);
struct span ike_seed_span(const struct ike_seed *s);
void ike_seed_wipe(struct ike_seed *s);

#define IKE_LINK_MAX 256 /* of the peer's; ours is shorter */

struct ike_follow {
	struct ike_seed seed;
	struct ike_more more;
	unsigned next; /* from there on they are still to be done */
	struct nonce ni, nr;
	/* a child */
	uint32_t child; /* 0: it makes an IKE SA */
	struct esp_choice choice;
	/* an IKE SA */
	struct ike_suite suite;
	uint64_t spi_i, spi_r;
	/* how the responder knows which of its exchanges is meant */
	uint16_t link_len;
	uint8_t link[IKE_LINK_MAX];
	struct kex *kex; /* initiator: of the one that is out */
	uint64_t due_ms; /* responder: forgotten then */
};

struct ike_follow *ike_follow_new(void);
void ike_follow_free(struct ike_follow **f);
const struct nonce *ike_follow_lower(const struct ike_follow *f); /* of its two */

/* Responder: this one is waited for, the response says so. */
void ike_follow_wait(struct exchange *x, struct ike_follow *f);
/* The one that is waited for will not come; what it has made so far goes. */
void ike_follow_drop(struct ike_engine *e, struct ike_sa *sa);
/* The peer is about to make a new IKE SA in the place of this. */
bool ike_follow_makes_ike(const struct ike_sa *sa);
uint64_t ike_follow_due_ms(const struct ike_sa *sa); /* IKE_NEVER: there is none */

/* Initiator: after the response of x the next exchange of f goes out; f is t's from now on.
 * False: the response does not say how to go on, or there is no key pair; f is freed. */
bool ike_follow_ask(struct exchange *x, struct task *t, struct ike_follow *f);

#endif
