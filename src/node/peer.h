/* node/peer.h - peers, and the IKE SAs (sessions) and child SAs we have with them. Private to
 * the room.
 *
 * A peer is a relation: a rule of a scope, with one remote identity at one address. It
 * may have several sessions for a while (both sides called at once). Peers exist while
 * their place is bound; what others and the future must know of them is in the directory.
 *
 * Floor 4.
 */
#ifndef VIPSEC_NODE_PEER_H
#define VIPSEC_NODE_PEER_H

#include "base/list.h"
#include "base/rate.h"
#include "node/due.h"
#include "node/node.h"
#include "node/scope.h"
#include "node/view.h"
#include "replica/peers.h"

enum {
	PEERS_MAX = 20000,
	IN_FLIGHT_MAX = 64, /* calls younger than a second */
	SIBLING_WAIT_MS = 500,
	CALL_GIVE_UP_MS = 8000, /* then a new call, with new keys and another address */
	WANT_TRAFFIC = 1, /* packets wait */
	WANT_LOST = 2, /* its SA was lost: call again by ourselves, for a day */
	WANT_ORDER = 4, /* `vipsec up` */
	WANT_RENEW = 8, /* an IKE SA beside the one that it has: reauthentication */
	WANT_MOVE = 16 /* a child in the newer IKE SA, beside the one in the older */
};

struct peer {
	struct list link, by_addr, by_id;
	struct list waits; /* in node.queue or .calls; in none: alone */
	struct due due; /* in node.backoff */
	uint16_t scope;
	uint32_t rule;
	struct addr local; /* not set: chosen by the first packet */
	struct endpoint remote;
	bool natt, behind, nlbs, fixed /* by the configuration: stays */;
	struct identity local_id, remote_id; /* type 0: not known */
	enum policy_mode mode;
	struct ts_list local_ts, remote_ts; /* empty: as the rule says */
	struct list sessions; /* that were begun for this rule */
	struct list children; /* child_sa.of_peer, oldest first, in whatever session */
	struct list waning; /* child_sa.of_peer, too: those that are in node.waning */
	unsigned want;
	uint64_t lost_ms, traffic_ms; /* since when, last */
	bool urgent;
	uint8_t rank;
	bool followed; /* has waited for a sibling's call: sibling.c */
	unsigned refusals; /* by our own data path, in a row */
	unsigned tries, auth; /* calls without success; which auth is tried */
	uint32_t call; /* the IKE SA that we are beginning; 0: none */
	uint32_t ask, ask_ike; /* the child that we ask for in an IKE SA that stands */
	bool ending; /* the configuration has it no more */
	bool named; /* found by the name in its rule */
	bool astray; /* and nobody answers here: the next address is called */
	uint64_t roamed_ms; /* when it went to another address by itself; 0: never */
	bool moved; /* it is another peer now: dropped with its last session */
	bool guessed; /* made for a session that is, and nothing else is known of it */
	bool alone; /* a further child was refused it: it needs an IKE SA of its own */
	uint64_t called_ms, next_try_ms;
	uint64_t record; /* its key in the directory; 0: none */
	/* redirect.c */
	struct addr sent_from; /* the gateway that has sent us here; not set: none */
	struct addr sent_to; /* where this one has sent us, while that holds */
	bool arrived; /* an SA with it has stood since it was sent_from */
	struct list sent_on; /* to a name, in gateway_ask.peers; in none: alone */
	unsigned redirects; /* to get here, */
	uint64_t redirects_since_ms; /* since then */
	uint64_t serve_until_ms; /* until then it is not told that it may send us on */
	struct rate tell;
	char reason[224];
};

enum session_end {
	END_NONE,
	END_IDLE,
	END_RENEW,
	END_ORDER,
	END_LEAVING,
	END_DISPLACED,
	END_REFUSED, /* by our own data path */
	END_LAPSED, /* the peer's certificate is not good any more */
	END_REDIRECTED, /* another gateway has what it carried */
	END_DEAD
};

/* An IKE SA. Its children may be those of several rules, and so of several peers. */
struct session {
	struct list link; /* node.sessions */
	struct list of_peer;
	struct peer *peer; /* that it was begun for, or is said to be */
	uint32_t ike; /* another one after rekeying */
	struct list children; /* child_sa.of_session, oldest first */
	bool initiator, peer_nlbs;
	bool guessed; /* for whom it was begun: the peer's first child will tell */
	bool had_child; /* or none is missed */
	bool told; /* to go to another gateway */
	struct addr aimed; /* where a name led our call; not set: it came otherwise */
	enum session_end end; /* why we delete it */
	uint64_t since_ms; /* when both proved who they are */
	uint64_t rekey_ms, expires_ms, reauth_ms; /* UINT64_MAX: never */
	struct chain *chain; /* the peer's certificates; NULL: it has a key */
	uint64_t lapse_ms; /* when to judge them again; UINT64_MAX: never */
	int64_t renew_s; /* by the wall: when it is to prove itself anew; 0: no more */
	uint32_t fetch; /* what is awaited about revocation; 0: nothing */
	struct due due; /* in node.looks: when to judge it, and its children, again */
	uint64_t keepalive_ms; /* 0: not needed */
	uint64_t doubt_ms; /* without a child, and another has come: asked then; 0: no */
	uint64_t t0_ms; /* who is dead, and when: idle.c */
	uint64_t probed_ms;
	unsigned probes;
	bool last_look;
};

struct child_sa {
	struct list of_session; /* or node.waning, when its session does not have it */
	struct list of_peer;
	struct session *session;
	struct peer *peer;
	struct ike_child sa; /* without keys */
	bool active; /* sent on */
	bool down; /* over, with its session, whose end is awaited */
	bool replaced; /* a new one is there; the Delete is the engine's or the peer's */
	bool displaced; /* another peer has its selectors: overlap.c */
	bool redirected; /* another gateway has its traffic: redirect.c */
	bool refused; /* by the data path: carries nothing, and ends at expires_ms */
	enum session_end end; /* why we delete it alone */
	struct esp_usage usage;
	uint64_t usage_ms; /* when it was so; 0: not known */
	uint64_t since_ms, rekey_ms, expires_ms; /* UINT64_MAX: never */
	uint64_t activate_ms; /* 0: not needed */
	bool heard; /* the peer sends on it */
};

/* ---- peer.c ------------------------------------------------------------------ */

/* A copy of *like, not linked to anything yet. NULL: too many. */
struct peer *peer_add(struct node *n, const struct peer *like);
void peer_drop(struct node *n, struct peer *p); /* has no session and no call */
/* Once nothing is left of it; else later. */
void peer_drop_moved(struct node *n, struct peer *p);
/* A session that it was made for is another's: unless there is a reason to keep it. */
void peer_drop_guessed(struct node *n, struct peer *p);
/* Changes what the indices go by. Empty identity: it stays. */
void peer_rename(struct node *n, struct peer *p, const struct endpoint *remote,
	const struct identity *remote_id);
/* The peer that a new IKE SA belongs to; NULL: nobody we know. */
struct peer *peer_of_sa(struct node *n, const struct ike_info *sa);
/* A peer of the rule whose traffic this is; with owner not 0, of that identity. */
struct peer *peer_of_flow(struct node *n, uint16_t scope, uint32_t rule,
	const struct flow *f, uint64_t owner);
/* Calls each until it returns false. */
void peers_at(struct node *n, uint16_t scope, const struct addr *remote,
	bool (*each)(struct peer *, void *), void *ctx);
struct child_sa *peer_child(const struct peer *p); /* the newest that lives; NULL: none */
/* A session, or a child in one of another's, may not be over yet. */
bool peer_is_tied(const struct peer *p);
/* The identity is served at another endpoint, or a child is asked for there: a NAT has
 * given it a new one. */
bool peer_is_elsewhere(const struct peer *p);
enum peer_state peer_state_of(const struct peer *p);
bool peer_callable(const struct peer *p);
/* What the configuration says of a peer with this rule at this address. */
void peer_from_rule(struct node *n, const struct scope *s, uint32_t rule,
	const struct addr *local, const struct endpoint *remote, struct peer *out);
/* There are selectors to ask for; in transport mode they hold both ends. */
bool peer_has_selectors(const struct peer *p);
/* Where they do not fit any more (the peer moved, the rule changed since the record was
 * made) the rule's take their place. False: the rule has none for this peer. */
bool peer_renew_selectors(struct node *n, struct peer *p);
bool peer_reset_selectors(struct node *n, struct peer *p); /* in any case */
void peers_fixed(struct node *n, struct scope *s, const struct place *place);
void peers_fixed_host(struct node *n, struct scope *s);
void peers_drop_place(struct node *n, const struct scope *s, const struct addr *addr);

/* ---- aim.c: peers found by name ------------------------------------------------- */

/* The one that is meant by the rule's name, made if need be. NULL: the rule has no name, or
 * where that is is not known, or not to be reached from here. */
struct peer *aim_peer(struct node *n, const struct scope *s, uint32_t rule);
void aim_peers(struct node *n, const struct scope *s); /* of all its rules */
/* Before a call: where to. False: nowhere. */
bool aim_at(struct node *n, struct peer *p);
void aim_in_vain(struct node *n, struct peer *p); /* nobody answers there */
/* NULL: it is known, or there is no name. */
const char *aim_why_unknown(const struct node *n, uint32_t rule, char out[160]);

/* ---- dial.c -------------------------------------------------------------------- */

void dial_want(struct node *n, struct peer *p, unsigned why);
/* Unless the peer does so in the next second. */
void dial_want_soon(struct node *n, struct peer *p, unsigned why);
void dial_now(struct node *n, struct peer *p); /* into the queue */
void dial_renew(struct node *n, struct peer *p); /* make before break */
void dial_move(struct node *n, struct peer *p); /* a child in the newer IKE SA */
/* The IKE SA in which children were asked for goes on as another one; or has ended. */
void asks_follow(struct node *n, uint32_t old_ike, uint32_t ike);
void asks_fail(struct node *n, uint32_t ike);
void dial_rest(struct node *n, struct peer *p); /* no calling until there is traffic */
void dial_succeeded(struct node *n, struct peer *p);
void dial_failed(struct node *n, struct peer *p, const struct ike_failure *why);
void dial_stop(
	struct node *n, struct peer *p); /* out of every list; the call is forgotten */
void dial_settle(struct node *n);
void proposals_of(const struct config *c, uint32_t rule, struct ike_proposals *out);
void ppk_of(const struct config *c, uint32_t rule, struct ike_ppk *out);
enum ike_childless childless_of(const struct config *c, uint32_t rule);
/* A child of p is asked for in that IKE SA. */
void dial_asks(struct node *n, struct peer *p, uint32_t ike, uint32_t child);
/* An SA of the same identity pair may live on another member. */
bool contact_elsewhere(const struct node *n, const struct scope *s);
uint64_t dial_due_ms(const struct node *n);
/* After a call that nobody answered, with so many in vain before it. */
uint64_t dial_longest_pause_ms(unsigned tries);
/* Until then the peer is expected to ask for a child, in the IKE SA that it has begun without
 * one, and p is not called; 0: it is not expected. */
uint64_t dial_first_child_ms(const struct node *n, const struct peer *p);

/* ---- redirect.c: sent to another gateway ---------------------------------------- */

/* For so long a gateway is not told that it may send us on, once that has failed. */
enum { SERVE_MS = 300000 };
/* The rule lets itself be sent there, or is there already. */
bool redirect_names(const struct config_rule *r, const struct addr *to);
/* NULL: we go; else why not. */
const char *redirect_refusal(
	const struct node *n, const struct ike_info *sa, const struct ike_gateway *to);
void redirect_follow(
	struct node *n, const struct ike_info *sa, const struct ike_gateway *to);
/* Of one peer; with an address that a name has led to, the address is what counts. */
const char *redirect_why_not(
	const struct node *n, const struct peer *p, const struct ike_gateway *to);
void redirect_go(struct node *n, struct peer *p, const struct ike_gateway *to);
void redirect_stay(struct node *n, struct peer *p); /* where it is: that has to serve */
/* Does a call of p say that it can be sent elsewhere? */
bool redirect_offers(const struct node *n, const struct peer *p);
/* Where the rule's own gateway has sent us, or had. */
bool redirect_is_guest(const struct node *n, const struct peer *p);
/* Packets wait for p; whom to call for them. */
struct peer *redirect_for_traffic(struct node *n, struct peer *p);
void redirect_arrived(struct node *n, struct peer *p); /* it has a child now */
void redirect_failed(struct node *n, struct peer *p); /* a call of it */

/* ---- sibling.c: several rules with one identity pair ------------------------------- */

/* The way in which it is called now. */
const struct config_auth *auth_of(const struct node *n, const struct peer *p);
struct identity sibling_local_id(const struct node *n, const struct peer *p);
/* Type 0: whoever proves to have the key. */
struct identity sibling_remote_id(const struct node *n, const struct peer *p);
/* Until then p waits for another that is called alone; 0: it need not. */
uint64_t sibling_wait_ms(const struct node *n, const struct peer *p);
/* An IKE SA of the same identity pair, in which p's child can be asked for. NULL: none. */
struct session *sibling_session(const struct node *n, const struct peer *p);
/* Of p's siblings, not of p itself; NULL: none. */
struct session *sibling_find(const struct node *n, const struct peer *p,
	bool (*wanted)(const struct session *s, void *ctx), void *ctx);
bool sibling_has_child_in(const struct peer *p, const struct session *s);
/* c is the first child of an IKE SA that replaces another, which we have called: what the
 * other still carries is asked for here. */
void sibling_move(struct node *n, const struct child_sa *c);
/* lost goes soon, since another IKE SA of the same pair is used in its place: what it alone
 * carries is asked for there. */
void sibling_save(struct node *n, const struct session *lost);
bool sibling_exists(const struct node *n, const struct peer *p);
/* The call of p is answered, or has ended: who waited for it is called. */
void sibling_follow(struct node *n, const struct peer *p);

/* ---- session.c -------------------------------------------------------------------- */

struct session *session_by_ike(const struct node *n, uint32_t ike);
void session_delete(struct node *n, struct session *s, enum session_end end);
void session_forget(struct node *n, struct session *s, enum session_end end);
void session_established(struct node *n, const struct ike_info *sa);
void session_rekeyed(struct node *n, uint32_t old_ike, const struct ike_info *sa);
void session_closed(
	struct node *n, const struct ike_info *sa, const struct ike_failure *why);
/* now: as the engine sees it, encapsulation included; NULL: only the address is another. */
void session_moved(struct node *n, struct session *s, const struct endpoint *remote,
	const struct ike_info *now);
bool session_at(const struct session *s, uint16_t scope, const struct addr *local);
/* p's first child is here. Of an IKE SA that the peer has begun without one it tells whose it
 * is: by which rule it is to be called again. */
void session_has_child(struct node *n, struct session *s, struct peer *p);
void session_give(struct session *s, struct peer *p);
/* What the SA says of its peer. */
void session_adopt(struct node *n, struct peer *p, const struct ike_info *sa);
const char *session_end_text(enum session_end end, enum ike_close close);
/* The peer of that rule at the other end of sa, made if need be. NULL: too many. */
struct peer *session_peer_of_rule(
	struct node *n, const struct ike_info *sa, uint32_t rule);

/* ---- child.c ------------------------------------------------------------------------ */

struct child_sa *child_by_id(const struct node *n, uint32_t id); /* NULL: none */
/* Neither over nor about to be. */
bool child_lives(const struct child_sa *c);
void child_up(struct node *n, const struct ike_child *sa);
void child_down(struct node *n, uint32_t id, enum ike_close why);
void child_refused(
	struct node *n, uint32_t ike, uint32_t id, const struct ike_failure *why);
/* Sent on from now on. */
void child_activate(struct node *n, struct child_sa *c);
void child_heard(struct node *n, struct child_sa *c); /* ESP_INBOUND */
/* Alone, if its session has others; else the session is deleted. */
void child_delete(struct node *n, struct child_sa *c, enum session_end end);
/* At once, without waiting for the peer's answer: its rule has gone. c is freed. */
void child_withdraw(struct node *n, struct child_sa *c);
/* New keys, while the old ones still do. */
void child_rekey(struct node *n, struct child_sa *c);
/* With its session, which is over already. */
void child_ended(
	struct node *n, struct child_sa *c, enum session_end end, enum ike_close why);
/* When a lifetime that begins now is over, and when it is time to renew. 0: never. */
uint64_t age_ends(const struct node *n, uint64_t lifetime_ms);
uint64_t age_renews(struct node *n, uint64_t lifetime_ms, bool ours);
/* Packets may still be under way to what was replaced: it goes a moment later. */
void children_settle(struct node *n);
uint64_t children_due_ms(const struct node *n);
void children_leave(struct node *n, uint16_t scope, const struct addr *local);

/* ---- idle.c: who is dead, and when ------------------------------------------------ */

/* We are behind a NAT: its mapping is kept. */
void idle_keep_alive(struct node *n, struct session *s);
void idle_touch(struct node *n, struct session *s); /* something changed: look again */
/* s has come: those without a child that were there are asked whether they still are. */
void idle_doubt(struct node *n, const struct session *s);
void idle_report(struct node *n, struct session *s); /* usage is fresh; s may go */
/* Of all its children. */
uint64_t session_last_in_ms(const struct session *s);
uint64_t session_last_out_ms(const struct session *s);
void idle_settle(struct node *n);
uint64_t idle_due_ms(const struct node *n);
uint64_t idle_timeout_of(const struct node *n, const struct session *s);
void idle_query_soon(struct node *n, uint64_t in_ms);
uint64_t idle_period_ms(const struct node *n); /* between two reports of the data plane */

void idle_look_by(struct node *n, struct session *s, uint64_t ms); /* at the latest */

/* ---- lapse.c: peers' certificates that come to their end ---------------------------- */

void lapse_begin(struct node *n, struct session *s, const struct ike_info *sa);
void lapse_end(struct session *s);
bool lapse_judge(struct node *n, struct session *s); /* true: the session is going */
void lapse_fetched(struct node *n, uint32_t id);
void lapse_reset(struct node *n); /* other CAs, CRLs or rules */

/* ---- worst.c: the worst-case recovery time ---------------------------------------- */

struct crowd {
	uint32_t from_rank[UINT8_MAX + 1]; /* peers that are at least as busy */
};

void worst_count(const struct node *n, struct crowd *out);
/* UINT64_MAX: only the peer can call. */
uint64_t worst_recovery(
	const struct node *n, const struct peer *p, const struct crowd *crowd);

/* ---- overlap.c: two peers with the same selectors --------------------------------- */

/* The data path's number for the identity of who may share an address (esp_child.owner). 0:
 * sa's peer has its selectors for itself. */
uint64_t overlap_owner(
	const struct node *n, const struct peer *p, const struct ike_child *sa);
uint64_t overlap_number(const struct node *n, const struct identity *id);
/* Another one, who is alive, has what conn would get. Tells why. */
bool overlap_refuses(struct node *n, const struct ike_conn *conn);
/* The others let go what winner has got. */
void overlap_displace(struct node *n, const struct child_sa *winner);

/* ---- spi.c ------------------------------------------------------------------------- */

uint32_t spi_new(struct node *n);

#endif
