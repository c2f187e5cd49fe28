/* daemon/privileges.h - keep what the work needs, give up the rest.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_PRIVILEGES_H
#define VIPSEC_DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

/* Before anything is opened: are we root with the capabilities that the work needs?
 * False: why says which one is missing. */
bool privileges_check(char *why, size_t why_cap);
/* Nice value -10, inherited by threads made later. */
void privileges_hurry(void);
/* Locks memory and forbids core dumps and ptrace: keys never reach a disk. False: the
 * memory could not be locked (a container's limit); why says so, and work may go on. */
bool privileges_guard_memory(char *why, size_t why_cap);
/* After everything that needs more is open: only CAP_NET_ADMIN (nftables, routes, TUN,
 * IP_TRANSPARENT), CAP_NET_RAW (ESP, ARP, ND), CAP_NET_BIND_SERVICE (UDP 500 as VIPs
 * come) and CAP_IPC_LOCK (memory mapped later) stay, and no child can gain more. */
bool privileges_drop(char *why, size_t why_cap);

#endif
