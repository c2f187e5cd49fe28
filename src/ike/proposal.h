/* ike/proposal.h - one proposal of an SA payload. Private to ike/. */
#ifndef VIPSEC_IKE_PROPOSAL_H
#define VIPSEC_IKE_PROPOSAL_H

#include "ike/ike.h"
#include "wire/sa_payload.h"

/* ---- what stands in it */
bool proposal_has(
	const struct wire_proposal *p, uint8_t type, uint16_t id, uint16_t bits);
unsigned proposal_count(const struct wire_proposal *p, uint8_t type);
bool proposal_may_be_none(const struct wire_proposal *p, uint8_t type);
/* types: a bit each. */
bool proposal_has_only(const struct wire_proposal *p, unsigned types);
/* With the integrity that it needs. */
bool proposal_has_encr(const struct wire_proposal *p, enum aead_alg alg);
/* Of AH: the integrity, and no encryption. */
bool proposal_has_ah(const struct wire_proposal *p, enum aead_alg alg);
bool proposal_has_more(const struct wire_proposal *p, const struct ike_more *m);
/* Of an answer: at most one of each additional type. */
bool proposal_has_one_more_each(const struct wire_proposal *p);

/* ---- what we put there */
void proposal_add_encr(struct wire_proposal *p, enum aead_alg alg);
void proposal_add_ah(struct wire_proposal *p, enum aead_alg alg);
void proposal_add_more(struct wire_proposal *p, const struct ike_more *m);
/* Of an answer to what was offered: NONE where we choose nothing. */
void proposal_add_no_integ(
	struct wire_proposal *p, const struct wire_proposal *offered, enum aead_alg alg);
void proposal_answer_more(struct wire_proposal *p, const struct wire_proposal *offered,
	const struct ike_more *m);

/* ---- additional key exchanges (RFC 9370 2.2.1) */
enum { PROPOSAL_ADDKE_TYPES = ((1 << IKE_MORE_MAX) - 1) << TRANSFORM_ADDKE1 };
bool ike_more_equal(const struct ike_more *a, const struct ike_more *b);
/* The first place with a key exchange from there on; IKE_MORE_MAX: there is none. */
unsigned ike_more_next(const struct ike_more *m, unsigned from);
bool ike_more_any(const struct ike_more *m);

#endif
