/* ike/suites.h - offering and choosing proposals. Private to ike/. */
#ifndef VIPSEC_IKE_SUITES_H
#define VIPSEC_IKE_SUITES_H

#include "ike/ike.h"
#include "wire/sa_payload.h"

void ike_suites_offer(const struct ike_proposals *ours, struct wire_sa *out);
/* Our own preference decides, after suites of the group that the peer has sent a KE for
 * (0: none). *answer is the SA payload of the response. False: nothing is common. */
bool ike_suites_choose(const struct ike_proposals *ours, const struct wire_sa *offer,
	uint16_t group, struct ike_suite *out, struct wire_sa *answer);
/* What the peer has chosen is one of ours, and one only. */
bool ike_suites_accept(const struct ike_proposals *ours, const struct wire_sa *answer,
	struct ike_suite *out);
bool ike_suites_has_group(const struct ike_proposals *ours, uint16_t group);

struct esp_choice {
	enum aead_alg alg;
	bool esn;
	uint32_t spi; /* the peer's, inbound there */
};

void ike_suites_offer_esp(
	const struct ike_proposals *ours, uint32_t spi, struct wire_sa *out);
bool ike_suites_choose_esp(const struct ike_proposals *ours, const struct wire_sa *offer,
	uint32_t spi, struct esp_choice *out, struct wire_sa *answer);
bool ike_suites_accept_esp(const struct ike_proposals *ours, const struct wire_sa *answer,
	struct esp_choice *out);

#endif
