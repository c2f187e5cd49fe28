/* doctor/firewall.h - would the rules of others let IKE, ESP and AH through?
 *
 * A packet is led through nftables' own description of its rules (`nft -j list ruleset`),
 * as far as they can be understood: what a rule asks may be true of it, false, or depend on
 * what is not known (the peer's address, the interface, a set, an iptables match).
 *
 * Floor 9. Pure.
 */
#ifndef VIPSEC_DOCTOR_FIREWALL_H
#define VIPSEC_DOCTOR_FIREWALL_H

#include <jansson.h>

#include "base/addr.h"
#include "doctor/findings.h"

enum passage {
	PASSAGE_FREE,
	PASSAGE_DEPENDS,
	PASSAGE_REWRITTEN, /* its source address would be another */
	PASSAGE_SHUT
};

struct packet {
	bool out; /* else: arriving */
	struct addr own; /* of ours; the peer's is not known */
	uint8_t proto;
	uint16_t port; /* of UDP: both */
};

/* where: of the chain that decides, "family table chain". */
enum { WHERE_MAX = 160 };
enum passage firewall_passage(
	const json_t *ruleset, const struct packet *p, char where[WHERE_MAX]);

/* IKE, IKE and ESP in UDP, ESP, and AH if asked: both ways, from each of own. */
void firewall_judge(const json_t *ruleset, const struct addr *own, size_t n, bool ah,
	struct findings *f);

#endif
