/* ike/sa.h - what the files of this room share: the engine, its SAs, and the exchange
 * that is going on.
 *
 * Private to ike/. `state` of an SA is assigned in dispatch.c and nowhere else.
 */
#ifndef VIPSEC_IKE_SA_H
#define VIPSEC_IKE_SA_H

#include "base/list.h"
#include "base/map.h"
#include "base/rate.h"
#include "crypto/kex.h"
#include "ike/child.h"
#include "ike/ike.h"
#include "ike/nonce.h"
#include "ike/rules.h"
#include "ike/task.h"
#include "wire/message.h"
#include "wire/payload.h"

enum {
	IKE_COOKIE_MAX = 64,
	IKE_OUT_MAX = 60000, /* our own messages, certificates included */
	IKE_FLIGHT_MAX = IKE_OUT_MAX + 128 * 64, /* the same in fragments */
	IKE_INIT_MAX = 4096 /* an IKE_SA_INIT that AUTH signs; RFC 7296 2: 3000 or more */
};

#define IKE_NEVER UINT64_MAX

/* Heap bytes of a message that is kept. */
struct octets {
	uint8_t *at;
	size_t len;
};
void octets_set(struct octets *o, struct span bytes);
void octets_free(struct octets *o);
struct span octets_span(const struct octets *o);

/* A message of ours that can still be cut into smaller fragments; empty: it cannot. */
struct ike_whole {
	struct octets plain; /* in clear */
	uint16_t total; /* fragments that it is in; 0: it is in one datagram */
};

/* A request of ours under way (window 1, RFC 7296 2.3). */
struct outgoing {
	struct octets bytes; /* its datagrams, end to end; empty: none */
	struct ike_whole whole;
	uint32_t message_id;
	uint8_t exchange;
	bool urgent;
	unsigned tries;
	uint64_t first_ms, due_ms;
};

struct crossing {
	bool keep; /* the peer insists on its duplicate */
	uint8_t looks; /* how often it has waited for its other children to be moved */
	bool unused_only; /* a loser is deleted only when it is unused */
	uint64_t due_ms; /* when a loser is deleted; IKE_NEVER */
	uint64_t used_ms; /* its last traffic */
	uint64_t ended_ms; /* of a winner: a duplicate of it was deleted then; 0: none */
};

/* SAs between the same two identities, in one scope. */
struct ike_pair {
	struct list members; /* ike_sa.kin */
	uint8_t key[SHA256_LEN];
};

enum { IKE_OVER_MAX = 4 };

enum { IKE_ORIGIN_KEY = 17 };
/* Where callers sit: an address, or a /64 of IPv6. */
struct ike_origin {
	uint8_t key[IKE_ORIGIN_KEY], key_len;
	unsigned uses; /* SAs that point here */
	unsigned half_open[2]; /* of friends, of strangers */
	size_t pieces; /* octets of fragments that half-open SAs keep */
	struct rate work; /* as struct ike_engine.work: of strangers from here */
};

/* Whose share fragments are in. */
enum ike_share { SHARE_PROVED, SHARE_STRANGERS, SHARE_FRIENDS, IKE_SHARES };

#define IKE_MOBIKE_OTHERS 4
/* RFC 4555: a peer that moves. */
struct ike_mobike {
	bool on; /* both sides know it */
	bool ours; /* we began the IKE SA, or the one that this came from by rekeying */
	bool pending; /* ESP still goes to where the peer was before */
	uint8_t n_others;
	struct addr others[IKE_MOBIKE_OTHERS]; /* where it could be, too */
	uint32_t moves, asked; /* moves when the check that is under way began */
	uint8_t cookie[32]; /* of that check */
};

struct ike_sa {
	struct list all; /* engine.sas */
	struct list half; /* engine.half_open or engine.gone, in those states */
	struct list kin; /* ike_pair.members */
	struct ike_pair *pair; /* NULL: the peer's identity is not known */
	struct ike_origin *origin; /* of a caller who has not proved who he is; or NULL */
	size_t timer; /* place in the engine's heap, from 1; 0: not in it */
	uint64_t timer_ms;

	uint32_t id;
	enum ike_state state;
	bool initiator;
	bool stranger; /* half open and not a friend */
	bool lingers; /* GONE, and in engine.gone */
	bool known; /* the host knows its id */
	bool announced; /* the host has heard established(), or rekeyed() */
	bool confirmed; /* the peer is known to have it up, too */
	bool first; /* initiator: no other SA with this peer when we called */
	bool is_heir; /* born by rekeying another one */
	bool heard; /* a message has come over it */
	bool childless; /* begun without a child (RFC 6023) */
	bool had_child; /* some child has come up in it, or in one that it was rekeyed from */
	bool settled; /* it has been judged against others with the same traffic */
	uint64_t own_spi; /* one of the two below */
	uint64_t spi_i, spi_r;
	struct ike_path path;
	struct ike_conn *conn; /* NULL: responder before IKE_AUTH */
	struct identity claimed; /* responder: IDi, believed or not */
	uint64_t created_ms, established_ms, last_in_ms;
	uint64_t answered_ms; /* a request, or one that came again */
	uint64_t proved_ms; /* when both proved who they are: rekeying keeps it */
	uint64_t give_up_ms; /* initiator: the whole call ends then */
	uint64_t expire_ms; /* what it means depends on the state: rules.c */

	/* IKE_SA_INIT */
	struct ike_suite suite;
	struct kex *kex;
	struct nonce nonce_i, nonce_r;
	struct octets init_request, init_response; /* until AUTH has signed them */
	uint8_t init_key[SHA256_LEN]; /* responder: digest of where and what was asked */
	uint8_t init_repeats; /* responder: how often init_response went out again */
	struct octets cookie;
	uint16_t peer_hashes; /* of RFC 7427, a bit each; 0: the peer has not said */
	struct chain *chain; /* what the peer proved itself with; NULL: a key */
	bool waits; /* what the peer showed is judged when something was fetched */
	unsigned cookies, groups; /* how often each made us start again */
	struct ike_mobike mobike;
	bool may_childless; /* the responder has said CHILDLESS_IKEV2_SUPPORTED */
	bool peer_redirects; /* the peer has said that it can be sent elsewhere */
	bool redirectable; /* and so have we */
	struct addr
		came_from; /* the gateway that has sent the peer here; not set: none */
	bool natd; /* both sides sent NAT detection */
	bool nat_local, nat_remote, forced;
	bool peer_nlbs, peer_is_vipsec;
	bool peer_is_new; /* it says that it holds no SA with us */

	/* keys */
	struct secret sk_d, sk_pi, sk_pr;
	struct ike_ppk_plain *plain; /* the same without a PPK; NULL: as they are */
	bool use_ppk; /* both sides have said that they can */
	bool ppk; /* one is in the keys above */
	struct ike_intermediate *intermediate; /* NULL: the two do not both know it */
	uint32_t
		auth_id; /* message ID of the first IKE_AUTH: what comes between counts */
	struct aead *seal, *open;
	/* Responder: from its next request on the peer uses these. Until then its last one may
	 * come again, and wants the same answer. NULL: those above go on. */
	struct aead *next_seal, *next_open;
	uint64_t iv_prefix, iv_counter; /* of what we seal */

	/* messages */
	uint32_t next_out, next_in;
	bool ids_renewed; /* they come to their end, and it is rekeyed for that */
	struct outgoing out;
	struct octets response; /* to request next_in - 1: its datagrams, end to end */

	/* fragments, RFC 7383 */
	bool fragments; /* both sides have said that they know them */
	uint16_t fragment_size; /* what the path is thought to carry; 0: the engine's */
	struct ike_whole response_whole;
	unsigned response_asked; /* again: how often */
	struct ike_pieces
		*pieces[2]; /* of a request, a response of the peer's; or NULL */

	struct list children; /* child.link, in the order of their birth */
	unsigned n_children, n_known;
	uint64_t childless_ms; /* deleted then, unless a child comes; IKE_NEVER */
	enum ike_close childless_why;
	struct list tasks; /* task.link */
	struct task *task; /* whose request is under way; NULL: none of them */
	struct ike_follow
		*follow; /* the peer's CREATE_CHILD_SA goes on; NULL: none does */
	struct rate creates; /* CREATE_CHILD_SA that the peer may ask */

	/* Rekeyed (RFC 7296 2.8.2): NULL where there is none. */
	struct ike_sa *heir; /* has our children */
	struct ike_sa *rival; /* made by the peer while we rekey, too: not decided yet */
	struct ike_sa *predecessor; /* of an heir or a rival */

	/* Rekeying keeps them: the id of the first in line; and those of the SAs that its
	 * initiator held when it proved itself (standing.c). */
	uint32_t lineage, over[IKE_OVER_MAX];
	unsigned n_over;

	struct ike_failure failure; /* what closed() will say */
	struct crossing crossing;
	bool replaced;
	bool delete_due; /* DELETING: the Delete waits for the request under way */
	bool auth_failed; /* DELETING: tell the peer that its AUTH was wrong */
	unsigned copies_left; /* of a Delete that is not waited for */
};

struct ike_engine {
	struct entropy entropy;
	struct ike_host host;
	struct ike_limits limits;
	uint8_t member;
	struct secret cookie_secret;
	struct rate stateless; /* answers without an SA, RFC 7296 2.21.4 */
	/* Key exchanges with those who have proved nothing: friends' without a cookie, all
	 * of strangers'; in units of kex_work(). */
	struct rate work[2];
	struct ike_counters counters;
	struct ike_key_sink sink;
	uint64_t now_ms;
	int64_t wall_s; /* 0: not known */
	struct revocations *revocations;

	struct list sas;
	struct list half_open;
	struct list gone; /* the oldest first */
	size_t n_strangers, n_half_open, n_established, n_gone;
	struct map *by_spi; /* our own SPI */
	struct map *by_init; /* init_key */
	struct map *by_id;
	struct map *by_pair;
	struct map *by_origin;
	struct map *by_child;
	uint32_t last_id, last_child;

	struct ike_sa **heap; /* [1..n_heap], earliest first */
	size_t n_heap, heap_cap;

	uint8_t text[65536]; /* what was decrypted */
	uint8_t reply[IKE_OUT_MAX];
	uint8_t request[IKE_OUT_MAX];
	uint8_t flight[IKE_FLIGHT_MAX];

	uint16_t fragment_size; /* octets of an IP datagram */
	size_t pieces[IKE_SHARES], pieces_max[IKE_SHARES]; /* octets of fragments kept */
	size_t pieces_of_origin_max;
};

/* One message on its way through the dispatcher. */
struct exchange {
	struct ike_engine *e;
	struct ike_sa *sa;
	const struct ike_path *from;
	struct span datagram;
	struct ike_header header;
	struct payload_set in;
	bool has_error; /* some Notify is an error */
	bool rekeys; /* there is a Notify REKEY_SA */
	bool redirects; /* there is a Notify REDIRECT */
	bool repeated; /* a request that has been answered */
	/* Out of an SK payload: headers in front of it and its own (empty: not as one
	 * message), and what was inside. */
	struct span head, text;
	uint8_t head_store[IKE_HEADER_LEN + PAYLOAD_HEADER_LEN];
	struct outgoing asked; /* responses: our request that is answered */
	struct message out; /* requests: the protected response under the pen */
	struct ike_answer answer; /* IKE_SA_INIT requests: how the scope answers */
	bool stranger; /* the same: the caller is nobody whom we know */
	uint64_t wait_ms; /* the Delete command's arguments */
	unsigned copies;
};

/* ---- sa.c */
struct ike_sa *ike_sa_new(
	struct ike_engine *e, const struct ike_path *path, bool initiator);
/* Born by rekeying old: path, peer and its traits are old's; keys and counters are not.
 * own_spi 0: drawn. */
struct ike_sa *ike_sa_new_heir(
	struct ike_engine *e, const struct ike_sa *old, bool initiator, uint64_t own_spi);
uint64_t ike_sa_draw_spi(struct ike_engine *e);
/* It is over: those that it was rekeyed from and into go their own way. */
void ike_sa_leave_kin(struct ike_sa *sa);
void ike_sa_free(struct ike_engine *e, struct ike_sa *sa); /* silently */
struct ike_sa *ike_sa_by_id(
	const struct ike_engine *e, uint32_t id); /* not one that is gone */
struct ike_sa *ike_sa_by_spi(const struct ike_engine *e, uint64_t own_spi);
/* The peer is there now, and so are its ends of the children. */
void ike_sa_move(struct ike_sa *sa, const struct endpoint *remote);
void ike_sa_info(const struct ike_sa *sa, struct ike_info *out);

/* ---- pair.c */
/* To be called when sa->conn has an identity, or another one. */
void ike_pair_join(struct ike_engine *e, struct ike_sa *sa);
void ike_pair_leave(struct ike_engine *e, struct ike_sa *sa);

/* ---- timer.c: a heap of due times, one entry an SA */
void ike_timer_update(struct ike_engine *e, struct ike_sa *sa);
void ike_timer_remove(struct ike_engine *e, struct ike_sa *sa);
struct ike_sa *ike_timer_first(const struct ike_engine *e); /* NULL: none */

/* ---- receive.c */
void ike_heard(struct exchange *x);

/* ---- dispatch.c */
bool ike_is_half_open(const struct ike_sa *sa);
/* x->sa is larval, and gone afterwards if it is not half open. */
void ike_dispatch_stranger(struct exchange *x, const struct ike_rule *rule);
void ike_dispatch_answer(struct exchange *x, const struct ike_rule *rule);
/* Out of an SK payload; err is what reading its payloads into x->in came to. */
void ike_dispatch_request(struct exchange *x, enum wire_err err);
void ike_dispatch_response(struct exchange *x, enum wire_err err);
enum ike_command {
	COMMAND_CALL = 1,
	COMMAND_DELETE,
	COMMAND_INHERIT, /* of an heir: it is as good as the SA that it was made by */
	COMMAND_RETIRE /* another one has the children; the peer is to delete it */
};
void ike_command(struct ike_engine *e, struct ike_sa *sa, enum ike_command c,
	uint64_t wait_ms, unsigned copies);
/* A request makes no sense: INVALID_SYNTAX is all that is answered (RFC 7296 2.21.3). */
enum ike_verdict ike_refuse_malformed(struct exchange *x);
/* What closed() will say. */
void ike_fail(struct ike_sa *sa, enum ike_close close, enum ike_why why, uint16_t notify);
/* Over, without a further word; sa is freed. */
void ike_close(struct ike_engine *e, struct ike_sa *sa);
/* Its deadline has come; sa may be gone afterwards. */
void ike_expire(struct ike_engine *e, struct ike_sa *sa);

/* ---- message.c: framing */
struct ike_header ike_header_for(
	const struct ike_sa *sa, uint8_t exchange, bool response, uint32_t message_id);
/* Starts the response of x afresh, dropping what was written. */
void ike_reply_begin(struct exchange *x);
void ike_reply_notify(struct exchange *x, uint16_t type, struct span data);
/* The response is only this error. */
void ike_reply_error(struct exchange *x, uint16_t type, struct span data);
void ike_reply_send(struct exchange *x);
/* A protected request of ours: begin, write payloads, send. One at a time. */
struct message ike_request_begin(
	struct ike_engine *e, struct ike_sa *sa, uint8_t exchange);
void ike_request_send(struct ike_engine *e, struct ike_sa *sa, struct message *m,
	uint8_t exchange, bool urgent);
/* An answer without an SA: RFC 7296 2.21.1, 2.21.4. */
void ike_answer_stateless(struct exchange *x, uint16_t type, struct span data);
/* A Notify without SPI. */
void ike_notify_write(struct message *m, uint16_t type, struct span data);
/* One about the IKE SA. */
void ike_notify_write_ike(struct message *m, uint16_t type);
/* One about an SA of ESP or AH. */
void ike_notify_write_child(
	struct message *m, uint16_t type, uint8_t protocol, uint32_t spi);
/* The SPI of the first such Notify, and whose; false: none, or not of ESP or AH. */
bool ike_notify_find_child(
	const struct payload_set *in, uint16_t type, uint8_t *protocol, uint32_t *spi);
/* The data of the first such Notify; false: none. data may be NULL. */
bool ike_notify_find(const struct payload_set *in, uint16_t type, struct span *data);
/* The first Notify that is an error; 0: none. */
uint16_t ike_notify_error(const struct payload_set *in);
const char *ike_notify_name(uint16_t error);
const char *ike_notify_advice(uint16_t error); /* what to look at */
enum ike_why ike_notify_why(uint16_t error);
void ike_note(struct ike_engine *e, const struct ike_path *path, uint32_t id,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- message_ids.c */
void ike_ids_watch(struct ike_engine *e, struct ike_sa *sa);
bool ike_ids_used_up(const struct ike_sa *sa); /* to be closed, at once */
void ike_ids_close(struct ike_engine *e, struct ike_sa *sa);

/* ---- sk.c */
struct sk_shape ike_sk_shape(const struct ike_sa *sa); /* of its messages */
/* Ends and seals a message with message_encrypt(), as one datagram. */
struct span ike_sk_seal(struct ike_sa *sa, struct message *m);
void ike_sk_seal_frame(struct ike_sa *sa, const struct sk_frame *frame);
enum ike_sk {
	SK_OPENED,
	SK_FORGED, /* or not protected at all */
	SK_MALFORMED, /* sealed by the peer, but the padding is wrong */
	SK_PARTIAL /* a fragment; there is nothing more to do with it */
};
enum ike_sk ike_sk_open(struct exchange *x, struct reader *payloads, uint8_t *first);
/* Into the engine's buffer, padding included. */
bool ike_sk_open_sealed(struct exchange *x, const struct sk_sealed *sealed);

/* ---- flight.c: what we send, in one datagram or in fragments */
/* Ends and seals m; what is handed out stands in the engine until the next call. */
struct span ike_flight_seal(struct ike_engine *e, struct ike_sa *sa,
	const struct ike_path *path, struct message *m, struct ike_whole *w);
/* False: it cannot be cut smaller; nothing has changed. */
bool ike_flight_shrink(struct ike_engine *e, struct ike_sa *sa,
	const struct ike_path *path, struct octets *sent, struct ike_whole *w);
void ike_flight_send(
	struct ike_engine *e, const struct ike_path *path, struct span datagrams);
/* The peer sent a message in fragments, the longest of len octets. */
void ike_flight_learn(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_path *path, size_t len);
void ike_whole_free(struct ike_whole *w);

/* ---- pieces.c: fragments that came */
/* The SKF payload of x. */
enum ike_sk ike_pieces_take(struct exchange *x, struct reader *payloads, uint8_t *first);
uint64_t ike_pieces_due(const struct ike_sa *sa); /* IKE_NEVER: there are none */
void ike_pieces_expire(struct ike_engine *e, struct ike_sa *sa);
void ike_pieces_free(struct ike_engine *e, struct ike_pieces **slot);

/* ---- retransmit.c */
void ike_retransmit_start(struct ike_engine *e, struct ike_sa *sa, struct span bytes,
	uint32_t message_id, uint8_t exchange, bool urgent);
void ike_retransmit_now(struct ike_engine *e, struct ike_sa *sa);
void ike_retransmit_due(struct ike_engine *e, struct ike_sa *sa);
/* The request under way goes out copies times in all, 10 ms apart; then the SA expires. */
void ike_retransmit_copies(struct ike_engine *e, struct ike_sa *sa, unsigned copies);
void ike_retransmit_stop(struct ike_sa *sa);
/* The answer is as if it had not come: the request stays under way. */
void ike_retransmit_resume(struct exchange *x);
void ike_retransmit_drop(struct outgoing *out);

/* ---- keys.c */
/* Of IKE_SA_INIT. False: the library refuses. */
bool ike_keys_derive(
	struct ike_engine *e, struct ike_sa *sa, const struct secret *shared);
/* After an additional key exchange (RFC 9370 2.2.2); those that seal and open are not used
 * before ike_keys_turn(). */
void ike_keys_add(struct ike_engine *e, struct ike_sa *sa, const struct secret *shared);
void ike_keys_turn(struct ike_sa *sa);
/* What one side signs (RFC 7296 2.15, RFC 9242 3.3.2). id: body of its ID payload; store
 * holds a part. */
enum { IKE_SIGNED_PARTS = 4 };
void ike_keys_signed(const struct ike_sa *sa, bool of_initiator, struct span id,
	uint8_t store[PRF_OUT_MAX], struct span parts[IKE_SIGNED_PARTS]);
/* AUTH data of the one side (RFC 7296 2.15). id: body of its ID payload. */
void ike_keys_auth(const struct ike_sa *sa, bool of_initiator, struct span id,
	const struct secret *psk, uint8_t out[PRF_OUT_MAX]);
/* By the SK_d and the PRF of old (RFC 7296 2.18). False: the library refuses. */
bool ike_keys_rekey(struct ike_engine *e, const struct ike_sa *old, struct ike_sa *heir,
	const struct ike_seed *seed);
void ike_keys_child(
	const struct ike_sa *sa, struct ike_child *child, const struct ike_seed *seed);
void ike_keys_forget_init(struct ike_sa *sa);

/* ---- intermediate.c: more key exchanges between IKE_SA_INIT and IKE_AUTH */
void ike_intermediate_offer(struct message *m, const struct ike_proposals *ours);
/* Of what came in IKE_SA_INIT: both sides know the exchange. */
bool ike_intermediate_agreed(const struct exchange *x, const struct ike_proposals *ours);
void ike_intermediate_expect(struct ike_sa *sa);
bool ike_intermediate_owed(const struct ike_sa *sa); /* something of the suite is to do */
void ike_intermediate_ask(struct ike_engine *e, struct ike_sa *sa);
/* What IKE_AUTH has to sign of it; empty: there was none. */
struct span ike_intermediate_signed(const struct ike_sa *sa);
void ike_intermediate_forget(struct ike_sa *sa);

/* ---- ppk.c */
struct wire_auth;
void ike_ppk_offer(struct message *m, const struct ike_conn *c);
bool ike_ppk_offered(struct exchange *x); /* false: our rule requires what was not */
void ike_ppk_answer(struct exchange *x, struct message *m);
/* Initiator: as ike_proof_write_auth. */
bool ike_ppk_write_auth(
	struct message *m, struct ike_sa *sa, struct span id, const char **why);
bool ike_ppk_confirmed(struct exchange *x);
/* Responder: keys and proof, for one way of knowing the caller. NULL, or why not. */
const char *ike_ppk_choose(
	struct exchange *x, const struct ike_conn *c, struct wire_auth *auth);
void ike_ppk_confirm(struct exchange *x);
void ike_ppk_forget(struct ike_sa *sa);

/* ---- keylog.c or keylog_off.c; behind each key that of integrity, if there is one */
void ike_keylog(struct ike_engine *e, const struct ike_sa *sa, struct span sk_ei,
	struct span sk_er);

/* ---- natd.c */
void ike_natd_write(struct message *m, uint64_t spi_i, uint64_t spi_r,
	const struct ike_path *path, bool forced);
void ike_natd_read(struct exchange *x);
bool ike_natd_encap(const struct ike_sa *sa);
/* False: a NAT is on the way, and nothing but AH is in them. */
bool ike_natd_lets_pass(const struct ike_sa *sa, const struct ike_proposals *p);
#define IKE_NATD_STOPS_AH                                                              \
	"a NAT is on the way (or encapsulation is forced), and AH, all that there is " \
	"in the proposal, cannot pass it: let it have integrity by ESP, too "          \
	"(null-sha256)"

/* ---- mobike.c */
void ike_mobike_offer(struct message *m, const struct ike_conn *c);
/* What came in IKE_AUTH; as responder, answers it. conn is final. */
void ike_mobike_agree(struct exchange *x);
/* Of an INFORMATIONAL request: answers it. */
void ike_mobike_request(struct exchange *x);
enum ike_verdict ike_on_path_checked(struct exchange *x);
void ike_mobike_inherit(const struct ike_sa *sa, struct ike_sa *heir);

/* ---- origin.c */
struct ike_origin *ike_origin_find(
	const struct ike_engine *e, const struct addr *a); /* NULL: nobody is there */
void ike_origin_join(struct ike_engine *e, struct ike_sa *sa);
void ike_origin_leave(struct ike_engine *e, struct ike_sa *sa);
/* False: a stranger's, and strangers have had their share. */
bool ike_work_charge(struct ike_engine *e, struct ike_sa *sa, uint32_t units);

/* ---- cookie.c */
enum ike_gate { GATE_PASS, GATE_COOKIE, GATE_REFUSE };
enum ike_gate ike_cookie_gate(struct exchange *x, struct span nonce, bool *stranger);
void ike_cookie_ask(struct exchange *x, struct span nonce);

/* ---- sa_init.c: may an IKE_SA_INIT request be answered? If not, all is said. */
bool ike_init_may_enter(struct exchange *x);

/* ---- vendor.c */
void ike_vendor_write(struct message *m, bool nlbs, bool initial_contact);
void ike_vendor_read(struct exchange *x);

/* ---- auth_proof.c: how one side proves who it is, by method */
enum { IKE_DOUBT_MAX = 768 };
enum ike_belief { BELIEVED, DOUBTED, UNDECIDED /* until something is fetched */ };
struct wire_auth;
/* Certificates and AUTH. False: we cannot prove ourselves, why says the reason. */
bool ike_proof_write_auth(
	struct message *m, const struct ike_sa *sa, struct span id, const char **why);
/* The peer's proof, against one way that we know; text: what is wrong. */
enum ike_belief ike_proof_check(struct exchange *x, const struct ike_conn *c,
	const struct wire_auth *auth, struct span id, const struct identity *who,
	char text[IKE_DOUBT_MAX]);
/* A conn holds references to what it proves itself with. */
void ike_conn_keep(struct ike_conn *c);
void ike_conn_wipe(struct ike_conn *c);

/* ---- auth_cert.c */
void ike_cert_offer(struct message *m, const struct ike_sa *sa); /* IKE_SA_INIT request */
void ike_cert_answer(struct exchange *x, struct message *m); /* its response */
void ike_cert_read_hashes(struct exchange *x);
void ike_cert_write(struct message *m, const struct ike_conn *c);
void ike_cert_request(struct message *m, const struct ike_conn *c);
bool ike_cert_sign(
	struct message *m, const struct ike_sa *sa, struct span id, const char **why);
enum ike_belief ike_cert_check(struct exchange *x, const struct ike_conn *c,
	const struct wire_auth *auth, struct span id, const struct identity *who,
	char text[IKE_DOUBT_MAX]);

/* ---- auth.c, informational.c: what other exchanges lead to */
void ike_auth_ask(struct ike_engine *e, struct ike_sa *sa);
/* Unless a request of ours is under way anyway. */
void ike_probe_now(struct ike_engine *e, struct ike_sa *sa);
void ike_delete_last_word(struct ike_engine *e, struct ike_sa *sa);

/* ---- redirect.c */
void ike_redirect_offer(struct message *m, const struct ike_conn *c);
void ike_redirect_answer(struct exchange *x, struct message *m);
void ike_redirect_read(struct exchange *x); /* of IKE_SA_INIT, either message */
/* The caller is sent away, and that is all of the answer. */
bool ike_redirect_init(struct exchange *x, struct span nonce);
bool ike_redirect_auth(struct exchange *x);
enum ike_redirected {
	REDIRECT_NONE, /* the answer says nothing of it */
	REDIRECT_FORGED, /* ignored */
	REDIRECT_REFUSED, /* to be asked again, without the offer */
	REDIRECT_FOLLOWED
};
enum ike_redirected ike_redirect_on_init(struct exchange *x);
/* Why the SA ends is noted. */
void ike_redirect_on_auth(struct exchange *x);
void ike_redirect_request(struct exchange *x);

/* ---- rekey_ike.c */
/* heir, which is up, takes over all that sa has; sa is only closed any more. */
void ike_inherit(struct ike_engine *e, struct ike_sa *sa, struct ike_sa *heir);
/* The peer has made it while we rekey the same SA, too; it has no children yet. */
bool ike_is_rival(const struct ike_sa *sa);
/* Its own end has begun: what it was to replace stays. */
void ike_rival_gives_up(struct ike_sa *sa);
/* We have no request of ours to rekey sa, after all: the peer's new SA is the heir. */
void ike_rival_wins(struct ike_engine *e, struct ike_sa *sa);

/* The additional key exchanges of a rekey are over: as initiator, as responder. */
enum ike_verdict ike_rekey_ike_followed(struct exchange *x, struct task *t);
enum ike_verdict ike_rekey_ike_follow_answered(struct exchange *x);
/* The peer has the SA that f makes, and this one is being deleted. */
void ike_rekey_ike_give_back(struct exchange *x, const struct ike_follow *f);

/* ---- rekey_child.c */
/* Both have c now, in the place of old, which the peer asked to rekey. */
void ike_child_takes_over(struct exchange *x, struct child *old, struct child *c,
	const struct nonce *lower);
/* All is agreed: fresh comes up, and old is deleted by whoever has to. old may be gone. */
void ike_child_rekeyed(struct ike_engine *e, struct ike_sa *sa, struct task *t,
	struct child *fresh, const struct nonce *lower);

/* ---- collision.c */
/* The peer made child, by an exchange with that lower nonce, while t of ours is to make
 * the same. */
void ike_collision_note(
	struct task *t, const struct child *child, const struct nonce *lower);
/* Of the two exchanges ours is the one whose SA goes (RFC 7296 2.8.1). */
bool ike_collision_lost(
	const struct ike_engine *e, const struct task *t, const struct nonce *lower);
/* The same of an IKE SA (2.8.2), against the peer's that is up or comes. */
bool ike_collision_lost_ike(const struct ike_sa *sa, const struct nonce *lower);

/* ---- standing.c */
void ike_standing_write(struct message *m, struct ike_sa *sa);
void ike_standing_read(struct exchange *x);
/* The older one stood, as its initiator has said, when sa was begun to take its place. */
bool ike_standing_knew(const struct ike_sa *sa, const struct ike_sa *older);

/* ---- crossing.c */
bool ike_crossing_is_first(const struct ike_engine *e, const struct ike_sa *sa);
bool ike_crossing_may_contact(const struct ike_engine *e, const struct ike_sa *sa);
void ike_crossing_contact(struct ike_engine *e, struct ike_sa *sa);
void ike_crossing_settle(struct ike_engine *e, struct ike_sa *sa);
void ike_crossing_confirmed(struct ike_engine *e, struct ike_sa *sa);
void ike_crossing_gone(struct ike_engine *e, struct ike_sa *sa);
void ike_crossing_due(struct ike_engine *e, struct ike_sa *sa);
/* Some child of the one and some child of the other, or what it was begun for. */
bool ike_crossing_same_traffic(const struct ike_sa *a, const struct ike_sa *b);

#endif
