/* node/core.h - the node's inside: what all its files see. Private to the room.
 *
 * One event at a time: node_step() sets now_ms and out, the event's own file changes the
 * state, and settle() lets everything that follows from it happen (places become bound,
 * peers are called, messages leave). The IKE engine's callbacks only note what happened;
 * nobody calls the engine from inside one.
 *
 * Floor 4.
 */
#ifndef VIPSEC_NODE_CORE_H
#define VIPSEC_NODE_CORE_H

#include "base/iana.h"
#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "base/rate.h"
#include "node/claim.h"
#include "node/cluster_msg.h"
#include "node/gateway.h"
#include "node/node.h"
#include "node/peer.h"
#include "node/scope.h"
#include "node/view.h"
#include "replica/peers.h"

enum {
	SEEN_MAX = 512, /* addresses of this machine that are remembered */
	COMMANDS_MAX = 16, /* BINDs that wait for their VIP */
	NEVER_DELETE_AFTER_MS = 10000, /* a peer silent for so long gets no Delete */
	RELEASE_AFTER_MS = 500, /* a stopped VIP whose address stays */
	LOST_COPIES = 3, /* of a Delete from an address just lost */
	KNOBS_MAX = 8
};

struct seen {
	struct addr addr;
	enum node_addr_state state;
};

struct waiting_bind {
	uint64_t token, asked_ms, until_ms;
	uint16_t scope;
};

struct carry { /* what others can own, as far as we know: vouch.c */
	uint8_t known[32]; /* bit of each member of whom all is known */
	struct vouched at[CLUSTER_CLAIMS_MAX];
	unsigned n;
	bool full; /* there was more: nobody is vouched for */
};

/* The claim of an address that has left the configuration: given back when the data thread
 * has acknowledged that its scope's gate was closed. */
struct owed {
	struct addr addr;
	uint16_t scope; /* as numbered when it left */
	unsigned closings; /* to be acknowledged before; 0: the gate is not closed yet */
};

/* A VIP that is drained, or was: drain.c. */
struct drain {
	struct drain_words words; /* vip empty: a free place */
	uint64_t since_ms; /* known here */
	unsigned turned, told,
		gone; /* here: callers sent on; peers asked; of them, gone */
};

struct tuned { /* by `vipsec tune`, over what the file says */
	bool set[KNOBS_MAX];
	struct config_tuning value;
};

/* A line that was told of a peer. */
enum { SAID_MAX = 64, SAID_TEXT_MAX = 48 };
struct said {
	bool told;
	uint64_t hash, told_ms;
	unsigned more; /* the same since then, kept back */
};

/* A peer is found by it: names.c. */
struct name {
	char text[HOSTNAME_MAX];
	struct addr addrs[NAME_ADDRS]; /* in order; none: not known yet */
	unsigned n;
	uint32_t ask; /* under way; 0: not */
	uint64_t known_ms,
		changed_ms; /* when it was said last; when something else was */
	uint64_t due_ms; /* when to ask again */
	unsigned failures; /* in a row */
	char why[NAME_WHY_MAX];
};

struct node {
	struct node_params params;
	struct entropy entropy;
	struct siphash_key owners; /* overlap.c */
	uint64_t now_ms;
	struct effects *out; /* during a step */

	struct config *config; /* NULL before the first */
	struct config_tuning tuning; /* in force */
	struct tuned tuned;
	struct scope *scopes; /* the VIPs, then the host */
	unsigned n_scopes;
	struct seen seen[SEEN_MAX];
	unsigned n_seen;
	struct addr held[CLUSTER_CLAIMS_MAX]; /* not bound again before a start */
	unsigned n_held;
	uint16_t activation;
	struct waiting_bind binds[COMMANDS_MAX];
	unsigned n_binds;
	bool closing, gone; /* NODE_SHUTDOWN came; FX_EXIT was given */

	struct ike_engine *ike;
	struct list peers;
	size_t n_peers;
	struct map *peers_by_addr; /* scope, remote address -> chain */
	struct map *peers_by_id; /* scope, remote identity -> chain */
	struct list sessions;
	size_t n_sessions;
	struct map *by_ike; /* IKE SA -> session */
	struct map *by_child; /* child SA -> child_sa */
	struct map *by_ask; /* child SA that we ask for -> peer */
	struct list waning; /* child_sa that were replaced, the oldest first */
	struct map *by_spi; /* inbound ESP SPI -> child_sa */
	struct dues looks; /* sessions, by when to judge them again */
	uint64_t query_due_ms;

	struct map *calls_by_ike; /* IKE SA that we began -> peer */
	struct list queue; /* peers to be called now, in order */
	struct list calls; /* peers being called, oldest first */
	struct dues backoff; /* peers, by when to call them again */

	struct drain drains[SCOPE_MAX];
	uint64_t drain_due_ms; /* who is to be told next; UINT64_MAX: nobody */
	struct rate drain_rate;

	bool quorate;
	struct claims claims;
	struct owed owed[CLUSTER_CLAIMS_MAX];
	unsigned n_owed;
	struct carry carry;
	uint64_t vouch_due_ms; /* 0: no need */
	bool merged; /* with newcomers, and not all have said HELLO */
	uint64_t hash_of[256]; /* first octets of each member's configuration hash */
	bool told[256]; /* who has told all its peers since the last membership */
	struct replica_peers *directory;
	uint8_t *journal; /* REPLICA_CHUNK_MAX octets, not sent yet */
	size_t journal_len;
	uint64_t journal_due_ms, store_due_ms; /* 0: nothing to send, nothing to store */
	uint64_t journal_sent_ms; /* last */

	int64_t wall_s; /* 0: not known */
	struct revocations *revocations;
	uint64_t expiry_due_ms; /* when our certificates' dates are looked at */
	uint8_t expiry_state[CONFIG_IDENTITIES]; /* as told last */
	uint64_t expiry_told_ms[CONFIG_IDENTITIES];

	struct name *names; /* of the rules in force */
	unsigned n_names;
	uint32_t last_ask;
	struct gateway_ask gateway_asks[GATEWAY_ASKS_MAX];
	struct rate gateway_rate;

	struct rate strangers; /* events that anybody can cause */
	struct said said[SAID_MAX];
};

/* ---- say.c ------------------------------------------------------------------ */

/* May this line about a peer be told now? Not within a minute of the same one, and not
 * beyond the rate. again: what to add to it, how often it was kept back; or empty. */
bool node_may_say(struct node *n, struct rate *rate, uint16_t scope,
	const struct addr *remote, const char *text, char again[SAID_TEXT_MAX])
	__attribute__((warn_unused_result));

/* ---- tell.c: FX_EVENT ------------------------------------------------------ */

/* s and peer may be NULL, ike 0. */
void node_tell(struct node *n, enum effect_severity severity, const char *kind,
	const struct scope *s, const struct endpoint *peer, uint32_t ike,
	const char *format, ...) __attribute__((format(printf, 7, 8)));
void node_store(struct node *n, const char *name, struct span bytes);
void node_reply(struct node *n, uint64_t token, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- config_event.c, command.c, tune.c, notice.c --------------------------- */

void on_config(struct node *n, struct config *c);
void on_restore(struct node *n, const char *name, struct span bytes);
void on_bind(struct node *n, const struct node_event *ev);
void on_unbind(struct node *n, const struct node_event *ev);
void on_up(struct node *n, const struct node_event *ev);
void on_down(struct node *n, const struct node_event *ev);
void on_rekey(struct node *n, const struct node_event *ev);
void on_tune(struct node *n, const struct node_event *ev);
void on_drain(struct node *n, const struct node_event *ev);
void on_undrain(struct node *n, const struct node_event *ev);
void on_notice(struct node *n, const struct esp_notice *notice);
void on_usage(struct node *n, const struct esp_usage *usage);
void on_refused(struct node *n, uint32_t child, const char *why);
void binds_settle(struct node *n);
uint64_t binds_due_ms(const struct node *n);
void tuning_refresh(struct node *n);

void on_gate_closed(struct node *n, const struct node_event *ev); /* gate.c */

/* ---- cluster.c -------------------------------------------------------------- */

bool cluster_is_clustered(const struct node *n);
/* Are the peers of this scope told, by NLBS_PRESENT, that we are a cluster? */
bool cluster_says_nlbs(const struct node *n, const struct scope *s);
bool cluster_is_up(const struct node *n); /* we are a member of the group */
void on_members(struct node *n, const struct node_event *ev);
void on_message(struct node *n, uint8_t from, struct span bytes);
void cluster_hello(struct node *n);
void cluster_claim(struct node *n, const struct addr *addr);
void cluster_release(struct node *n, const struct addr *addr);
void cluster_vouch(struct node *n, const struct carry *c);
void cluster_send_journal(struct node *n, struct span journal);
void cluster_drain(struct node *n, const struct drain_words *d);
bool cluster_config_differs(const struct node *n);

/* ---- vouch.c ------------------------------------------------------------------ */

/* fresh: members that have just joined as processes. */
void vouch_on_members(struct node *n, const struct claims *before, const uint8_t *fresh,
	size_t n_fresh);
void vouch_settle(struct node *n);
uint64_t vouch_due_ms(const struct node *n);

/* ---- directory.c: our peers as records for the others and for the disk ------ */

void directory_note(struct node *n, struct peer *p);
void directory_forget(struct node *n, struct peer *p);
/* To newcomers; before: the claims of the last membership. */
void directory_snapshot(struct node *n, const struct claims *before);
/* Others have come: what we know of their addresses may be old. */
void directory_doubt(struct node *n, const struct claims *before);
/* We serve there now: what was said of its peers is for us to say. */
void directory_take(struct node *n, const struct scope *s, const struct place *at);
/* A member has said HELLO, and told all that it knows before; or we have. */
void directory_believe(struct node *n, uint8_t from);
void directory_store(struct node *n, bool at_once);
void directory_settle(struct node *n);
uint64_t directory_due_ms(const struct node *n);
bool directory_admits(const struct node *n, uint8_t from, const struct replica_peer *p);

/* ---- drain.c: a VIP's peers are sent to another gateway ---------------------------- */

void drain_init(struct node *n);
/* NULL: it is not drained. */
const struct drain *drain_of(const struct node *n, const struct scope *s);
/* Where a peer of that family is sent; false: it is served here. */
bool drain_target(
	const struct node *n, const struct scope *s, uint8_t family, struct addr *to);
/* What another member says; what it says again has no effect. */
void drain_hear(struct node *n, const struct drain_words *d);
void drain_tell_all(struct node *n); /* to newcomers */
void drain_restore(struct node *n, struct span bytes);
void drain_turned(struct node *n, const struct scope *s); /* a caller was sent on */
void drain_left(struct node *n, const struct session *s); /* by its own Delete */
/* There is an IKE SA more; it may be one that is to be told. */
void drain_look(struct node *n);
void drain_settle(struct node *n);

/* ---- takeover.c --------------------------------------------------------------- */

/* The place has just been bound: call whom we must. */
void takeover_begin(struct node *n, struct scope *s, struct place *p);

/* ---- fetch.c: CRLs and OCSP answers --------------------------------------------- */

void fetch_begin(struct node *n, const struct fetch_wish *wish);
void on_fetched(struct node *n, uint32_t id, struct span bytes);

/* ---- names.c: peers found by name -------------------------------------------------- */

void names_reset(struct node *n); /* other rules */
void on_resolved(struct node *n, const struct node_event *ev);
/* The id that its answer will have. */
uint32_t name_ask(struct node *n, const char name[HOSTNAME_MAX]);
void names_settle(struct node *n);
uint64_t names_due_ms(const struct node *n);
struct name *name_of(const struct node *n, uint32_t rule); /* NULL: it has none */
bool name_has(const struct name *name, const struct addr *a);
void name_hurry(struct node *n, struct name *name); /* to be asked for soon */
void aim_follow(struct node *n, const struct name *name); /* there is an answer: aim.c */

/* ---- expiry.c: our own certificates ---------------------------------------------- */

void expiry_reset(struct node *n); /* other certificates */
void expiry_settle(struct node *n);
uint64_t expiry_due_ms(const struct node *n);

/* ---- way.c: from an authentication of the configuration to the engine's words ------ */

void way_of_auth(const struct config_auth *a, struct ike_conn *out);
/* Is conn proved in the way that a asks for? key: the pre-shared one, if it was one. */
bool way_is(const struct config_auth *a, const struct ike_conn *conn, struct span key);
/* Does it accept this identity? own_address: what the rule takes without a remote-id. */
bool way_accepts(
	const struct config_auth *a, const struct identity *id, bool own_address);

/* ---- host.c --------------------------------------------------------------------- */

struct ike_host host_of(struct node *n);
/* How the scope answers an IKE_SA_INIT, but for .nlbs: the same for everybody, and asked for
 * by every stranger. On the heap. */
struct ike_answer *host_answer_of(const struct config *c, const struct scope *s);

#endif
