/* ike/ike.h - the IKEv2 state machine (RFC 7296) of one node.
 *
 * An engine holds every IKE SA of a node. It is driven by calls that bring the time, and
 * answers through the host's functions: pure questions (whom may I accept?) and actions
 * (send this, this child is up). No host function may call back into the engine.
 *
 * The engine knows nothing of virtual IPs but a scope number, nothing of claims, gates or
 * idle timers: the node decides when to start, probe, delete or forget.
 *
 * Floor 2. Owns its memory; everything a stranger can make it keep is limited by
 * struct ike_limits.
 */
#ifndef VIPSEC_IKE_IKE_H
#define VIPSEC_IKE_IKE_H

#include "base/entropy.h"
#include "base/identity.h"
#include "base/secret.h"
#include "base/ts.h"
#include "crypto/aead.h"
#include "crypto/credential.h"
#include "crypto/prf.h"
#include "crypto/trust.h"
#include "policy/policy.h"

/* ---- what an SA is made from ------------------------------------------- */

/* Additional key exchanges (RFC 9370 2.2.1), made one after the other in this order: of
 * transform types ADDKE1 to ADDKE7, by enum ke_id; KE_NONE: not that one. */
#define IKE_MORE_MAX 7
struct ike_more {
	uint8_t ke[IKE_MORE_MAX];
};

struct ike_suite { /* small: every conn has many */
	enum aead_alg encr : 8;
	enum prf_alg prf : 8;
	uint16_t ke; /* enum ke_id */
	struct ike_more more;
};

bool ike_suite_equal(const struct ike_suite *a, const struct ike_suite *b);
/* "-ke1_ecp384-ke2_modp3072", to stand behind the first one's name; "" where there is none. */
#define IKE_MORE_TEXT_MAX 128
const char *ike_more_format(const struct ike_more *m, char out[IKE_MORE_TEXT_MAX]);

#define IKE_SUITES_MAX 64
#define IKE_CIPHERS_MAX 16
#define IKE_GROUPS_MAX 8
struct ike_proposals { /* in order of preference */
	struct ike_suite ike[IKE_SUITES_MAX];
	enum aead_alg esp[IKE_CIPHERS_MAX];
	bool ah[IKE_CIPHERS_MAX]; /* that one by AH, not ESP: NULL with HMAC it is then */
	uint16_t
		pfs[IKE_GROUPS_MAX]; /* enum ke_id: groups that a child made or rekeyed by
					 CREATE_CHILD_SA may use; none: no PFS */
	struct ike_more pfs_more[IKE_GROUPS_MAX]; /* each with these behind it */
	unsigned n_ike, n_esp, n_pfs;
	bool pfs_required; /* no such child without one of these groups */
	bool master_pfs; /* a child never shares its IKE SA with another: a further one, and
			    rekeying one, is refused on both sides. It gets a new IKE SA */
	bool esn; /* offer and accept extended sequence numbers (preferred when common) */
};

struct ike_path {
	uint16_t scope;
	struct endpoint local, remote;
	bool natt; /* between ports 4500: the four-octet non-ESP marker goes in front */
};

/* How one side proves who it is. */
enum ike_proof { IKE_PROOF_PSK, IKE_PROOF_CERT };

/* A postquantum preshared key (RFC 8784), beside what proves the identities. */
#define IKE_PPK_MAX 64
struct ike_ppk {
	uint8_t len, id_len; /* len 0: none */
	bool required;
	uint8_t key[IKE_PPK_MAX], id[IKE_PPK_MAX];
};

/* May an IKE SA begin without a child (RFC 6023)? */
enum ike_childless {
	IKE_CHILDLESS_NO,
	IKE_CHILDLESS_ALLOW, /* the peer may */
	IKE_CHILDLESS_FORCE /* both must: the first child is asked for by CREATE_CHILD_SA */
};

/* One peer relation: a rule of a scope, with one peer. */
struct ike_conn {
	struct ike_path path;
	uint32_t rule;
	struct identity local_id, remote_id;
	bool remote_any; /* accept whatever identity proves to have the key */
	enum ike_proof own, peer; /* how we prove ourselves, and how the peer must */
	struct secret
		psk; /* of one side or both; wiped once both have proved themselves */
	struct credential
		*credential; /* own: IKE_PROOF_CERT; borrowed, the engine counts */
	struct trust *trust; /* peer: IKE_PROOF_CERT; the same */
	struct identity remote_pattern; /* "*.example", with remote_any; type 0: none */
	struct ike_ppk ppk; /* its key is wiped with psk */
	bool ppk_used; /* set by the engine */
	bool nat_remote; /* set by the engine before narrow() is asked: the peer is behind a
			    NAT */
	uint32_t auth; /* the host's own: which of the rule's ways that proof was */
	struct ike_proposals proposals;
	enum policy_mode mode;
	enum ike_childless childless;
	struct ts_list local_ts, remote_ts;
	bool force_encap; /* udp-encap force */
	bool mobike; /* in tunnel mode: the peer may change its address (RFC 4555) */
	bool redirect; /* say that we can be sent to another gateway (RFC 5685) */
	struct addr redirected_from; /* with that: by whom we were; not set: nobody */
	bool nlbs; /* a cluster's VIP: send NLBS_PRESENT */
	bool no_contact; /* never send INITIAL_CONTACT (another SA of the identity pair is
			     known to the node, e.g. on another member) */
	bool urgent; /* takeover: retransmit at about 20, 60, 200 ms, then growing */
	/* An initiation without answer ends after this long (0: 30 s). IKE_AUTH alone ends
	 * after 15 s at most, for the peer has then forgotten our IKE_SA_INIT: call again. */
	uint64_t give_up_ms;
};

/* ---- what comes out ------------------------------------------------------- */

enum ike_close {
	IKE_CLOSE_DELETED_BY_PEER, /* polite: no calling until there is traffic */
	IKE_CLOSE_DELETED_BY_US,
	IKE_CLOSE_REPLACED, /* by a newer one: rekeyed, crossing, contact */
	IKE_CLOSE_FORGOTTEN, /* ike_forget: the peer is dead, or the scope left */
	IKE_CLOSE_TIMEOUT, /* nobody answered (initial exchanges only) */
	IKE_CLOSE_REFUSED, /* the peer said no, see struct ike_failure; of an SA that was up:
			      both sides' states have come apart */
	IKE_CLOSE_WE_REFUSED, /* we said no */
	IKE_CLOSE_REDIRECTED /* it was sent to another gateway, or we were: redirected() */
};

enum ike_why { /* of REFUSED and WE_REFUSED */
	IKE_WHY_NONE,
	IKE_WHY_PROPOSAL, /* no common proposal */
	IKE_WHY_AUTH, /* wrong key, certificate or signature, or identity not accepted */
	IKE_WHY_SELECTORS, /* TS_UNACCEPTABLE */
	IKE_WHY_MODE, /* transport against tunnel */
	IKE_WHY_SYNTAX,
	IKE_WHY_BUSY, /* TEMPORARY_FAILURE, NO_ADDITIONAL_SAS */
	IKE_WHY_CHILDLESS, /* one of the two must begin without a child, the other may not */
	IKE_WHY_NAT, /* AH is all that is left, and a NAT is on the way */
	IKE_WHY_REDIRECT, /* the peer sends us elsewhere, where we do not go */
	IKE_WHY_OTHER /* notify in .notify */
};

struct ike_child {
	uint32_t ike; /* the IKE SA's id; another one after rekeyed() */
	uint32_t id; /* the child's id: unique in this engine, never reused */
	uint32_t replaces; /* id of the child that it rekeys; 0: none */
	struct ike_path path;
	uint32_t rule;
	uint32_t spi_in, spi_out;
	bool ah; /* AH instead of ESP; alg is then NULL with HMAC */
	enum aead_alg alg;
	struct secret key_in, key_out;
	enum policy_mode mode;
	bool encap; /* a NAT was found, or forced by either side */
	bool nat_remote, nat_local;
	bool esn;
	uint16_t pfs; /* enum ke_id: group of a key exchange of its own; 0: none */
	struct ike_more pfs_more; /* and what came behind it */
	bool initiator; /* we asked for it: the peer is ready to receive */
	/* The loser of two exchanges that rekeyed one child: receive on it, and send on the
	 * other, until it goes. */
	bool receive_only;
	/* transport behind NAT: already substituted by
	 * the addresses seen (RFC 7296 2.23.1) */
	struct ts_list local_ts, remote_ts;
};

struct ike_info { /* a view; valid during the call that hands it out */
	uint32_t id;
	uint64_t spi_i, spi_r;
	bool initiator, established, replaced;
	const char *state; /* name of the state in the rules table */
	struct ike_path path;
	uint32_t rule;
	struct identity local_id, remote_id;
	struct ike_suite suite;
	bool ppk; /* a PPK is in its keys */
	bool childless; /* begun without a child */
	bool redirectable; /* the peer has said that it can be sent to another gateway */
	bool nat_local, nat_remote, encap;
	bool peer_nlbs; /* authenticated, and it sent NLBS_PRESENT */
	bool peer_is_vipsec; /* authenticated, and it sent our vendor ID */
	uint64_t since_ms; /* established, else created */
	uint64_t last_in_ms; /* last authenticated message from the peer; 0: none */
	uint64_t unanswered_since_ms; /* oldest request of ours without answer; 0: none */
	unsigned n_children; /* that child_up() told of */
	uint32_t asks; /* established(): the child that comes by itself, or is refused;
			  0: the first one is the peer's to ask for, or the host's */
	struct chain
		*chain; /* the peer's certificates, as believed; NULL: another proof */
};

struct ike_failure {
	enum ike_close close;
	enum ike_why why;
	uint16_t notify; /* the error notify sent or received, 0: none */
};

enum { IKE_CA_OCTETS = 32 * 20 };

/* How a scope answers an IKE_SA_INIT, before anybody's identity is known. */
struct ike_answer {
	struct ike_proposals proposals; /* .esp is not looked at */
	bool force_encap; /* as in struct ike_conn */
	bool nlbs;
	bool ppk; /* some rule of the scope has a PPK */
	bool signatures; /* some rule has certificates: RFC 7427 is offered */
	bool childless; /* no rule forbids it: RFC 6023 is offered */
	bool redirect; /* some rule lets itself be sent elsewhere (RFC 5685) */
	/* Whose certificates are believed, as in a CERTREQ; whole hashes only. */
	uint8_t ca[IKE_CA_OCTETS];
	size_t ca_len;
};

/* Where a peer sends us: an address, or a name that the host may know how to resolve. */
struct ike_gateway {
	struct addr addr;
	char name[256]; /* empty: the address it is */
};

/* The answers and hands of the node. */
struct ike_host {
	void *ctx;

	/* -- questions; pure -- */

	/* May this scope answer strangers here at all, with which suites, and how? False:
	 * drop, silently (unbound VIP). Called for each IKE_SA_INIT request. */
	bool (*accept)(void *ctx, const struct ike_path *path, struct ike_answer *out);
	/* A known peer of this scope calls from this address (friends pass cookies and
	 * half-open limits). */
	bool (*is_friend)(void *ctx, const struct ike_path *path);
	/* IKE_AUTH as responder. Fills out (local_id, psk, auth, proposals, rule) for
	 * the n-th (0, 1, ..) configured way in which the scope knows idi; idr has type 0
	 * when the peer sent none. False: no further one. */
	bool (*authenticate)(void *ctx, const struct ike_path *path,
		const struct identity *idi, const struct identity *idr, unsigned n,
		struct ike_conn *out);
	/* Narrow what the peer proposes (RFC 7296 2.9), in IKE_AUTH and for each further
	 * child. Fills rule, auth, mode, local_ts, remote_ts of conn (whose ids and path are
	 * set, and in IKE_AUTH the key), and proposals if the rule has its own. False:
	 * nothing matches; it may then be asked again for the other mode. */
	bool (*narrow)(void *ctx, struct ike_conn *conn, enum policy_mode asked,
		const struct ts_list *ours, const struct ts_list *theirs);
	/* Is who calls here to be sent to another gateway (RFC 5685)? May be NULL, as the
	 * next: never. */
	bool (*redirect)(void *ctx, const struct ike_path *path, struct addr *to);
	/* The peer of this SA, which may be one that we are still beginning, sends us
	 * there. NULL: we may go; else why not. */
	const char *(*may_redirect)(
		void *ctx, const struct ike_info *sa, const struct ike_gateway *to);
	/* A fresh inbound SPI of ESP or AH (> 255, unique on this node, partitioned by member).
	 * asked: for an SA that we ask for; the peer may send on it before we have read its
	 * answer. */
	uint32_t (*new_spi)(void *ctx, bool asked);

	/* -- actions -- */

	void (*send)(void *ctx, const struct ike_path *path, struct span datagram);
	/* The peer has proved who it is; the SA is established. Comes before child_up. */
	void (*established)(void *ctx, const struct ike_info *sa);
	/* Keys are handed over and wiped here after the call. As responder: called before
	 * the response is sent. A child that is replaced by this one stays until its own
	 * child_down(): both are to be received on (RFC 7296 2.8). */
	void (*child_up)(void *ctx, const struct ike_child *child);
	/* REPLACED: packets of the peer may still be under way to it. The SA is not over
	 * when its last child goes: for 10 s it waits for another, then it is deleted,
	 * unless the peer began it without a child. */
	void (*child_down)(void *ctx, uint32_t ike, uint32_t child, enum ike_close why);
	/* What was asked for by ike_create_child() (child: the one that will not come), by
	 * ike_rekey_child() (child: the old one, which stays up) or by ike_rekey() (0) was
	 * refused. NO_ADDITIONAL_SAS: only a new IKE SA helps. REPLACED: the peer has made
	 * the same further child, and child_up() told of that one. */
	void (*child_refused)(
		void *ctx, uint32_t ike, uint32_t child, const struct ike_failure *why);
	/* The IKE SA goes on as sa, which has its children, path and identities; old_ike is
	 * only closed any more, and closed() for it says REPLACED. */
	void (*rekeyed)(void *ctx, uint32_t old_ike, const struct ike_info *sa);
	/* The SA is gone; sa is the last view of it. child_down came before. */
	void (*closed)(
		void *ctx, const struct ike_info *sa, const struct ike_failure *why);
	/* Who called here was sent to another gateway. */
	void (*sent_away)(void *ctx, const struct ike_path *path);
	/* We go there. An SA that stands stays; one that was being begun is about to end, and
	 * closed() for it says REDIRECTED. */
	void (*redirected)(
		void *ctx, const struct ike_info *sa, const struct ike_gateway *to);
	/* The peer is at another address or port, as its NAT or itself wants it; encapsulation
	 * may have changed, too. */
	void (*moved)(void *ctx, const struct ike_info *sa);
	/* A CRL or an OCSP answer would be worth having; ike_fetched() when it is there. May
	 * be NULL. */
	void (*fetch)(void *ctx, const struct fetch_wish *wish);
	/* Something worth a log line; rate limits are the node's. text has no newline. */
	void (*note)(
		void *ctx, const struct ike_path *path, uint32_t ike, const char *text);

	/* -- a question that may be left out -- */

	/* May the peer of this rule's SA be at another address (MOBIKE)? NULL: never. */
	bool (*may_move)(void *ctx, uint32_t rule, const struct ike_path *to);
};

struct ike_limits {
	unsigned half_open; /* in total, strangers; 1000 */
	unsigned half_open_per_addr; /* 16 */
	unsigned cookie_above; /* half-open strangers from which COOKIE is asked; 100 */
	unsigned established; /* 20000 */
	unsigned children; /* of one IKE SA; 64 */
	unsigned creates, creates_per_second; /* CREATE_CHILD_SA that one peer can make us
						 answer: at once 200, then 2 a second */
	/* Key exchanges, and the like, that all strangers together can make us do, in those
	 * of X25519; 4000. A quarter of it those of one address. */
	unsigned work_per_second;
};

struct ike_params {
	struct entropy entropy;
	struct ike_limits limits; /* all 0: the defaults above */
	uint8_t member; /* goes into our IKE SPIs' upper octet */
	/* shared by a cluster so that takeover in mid exchange
	 * works; empty: drawn */
	struct secret cookie_secret;
	struct revocations *revocations; /* borrowed; NULL: nothing is ever known */
};

struct ike_engine;

struct ike_engine *ike_new(const struct ike_params *p, const struct ike_host *host);
void ike_free(struct ike_engine *e); /* silently: nothing is sent, keys are wiped */

/* Messages whose IP datagram would be larger than this are sent in fragments, where the peer
 * knows them (RFC 7383); 1280 unless set. */
#define IKE_FRAGMENT_SIZE 1280
#define IKE_FRAGMENT_SIZE_MIN 256
void ike_set_fragment_size(struct ike_engine *e, uint16_t octets);

/* Certificates are judged by this time, in seconds since 1970. Until it is set, or with 0,
 * none is believed. */
void ike_set_wall(struct ike_engine *e, int64_t wall_s);
/* Something was fetched, or could not be: who waited for it is asked again at once. */
void ike_fetched(struct ike_engine *e, uint64_t now_ms);

/* A datagram, non-ESP marker removed. */
void ike_receive(struct ike_engine *e, uint64_t now_ms, const struct ike_path *path,
	struct span datagram);

/* Begins IKE with a peer, as initiator. Returns the new IKE SA's id (never 0). */
uint32_t ike_initiate(struct ike_engine *e, uint64_t now_ms, const struct ike_conn *c);

enum ike_err {
	IKE_OK = 0,
	IKE_NOT_FOUND,
	IKE_NOT_READY, /* not up, or its end has begun */
	IKE_NOT_ALLOWED /* by master_pfs, or the limit of children: begin a new IKE SA */
};
#define IKE_CHECKED __attribute__((warn_unused_result))

/* Deletes politely: the Delete is sent and its answer awaited for wait_ms; copies > 1
 * sends it that often, 10 ms apart, and does not wait for the answer (the address is
 * already gone). closed() follows. */
enum ike_err ike_delete(struct ike_engine *e, uint64_t now_ms, uint32_t id,
	uint64_t wait_ms, unsigned copies) IKE_CHECKED;
/* Drops the SA without a word. closed() is called before this returns. */
enum ike_err ike_forget(struct ike_engine *e, uint64_t now_ms, uint32_t id) IKE_CHECKED;
/* Everything of a scope, as ike_forget. */
void ike_forget_scope(struct ike_engine *e, uint64_t now_ms, uint16_t scope);

/* What follows is asked one after the other (RFC 7296 2.3: a window of one), and again
 * after a pause while the peer says TEMPORARY_FAILURE. */

/* A further child: rule, mode, selectors and ESP proposals of what; the SA has the rest.
 * child_up() or child_refused() follows, with the id. */
enum ike_err ike_create_child(struct ike_engine *e, uint64_t now_ms, uint32_t id,
	const struct ike_conn *what, uint32_t *child) IKE_CHECKED;
/* The same selectors under new keys: child_up() with replaces, then child_down() of the
 * old one. Nothing happens if it is being replaced already. */
enum ike_err ike_rekey_child(
	struct ike_engine *e, uint64_t now_ms, uint32_t child) IKE_CHECKED;
/* As responder we do not hear at once that the peer has our answer, and so the child. True:
 * it has, or should have by now. */
bool ike_peer_has_child(const struct ike_engine *e, uint32_t child);
/* child_down() comes with the peer's answer. */
enum ike_err ike_delete_child(
	struct ike_engine *e, uint64_t now_ms, uint32_t child) IKE_CHECKED;
/* New keys for the IKE SA itself: rekeyed(). */
enum ike_err ike_rekey(struct ike_engine *e, uint64_t now_ms, uint32_t id) IKE_CHECKED;

/* Asks the peer to go to another gateway; whether it does is its own affair.
 * NOT_ALLOWED: it has not said that it can, or has been sent here from there. */
enum ike_err ike_redirect(struct ike_engine *e, uint64_t now_ms, uint32_t id,
	const struct addr *to) IKE_CHECKED;

/* Sends an empty INFORMATIONAL unless a request of ours is under way, which then counts
 * as the probe (and is retransmitted at once). */
enum ike_err ike_probe(struct ike_engine *e, uint64_t now_ms, uint32_t id) IKE_CHECKED;
/* The data path saw authentic traffic from here: send there from now on. */
enum ike_err ike_move(
	struct ike_engine *e, uint32_t id, const struct endpoint *remote) IKE_CHECKED;

/* The data path got traffic over a child of this SA at used_ms. A crossing loser that is
 * still used is not deleted yet; only of interest while ike_info.replaced. */
void ike_used(struct ike_engine *e, uint32_t id, uint64_t used_ms);

/* Retransmissions, half-open expiry, deferred deletes of crossing losers, what waits to be
 * asked again. */
void ike_tick(struct ike_engine *e, uint64_t now_ms);
uint64_t ike_next_due_ms(const struct ike_engine *e); /* UINT64_MAX: nothing is due */

bool ike_view(const struct ike_engine *e, uint32_t id, struct ike_info *out);
/* Calls each until it returns false. */
void ike_each(const struct ike_engine *e, bool (*each)(const struct ike_info *, void *),
	void *ctx);
size_t ike_count_half_open(const struct ike_engine *e);

struct ike_counters {
	uint64_t received, malformed, unknown_spi, replayed_request, wrong_message_id,
		forged, cookies_sent, half_open_refused, retransmits, init_requests,
		established, unsupported_version, wrong_state, fragments,
		fragments_refused, redirected;
	/* CREATE_CHILD_SA: what was rekeyed by us; where both sides' exchanges crossed; and
	 * what we answered so (RFC 7296 2.25). */
	uint64_t rekeyed_children, rekeyed_ikes, crossed_children, crossed_ikes,
		crossed_further, said_temporary_failure, said_child_not_found;
};
void ike_counters(const struct ike_engine *e, struct ike_counters *out);

/* Test builds (configure --enable-key-log) set a sink for the keys of each IKE SA; lines
 * in tshark's ikev2_decryption_table format. NULL in other builds. */
struct ike_key_sink {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};
void ike_set_key_sink(struct ike_engine *e, const struct ike_key_sink *sink);

#endif
