/* ike/suites_esp.c - which algorithms of ESP, or of AH, both sides can use, and with which key
 * exchange of their own (RFC 7296 1.2, 2.7, 3.3, 3.3.1; RFC 4303 2.1; RFC 7634; RFC 9370 2.2.4).
 *
 * A proposal is of one protocol (RFC 7296 3.3): with both in the configuration they are
 * offered one after the other, and either is agreed on.
 */
#include "ike/suites.h"

#include <assert.h>
#include <string.h>

#include "ike/proposal.h"

enum {
	SPI_LOWEST = 256, /* RFC 4303 2.1: those below are reserved */
	ESP_TYPES = 1 << TRANSFORM_ENCR | 1 << TRANSFORM_INTEG | 1 << TRANSFORM_KE |
		    1 << TRANSFORM_ESN | PROPOSAL_ADDKE_TYPES
};

static uint8_t protocol_of(bool ah)
{
	return ah ? PROTO_AH : PROTO_ESP;
}

void ike_suites_without_ah(struct ike_proposals *ours)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ours->n_esp; i++)
		if (!ours->ah[i])
			ours->esp[n++] = ours->esp[i];
	memset(ours->ah, 0, sizeof(ours->ah));
	ours->n_esp = n;
}

bool ike_suites_are_ah_alone(const struct ike_proposals *ours)
{
	bool any = false;

	for (unsigned i = 0; i < ours->n_esp; i++)
		any |= !ours->ah[i];
	return !any;
}

static const struct ike_more no_more;

/* Those groups that have the same behind them as the first that is left. */
static void add_groups(struct wire_proposal *p, const struct ike_proposals *ours,
	const struct ike_more *m)
{
	for (unsigned i = 0; i < ours->n_pfs; i++)
		if (ike_more_equal(&ours->pfs_more[i], m))
			wire_proposal_add(p, TRANSFORM_KE, ours->pfs[i], 0);
	if (ours->n_pfs > 0 && !ours->pfs_required && !ike_more_any(m))
		wire_proposal_add(p, TRANSFORM_KE, KE_NONE, 0);
	proposal_add_more(p, m);
}

static void add_algorithm(struct wire_proposal *p, bool ah, enum aead_alg alg)
{
	if (ah)
		proposal_add_ah(p, alg);
	else
		proposal_add_encr(p, alg);
}

static void offer_ciphers(const struct ike_proposals *ours, uint32_t spi,
	const struct ike_more *groups, struct wire_sa *out)
{
	for (unsigned i = 0; i < ours->n_esp && out->n < WIRE_PROPOSALS_MAX; i++) {
		struct wire_proposal *p =
			wire_sa_add(out, protocol_of(ours->ah[i]), 4, spi);

		add_algorithm(p, ours->ah[i], ours->esp[i]);
		if (groups)
			add_groups(p, ours, groups);
		if (ours->esn)
			wire_proposal_add(p, TRANSFORM_ESN, ESN_YES, 0);
		wire_proposal_add(p, TRANSFORM_ESN, ESN_NO, 0);
	}
}

static bool is_first_of_its_more(const struct ike_proposals *ours, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ike_more_equal(&ours->pfs_more[i], &ours->pfs_more[n]))
			return false;
	return true;
}

/* Groups with other additional key exchanges are other proposals; so is doing without any,
 * unless it stands beside a group that has none. What is beyond the limit is not offered. */
void ike_suites_offer_esp(
	const struct ike_proposals *ours, uint32_t spi, bool first, struct wire_sa *out)
{
	bool plain = false;

	assert(ours->n_esp > 0 && ours->n_esp <= IKE_CIPHERS_MAX);
	for (unsigned i = 0; i < ours->n_pfs && !first; i++) {
		if (!is_first_of_its_more(ours, i))
			continue;
		offer_ciphers(ours, spi, &ours->pfs_more[i], out);
		plain |= !ike_more_any(&ours->pfs_more[i]);
	}
	if (first || ours->n_pfs == 0)
		offer_ciphers(ours, spi, NULL, out);
	else if (!plain && !ours->pfs_required)
		offer_ciphers(ours, spi, &no_more, out);
}

/* A proposal without an ESN transform means sequence numbers of 32 bits. */
static bool choose_esn(const struct wire_proposal *p, bool ours, bool *esn)
{
	*esn = ours && proposal_has(p, TRANSFORM_ESN, ESN_YES, 0);
	return *esn || proposal_may_be_none(p, TRANSFORM_ESN);
}

static bool has_group(
	const struct wire_proposal *p, const struct ike_proposals *ours, unsigned i)
{
	return proposal_has(p, TRANSFORM_KE, ours->pfs[i], 0) &&
	       proposal_has_more(p, &ours->pfs_more[i]);
}

/* Our own preference; among groups with the same behind them the one that the peer has sent a
 * KE for; else none. */
static bool choose_group(const struct wire_proposal *p, const struct ike_proposals *ours,
	uint16_t sent, bool first, struct esp_choice *out)
{
	unsigned best = 0;

	out->group = KE_NONE;
	out->more = no_more;
	while (best < ours->n_pfs && !has_group(p, ours, best))
		best++;
	out->rank = best;
	if (first || best == ours->n_pfs)
		return (first || !ours->pfs_required || ours->n_pfs == 0) &&
		       proposal_may_be_none(p, TRANSFORM_KE) &&
		       proposal_has_more(p, &no_more);
	out->more = ours->pfs_more[best];
	out->group = ours->pfs[best];
	for (unsigned i = best + 1; i < ours->n_pfs; i++)
		if (ours->pfs[i] == sent && has_group(p, ours, i) &&
			ike_more_equal(&ours->pfs_more[i], &out->more))
			out->group = sent;
	return true;
}

/* Ours at n. */
static bool allows(const struct wire_proposal *p, const struct ike_proposals *ours,
	unsigned n, struct esp_choice *out)
{
	enum aead_alg alg = ours->esp[n];
	bool ah = ours->ah[n];

	if (p->protocol != protocol_of(ah) || p->spi_len != 4 || p->spi < SPI_LOWEST ||
		!proposal_has_only(p, ESP_TYPES) ||
		!(ah ? proposal_has_ah(p, alg) : proposal_has_encr(p, alg)) ||
		!choose_esn(p, ours->esn, &out->esn))
		return false;
	out->ah = ah;
	out->alg = alg;
	out->spi = (uint32_t)p->spi;
	return true;
}

static void answer_esp(const struct wire_proposal *offered, const struct esp_choice *c,
	uint32_t spi, struct wire_sa *answer)
{
	struct wire_proposal *p = wire_sa_add(answer, protocol_of(c->ah), 4, spi);

	p->number = offered->number;
	add_algorithm(p, c->ah, c->alg);
	if (!c->ah)
		proposal_add_no_integ(p, offered, c->alg);
	if (proposal_count(offered, TRANSFORM_KE) > 0)
		wire_proposal_add(p, TRANSFORM_KE, c->group, 0);
	proposal_answer_more(p, offered, &c->more);
	if (proposal_count(offered, TRANSFORM_ESN) > 0)
		wire_proposal_add(p, TRANSFORM_ESN, c->esn ? ESN_YES : ESN_NO, 0);
}

/* Of the proposals with the algorithm at n, the one with the groups that we like best. */
static const struct wire_proposal *best_offer(const struct ike_proposals *ours,
	unsigned n, const struct wire_sa *offer, uint16_t group, bool first,
	struct esp_choice *out)
{
	const struct wire_proposal *best = NULL;

	for (unsigned k = 0; k < offer->n; k++) {
		struct esp_choice c;

		if (!allows(&offer->at[k], ours, n, &c) ||
			!choose_group(&offer->at[k], ours, group, first, &c) ||
			(best && c.rank >= out->rank))
			continue;
		best = &offer->at[k];
		*out = c;
	}
	return best;
}

bool ike_suites_choose_esp(const struct ike_proposals *ours, const struct wire_sa *offer,
	uint16_t group, bool first, uint32_t spi, struct esp_choice *out,
	struct wire_sa *answer)
{
	for (unsigned i = 0; i < ours->n_esp; i++) {
		const struct wire_proposal *p =
			best_offer(ours, i, offer, group, first, out);

		if (!p)
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

	if (answer->n != 1 || proposal_count(p, TRANSFORM_ENCR) > 1 ||
		proposal_count(p, TRANSFORM_ESN) > 1 ||
		proposal_count(p, TRANSFORM_INTEG) > 1 ||
		proposal_count(p, TRANSFORM_KE) > 1 || !proposal_has_one_more_each(p))
		return false;
	for (unsigned i = 0; i < ours->n_esp; i++)
		if (allows(p, ours, i, out))
			return choose_group(p, ours, KE_NONE, first, out);
	return false;
}
