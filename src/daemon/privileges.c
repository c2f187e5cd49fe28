/* daemon/privileges.c - libcap-ng, mlockall and prctl. */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct {
	unsigned cap;
	const char *name, *use;
} needed[] = {
	{CAP_NET_ADMIN, "CAP_NET_ADMIN", "the TUN, nftables and routes"},
	{CAP_NET_RAW, "CAP_NET_RAW", "raw ESP and ARP"},
	{CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", "UDP port 500"},
};
enum { NEEDED = sizeof(needed) / sizeof(needed[0]) };

bool privileges_check(char *why, size_t why_cap)
{
	size_t used = 0;

	why[0] = '\0';
	for (int i = 0; i < NEEDED; i++) {
		if (capng_have_capability(CAPNG_EFFECTIVE, needed[i].cap))
			continue;
		int n = snprintf(why + used, why_cap - used, "%s%s is missing (for %s)",
			used ? ", " : "", needed[i].name, needed[i].use);
		used += n > 0 && (size_t)n < why_cap - used ? (size_t)n : 0;
	}
	if (used)
		snprintf(why + used, why_cap - used, ": start vipsecd as root");
	return used == 0;
}

/* A takeover is a matter of milliseconds, also on a node that is busy: before the plane's
 * thread is made, which inherits it. Being refused it is no reason not to run. */
void privileges_hurry(void)
{
	enum { NICENESS = -10 };

	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
}

bool privileges_guard_memory(char *why, size_t why_cap)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
		return true;
	snprintf(why, why_cap,
		"memory cannot be locked (%s): keys could reach a swap device",
		strerror(errno));
	return false;
}

static void keep(unsigned cap)
{
	capng_update(
		CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, cap);
}

bool privileges_drop(char *why, size_t why_cap)
{
	bool may_lock = capng_have_capability(CAPNG_EFFECTIVE, CAP_IPC_LOCK);

	capng_clear(CAPNG_SELECT_BOTH);
	for (int i = 0; i < NEEDED; i++)
		keep(needed[i].cap);
	if (may_lock)
		keep(CAP_IPC_LOCK); /* what is mapped later must be locked too */
	if (capng_apply(CAPNG_SELECT_BOTH) != 0) {
		snprintf(why, why_cap, "privileges cannot be dropped");
		return false;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		snprintf(why, why_cap, "no_new_privs cannot be set: %s", strerror(errno));
		return false;
	}
	return true;
}
