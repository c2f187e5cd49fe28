/* ike/timer.c - which SA is due next: a binary heap with one entry an SA.
 *
 * An SA has several deadlines (retransmission, expiry, end of a crossing loser, a task that
 * waits, its children's); its entry is the earliest. Ties go to the older SA, so a run repeats for a seed.
 *
 * Leaves what is done at a deadline to ike_tick() in engine.c.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static uint64_t due_of(const struct ike_sa *sa)
{
	uint64_t due = sa->expire_ms;

	if (sa->out.bytes.len > 0 && sa->out.due_ms < due)
		due = sa->out.due_ms;
	const uint64_t others[] = {sa->crossing.due_ms, sa->childless_ms,
		ike_task_due_ms(sa), ike_children_due_ms(sa), ike_pieces_due(sa),
		ike_follow_due_ms(sa)};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] < due)
			due = others[i];
	return ike_ids_used_up(sa) ? 0 : due;
}

static bool earlier(const struct ike_sa *a, const struct ike_sa *b)
{
	if (a->timer_ms != b->timer_ms)
		return a->timer_ms < b->timer_ms;
	return a->id < b->id;
}

static void put(struct ike_engine *e, size_t at, struct ike_sa *sa)
{
	e->heap[at] = sa;
	sa->timer = at;
}

static void sift_up(struct ike_engine *e, struct ike_sa *sa)
{
	size_t at = sa->timer;

	for (; at > 1 && earlier(sa, e->heap[at / 2]); at /= 2)
		put(e, at, e->heap[at / 2]);
	put(e, at, sa);
}

static void sift_down(struct ike_engine *e, struct ike_sa *sa)
{
	size_t at = sa->timer;

	for (;;) {
		size_t child = 2 * at;

		if (child > e->n_heap)
			break;
		if (child < e->n_heap && earlier(e->heap[child + 1], e->heap[child]))
			child++;
		if (!earlier(e->heap[child], sa))
			break;
		put(e, at, e->heap[child]);
		at = child;
	}
	put(e, at, sa);
}

static void grow(struct ike_engine *e)
{
	if (e->n_heap + 1 < e->heap_cap)
		return;
	size_t cap = e->heap_cap ? 2 * e->heap_cap : 64;
	struct ike_sa **heap = mem_new(cap, sizeof(struct ike_sa *));

	if (e->heap)
		memcpy(heap, e->heap, e->heap_cap * sizeof(struct ike_sa *));
	free(e->heap);
	e->heap = heap;
	e->heap_cap = cap;
}

void ike_timer_remove(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->timer == 0)
		return;
	struct ike_sa *last = e->heap[e->n_heap--];
	size_t hole = sa->timer;

	sa->timer = 0;
	if (last == sa)
		return;
	put(e, hole, last);
	sift_up(e, last);
	sift_down(e, last);
}

void ike_timer_update(struct ike_engine *e, struct ike_sa *sa)
{
	uint64_t due = due_of(sa);

	if (due == IKE_NEVER) {
		ike_timer_remove(e, sa);
		return;
	}
	sa->timer_ms = due;
	if (sa->timer == 0) {
		grow(e);
		put(e, ++e->n_heap, sa);
	}
	sift_up(e, sa);
	sift_down(e, sa);
	assert(e->heap[sa->timer] == sa);
}

struct ike_sa *ike_timer_first(const struct ike_engine *e)
{
	return e->n_heap > 0 ? e->heap[1] : NULL;
}
