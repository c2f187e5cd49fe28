/* port/guard.h - the guard: one nftables table that keeps protected traffic out of the
 * clear, whatever becomes of this process.
 *
 * Inbound, what a negotiate entry covers is dropped unless it comes from our TUN or through
 * an SA of ours in the kernel; outbound, unless it leaves that way. Block entries drop both ways; a permit entry that
 * is more specific comes first and lets its traffic pass (to whatever other tables say).
 * Traffic through lo never leaves the machine and is not judged.
 *
 * Exemptions, and no others: IKE (UDP ports 500 and 4500 of the scope's own addresses),
 * ESP and AH to and from them (judged by their SA), IPv6 neighbour discovery, and ICMP
 * errors for path MTU that quote our own ESP or IKE packets.
 *
 * An address whose IKE and ESP sockets are closed must be silent: the kernel's ICMP
 * errors that answer IKE or ESP are dropped on their way out. That needs no toggle at
 * binding, and holds when the daemon has been killed too.
 *
 * The table is replaced in one transaction and has no owner: it stays until
 * guard_remove(). Counters go on over a replacement.
 *
 * Floor 7. Call from one thread. Messages for people go to why.
 */
#ifndef VIPSEC_PORT_GUARD_H
#define VIPSEC_PORT_GUARD_H

#include "config/config.h"
#include "policy/policy.h"

#define GUARD_TABLE "vipsec" /* nft list table inet vipsec */

struct guard_scope {
	uint16_t scope;
	const struct spd *spd; /* borrowed during the call; NULL: no policy */
	const struct addr *addrs; /* the VIP's; none: the host, any local address */
	size_t n_addrs;
};

struct guard_rules {
	const struct guard_scope *scopes;
	size_t n_scopes;
	/* Whose packets are protected: those of our TUN, or (NULL) those that the kernel's
	 * SAs of these reqids have opened, or will seal. */
	const char *tun_name;
	uint32_t reqid_first, reqid_last;
	/* Kernel: some go to an XFRM interface first, where they meet the SA. They pass here
	 * again when they have. */
	bool interfaces;
};

/* Installs or replaces. False: the old table, if there was one, is still in force. */
bool guard_apply(const struct guard_rules *rules, char *why, size_t why_cap)
	__attribute__((warn_unused_result));
/* The same with the scopes and interfaces of a configuration; those of like are not looked
 * at. */
bool guard_apply_config(const struct config *c, const struct guard_rules *like, char *why,
	size_t why_cap) __attribute__((warn_unused_result));
/* The table as nft text, as guard_apply() would install it: for `explain` and for
 * tests. Free with free(). */
char *guard_text(const struct guard_rules *rules);
/* True when it is gone, or was not there. */
bool guard_remove(char *why, size_t why_cap) __attribute__((warn_unused_result));
bool guard_present(void);
/* The table as the kernel has it, without what counters count. NULL: there is none. Free
 * with free(). */
char *guard_listing(void);

/* All that nftables has, everybody's, as `nft -j list ruleset` says it. NULL: it does not
 * answer. Free with free(). */
char *guard_ruleset_json(void);

/* Packets of one scope that were dropped. */
struct guard_counts {
	uint64_t clear_in, clear_out; /* protected traffic that was not */
	uint64_t blocked_in, blocked_out; /* block entries */
};
/* All zero for a scope that the table does not have. out has room for n scopes, 0..n-1.
 * False: there is no table. */
bool guard_read_counts(struct guard_counts *out, size_t n);

#endif
