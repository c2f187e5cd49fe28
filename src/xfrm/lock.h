/* xfrm/lock.h - who has the kernel's IPsec of this network namespace to himself.
 *
 * The lock is a table of nf_tables that belongs to a socket (NFT_TABLE_F_OWNER, Linux 5.12).
 * Making one takes CAP_NET_ADMIN over the network namespace, so no local user can keep the
 * daemon away; there is one of a name in each network namespace, whatever /run its processes
 * see; nobody else can delete it; and it goes with its socket, however the process ends.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_LOCK_H
#define VIPSEC_XFRM_LOCK_H

struct nlmsgerr;

#define LOCK_TABLE "vipsec-kernel-plane" /* inet; in `nft list tables` */

/* A descriptor that has it; waits some hundred milliseconds for one who has it for a moment.
 * -1 and errno: EADDRINUSE: another has it; EPERM: no CAP_NET_ADMIN; EOPNOTSUPP or
 * EPROTONOSUPPORT: this kernel has no such tables, and so nobody has it. */
int lock_take(void);
void lock_leave(int fd);

/* For who is told of it. */
#define LOCK_TAKEN "another vipsecd uses it here"
#define LOCK_UNKNOWN                                                               \
	"the kernel's data plane needs nf_tables whose tables can have an owner: " \
	"it needs Linux 5.12 or newer"

/* The kernel's answer as an errno of lock_take(); 0: the table is made. */
int lock_meaning(const struct nlmsgerr *e);

#endif
