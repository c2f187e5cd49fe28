/* ike/child.c - the children of an IKE SA as values: birth, state, end (RFC 7296 2.8, 2.17).
 *
 * Keys are in memory here only until the host has taken them. What is asked and answered
 * is in create_child.c, rekey_child.c and informational.c; which traffic, in selectors.c.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
	REPLACED_MS = 60000, /* the peer should have deleted it by then */
	PARTING_MS = 1000, /* what has left on it has arrived by then */
	CROSSED_MS = 5000, /* the same, or we know by then that it has not noticed */
	CHILDLESS_MS = 10000
};

#define NO_REQUEST UINT32_MAX

static struct child *child_of(struct list *item)
{
	return list_entry(item, struct child, link);
}

static struct span id_span(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

static void enter(struct child *c, enum child_state state)
{
	c->state = state;
	c->due_ms = IKE_NEVER;
}

struct child *ike_child_new(struct ike_engine *e, struct ike_sa *sa,
	const struct ike_conn *what, bool initiator)
{
	struct child *c = mem_new(1, sizeof(*c));

	if (++e->last_child == 0)
		e->last_child = 1;
	c->sa = sa;
	c->proposals = what->proposals;
	if (ike_natd_encap(sa))
		ike_suites_without_ah(&c->proposals);
	c->is = (struct ike_child){.ike = sa->id,
		.id = e->last_child,
		.rule = what->rule,
		.spi_in = e->host.new_spi(e->host.ctx, initiator),
		.mode = what->mode,
		.initiator = initiator,
		.local_ts = what->local_ts,
		.remote_ts = what->remote_ts};
	enter(c, CHILD_ASKED);
	c->born_in = initiator ? NO_REQUEST : sa->next_in;
	list_add(&sa->children, &c->link);
	sa->n_children++;
	sa->childless_ms = IKE_NEVER;
	map_put(e->by_child, id_span(&c->is.id), c);
	return c;
}

void ike_child_free(struct ike_engine *e, struct child *c)
{
	c->sa->n_children--;
	c->sa->n_known -= c->known;
	list_del(&c->link);
	map_take(e->by_child, id_span(&c->is.id));
	wipe(c, sizeof(*c));
	free(c);
}

struct child *ike_child_by_id(const struct ike_engine *e, uint32_t id)
{
	return map_get(e->by_child, id_span(&id));
}

uint8_t ike_child_protocol(const struct child *c)
{
	return c->is.ah ? PROTO_AH : PROTO_ESP;
}

struct child *ike_child_by_spi_out(
	const struct ike_sa *sa, uint8_t protocol, uint32_t spi)
{
	list_each(item, &sa->children)
	{
		struct child *c = child_of(item);

		if (c->is.spi_out == spi && c->state != CHILD_ASKED &&
			ike_child_protocol(c) == protocol)
			return c;
	}
	return NULL;
}

struct child *ike_child_first(const struct ike_sa *sa)
{
	return list_empty(&sa->children) ? NULL : child_of(sa->children.next);
}

/* ---- up and down */

void ike_child_complete(
	struct child *c, const struct esp_choice *choice, const struct ike_seed *seed)
{
	const struct ike_sa *sa = c->sa;

	c->is.path = sa->path;
	c->is.spi_out = choice->spi;
	c->is.ah = choice->ah;
	c->is.alg = choice->alg;
	c->is.esn = choice->esn;
	c->is.pfs = choice->group;
	c->is.pfs_more = choice->more;
	c->is.encap = ike_natd_encap(sa) && !choice->ah;
	c->is.nat_local = sa->nat_local;
	c->is.nat_remote = sa->nat_remote;
	ike_keys_child(sa, &c->is, seed);
}

void ike_child_up(struct ike_engine *e, struct child *c)
{
	assert(c->is.alg != AEAD_NONE && !c->known);
	enter(c, CHILD_UP);
	c->known = c->sa->had_child = true;
	c->born_ms = e->now_ms;
	if (!c->is.initiator) /* it came with the last of its key exchanges */
		c->born_in = c->sa->next_in;
	c->sa->n_known++;
	e->host.child_up(e->host.ctx, &c->is);
	secret_wipe(&c->is.key_in);
	secret_wipe(&c->is.key_out);
}

/* An SA without a child is of no use for long; somebody may still want one. One that the
 * peer began so it means to keep; of ours the first child was refused. */
static void check_childless(
	const struct ike_engine *e, struct ike_sa *sa, enum ike_close why)
{
	if (sa->state != STATE_UP || sa->n_children > 0 ||
		(sa->childless && !sa->mobike.ours))
		return;
	sa->childless_ms = e->now_ms + (sa->had_child ? CHILDLESS_MS : 0);
	sa->childless_why = why;
}

void ike_child_down(struct ike_engine *e, struct child *c, enum ike_close why)
{
	struct ike_sa *sa = c->sa;
	uint32_t id = c->is.id;
	bool known = c->known;

	ike_child_free(e, c);
	if (known)
		e->host.child_down(e->host.ctx, sa->id, id, why);
	check_childless(e, sa, why);
}

void ike_children_down(struct ike_engine *e, struct ike_sa *sa, enum ike_close why)
{
	/* The newest first: with what it is to replace gone, it would be sent on for a moment. */
	while (!list_empty(&sa->children)) {
		struct child *c = child_of(sa->children.prev);

		ike_child_down(e, c, c->state > CHILD_REKEYING ? c->why : why);
	}
}

/* ---- the ways of its life */

void ike_child_rekeying(struct child *c, bool yes)
{
	if (yes && c->state == CHILD_UP)
		enter(c, CHILD_REKEYING);
	if (!yes && c->state == CHILD_REKEYING)
		enter(c, CHILD_UP);
}

void ike_child_replaced(struct ike_engine *e, struct child *c)
{
	if (c->state == CHILD_DELETING)
		return;
	enter(c, CHILD_REPLACED);
	c->why = IKE_CLOSE_REPLACED;
	c->due_ms = e->now_ms + REPLACED_MS;
	c->made_in = c->sa->next_in;
}

void ike_child_parting(struct ike_engine *e, struct child *c)
{
	if (c->state == CHILD_DELETING)
		return;
	ike_child_replaced(e, c);
	c->made_in = NO_REQUEST;
	c->due_ms = e->now_ms + PARTING_MS;
}

/* Who has made a further child need not have noticed that we asked, too: our request may
 * have come long after its own was answered. Then it is ours to delete, as any is not
 * before the peer is known to have it; if it has noticed, it does so itself, and soon. */
void ike_child_crossed(struct ike_engine *e, struct child *c)
{
	ike_child_replaced(e, c);
	c->made_in = c->born_in;
	c->due_ms = e->now_ms + CROSSED_MS;
}

void ike_child_deleting(struct child *c, enum ike_close why)
{
	if (c->state == CHILD_DELETING)
		return;
	enter(c, CHILD_DELETING);
	c->why = why;
}

uint64_t ike_children_due_ms(const struct ike_sa *sa)
{
	uint64_t due = IKE_NEVER;

	list_each(item, &sa->children)
	{
		const struct child *c = child_of(item);

		if (c->due_ms < due)
			due = c->due_ms;
	}
	return due;
}

/* With a window of one, a later request of the peer shows that it has our response to an
 * earlier one (RFC 7296 2.3). Before that it may not have the child that was made, and the
 * one that was replaced may be all it has. */
static bool has_answer(const struct ike_sa *sa, uint32_t request)
{
	return request == NO_REQUEST || sa->next_in != request + 1;
}

void ike_child_shared(struct child *c)
{
	c->born_in = NO_REQUEST;
}

bool ike_child_is_shared(
	const struct ike_engine *e, const struct child *c, uint64_t silent_ms)
{
	uint64_t since_ms =
		c->sa->answered_ms > c->born_ms ? c->sa->answered_ms : c->born_ms;

	return has_answer(c->sa, c->born_in) || e->now_ms - since_ms >= silent_ms;
}

/* The first child comes with the IKE SA, unless that began without; and whoever has that
 * has both. */
bool ike_peer_has_child(const struct ike_engine *e, uint32_t child)
{
	const struct child *c = ike_child_by_id(e, child);

	return !c || ike_child_is_shared(e, c, SHARED_SURELY_MS) ||
	       (c == ike_child_first(c->sa) && !c->sa->is_heir && !c->sa->childless &&
		       c->sa->confirmed);
}

void ike_children_due(struct ike_engine *e, struct ike_sa *sa)
{
	list_each_safe(item, &sa->children)
	{
		struct child *c = child_of(item);

		if (c->due_ms > e->now_ms)
			continue;
		c->due_ms = e->now_ms + CROSSED_MS;
		if (!has_answer(c->sa, c->made_in))
			continue;
		ike_child_deleting(c, IKE_CLOSE_REPLACED);
		ike_task_add(e, sa, TASK_DELETE_CHILD, c->is.id);
	}
}

void ike_children_move(struct ike_sa *from, struct ike_sa *to)
{
	list_each_safe(item, &from->children)
	{
		struct child *c = child_of(item);

		list_del(&c->link);
		list_add(&to->children, &c->link);
		c->sa = to;
		c->is.ike = to->id;
		/* Nobody rekeys the IKE SA while a child's exchange is open (2.25.1): the
		 * peer has our answer. */
		c->made_in = c->born_in = NO_REQUEST;
	}
	to->n_children += from->n_children;
	to->n_known += from->n_known;
	from->n_children = from->n_known = 0;
}
