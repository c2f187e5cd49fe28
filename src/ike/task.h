/* ike/task.h - what we want to ask the peer, in order. Private to ike/.
 *
 * One request at a time (RFC 7296 2.3): the next task begins when the former is answered.
 * Not here are probes, since any request is one, and the Delete of the IKE SA, which
 * overtakes everything: that is a state.
 */
#ifndef VIPSEC_IKE_TASK_H
#define VIPSEC_IKE_TASK_H

#include "base/list.h"
#include "crypto/kex.h"
#include "ike/follow.h"
#include "ike/nonce.h"
#include "ike/rules.h"

struct ike_engine;
struct ike_sa;

enum task_kind {
	TASK_CREATE_CHILD,
	TASK_REKEY_CHILD,
	TASK_DELETE_CHILD,
	TASK_REKEY_IKE,
	TASK_CHECK_PATH,
	TASK_REDIRECT
};

struct task {
	struct list link; /* ike_sa.tasks; alone while it is under way */
	enum task_kind kind;
	uint32_t child; /* the one that it is about: a new one, or the old one */
	uint64_t due_ms; /* not before: the peer was busy */
	uint64_t busy_since_ms; /* TEMPORARY_FAILURE came first; 0: never */
	/* how often each made us ask again; lost: the peer had forgotten us (RFC 9370 2.2.4) */
	unsigned pauses, groups, lost;
	uint16_t group; /* the one that the peer wants; KE_NONE: our first */
	/* of the request that is under way */
	struct kex *kex; /* NULL: no key exchange */
	struct nonce nonce;
	struct ike_follow
		*follow; /* additional key exchanges go on; NULL: not, or not yet */
	uint32_t fresh; /* REKEY_CHILD: the child that is asked for; 0: none yet */
	uint64_t spi; /* REKEY_IKE: ours of the new SA */
	struct addr to; /* REDIRECT */
	/* The peer's exchange for the same thing has crossed with ours (collision.c). */
	uint32_t rival; /* the child that it made; 0: none */
	struct nonce rival_lower; /* the lower of its two nonces */
};

/* Appended; it begins with the next ike_task_next(). */
struct task *ike_task_add(
	struct ike_engine *e, struct ike_sa *sa, enum task_kind kind, uint32_t child);
/* The first task that is due, if nothing is under way. */
void ike_task_next(struct ike_engine *e, struct ike_sa *sa);
uint64_t ike_task_due_ms(const struct ike_sa *sa); /* IKE_NEVER: nothing waits */
/* The task under way has come to its end. */
void ike_task_done(struct ike_engine *e, struct ike_sa *sa);
/* Those that wait are not asked any more. */
void ike_tasks_drop(struct ike_engine *e, struct ike_sa *sa);
/* Those that wait, to the SA that has been rekeyed into. */
void ike_tasks_move(struct ike_engine *e, struct ike_sa *from, struct ike_sa *to);
/* It was under way, and is asked again, not before due_ms. */
void ike_task_again(
	struct ike_engine *e, struct ike_sa *sa, struct task *t, uint64_t due_ms);
/* Under way, of that kind and about that child. */
struct task *ike_task_under_way(
	const struct ike_sa *sa, enum task_kind kind, uint32_t child);
/* Its key pair, of the group that the peer wants or else of this one. False: none. */
bool ike_task_kex(struct ike_engine *e, struct task *t, uint16_t group);

/* How each kind begins. */
enum task_begun {
	TASK_BEGUN, /* the request is out */
	TASK_POINTLESS, /* nothing was sent, and need not be */
	TASK_LATER /* nothing was sent: the peer would not know what is meant yet */
};
enum task_begun ike_begin_create_child(
	struct ike_engine *e, struct ike_sa *sa, struct task *t);
enum task_begun ike_begin_rekey_child(
	struct ike_engine *e, struct ike_sa *sa, struct task *t);
enum task_begun ike_begin_delete_child(
	struct ike_engine *e, struct ike_sa *sa, struct task *t);
enum task_begun ike_begin_rekey_ike(
	struct ike_engine *e, struct ike_sa *sa, struct task *t);
enum task_begun ike_begin_redirect(
	struct ike_engine *e, struct ike_sa *sa, struct task *t);
enum task_begun ike_begin_check_path(
	struct ike_engine *e, struct ike_sa *sa, struct task *t);
/* What a final refusal means. */
void ike_refused_create_child(struct exchange *x, struct task *t, uint16_t error);
void ike_refused_rekey_child(struct exchange *x, struct task *t, uint16_t error);
void ike_refused_rekey_ike(struct exchange *x, struct task *t, uint16_t error);
/* Asking again is not pointless after a pause. */
bool ike_again_create_child(struct exchange *x, struct task *t);
bool ike_again_rekey_child(struct exchange *x, struct task *t);
bool ike_again_rekey_ike(struct exchange *x, struct task *t);

#endif
