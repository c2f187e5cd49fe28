/* node/claim.h - who owns which address: a table that all members agree on.
 *
 * The table is a function of what the group delivered since the last change of the
 * membership, in CPG order, and of nothing else; so all members compute the same one.
 *
 * - A new membership empties it. Each member then says HELLO with what it owns. Of two
 *   who own the same address (a partition has healed) the first HELLO wins.
 * - For members that are silent those vouch who came along with them (vouch.c); a HELLO
 *   that comes after all replaces what was said for its sender.
 * - A CLAIM is granted when nobody owns the address and every member has said HELLO, or
 *   was vouched for;
 *   before that it waits in order. A claim that finds an owner is void: who wants the
 *   address asks again when it is free.
 * - Ownership ends by RELEASE, or with the membership.
 *
 * Floor 4. A value of fixed size; decides, and sends nothing.
 */
#ifndef VIPSEC_NODE_CLAIM_H
#define VIPSEC_NODE_CLAIM_H

#include "node/cluster_msg.h"

struct claim {
	struct addr addr;
	uint8_t owner; /* 0: nobody */
	bool vouched; /* the owner has not said so itself */
	uint8_t waiting; /* the first who asked before all had said HELLO; 0: nobody */
};

struct claims {
	struct claim at[CLUSTER_CLAIMS_MAX];
	unsigned n;
	uint8_t members[64];
	unsigned n_members;
	uint8_t heard[32]; /* bit of each member that has said HELLO */
	uint8_t vouched[32]; /* of each that was vouched for */
	bool complete; /* all members have said HELLO or were vouched for */
};

void claims_on_members(struct claims *c, const uint8_t *members, unsigned n);
/* The members as bits, for our HELLO. */
void claims_member_set(const struct claims *c, uint8_t set[32]);
/* False: from is no member; nothing happened. */
bool claims_on_hello(struct claims *c, uint8_t from, const struct cluster_msg *hello);
bool claims_on_vouch(struct claims *c, uint8_t from, const struct cluster_msg *vouch);
bool claims_on_claim(struct claims *c, uint8_t from, const struct addr *addr);
bool claims_on_release(struct claims *c, uint8_t from, const struct addr *addr);

uint8_t claims_owner(const struct claims *c, const struct addr *addr); /* 0: nobody */
bool claims_is_member(const struct claims *c, uint8_t member);
bool claims_is_known(const struct claims *c, uint8_t member); /* heard, or vouched for */
bool claims_has_heard(const struct claims *c, uint8_t member);

#endif
