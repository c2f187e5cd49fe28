/* ike/followup_ke.c - IKE_FOLLOWUP_KE, both sides: additional key exchanges behind
 * CREATE_CHILD_SA (RFC 9370 2.2.4).
 *
 *	initiator                                   responder
 *	CREATE_CHILD_SA SK{SA, Ni, KEi, ...}  -->
 *	                                      <--  SK{SA, Nr, KEr, ..., N(link1)}
 *	SK{KEi(1), N(link1)}                  -->
 *	                                      <--  SK{KEr(1), N(link2)}
 *	SK{KEi(2), N(link2)}                  -->
 *	                                      <--  SK{KEr(2)}
 *
 * N is ADDITIONAL_KEY_EXCHANGE, and what it says is the responder's own. What is made at the
 * end is in create_child.c, rekey_child.c and rekey_ike.c; refusals are in task.c.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
	FOLLOW_MS = 20000, /* "5-20 seconds of waiting time should be appropriate" */
	LINK_LEN = sizeof(uint64_t)
};

/* ---- values */

void ike_seed_begin(struct ike_seed *s, const struct secret *shared,
	const struct nonce *ni, const struct nonce *nr)
{
	memcpy(s->b, shared->b, shared->len);
	s->len = shared->len;
	s->len += nonce_join(ni, nr, s->b + s->len);
}

void ike_seed_add(struct ike_seed *s, const struct secret *shared)
{
	assert(shared->len <= sizeof(s->b) - s->len);
	memcpy(s->b + s->len, shared->b, shared->len);
	s->len += shared->len;
}

struct span ike_seed_span(const struct ike_seed *s)
{
	return span_of(s->b, s->len);
}

void ike_seed_wipe(struct ike_seed *s)
{
	wipe(s, sizeof(*s));
}

struct ike_follow *ike_follow_new(void)
{
	return mem_new(1, sizeof(struct ike_follow));
}

void ike_follow_free(struct ike_follow **f)
{
	if (!*f)
		return;
	kex_free((*f)->kex);
	wipe(*f, sizeof(**f));
	free(*f);
	*f = NULL;
}

const struct nonce *ike_follow_lower(const struct ike_follow *f)
{
	return nonce_lower(&f->ni, &f->nr);
}

static struct span link_of(const struct ike_follow *f)
{
	return span_of(f->link, f->link_len);
}

static bool is_last(const struct ike_follow *f)
{
	return ike_more_next(&f->more, f->next) == IKE_MORE_MAX;
}

static void write_ke(struct message *m, const struct kex *kex)
{
	struct wire_ke ke = {.group = kex_group(kex), .public = kex_public(kex)};

	ke_payload_write(message_payload(m, PAYLOAD_KE), &ke);
}

/* The public value, of the method whose turn it is. */
static bool read_ke(const struct exchange *x, uint16_t group, struct wire_ke *out)
{
	return ke_payload_read(payload_set_first(&x->in, PAYLOAD_KE)->body, out) ==
		       WIRE_OK &&
	       out->group == group;
}

/* ---- initiator */

/* The link comes back as it was. */
static bool take_link(const struct exchange *x, struct ike_follow *f)
{
	struct span link;

	if (!ike_notify_find(&x->in, N_ADDITIONAL_KEY_EXCHANGE, &link) ||
		link.len > sizeof(f->link))
		return false;
	f->link_len = (uint16_t)link.len;
	memcpy(f->link, link.at, link.len);
	return true;
}

bool ike_follow_ask(struct exchange *x, struct task *t, struct ike_follow *f)
{
	unsigned i = ike_more_next(&f->more, f->next);

	t->follow = f;
	kex_free(f->kex);
	f->kex = take_link(x, f) ? kex_new(f->more.ke[i], &x->e->entropy) : NULL;
	if (!f->kex) {
		ike_follow_free(&t->follow);
		return false;
	}
	struct message m = ike_request_begin(x->e, x->sa, IKE_FOLLOWUP_KE);
	write_ke(&m, f->kex);
	ike_notify_write(&m, N_ADDITIONAL_KEY_EXCHANGE, link_of(f));
	ike_request_send(x->e, x->sa, &m, IKE_FOLLOWUP_KE, false);
	return true;
}

/* False: no answer to what was asked. */
static bool take_answer(struct exchange *x, struct ike_follow *f)
{
	struct secret shared = {0};
	struct wire_ke ke;

	if (!f || !f->kex || !payload_set_has(&x->in, PAYLOAD_KE) ||
		!read_ke(x, kex_group(f->kex), &ke) ||
		kex_derive(f->kex, ke.public, &shared) != CRYPTO_OK)
		return false;
	ike_seed_add(&f->seed, &shared);
	secret_wipe(&shared);
	f->next = ike_more_next(&f->more, f->next) + 1;
	return true;
}

enum ike_verdict ike_on_followup_response(struct exchange *x)
{
	struct task *t = x->sa->task;
	struct ike_follow *f = t ? t->follow : NULL;

	if (take_answer(x, f)) {
		if (!is_last(f) && ike_follow_ask(x, t, f))
			return VERDICT_STAY;
		if (t->follow && is_last(f))
			return f->child != 0 ? ike_child_followed(x, t)
					     : ike_rekey_ike_followed(x, t);
	}
	ike_note(x->e, x->from, x->sa->id,
		"the peer's answer to an additional key exchange does not fit to what "
		"was "
		"asked");
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, 0);
	return VERDICT_DELETE;
}

/* RFC 7296 2.8: the peer has a new IKE SA, and our Delete of the old one says nothing of it. */
enum ike_verdict ike_on_followup_late(struct exchange *x)
{
	struct task *t = x->sa->task;
	struct ike_follow *f = t ? t->follow : NULL;

	if (f && f->child == 0 && take_answer(x, f) && is_last(f))
		ike_rekey_ike_give_back(x, f);
	return ike_on_response_deleting(x);
}

/* ---- responder */

/* Which exchange is meant: drawn for each, so that one that is over is not taken for it. */
static void say_link(struct exchange *x, struct ike_follow *f)
{
	f->link_len = LINK_LEN;
	entropy_fill(&x->e->entropy, f->link, LINK_LEN);
	f->due_ms = x->e->now_ms + FOLLOW_MS;
	ike_reply_notify(x, N_ADDITIONAL_KEY_EXCHANGE, link_of(f));
}

void ike_follow_wait(struct exchange *x, struct ike_follow *f)
{
	assert(!x->sa->follow);
	x->sa->follow = f;
	say_link(x, f);
}

void ike_follow_drop(struct ike_engine *e, struct ike_sa *sa)
{
	struct child *c = sa->follow ? ike_child_by_id(e, sa->follow->child) : NULL;

	if (!sa->follow)
		return;
	ike_follow_free(&sa->follow);
	if (c)
		ike_child_down(e, c, IKE_CLOSE_DELETED_BY_PEER);
	ike_timer_update(e, sa);
}

bool ike_follow_makes_ike(const struct ike_sa *sa)
{
	return sa->follow && sa->follow->child == 0;
}

uint64_t ike_follow_due_ms(const struct ike_sa *sa)
{
	return sa->follow ? sa->follow->due_ms : IKE_NEVER;
}

/* "an error notification that is not fatal to the IKE SA" */
enum ike_verdict ike_on_followup_unknown(struct exchange *x)
{
	ike_reply_notify(x, N_STATE_NOT_FOUND, span_of(NULL, 0));
	return VERDICT_STAY;
}

static bool is_waited_for(const struct exchange *x, const struct ike_follow *f)
{
	struct span link;

	return f && ike_notify_find(&x->in, N_ADDITIONAL_KEY_EXCHANGE, &link) &&
	       span_equal(link, link_of(f));
}

/* False: another method, or no valid public value. */
static bool answer_ke(struct exchange *x, struct ike_follow *f)
{
	unsigned i = ike_more_next(&f->more, f->next);
	struct secret shared = {0};
	struct wire_ke ke;
	struct kex *kex;

	if (!read_ke(x, f->more.ke[i], &ke) ||
		kex_answer(ke.group, &x->e->entropy, ke.public, &shared, &kex) !=
			CRYPTO_OK)
		return false;
	ike_seed_add(&f->seed, &shared);
	secret_wipe(&shared);
	write_ke(&x->out, kex);
	kex_free(kex);
	f->next = i + 1;
	return true;
}

enum ike_verdict ike_on_followup_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	if (!is_waited_for(x, sa->follow))
		return ike_on_followup_unknown(x);
	if (!answer_ke(x, sa->follow)) {
		ike_follow_drop(x->e, sa);
		return ike_refuse_malformed(x);
	}
	if (!is_last(sa->follow)) {
		say_link(x, sa->follow);
		return VERDICT_STAY;
	}
	return sa->follow->child != 0 ? ike_child_follow_answered(x)
				      : ike_rekey_ike_follow_answered(x);
}
