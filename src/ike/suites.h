/* ike/suites.h - offering and choosing proposals. Private to ike/. */
#ifndef VIPSEC_IKE_SUITES_H
#define VIPSEC_IKE_SUITES_H

#include "ike/ike.h"
#include "ike/proposal.h"
#include "wire/sa_payload.h"

bool ike_suites_have_more(const struct ike_proposals *ours); /* some suite has */

/* spi: of the SA to come, when an IKE SA is rekeyed (RFC 7296 2.18); 0 in IKE_SA_INIT. The KE
 * payload beside it has the first suite's group. */
void ike_suites_offer(
	const struct ike_proposals *ours, uint64_t spi, struct wire_sa *out);
/* Suites of this group come before the others; else the order stays. */
void ike_suites_put_first(struct ike_proposals *ours, uint16_t group);
/* Our own preference decides; among suites that differ in it alone, the group that the peer
 * has sent a KE for (0: none) comes first. may_more: the peer can make additional key
 * exchanges. *answer is the SA payload of the response. With spi 0 (IKE_SA_INIT) peer_spi
 * is not looked at. False: nothing is common. */
bool ike_suites_choose(const struct ike_proposals *ours, const struct wire_sa *offer,
	uint16_t group, bool may_more, uint64_t spi, struct ike_suite *out,
	uint64_t *peer_spi, struct wire_sa *answer);
/* What the peer has chosen is one of ours, and one only. */
bool ike_suites_accept(const struct ike_proposals *ours, const struct wire_sa *answer,
	bool rekey, struct ike_suite *out, uint64_t *peer_spi);
bool ike_suites_has_group(const struct ike_proposals *ours, uint16_t group);

struct esp_choice {
	bool ah;
	enum aead_alg alg;
	bool esn;
	uint32_t spi; /* the peer's, inbound there */
	uint16_t group; /* of a key exchange of its own; KE_NONE: without */
	struct ike_more more; /* and what comes behind it */
	unsigned rank; /* its place among our groups */
};

/* A NAT is on the way, which AH cannot pass: the addresses are under its ICV (RFC 4302
 * 3.3.3.1.1.1). Nothing may be left. */
void ike_suites_without_ah(struct ike_proposals *ours);
bool ike_suites_are_ah_alone(const struct ike_proposals *ours);

/* first: the child of IKE_AUTH, where no key exchange is possible (RFC 7296 1.2). */
void ike_suites_offer_esp(
	const struct ike_proposals *ours, uint32_t spi, bool first, struct wire_sa *out);
/* group: the one that the peer has sent a KE for. What is chosen may be another one, to be
 * asked for by INVALID_KE_PAYLOAD. */
bool ike_suites_choose_esp(const struct ike_proposals *ours, const struct wire_sa *offer,
	uint16_t group, bool first, uint32_t spi, struct esp_choice *out,
	struct wire_sa *answer);
bool ike_suites_accept_esp(const struct ike_proposals *ours, const struct wire_sa *answer,
	bool first, struct esp_choice *out);

#endif
