/* ike/suites.c - which algorithms both sides can use (RFC 7296 2.7, 3.3, 3.3.1,
 * 5; RFC 5282 7.3, 8; RFC 7634).
 *
 * With an AEAD cipher a proposal has no integrity transform, or NONE; with another it has one
 * (RFC 7296 3.3.3), so never NULL twice: RFC 4301 4.2, RFC 4303 5. An offer has two parts. In
 * front stand, one by one, the suites of the group that comes first: it is the one of the KE
 * payload, and a peer that takes the first proposal it can use needs no other. Where all
 * groups of a suite stand in one proposal, libreswan takes the one that it likes best itself,
 * and asks for a second exchange with that. The others follow, those that differ in their
 * group alone as one proposal: what is chosen is always one that stands in the configuration,
 * not a mixture. Leaves the octets to wire/sa_payload.h.
 */
#include "ike/suites.h"

#include <assert.h>
#include <string.h>

#include "wire/ike_header.h"

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
};

static const uint16_t prf_ids[] = {
	[PRF_SHA256] = PRF_HMAC_SHA2_256,
	[PRF_SHA384] = PRF_HMAC_SHA2_384,
	[PRF_SHA512] = PRF_HMAC_SHA2_512,
};

enum { SPI_LOWEST = 256 /* RFC 4303 2.1: those below are reserved */ };

static bool has(const struct wire_proposal *p, uint8_t type, uint16_t id, uint16_t bits)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i].type == type && p->at[i].id == id &&
			p->at[i].key_bits == bits)
			return true;
	return false;
}

static unsigned count(const struct wire_proposal *p, uint8_t type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->at[i].type == type;
	return n;
}

/* Absent, or one may do without: RFC 7296 1.2, 2.7. */
static bool may_be_none(const struct wire_proposal *p, uint8_t type)
{
	return count(p, type) == 0 || has(p, type, 0, 0);
}

/* RFC 7296 3.3.3: a cipher without integrity of its own needs another's. */
static bool has_encr(const struct wire_proposal *p, enum aead_alg alg)
{
	uint16_t integ = encr_ids[alg].integ;

	return has(p, TRANSFORM_ENCR, encr_ids[alg].id, encr_ids[alg].key_bits) &&
	       (integ == INTEG_NONE ? may_be_none(p, TRANSFORM_INTEG)
				    : has(p, TRANSFORM_INTEG, integ, 0));
}

static void add_encr(struct wire_proposal *p, enum aead_alg alg)
{
	wire_proposal_add(p, TRANSFORM_ENCR, encr_ids[alg].id, encr_ids[alg].key_bits);
	if (encr_ids[alg].integ != INTEG_NONE)
		wire_proposal_add(p, TRANSFORM_INTEG, encr_ids[alg].integ, 0);
}

/* Of an answer: the transform "none", where one was offered. */
static void add_no_integ(
	struct wire_proposal *p, const struct wire_proposal *offered, enum aead_alg alg)
{
	if (encr_ids[alg].integ == INTEG_NONE && count(offered, TRANSFORM_INTEG) > 0)
		wire_proposal_add(p, TRANSFORM_INTEG, INTEG_NONE, 0);
}

/* RFC 7296 3.3.6: a type that we do not understand spoils the proposal. */
static bool has_only(const struct wire_proposal *p, unsigned types)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i].type > TRANSFORM_ESN || !(types >> p->at[i].type & 1))
			return false;
	return true;
}

/* ---- IKE */

enum {
	IKE_TYPES = 1 << TRANSFORM_ENCR | 1 << TRANSFORM_PRF | 1 << TRANSFORM_INTEG |
		    1 << TRANSFORM_KE,
	ESP_TYPES = 1 << TRANSFORM_ENCR | 1 << TRANSFORM_INTEG | 1 << TRANSFORM_KE |
		    1 << TRANSFORM_ESN
};

/* What a proposal has of what we know, a bit each: read once, however many suites are ours. */
struct offered {
	unsigned encr; /* enum aead_alg */
	unsigned prf; /* enum prf_alg */
	uint64_t groups; /* enum ke_id */
};

enum { GROUPS = 64 };

static struct offered what_is_offered(const struct wire_proposal *p, bool rekey)
{
	struct offered o = {0};
	bool spi_fits =
		rekey ? p->spi_len == IKE_SPI_LEN && p->spi != 0 : p->spi_len == 0;

	if (p->protocol != PROTO_IKE || !spi_fits || !has_only(p, IKE_TYPES))
		return o;
	for (unsigned alg = 0; alg < AEAD_ALGS; alg++)
		o.encr |= (unsigned)has_encr(p, (enum aead_alg)alg) << alg;
	for (unsigned prf = 0; prf < sizeof(prf_ids) / sizeof(prf_ids[0]); prf++)
		o.prf |= (unsigned)has(p, TRANSFORM_PRF, prf_ids[prf], 0) << prf;
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i].type == TRANSFORM_KE && p->at[i].id < GROUPS &&
			p->at[i].key_bits == 0)
			o.groups |= UINT64_C(1) << p->at[i].id;
	return o;
}

static bool allows_suite(const struct offered *o, const struct ike_suite *s)
{
	return (o->encr >> s->encr & 1) && (o->prf >> s->prf & 1) && s->ke < GROUPS &&
	       (o->groups >> s->ke & 1);
}

static struct wire_proposal *add_proposal(struct wire_sa *out, uint64_t spi)
{
	return wire_sa_add(out, PROTO_IKE, spi != 0 ? IKE_SPI_LEN : 0, spi);
}

static void add_suite(struct wire_proposal *p, const struct ike_suite *s)
{
	add_encr(p, s->encr);
	wire_proposal_add(p, TRANSFORM_PRF, prf_ids[s->prf], 0);
	wire_proposal_add(p, TRANSFORM_KE, s->ke, 0);
}

static bool differ_in_group_alone(const struct ike_suite *a, const struct ike_suite *b)
{
	return a->encr == b->encr && a->prf == b->prf;
}

/* The suite at n, or one that differs in its group alone, stands between from and n. */
static bool is_offered_before(const struct ike_proposals *ours, unsigned from, unsigned n)
{
	for (unsigned i = from; i < n; i++)
		if (differ_in_group_alone(&ours->ike[i], &ours->ike[n]))
			return true;
	return false;
}

/* How many suites stand in front that have the first one's group. */
static unsigned count_in_front(const struct ike_proposals *ours)
{
	unsigned n = 1;

	while (n < ours->n_ike && ours->ike[n].ke == ours->ike[0].ke)
		n++;
	return n;
}

/* The suite at i, with the groups of those behind it that differ in nothing else. */
static void offer_with_groups(
	struct wire_proposal *p, const struct ike_proposals *ours, unsigned i)
{
	add_suite(p, &ours->ike[i]);
	for (unsigned k = i + 1; k < ours->n_ike; k++)
		if (differ_in_group_alone(&ours->ike[i], &ours->ike[k]) &&
			!has(p, TRANSFORM_KE, ours->ike[k].ke, 0))
			wire_proposal_add(p, TRANSFORM_KE, ours->ike[k].ke, 0);
}

/* RFC 7296 3.3: the most preferred first. */
void ike_suites_offer(const struct ike_proposals *ours, uint64_t spi, struct wire_sa *out)
{
	assert(ours->n_ike > 0 && ours->n_ike <= IKE_SUITES_MAX);
	const unsigned front = count_in_front(ours);

	for (unsigned i = 0; i < front && out->n < WIRE_PROPOSALS_MAX; i++)
		if (!is_offered_before(ours, 0, i))
			add_suite(add_proposal(out, spi), &ours->ike[i]);
	for (unsigned i = front; i < ours->n_ike && out->n < WIRE_PROPOSALS_MAX; i++)
		if (!is_offered_before(ours, front, i))
			offer_with_groups(add_proposal(out, spi), ours, i);
}

void ike_suites_put_first(struct ike_proposals *ours, uint16_t group)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ours->n_ike; i++) {
		const struct ike_suite s = ours->ike[i];

		if (s.ke != group)
			continue;
		memmove(&ours->ike[n + 1], &ours->ike[n], (i - n) * sizeof(ours->ike[0]));
		ours->ike[n++] = s;
	}
}

/* RFC 7296 2.7: one transform of each type that the proposal has. */
static void answer_suite(const struct wire_proposal *offered, const struct ike_suite *s,
	uint64_t spi, struct wire_sa *answer)
{
	struct wire_proposal *p = add_proposal(answer, spi);

	p->number = offered->number;
	add_suite(p, s);
	add_no_integ(p, offered, s->encr);
}

/* First those of the group whose public value is here: that saves a round trip. */
bool ike_suites_choose(const struct ike_proposals *ours, const struct wire_sa *offer,
	uint16_t group, uint64_t spi, struct ike_suite *out, uint64_t *peer_spi,
	struct wire_sa *answer)
{
	struct offered can[WIRE_PROPOSALS_MAX];

	for (unsigned i = 0; i < offer->n; i++)
		can[i] = what_is_offered(&offer->at[i], spi != 0);
	for (int any_group = 0; any_group <= 1; any_group++)
		for (unsigned i = 0; i < ours->n_ike; i++) {
			const struct ike_suite *s = &ours->ike[i];
			unsigned k = 0;

			while (k < offer->n && !allows_suite(&can[k], s))
				k++;
			if (k == offer->n || (!any_group && s->ke != group))
				continue;
			const struct wire_proposal *p = &offer->at[k];
			*out = *s;
			if (spi != 0)
				*peer_spi = p->spi;
			answer_suite(p, s, spi, answer);
			return true;
		}
	return false;
}

bool ike_suites_accept(const struct ike_proposals *ours, const struct wire_sa *answer,
	bool rekey, struct ike_suite *out, uint64_t *peer_spi)
{
	const struct wire_proposal *p = &answer->at[0];

	if (answer->n != 1 || count(p, TRANSFORM_ENCR) != 1 ||
		count(p, TRANSFORM_PRF) != 1 || count(p, TRANSFORM_KE) != 1 ||
		count(p, TRANSFORM_INTEG) > 1)
		return false;
	const struct offered can = what_is_offered(p, rekey);
	for (unsigned i = 0; i < ours->n_ike; i++)
		if (allows_suite(&can, &ours->ike[i])) {
			*out = ours->ike[i];
			if (rekey)
				*peer_spi = p->spi;
			return true;
		}
	return false;
}

bool ike_suites_has_group(const struct ike_proposals *ours, uint16_t group)
{
	for (unsigned i = 0; i < ours->n_ike; i++)
		if (ours->ike[i].ke == group)
			return true;
	return false;
}

/* ---- ESP */

static void add_groups(struct wire_proposal *p, const struct ike_proposals *ours)
{
	for (unsigned i = 0; i < ours->n_pfs; i++)
		wire_proposal_add(p, TRANSFORM_KE, ours->pfs[i], 0);
	if (ours->n_pfs > 0 && !ours->pfs_required)
		wire_proposal_add(p, TRANSFORM_KE, KE_NONE, 0);
}

void ike_suites_offer_esp(
	const struct ike_proposals *ours, uint32_t spi, bool first, struct wire_sa *out)
{
	assert(ours->n_esp > 0 && ours->n_esp <= IKE_CIPHERS_MAX);
	for (unsigned i = 0; i < ours->n_esp; i++) {
		struct wire_proposal *p = wire_sa_add(out, PROTO_ESP, 4, spi);
		enum aead_alg alg = ours->esp[i];

		add_encr(p, alg);
		if (!first)
			add_groups(p, ours);
		if (ours->esn)
			wire_proposal_add(p, TRANSFORM_ESN, ESN_YES, 0);
		wire_proposal_add(p, TRANSFORM_ESN, ESN_NO, 0);
	}
}

/* A proposal without an ESN transform means sequence numbers of 32 bits. */
static bool choose_esn(const struct wire_proposal *p, bool ours, bool *esn)
{
	*esn = ours && has(p, TRANSFORM_ESN, ESN_YES, 0);
	return *esn || may_be_none(p, TRANSFORM_ESN);
}

/* The group that the peer has sent a KE for, then our own preference, then none. */
static bool choose_group(const struct wire_proposal *p, const struct ike_proposals *ours,
	uint16_t sent, bool first, uint16_t *group)
{
	*group = KE_NONE;
	for (int any = 0; any <= 1 && !first; any++)
		for (unsigned i = 0; i < ours->n_pfs; i++) {
			if (!has(p, TRANSFORM_KE, ours->pfs[i], 0) ||
				(!any && ours->pfs[i] != sent))
				continue;
			*group = ours->pfs[i];
			return true;
		}
	return (first || !ours->pfs_required || ours->n_pfs == 0) &&
	       may_be_none(p, TRANSFORM_KE);
}

static bool allows_esp(const struct wire_proposal *p, const struct ike_proposals *ours,
	enum aead_alg alg, struct esp_choice *out)
{
	if (p->protocol != PROTO_ESP || p->spi_len != 4 || p->spi < SPI_LOWEST ||
		!has_only(p, ESP_TYPES) || !has_encr(p, alg) ||
		!choose_esn(p, ours->esn, &out->esn))
		return false;
	out->alg = alg;
	out->spi = (uint32_t)p->spi;
	return true;
}

static void answer_esp(const struct wire_proposal *offered, const struct esp_choice *c,
	uint32_t spi, struct wire_sa *answer)
{
	struct wire_proposal *p = wire_sa_add(answer, PROTO_ESP, 4, spi);

	p->number = offered->number;
	add_encr(p, c->alg);
	add_no_integ(p, offered, c->alg);
	if (count(offered, TRANSFORM_KE) > 0)
		wire_proposal_add(p, TRANSFORM_KE, c->group, 0);
	if (count(offered, TRANSFORM_ESN) > 0)
		wire_proposal_add(p, TRANSFORM_ESN, c->esn ? ESN_YES : ESN_NO, 0);
}

bool ike_suites_choose_esp(const struct ike_proposals *ours, const struct wire_sa *offer,
	uint16_t group, bool first, uint32_t spi, struct esp_choice *out,
	struct wire_sa *answer)
{
	for (unsigned i = 0; i < ours->n_esp; i++)
		for (unsigned k = 0; k < offer->n; k++) {
			const struct wire_proposal *p = &offer->at[k];

			if (!allows_esp(p, ours, ours->esp[i], out) ||
				!choose_group(p, ours, group, first, &out->group))
				continue;
			answer_esp(p, out, spi, answer);
			return true;
		}
	return false;
}

bool ike_suites_accept_esp(const struct ike_proposals *ours, const struct wire_sa *answer,
	bool first, struct esp_choice *out)
{
	const struct wire_proposal *p = &answer->at[0];

	if (answer->n != 1 || count(p, TRANSFORM_ENCR) != 1 ||
		count(p, TRANSFORM_ESN) > 1 || count(p, TRANSFORM_INTEG) > 1 ||
		count(p, TRANSFORM_KE) > 1)
		return false;
	for (unsigned i = 0; i < ours->n_esp; i++)
		if (allows_esp(p, ours, ours->esp[i], out))
			return choose_group(p, ours, KE_NONE, first, &out->group);
	return false;
}
