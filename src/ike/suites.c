/* ike/suites.c - which algorithms of an IKE SA both sides can use (RFC 7296 2.7, 3.3, 3.3.1,
 * 5; RFC 5282 7.3; RFC 9370 2.2.1).
 *
 * An offer has two parts. In
 * front stand, one by one, the suites of the group that comes first: it is the one of the KE
 * payload, and a peer that takes the first proposal it can use needs no other. Where all
 * groups of a suite stand in one proposal, libreswan takes the one that it likes best itself,
 * and asks for a second exchange with that. The others follow, those that differ in their
 * group alone as one proposal: what is chosen is always one that stands in the configuration,
 * not a mixture. Choices of ESP are in suites_esp.c.
 */
#include "ike/suites.h"

#include <assert.h>
#include <string.h>

#include "ike/proposal.h"
#include "wire/ike_header.h"

static const uint16_t prf_ids[] = {
	[PRF_SHA256] = PRF_HMAC_SHA2_256,
	[PRF_SHA384] = PRF_HMAC_SHA2_384,
	[PRF_SHA512] = PRF_HMAC_SHA2_512,
};

bool ike_suites_have_more(const struct ike_proposals *ours)
{
	for (unsigned i = 0; i < ours->n_ike; i++)
		if (ike_more_any(&ours->ike[i].more))
			return true;
	return false;
}

bool ike_suite_equal(const struct ike_suite *a, const struct ike_suite *b)
{
	return a->encr == b->encr && a->prf == b->prf && a->ke == b->ke &&
	       ike_more_equal(&a->more, &b->more);
}

enum {
	IKE_TYPES = 1 << TRANSFORM_ENCR | 1 << TRANSFORM_PRF | 1 << TRANSFORM_INTEG |
		    1 << TRANSFORM_KE | PROPOSAL_ADDKE_TYPES
};

/* What a proposal has of what we know, a bit each: read once, however many suites are ours. */
struct offered {
	unsigned encr; /* enum aead_alg */
	unsigned prf; /* enum prf_alg */
	uint64_t groups; /* enum ke_id */
	uint64_t more[IKE_MORE_MAX]; /* the same of ADDKE1 and so on; KE_NONE if absent */
};

enum { GROUPS = 64 };

static void note_group(struct offered *o, const struct wire_transform *t)
{
	uint64_t bit;

	if (t->id >= GROUPS || t->key_bits != 0)
		return;
	bit = UINT64_C(1) << t->id;
	if (t->type == TRANSFORM_KE)
		o->groups |= bit;
	else if (t->type >= TRANSFORM_ADDKE1 && t->type <= TRANSFORM_ADDKE7)
		o->more[t->type - TRANSFORM_ADDKE1] |= bit;
}

static struct offered what_is_offered(const struct wire_proposal *p, bool rekey)
{
	struct offered o = {0};
	bool spi_fits =
		rekey ? p->spi_len == IKE_SPI_LEN && p->spi != 0 : p->spi_len == 0;

	if (p->protocol != PROTO_IKE || !spi_fits || !proposal_has_only(p, IKE_TYPES))
		return o;
	/* RFC 7296 5: an IKE SA is never without encryption. */
	for (unsigned alg = AEAD_NONE + 1; alg < AEAD_ALGS; alg++)
		if (aead_encrypts((enum aead_alg)alg) &&
			proposal_has_encr(p, (enum aead_alg)alg))
			o.encr |= 1u << alg;
	for (unsigned prf = 0; prf < sizeof(prf_ids) / sizeof(prf_ids[0]); prf++)
		o.prf |= (unsigned)proposal_has(p, TRANSFORM_PRF, prf_ids[prf], 0) << prf;
	for (unsigned i = 0; i < p->n; i++)
		note_group(&o, &p->at[i]);
	for (unsigned i = 0; i < IKE_MORE_MAX; i++)
		if (proposal_count(p, (uint8_t)(TRANSFORM_ADDKE1 + i)) == 0)
			o.more[i] = UINT64_C(1) << KE_NONE;
	return o;
}

static bool allows_suite(const struct offered *o, const struct ike_suite *s)
{
	bool more = true;

	for (unsigned i = 0; i < IKE_MORE_MAX; i++)
		more &= s->more.ke[i] < GROUPS && (o->more[i] >> s->more.ke[i] & 1);
	return more && (o->encr >> s->encr & 1) && (o->prf >> s->prf & 1) &&
	       s->ke < GROUPS && (o->groups >> s->ke & 1);
}

static struct wire_proposal *add_proposal(struct wire_sa *out, uint64_t spi)
{
	return wire_sa_add(out, PROTO_IKE, spi != 0 ? IKE_SPI_LEN : 0, spi);
}

static void add_suite(struct wire_proposal *p, const struct ike_suite *s)
{
	proposal_add_encr(p, s->encr);
	wire_proposal_add(p, TRANSFORM_PRF, prf_ids[s->prf], 0);
	wire_proposal_add(p, TRANSFORM_KE, s->ke, 0);
}

static bool differ_in_group_alone(const struct ike_suite *a, const struct ike_suite *b)
{
	return a->encr == b->encr && a->prf == b->prf &&
	       ike_more_equal(&a->more, &b->more);
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

static void offer_one(struct wire_proposal *p, const struct ike_suite *s)
{
	add_suite(p, s);
	proposal_add_more(p, &s->more);
}

/* The suite at i, with the groups of those behind it that differ in nothing else. */
static void offer_with_groups(
	struct wire_proposal *p, const struct ike_proposals *ours, unsigned i)
{
	add_suite(p, &ours->ike[i]);
	for (unsigned k = i + 1; k < ours->n_ike; k++)
		if (differ_in_group_alone(&ours->ike[i], &ours->ike[k]) &&
			!proposal_has(p, TRANSFORM_KE, ours->ike[k].ke, 0))
			wire_proposal_add(p, TRANSFORM_KE, ours->ike[k].ke, 0);
	proposal_add_more(p, &ours->ike[i].more);
}

/* RFC 7296 3.3: the most preferred first. */
void ike_suites_offer(const struct ike_proposals *ours, uint64_t spi, struct wire_sa *out)
{
	assert(ours->n_ike > 0 && ours->n_ike <= IKE_SUITES_MAX);
	const unsigned front = count_in_front(ours);

	for (unsigned i = 0; i < front && out->n < WIRE_PROPOSALS_MAX; i++)
		if (!is_offered_before(ours, 0, i))
			offer_one(add_proposal(out, spi), &ours->ike[i]);
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
	proposal_add_no_integ(p, offered, s->encr);
	proposal_answer_more(p, offered, &s->more);
}

/* Where in the offer it stands; offer->n: nowhere. */
static unsigned find_suite(
	const struct offered *can, unsigned n, const struct ike_suite *s)
{
	unsigned k = 0;

	while (k < n && !allows_suite(&can[k], s))
		k++;
	return k;
}

/* The first of ours that the peer has, too; with like: of those with its additional key
 * exchanges, and of that group. NULL: none. */
static const struct ike_suite *first_common(const struct ike_proposals *ours,
	const struct offered *can, unsigned n, bool may_more,
	const struct ike_suite *like, uint16_t group)
{
	for (unsigned i = 0; i < ours->n_ike; i++) {
		const struct ike_suite *s = &ours->ike[i];

		if (!may_more && ike_more_any(&s->more))
			continue;
		if (like && (s->ke != group || !ike_more_equal(&s->more, &like->more)))
			continue;
		if (find_suite(can, n, s) < n)
			return s;
	}
	return NULL;
}

/* The group whose public value is here saves a round trip, but is no reason to do with fewer
 * key exchanges than we like. */
bool ike_suites_choose(const struct ike_proposals *ours, const struct wire_sa *offer,
	uint16_t group, bool may_more, uint64_t spi, struct ike_suite *out,
	uint64_t *peer_spi, struct wire_sa *answer)
{
	struct offered can[WIRE_PROPOSALS_MAX];

	for (unsigned i = 0; i < offer->n; i++)
		can[i] = what_is_offered(&offer->at[i], spi != 0);
	const struct ike_suite *best =
		first_common(ours, can, offer->n, may_more, NULL, group);
	if (!best)
		return false;
	const struct ike_suite *ready =
		first_common(ours, can, offer->n, may_more, best, group);
	*out = ready ? *ready : *best;
	const struct wire_proposal *p = &offer->at[find_suite(can, offer->n, out)];
	if (spi != 0)
		*peer_spi = p->spi;
	answer_suite(p, out, spi, answer);
	return true;
}

bool ike_suites_accept(const struct ike_proposals *ours, const struct wire_sa *answer,
	bool rekey, struct ike_suite *out, uint64_t *peer_spi)
{
	const struct wire_proposal *p = &answer->at[0];

	if (answer->n != 1 || proposal_count(p, TRANSFORM_ENCR) != 1 ||
		proposal_count(p, TRANSFORM_PRF) != 1 ||
		proposal_count(p, TRANSFORM_KE) != 1 ||
		proposal_count(p, TRANSFORM_INTEG) > 1 || !proposal_has_one_more_each(p))
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
