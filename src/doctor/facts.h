/* doctor/facts.h - what the judgements judge, topic by topic.
 *
 * Floor 9. Values, of fixed size: so they can come through a pipe (apart.h).
 */
#ifndef VIPSEC_DOCTOR_FACTS_H
#define VIPSEC_DOCTOR_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/ts.h"
#include "config/config.h"

enum { FACT_NAME_MAX = 64, FACT_TEXT_MAX = 320, FACTS_MAX = 64 };

struct facts_privileges {
	uint64_t effective; /* CapEff of /proc/self/status */
};

struct facts_esp {
	bool configured; /* else: it is not known what is needed */
	enum config_plane prefer;
	bool has_fallback;
	struct {
		bool ah; /* of AH, not of ESP */
		enum aead_alg alg;
		bool offered;
		char why[FACT_TEXT_MAX];
	} at[2 * AEAD_ALGS];
	size_t n;
};

/* What the kernel plane can do without. */
struct facts_helps {
	bool in_kernel;
	bool tried; /* else the rest is not known */
	bool holds, steers;
	char not_held[FACT_TEXT_MAX / 2], not_steered[FACT_TEXT_MAX / 2]; /* why */
};

/* The best driver of each algorithm that the kernel would use. */
struct facts_crypto {
	bool in_kernel; /* the kernel carries, or would carry, the packets */
	bool cpu_without_aes; /* it is known to have no instructions for it */
	struct {
		char name[FACT_NAME_MAX], driver[2 * FACT_NAME_MAX];
	} at[AEAD_ALGS];
	size_t n;
};

struct facts_tun {
	bool needed; /* by the userspace plane */
	bool offered;
	char why[128];
	bool daemon_uses_it, device_up; /* of the daemon's own, when it runs */
};

struct facts_clock {
	int64_t wall_s;
	bool known, synchronised; /* the kernel's word (adjtimex) */
	bool needed; /* certificates are judged by it */
};

struct facts_policies {
	bool offered;
	char why[128];
	bool in_kernel;
	struct fact_policy {
		bool out; /* else: what arrives, or is forwarded */
		bool block, secures; /* secures: it has a template */
		uint32_t priority, if_id;
		struct ts local, remote; /* seen from here */
		char text[FACT_TEXT_MAX]; /* as ip(8) names it */
	} at[FACTS_MAX]; /* those of others */
	size_t n;
	struct fact_ours {
		struct ts local, remote;
		uint32_t priority, if_id; /* the kernel plane's */
		bool mirrored; /* it is about what arrives, too */
		char what[POLICY_NAME_MAX + 16]; /* rule "x" */
	} ours[256];
	size_t n_ours;
};

struct facts_ports {
	struct fact_port {
		uint16_t port;
		struct addr local; /* all zeros: any */
		int pid; /* 0: it cannot be seen from here */
		char program[FACT_NAME_MAX];
	} at[FACTS_MAX];
	size_t n;
	int daemon_pid; /* of the pid file; 0: none */
	bool daemon_there; /* it answers, wherever its pid file is */
	struct addr own[FACTS_MAX]; /* that IKE is to be spoken on */
	size_t n_own;
	bool own_any; /* the host's policy: every address */
};

/* By what the kernel is told to pass by its IPsec policies. */
struct fact_passing {
	bool no_xfrm, no_policy; /* IPv4: what leaves, what comes */
	bool no_policy_v6; /* what comes to its addresses */
};

struct facts_links {
	struct fact_link {
		char name[16];
		uint32_t mtu;
		int rp_filter; /* the larger of all's and its own */
		bool v4, v6; /* it has such an address (link-local ones do not count) */
		bool carries_vip;
		struct fact_passing passing; /* its own */
	} at[FACTS_MAX]; /* up, neither loopback nor ours */
	size_t n;
	struct fact_passing all; /* of all links, whatever their own say */
	bool in_kernel;
	uint32_t fragment_size; /* of the configuration; 0: none */
	bool needs_v6; /* one of the configured addresses is */
};

struct facts_forwarding {
	char rule[POLICY_NAME_MAX]; /* that protects a network behind us; empty: none */
	bool v4_needed, v6_needed, v4, v6;
};

struct facts_config {
	char file[FACT_TEXT_MAX];
	bool usable;
	char lines[42][FACT_TEXT_MAX]; /* as `vipsec check` says them */
	size_t n;
	unsigned vips, policies, rules;
};

struct facts_files {
	struct fact_file {
		char path[FACT_TEXT_MAX];
		bool there, secret; /* secret: nobody else may look in */
		bool foreign; /* neither root's nor ours */
		unsigned mode;
	} at[8];
	size_t n;
};

struct facts_certificates {
	struct fact_certificate {
		char identity[POLICY_NAME_MAX], subject[CERT_TEXT_MAX];
		bool ca;
		int64_t not_before_s, not_after_s;
	} at[FACTS_MAX];
	size_t n;
	int64_t now_s;
	uint64_t warning_ms;
};

struct facts_guard {
	bool can_list; /* nftables answers */
	bool there, compared, as_it_should; /* compared: with what the file asks for */
	bool daemon_runs;
};

struct facts_cluster {
	bool wanted; /* backend corosync */
	bool silent; /* it took the connection and does not answer */
	bool cpg, cmap, quorum, quorate;
	char why[256]; /* not cpg */
	uint32_t failover_ms; /* token + consensus; 0: not known */
	uint64_t configured_failover_ms, idle_ms, idle_failover_ms;
};

enum daemon_state { DAEMON_ABSENT, DAEMON_SILENT, DAEMON_THERE };

struct facts_daemon {
	enum daemon_state state;
	int pid; /* of the pid file; 0: it ended in good order, or never ran */
	bool pid_alive;
	bool in_kernel; /* there: its data plane */
	char config[FACT_TEXT_MAX]; /* there: the file that it has read */
	char problems[16][FACT_TEXT_MAX];
	size_t n_problems;
};

#endif
