/* ike/proposal.c - one proposal: what stands in it, and what we put there (RFC 7296 3.3,
 * 3.3.3, 3.3.6; RFC 5282 8; RFC 7634 2; RFC 4543 3; RFC 9370 2.2.1).
 *
 * With an AEAD cipher a proposal has no integrity transform, or NONE; with another it has one
 * (RFC 7296 3.3.3), so never NULL twice: RFC 4301 4.2, RFC 4303 1 and 5. Leaves the octets to
 * wire/sa_payload.h, and the choice to suites.c and suites_esp.c.
 */
#include "ike/proposal.h"

#include <stdio.h>
#include <string.h>

#include "crypto/kex.h"

static const struct {
	uint16_t id, key_bits, integ;
} encr_ids[AEAD_ALGS] = {
	[AEAD_AES128_GCM16] = {ENCR_AES_GCM_16, 128, INTEG_NONE},
	[AEAD_AES256_GCM16] = {ENCR_AES_GCM_16, 256, INTEG_NONE},
	/* RFC 7634 2: no length */
	[AEAD_CHACHA20_POLY1305] = {ENCR_CHACHA20_POLY1305, 0, INTEG_NONE},
	[AEAD_AES128_SHA256] = {ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128},
	[AEAD_AES128_SHA384] = {ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_384_192},
	[AEAD_AES128_SHA512] = {ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_512_256},
	[AEAD_AES256_SHA256] = {ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128},
	[AEAD_AES256_SHA384] = {ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_384_192},
	[AEAD_AES256_SHA512] = {ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_512_256},
	[AEAD_NULL_SHA256] = {ENCR_NULL, 0, INTEG_HMAC_SHA2_256_128},
	[AEAD_NULL_SHA384] = {ENCR_NULL, 0, INTEG_HMAC_SHA2_384_192},
	[AEAD_NULL_SHA512] = {ENCR_NULL, 0, INTEG_HMAC_SHA2_512_256},
	/* RFC 4543 5.3: with the length of the key */
	[AEAD_AES128_GMAC] = {ENCR_NULL_AUTH_AES_GMAC, 128, INTEG_NONE},
	[AEAD_AES256_GMAC] = {ENCR_NULL_AUTH_AES_GMAC, 256, INTEG_NONE},
};

bool proposal_has(const struct wire_proposal *p, uint8_t type, uint16_t id, uint16_t bits)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i].type == type && p->at[i].id == id &&
			p->at[i].key_bits == bits)
			return true;
	return false;
}

unsigned proposal_count(const struct wire_proposal *p, uint8_t type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->at[i].type == type;
	return n;
}

/* Absent, or one may do without: RFC 7296 1.2, 2.7. */
bool proposal_may_be_none(const struct wire_proposal *p, uint8_t type)
{
	return proposal_count(p, type) == 0 || proposal_has(p, type, 0, 0);
}

/* RFC 7296 3.3.3: a cipher without integrity of its own needs another's. */
bool proposal_has_encr(const struct wire_proposal *p, enum aead_alg alg)
{
	uint16_t integ = encr_ids[alg].integ;

	return proposal_has(
		       p, TRANSFORM_ENCR, encr_ids[alg].id, encr_ids[alg].key_bits) &&
	       (integ == INTEG_NONE ? proposal_may_be_none(p, TRANSFORM_INTEG)
				    : proposal_has(p, TRANSFORM_INTEG, integ, 0));
}

void proposal_add_encr(struct wire_proposal *p, enum aead_alg alg)
{
	wire_proposal_add(p, TRANSFORM_ENCR, encr_ids[alg].id, encr_ids[alg].key_bits);
	if (encr_ids[alg].integ != INTEG_NONE)
		wire_proposal_add(p, TRANSFORM_INTEG, encr_ids[alg].integ, 0);
}

/* RFC 7296 3.3.3: of AH the integrity is all; it is never NONE (RFC 8221 6). */
bool proposal_has_ah(const struct wire_proposal *p, enum aead_alg alg)
{
	return proposal_count(p, TRANSFORM_ENCR) == 0 &&
	       proposal_has(p, TRANSFORM_INTEG, encr_ids[alg].integ, 0);
}

void proposal_add_ah(struct wire_proposal *p, enum aead_alg alg)
{
	wire_proposal_add(p, TRANSFORM_INTEG, encr_ids[alg].integ, 0);
}

/* Of an answer: the transform "none", where one was offered. */
void proposal_add_no_integ(
	struct wire_proposal *p, const struct wire_proposal *offered, enum aead_alg alg)
{
	if (encr_ids[alg].integ == INTEG_NONE &&
		proposal_count(offered, TRANSFORM_INTEG) > 0)
		wire_proposal_add(p, TRANSFORM_INTEG, INTEG_NONE, 0);
}

/* RFC 7296 3.3.6: a type that we do not understand spoils the proposal. */
bool proposal_has_only(const struct wire_proposal *p, unsigned types)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i].type > TRANSFORM_ADDKE7 || !(types >> p->at[i].type & 1))
			return false;
	return true;
}

/* ---- additional key exchanges */

bool ike_more_equal(const struct ike_more *a, const struct ike_more *b)
{
	return memcmp(a->ke, b->ke, sizeof(a->ke)) == 0;
}

unsigned ike_more_next(const struct ike_more *m, unsigned from)
{
	while (from < IKE_MORE_MAX && m->ke[from] == KE_NONE)
		from++;
	return from;
}

bool ike_more_any(const struct ike_more *m)
{
	return ike_more_next(m, 0) < IKE_MORE_MAX;
}

static uint8_t addke(unsigned i)
{
	return (uint8_t)(TRANSFORM_ADDKE1 + i);
}

void proposal_add_more(struct wire_proposal *p, const struct ike_more *m)
{
	for (unsigned i = 0; i < IKE_MORE_MAX; i++)
		if (m->ke[i] != KE_NONE)
			wire_proposal_add(p, addke(i), m->ke[i], 0);
}

/* RFC 9370 2.2.1: a type that is left out is as if NONE stood there. */
bool proposal_has_more(const struct wire_proposal *p, const struct ike_more *m)
{
	for (unsigned i = 0; i < IKE_MORE_MAX; i++)
		if (m->ke[i] == KE_NONE ? !proposal_may_be_none(p, addke(i))
					: !proposal_has(p, addke(i), m->ke[i], 0))
			return false;
	return true;
}

/* RFC 9370 2.2.1: one of each type that was proposed, if only NONE. */
void proposal_answer_more(struct wire_proposal *p, const struct wire_proposal *offered,
	const struct ike_more *m)
{
	for (unsigned i = 0; i < IKE_MORE_MAX; i++)
		if (proposal_count(offered, addke(i)) > 0)
			wire_proposal_add(p, addke(i), m->ke[i], 0);
}

/* Of an answer. */
bool proposal_has_one_more_each(const struct wire_proposal *p)
{
	for (unsigned i = 0; i < IKE_MORE_MAX; i++)
		if (proposal_count(p, addke(i)) > 1)
			return false;
	return true;
}

const char *ike_more_format(const struct ike_more *m, char out[IKE_MORE_TEXT_MAX])
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < IKE_MORE_MAX && len < IKE_MORE_TEXT_MAX; i++)
		if (m->ke[i] != KE_NONE)
			len += (size_t)snprintf(out + len, IKE_MORE_TEXT_MAX - len,
				"-ke%u_%s", i + 1, kex_name(m->ke[i]));
	return out;
}
