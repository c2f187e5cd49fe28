/* config/config.h - /etc/vipsec/vipsec.conf as one immutable value.
 *
 * config_parse() turns text into a struct config or into errors that name file, line and
 * column; it never half-succeeds. What later releases bring (request,
 * respond-only, resume, stateful) is recognised and refused by name.
 *
 * Floor 2. A config is heap memory, read-only once parsed, freed by config_free(), which
 * wipes the secrets. Durations are milliseconds.
 */
#ifndef VIPSEC_CONFIG_CONFIG_H
#define VIPSEC_CONFIG_CONFIG_H

#include "base/addr.h"
#include "base/hostname.h"
#include "base/identity.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypto/aead.h"
#include "crypto/credential.h"
#include "crypto/prf.h"
#include "crypto/trust.h"
#include "policy/policy.h"

/* Where the file says something, both from 1; line 0: it does not say it. No part of the
 * meaning: two configurations may differ in these and be equal. */
struct config_place {
	unsigned line, column;
};

enum config_backend { BACKEND_NONE, BACKEND_COROSYNC };
enum config_takeover { TAKEOVER_WAIT, TAKEOVER_REINITIATE };
enum config_plane { PLANE_USERSPACE, PLANE_KERNEL };
enum config_encap { ENCAP_AUTO, ENCAP_FORCE };
enum config_bind { BIND_ADDRESS, BIND_AGENT };
enum config_on_exit { EXIT_CLOSED, EXIT_OPEN };

struct config_cluster {
	char name[POLICY_NAME_MAX]; /* "vipsec" */
	enum config_backend backend;
	enum config_takeover takeover;
	uint64_t failover_time_ms; /* what the operator says the cluster needs to notice
				      and move a VIP; 0: not said, ask the cluster */
};

struct config_tuning {
	bool nlbs_flags; /* false */
	bool nlbs_present; /* true: the peers of a cluster's VIP are told that it is one */
	uint64_t idle_timeout_ms; /* 5m */
	uint64_t idle_timeout_failover_ms; /* 1m */
	uint64_t idle_lifetime_ms; /* 1h */
	uint64_t delete_wait_ms; /* 150ms */
	bool mobike; /* true: in tunnel mode, peers may change their address (RFC 4555) */
	uint32_t replay_window; /* 1024 packets, 32..4096 */
	uint32_t
		fragment_size; /* of IKE datagrams, IP header included; 1280, 256..9000 */
	enum config_on_exit on_exit; /* closed */
	uint64_t resolve_refresh_ms; /* 5m: how long an answer of DNS is good at most */
	uint64_t expiry_warning_ms; /* 14d: before a certificate of ours expires */
};

struct config_dataplane {
	enum config_plane prefer, fallback;
	enum config_encap encap;
	enum policy_offload offload; /* of SAs to come, by the kernel's plane; no */
	bool has_fallback;
	struct config_place prefer_at;
};

#define CONFIG_VIP_ADDRS 8
struct config_vip {
	char name[POLICY_NAME_MAX];
	struct addr addrs[CONFIG_VIP_ADDRS];
	unsigned n_addrs;
	enum config_bind bind;
	struct addr
		drain_to[2]; /* IPv4, IPv6: where `vipsec drain` sends peers; not set */
	struct policy_tags tags; /* of rules that say nothing of their own */
	uint32_t policy; /* index of the policy assigned; CONFIG_NO_POLICY: none */
};
#define CONFIG_NO_POLICY UINT32_MAX

#define CONFIG_MORE_MAX 7
struct config_ike_suite {
	enum aead_alg encr;
	enum prf_alg prf;
	uint16_t ke; /* enum ke_id */
	uint8_t more
		[CONFIG_MORE_MAX]; /* the same of ke1_ to ke7_; KE_NONE: not that one */
};
struct config_esp_suite {
	bool ah; /* by AH: encr is then NULL with HMAC */
	enum aead_alg encr;
};

#define CONFIG_SUITES 16 /* that can be written */
#define CONFIG_BUILTIN_SUITES 48
struct config_proposal {
	char name[POLICY_NAME_MAX];
	struct config_ike_suite ike[CONFIG_BUILTIN_SUITES]; /* in order of preference */
	struct config_esp_suite esp[CONFIG_SUITES]; /* and AH, as they are written */
	unsigned n_ike, n_esp;
	struct config_place esp_at, ah_at;
	uint64_t lifetime_ike_ms, lifetime_child_ms; /* defaults 4h, 1h */
	uint64_t reauth_ms; /* 0: never */
	uint64_t rekey_bytes, rekey_packets; /* of a child, both ways; 0: no limit */
};

/* A peer's certificate ends, or is taken back, while its SAs are up: what becomes of them? */
enum config_lapse { LAPSE_END, LAPSE_KEEP };

#define CONFIG_IDENTITIES 64
/* identity "..." { }: certificates, whom they make us, and whose we believe. */
struct config_identity {
	char name[POLICY_NAME_MAX];
	struct identity id; /* as written, else the certificate's first name */
	struct credential *credential; /* NULL: nothing to prove ourselves with */
	struct trust *trust; /* NULL: no peer is believed by a certificate */
	enum trust_revocation revocation; /* if-available */
	enum config_lapse lapse; /* end */
};

enum config_proof { PROOF_PSK, PROOF_CERT };

struct config_auth {
	enum config_proof own, peer; /* how we prove ourselves, and how the peer must */
	char identity_name[POLICY_NAME_MAX], trust_name[POLICY_NAME_MAX];
	struct credential *credential; /* own by certificate; the identity's */
	struct trust *trust; /* peer by certificate; the identity's */
	enum config_lapse lapse; /* the same */
	struct identity remote_pattern; /* "*.example", with remote_any; type 0: none */
	char secret_name[POLICY_NAME_MAX];
	struct secret psk;
	struct identity local_id; /* type 0: the address */
	struct identity remote_id; /* type 0: the address, unless remote_any */
	bool remote_any;
};

enum config_pfs {
	PFS_WHERE_COMMON, /* offered, and accepted without */
	PFS_NO,
	PFS_YES, /* no further or rekeyed child without */
	PFS_MASTER /* an IKE SA for each child */
};

/* May an IKE SA begin without a child (RFC 6023)? */
enum config_childless {
	CHILDLESS_ALLOW, /* the peer may */
	CHILDLESS_NO,
	CHILDLESS_FORCE /* both must */
};

#define CONFIG_PPK_MAX 64
struct config_ppk { /* RFC 8784 */
	struct secret key; /* len 0: none */
	char id[CONFIG_PPK_MAX + 1];
	bool required;
};

#define CONFIG_REDIRECTS 16
#define CONFIG_AUTHS 4
struct config_rule {
	char name[POLICY_NAME_MAX];
	uint32_t filter_list; /* index; CONFIG_MATCH_ANY: every packet */
	enum policy_action action;
	enum policy_mode mode;
	struct addr tunnel_to;
	char tunnel_name[HOSTNAME_MAX]; /* instead of an address; empty: none */
	uint32_t proposal; /* index; always valid (a built-in default is index 0) */
	enum config_pfs pfs;
	enum config_childless childless;
	struct policy_tags tags; /* its own; config_tags() knows those of the VIP, too */
	struct config_auth auths[CONFIG_AUTHS]; /* in order */
	unsigned n_auths;
	struct config_ppk ppk;
	/* Gateways that the peer may be sent to by the one we call (RFC 5685). */
	struct prefix redirect[CONFIG_REDIRECTS];
	unsigned n_redirect;
	uint32_t binding; /* the first rule that treats traffic just like this one */
};
#define CONFIG_MATCH_ANY UINT32_MAX

struct config_policy {
	char name[POLICY_NAME_MAX];
	uint32_t *rules; /* indices into config.rules, in order written */
	unsigned n_rules;
};

/* One end of a filter. Ports and prefixes are alternatives; no port: every port. */
enum config_side_kind { SIDE_ANY, SIDE_ME, SIDE_VIP, SIDE_PREFIX };
struct config_ports {
	uint16_t lo, hi;
};
#define CONFIG_SIDE_PREFIXES 16
#define CONFIG_SIDE_PORTS 32
struct config_side {
	enum config_side_kind kind;
	uint32_t vip; /* SIDE_VIP: index */
	struct prefix prefixes[CONFIG_SIDE_PREFIXES];
	struct config_ports ports[CONFIG_SIDE_PORTS];
	unsigned n_prefixes, n_ports;
};

struct config_filter {
	struct config_side local, remote; /* already turned to our side */
	uint8_t proto; /* IANA number, 0 any */
	bool mirrored;
};

struct config_filter_list {
	char name[POLICY_NAME_MAX];
	struct config_filter *filters;
	unsigned n_filters;
};

struct config {
	struct config_cluster cluster;
	struct config_tuning tuning;
	struct config_dataplane dataplane;
	struct config_vip *vips;
	unsigned n_vips;
	struct config_proposal *proposals;
	unsigned n_proposals;
	struct config_filter_list *filter_lists;
	unsigned n_filter_lists;
	struct config_identity *identities;
	unsigned n_identities;
	struct config_rule *rules; /* spd_entry.rule is an index into this */
	unsigned n_rules;
	struct config_policy *policies;
	unsigned n_policies;
	uint32_t host_policy; /* assign policy ... to host; CONFIG_NO_POLICY: none */
	uint8_t hash[32]; /* SHA-256 over the meaning, not the text, secrets included by
				 digest: equal on nodes that are configured alike */
};

/* One line each: "FILE:LINE:COLUMN: error: TEXT", a suggestion where there is one. */
struct config_report {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};
/* For what only the running daemon can judge. */
void config_report_error(const struct config_report *report, const char *file,
	const struct config_place *at, const char *text);

/* How the parser reaches files (psk file "..."); the daemon reads them, tests fake them.
 * Returns false and a reason in why when the file cannot be read or is readable by
 * others. */
struct config_files {
	bool (*read)(void *ctx, const char *path, struct secret *out, char *why,
		size_t why_cap);
	void *ctx;
	/* Each file of a folder, or the one: false and a reason if there is none that can
	 * be read. May be NULL, as the next: then there are no certificates. */
	bool (*each)(void *ctx, const char *path,
		void (*take)(void *to, const char *file, struct span bytes), void *to,
		char *why, size_t why_cap);
	/* A private key by path or URI; the caller frees it. NULL: see why. */
	struct private_key *(*key)(void *ctx, const char *uri, char *why, size_t why_cap);
	int64_t wall_s; /* now; 0: certificates' dates are not looked at */
	bool starting; /* an expired certificate is a warning: the guard must stand */
};

/* NULL after errors, which were all reported (up to 20). Warnings are reported too. */
struct config *config_parse(const char *file, struct span text,
	const struct config_files *files, const struct config_report *report);
void config_free(struct config *c);

/* Scopes: index 0..n_vips-1 are the VIPs in order; scope n_vips is the host. */
uint16_t config_host_scope(const struct config *c);
/* What SAs of this rule carry in this scope: what the rule says, else what the VIP says. */
struct policy_tags config_tags(const struct config *c, uint16_t scope, uint32_t rule);
/* The scope's SPD, expanded from its policy ("from vip" once for each address, "from me"
 * as any local address, ports and prefixes multiplied out), sealed. NULL: no policy. */
struct spd *config_spd(const struct config *c, uint16_t scope);

#endif
