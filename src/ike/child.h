/* ike/child.h - a child SA of an IKE SA: its own little state. Private to ike/.
 *
 *	asked ----> up <----> rekeying          our request for a new one is out
 *	             |            |
 *	             +-> replaced <+            by a newer one; the peer deletes it
 *	             |      |
 *	             +-> deleting               our Delete waits, or is out
 *
 * child.c alone assigns the state.
 */
#ifndef VIPSEC_IKE_CHILD_H
#define VIPSEC_IKE_CHILD_H

#include "base/list.h"
#include "ike/ike.h"
#include "ike/nonce.h"
#include "ike/suites.h"
#include "wire/ke_payload.h"

struct exchange;
struct ike_sa;

enum child_state {
	CHILD_ASKED, /* the peer's answer is awaited, or our turn to ask */
	CHILD_UP,
	CHILD_REKEYING,
	CHILD_REPLACED,
	CHILD_DELETING
};

struct child {
	struct list link; /* ike_sa.children */
	struct ike_sa *sa;
	enum child_state state;
	bool known; /* the host has it */
	bool unwanted; /* still asked for, and to be deleted when it comes */
	enum ike_close
		why; /* what child_down() will say, once it is replaced or deleting */
	struct ike_child is; /* keys wiped once handed over */
	struct ike_proposals proposals; /* what it was, and will be, agreed from */
	uint64_t due_ms; /* REPLACED: we delete it then; else IKE_NEVER */
	uint32_t made_in; /* REPLACED: ID of the peer's request that did it */
	uint32_t born_in; /* the same, of the one that made it; none: it was ours */
	uint64_t born_ms;
};

/* In CHILD_ASKED, with rule, mode, selectors and proposals of what. */
struct child *ike_child_new(struct ike_engine *e, struct ike_sa *sa,
	const struct ike_conn *what, bool initiator);
void ike_child_free(struct ike_engine *e, struct child *c); /* silently */
struct child *ike_child_by_id(const struct ike_engine *e, uint32_t id); /* NULL: none */
/* The SA that we send on; NULL: none that the peer has. */
uint8_t ike_child_protocol(const struct child *c); /* enum ike_protocol */
struct child *ike_child_by_spi_out(
	const struct ike_sa *sa, uint8_t protocol, uint32_t spi);
struct child *ike_child_first(const struct ike_sa *sa);

/* Everything is agreed. */
struct ike_seed;
void ike_child_complete(
	struct child *c, const struct esp_choice *choice, const struct ike_seed *seed);
void ike_child_up(struct ike_engine *e, struct child *c);
/* The host hears of it if it knows the child; c is freed. */
void ike_child_down(struct ike_engine *e, struct child *c, enum ike_close why);
void ike_children_down(struct ike_engine *e, struct ike_sa *sa, enum ike_close why);

/* The peer is known to have it, or should, by its not asking again for so long. Before that
 * it would not know what we mean. */
enum { SHARED_LIKELY_MS = 8000, SHARED_SURELY_MS = 60000 };
bool ike_child_is_shared(
	const struct ike_engine *e, const struct child *c, uint64_t silent_ms);

/* The peer has spoken of it. */
void ike_child_shared(struct child *c);

/* The ways of its life. */
void ike_child_rekeying(struct child *c, bool yes);
/* The peer is to delete it; we do if it does not. */
void ike_child_replaced(struct ike_engine *e, struct child *c);
/* It is ours to delete, when what has left on it has arrived. */
void ike_child_parting(struct ike_engine *e, struct child *c);
/* The peer's, of two of the same that both made at once: ours stays. */
void ike_child_crossed(struct ike_engine *e, struct child *c);
void ike_child_deleting(struct child *c, enum ike_close why);
/* The deadlines of its children. */
uint64_t ike_children_due_ms(const struct ike_sa *sa);
void ike_children_due(struct ike_engine *e, struct ike_sa *sa);
/* Children, whole, go to the SA that has been rekeyed into. */
void ike_children_move(struct ike_sa *from, struct ike_sa *to);

/* ---- selectors.c */
/* Initiator, before it asks. False: nothing is left to ask for. */
bool ike_selectors_restrict(struct ike_conn *c);
/* Behind a NAT, in transport mode: the addresses as they look now. */
void ike_selectors_see(const struct ike_sa *sa, struct ike_conn *c);
/* Initiator: what came back. False: not within what was asked for, or nothing. */
bool ike_selectors_take(struct child *c, struct ts_list *tsi, struct ts_list *tsr);
/* Responder: mode, rule and selectors into conn, or the reason why not. */
enum ike_why ike_selectors_choose(struct exchange *x, struct ike_conn *conn,
	const struct ts_list *tsi, const struct ts_list *tsr, bool transport);
/* Responder of a rekey: the peer asks for no less than the child has (RFC 7296 2.9.2). */
bool ike_selectors_keep(const struct child *old, const struct ike_path *seen,
	const struct ts_list *tsi, const struct ts_list *tsr);
/* The two carry, or would carry, packets of one flow. */
bool ike_selectors_overlap(const struct ts_list *local, const struct ts_list *remote,
	const struct ts_list *local2, const struct ts_list *remote2);

/* ---- create_child.c: what a CREATE_CHILD_SA message says of a child, both ways */
struct child_message {
	struct wire_sa sa;
	struct wire_ke ke; /* group KE_NONE: there is none */
	struct span nonce;
	struct ts_list tsi, tsr;
	bool transport;
};
bool ike_child_message_read(const struct exchange *x, struct child_message *out);
struct task;
/* The request for c; old: the child that it rekeys, or NULL. False: no key pair. */
bool ike_child_ask(struct ike_engine *e, struct ike_sa *sa, struct task *t,
	struct child *c, const struct child *old);
/* The answer to q: agrees c and writes the response, or the refusal. *lower is the lower of
 * the two nonces. */
enum child_answered {
	CHILD_REFUSED, /* c is freed */
	CHILD_FOLLOWS, /* additional key exchanges come first */
	CHILD_MADE
};
enum child_answered ike_child_answer(struct exchange *x, const struct child_message *q,
	struct child *c, struct nonce *lower);
/* Those are over: as initiator, as responder. */
enum ike_verdict ike_child_followed(struct exchange *x, struct task *t);
enum ike_verdict ike_child_follow_answered(struct exchange *x);
/* Requests that no child can be made of now. True: refused, the response is written. */
bool ike_child_busy(struct exchange *x);

#endif
