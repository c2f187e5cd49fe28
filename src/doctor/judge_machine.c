/* doctor/judge_machine.c - what this kernel, and this process in it, can do. */
#include "doctor/judge.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

void judge_privileges(const struct facts_privileges *x, struct findings *f)
{
	static const struct {
		unsigned bit;
		enum grade grade;
		const char *name, *use;
	} needed[] = {
		{CAP_NET_ADMIN, GRADE_BAD, "CAP_NET_ADMIN",
			"the TUN, nftables, routes and the kernel's IPsec"},
		{CAP_NET_RAW, GRADE_BAD, "CAP_NET_RAW", "raw ESP and ARP"},
		{CAP_NET_BIND_SERVICE, GRADE_BAD, "CAP_NET_BIND_SERVICE", "UDP port 500"},
		{CAP_IPC_LOCK, GRADE_WARN, "CAP_IPC_LOCK",
			"keeping keys off the swap device"},
	};
	bool all = true;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if ((x->effective >> needed[i].bit & 1) != 0)
			continue;
		all = false;
		find(f, needed[i].grade, "%s is missing (for %s)", needed[i].name,
			needed[i].use);
		find_advise(f, "run as root; give a container this capability");
	}
	if (all)
		find_ok(f, "all that vipsecd needs");
}

static bool has_ah(const struct facts_esp *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->at[i].ah)
			return true;
	return false;
}

static void judge_refused(const struct facts_esp *x, const char *why, struct findings *f)
{
	const char *modules =
		has_ah(x) ? "load the modules (modprobe -a esp4 esp6 ah4 ah6 gcm authenc "
			    "chacha20poly1305), or take a kernel that has them"
			  : "load the modules (modprobe -a esp4 esp6 gcm authenc "
			    "chacha20poly1305), or take a kernel that has them";

	if (x->has_fallback) {
		find(f, GRADE_WARN,
			"the kernel's data plane, which is preferred, cannot serve: %s; "
			"the userspace plane does instead",
			why);
		find_advise(f, "%s; or write \"prefer userspace;\"", modules);
	} else {
		find(f, GRADE_BAD, "vipsecd will not start: dataplane prefer kernel: %s",
			why);
		find_advise(f, "%s; or write \"fallback userspace;\"", modules);
	}
}

/* NULL: all of them. */
static const char *refused(const struct facts_esp *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (!x->at[i].offered)
			return x->at[i].why;
	return NULL;
}

void judge_esp(const struct facts_esp *x, struct findings *f)
{
	const char *why = refused(x);
	char names[160] = "";

	if (x->configured && x->prefer == PLANE_KERNEL && why) {
		judge_refused(x, why, f);
		return;
	}
	for (size_t i = 0; i < x->n; i++) {
		size_t used = strlen(names);
		snprintf(names + used, sizeof(names) - used, "%s%s%s", used ? ", " : "",
			x->at[i].ah ? "AH " : "",
			x->at[i].ah ? aead_mac_name(x->at[i].alg)
				    : aead_name(x->at[i].alg));
	}
	if (x->configured && x->prefer == PLANE_KERNEL)
		find_ok(f, "the kernel has ESP with %s", names);
	else if (why)
		find_ok(f, "the userspace plane serves; the kernel's could not: %s", why);
	else
		find_ok(f, "the userspace plane serves%s; the kernel's could, with %s",
			x->configured ? ", as configured" : "", names);
}

void judge_helps(const struct facts_helps *x, struct findings *f)
{
	if (!x->in_kernel)
		return;
	if (!x->tried) {
		find_ok(f, "whether the kernel holds what comes before its SA was not "
			   "tried: that takes a network namespace");
		return;
	}
	if (!x->holds) {
		find(f, GRADE_WARN,
			"what comes before its SA is lost, as the kernel cannot hold it: "
			"%s",
			x->not_held);
		find_advise(f,
			"load the modules (modprobe -a nfnetlink_queue nft_queue), "
			"or take a kernel that has them (Linux 5.12), and restart "
			"vipsecd");
	}
	if (!x->steers) {
		find(f, GRADE_WARN,
			"what a tunnel leads to must have a route of this machine's: %s",
			x->not_steered);
		find_advise(f, "ip route add NETWORK via GATEWAY; or take a kernel with "
			       "CONFIG_IP_MULTIPLE_TABLES, and restart vipsecd");
	}
	if (x->holds && x->steers)
		find_ok(f, "the kernel holds what comes before its SA, and takes routing "
			   "rules");
}

void judge_crypto(const struct facts_crypto *x, struct findings *f)
{
	if (!x->in_kernel) {
		find_ok(f, "the kernel's drivers are not used");
		return;
	}
	for (size_t i = 0; i < x->n; i++) {
		bool slow = strstr(x->at[i].driver, "generic") != NULL,
		     best = x->cpu_without_aes && strstr(x->at[i].name, "aes");

		if (!slow || best) {
			find_ok(f, "%s by %s%s", x->at[i].name, x->at[i].driver,
				slow ? ": this processor has nothing for AES, and "
				       "chacha20poly1305 is faster"
				     : "");
			continue;
		}
		find(f, GRADE_WARN, "%s is computed by %s, which is slow", x->at[i].name,
			x->at[i].driver);
		find_advise(f, "load the processor's driver, if it has one (modprobe "
			       "aesni_intel; aes-ce-ccm on ARM), and restart vipsecd");
	}
	if (x->n == 0)
		find_ok(f, "the kernel names no driver");
}

void judge_tun(const struct facts_tun *x, struct findings *f)
{
	if (!x->needed) {
		find_ok(f, "not needed: the kernel carries ESP");
	} else if (!x->offered) {
		find(f, GRADE_BAD, "%s", x->why);
		find_advise(f, "modprobe tun; a container needs /dev/net/tun and "
			       "CAP_NET_ADMIN");
	} else if (x->daemon_uses_it && !x->device_up) {
		find(f, GRADE_BAD, "vipsecd runs, and its interface is not up");
		find_advise(f,
			"see whether another program sets it down (NetworkManager, "
			"systemd-networkd): vipsec0 must not be managed");
	} else {
		find_ok(f, "a TUN device can be made");
	}
}

enum { YEAR_2024_S = 1704067200 };

void judge_clock(const struct facts_clock *x, struct findings *f)
{
	if (x->wall_s < YEAR_2024_S) {
		find(f, GRADE_BAD,
			"the clock is not set (it says that %lld years have passed since "
			"1970): certificates are judged by it",
			(long long)(x->wall_s / (365 * 24 * 3600)));
		find_advise(f, "set it (chronyd, or `date -s`), and have it set at boot");
	} else if (x->known && !x->synchronised && x->needed) {
		find(f, GRADE_WARN,
			"nobody keeps the clock right (NTP), and certificates are judged "
			"by it");
		find_advise(f, "run chrony or systemd-timesyncd");
	} else {
		find_ok(f, "set%s",
			!x->known         ? ""
			: x->synchronised ? ", and synchronised"
					  : "; not synchronised, and nothing here "
					    "depends on it");
	}
}
