/* ike/engine.c - the engine: its public calls, its clock.
 *
 * Calls that ask something of the peer for a child, or rekey, are in ask.c. Leaves messages
 * to dispatch.c and to the exchanges.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
	ANSWERS_PER_SECOND = 20000,
	DEFAULT_GIVE_UP_MS = 30000,
	GOODBYE_WAIT_MS = 2000, /* of an IKE SA without children */
	PIECES_OCTETS = 32 << 20,
	PIECES_OCTETS_UNPROVED = 8 << 20, /* of strangers, and as much of friends */
	PIECES_OCTETS_OF_ORIGIN = 1 << 20,
	FRIENDS_WORK = 4 /* times that of strangers, before they are asked for cookies */
};

static const struct ike_limits default_limits = {.half_open = 1000,
	.half_open_per_addr = 16,
	.cookie_above = 100,
	.established = 20000,
	.children = 64,
	.creates = 200,
	.creates_per_second = 2,
	.work_per_second = 4000};

static bool limits_unset(const struct ike_limits *l)
{
	return l->half_open == 0 && l->half_open_per_addr == 0 && l->cookie_above == 0 &&
	       l->established == 0;
}

static void set_limits(struct ike_limits *out, const struct ike_limits *asked)
{
	*out = limits_unset(asked) ? default_limits : *asked;
	if (out->children == 0)
		out->children = default_limits.children;
	if (out->creates == 0) {
		out->creates = default_limits.creates;
		out->creates_per_second = default_limits.creates_per_second;
	}
	if (out->work_per_second == 0)
		out->work_per_second = default_limits.work_per_second;
}

/* Keyed by the cookie secret, which no stranger knows either: nothing is drawn for it, so a
 * seed of the simulator stays the run that it was. */
static struct map *map_of_origins(const struct ike_engine *e)
{
	struct reader r = rd_over(secret_span(&e->cookie_secret));
	struct seeded_entropy seed;
	struct entropy from = entropy_seeded(&seed, rd_u64(&r));

	return map_new(&from);
}

static void start_rates(struct ike_engine *e)
{
	unsigned work = e->limits.work_per_second;

	rate_init(&e->stateless, ANSWERS_PER_SECOND, ANSWERS_PER_SECOND, 0);
	rate_init(&e->work[false], FRIENDS_WORK * work, FRIENDS_WORK * work, 0);
	rate_init(&e->work[true], work, work, 0);
}

struct ike_engine *ike_new(const struct ike_params *p, const struct ike_host *host)
{
	struct ike_engine *e = mem_new(1, sizeof(*e));

	e->entropy = p->entropy;
	e->host = *host;
	set_limits(&e->limits, &p->limits);
	e->member = p->member;
	e->fragment_size = IKE_FRAGMENT_SIZE;
	e->pieces_max[SHARE_PROVED] = PIECES_OCTETS;
	e->pieces_max[SHARE_STRANGERS] = PIECES_OCTETS_UNPROVED;
	e->pieces_max[SHARE_FRIENDS] = PIECES_OCTETS_UNPROVED;
	e->pieces_of_origin_max = PIECES_OCTETS_OF_ORIGIN;
	e->cookie_secret = p->cookie_secret;
	e->revocations = p->revocations;
	if (e->cookie_secret.len == 0) {
		e->cookie_secret.len = SHA256_LEN;
		entropy_fill(&e->entropy, e->cookie_secret.b, SHA256_LEN);
	}
	start_rates(e);
	list_init(&e->sas);
	list_init(&e->half_open);
	list_init(&e->gone);
	e->by_spi = map_new(&e->entropy);
	e->by_init = map_new(&e->entropy);
	e->by_id = map_new(&e->entropy);
	e->by_pair = map_new(&e->entropy);
	e->by_origin = map_of_origins(e);
	e->by_child = map_new(&e->entropy);
	return e;
}

void ike_free(struct ike_engine *e)
{
	if (!e)
		return;
	list_each_safe(item, &e->sas)
		ike_sa_free(e, list_entry(item, struct ike_sa, all));
	map_free(e->by_spi);
	map_free(e->by_init);
	map_free(e->by_id);
	map_free(e->by_pair);
	map_free(e->by_origin);
	map_free(e->by_child);
	free(e->heap);
	wipe(e, sizeof(*e));
	free(e);
}

/* ---- the public calls */

uint32_t ike_initiate(struct ike_engine *e, uint64_t now_ms, const struct ike_conn *c)
{
	e->now_ms = now_ms;
	struct ike_sa *sa = ike_sa_new(e, &c->path, true);

	sa->known = true;
	sa->conn = mem_new(1, sizeof(*sa->conn));
	*sa->conn = *c;
	ike_conn_keep(sa->conn);
	if (!c->remote_any)
		ike_pair_join(e, sa);
	sa->give_up_ms =
		now_ms + (c->give_up_ms > 0 ? c->give_up_ms : DEFAULT_GIVE_UP_MS);
	sa->expire_ms = sa->give_up_ms;
	ike_command(e, sa, COMMAND_CALL, 0, 0);
	return sa->id;
}

void ike_set_wall(struct ike_engine *e, int64_t wall_s)
{
	e->wall_s = wall_s;
}

void ike_fetched(struct ike_engine *e, uint64_t now_ms)
{
	e->now_ms = now_ms;
	list_each_safe(item, &e->sas)
	{
		struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		if (sa->waits && sa->out.bytes.len > 0)
			ike_retransmit_now(e, sa);
		sa->waits = false;
	}
}

/* A second Delete command can only shorten the wait of the first. */
static void hurry(
	struct ike_engine *e, struct ike_sa *sa, uint64_t wait_ms, unsigned copies)
{
	uint64_t until = e->now_ms + wait_ms;

	if (copies > 1 && sa->copies_left == 0 && sa->out.bytes.len > 0) {
		ike_retransmit_now(e, sa);
		ike_retransmit_copies(e, sa, copies);
	} else if (until < sa->expire_ms) {
		sa->expire_ms = until;
	}
	ike_timer_update(e, sa);
}

/* While it is being rekeyed the peer may have moved on, or not yet: it is told on both. */
static void delete_kin(
	struct ike_engine *e, struct ike_sa *sa, uint64_t wait_ms, unsigned copies)
{
	struct ike_sa *kin[] = {
		sa->rival, sa->predecessor && sa->predecessor->state == STATE_REKEYED
				   ? sa->predecessor
				   : NULL};

	if (sa->rival)
		ike_rival_gives_up(sa->rival); /* they may end in any order */
	for (size_t i = 0; i < sizeof(kin) / sizeof(kin[0]); i++) {
		if (!kin[i])
			continue;
		ike_fail(kin[i], IKE_CLOSE_REPLACED, IKE_WHY_NONE, 0);
		ike_command(e, kin[i], COMMAND_DELETE, wait_ms, copies);
	}
}

enum ike_err ike_delete(struct ike_engine *e, uint64_t now_ms, uint32_t id,
	uint64_t wait_ms, unsigned copies)
{
	struct ike_sa *sa = ike_sa_by_id(e, id);

	e->now_ms = now_ms;
	if (!sa)
		return IKE_NOT_FOUND;
	if (sa->state == STATE_UP || sa->state == STATE_REKEYED) {
		delete_kin(e, sa, wait_ms, copies);
		ike_fail(sa, IKE_CLOSE_DELETED_BY_US, IKE_WHY_NONE, 0);
		ike_command(e, sa, COMMAND_DELETE, wait_ms, copies);
	} else if (sa->state == STATE_DELETING) {
		hurry(e, sa, wait_ms, copies);
	} else {
		ike_fail(sa, IKE_CLOSE_DELETED_BY_US, IKE_WHY_NONE, 0);
		ike_close(e, sa);
	}
	return IKE_OK;
}

enum ike_err ike_forget(struct ike_engine *e, uint64_t now_ms, uint32_t id)
{
	struct ike_sa *sa = ike_sa_by_id(e, id);

	e->now_ms = now_ms;
	if (!sa)
		return IKE_NOT_FOUND;
	if (sa->predecessor && !ike_is_rival(sa))
		ike_close(e, sa->predecessor);
	ike_fail(sa, IKE_CLOSE_FORGOTTEN, IKE_WHY_NONE, 0);
	ike_close(e, sa);
	return IKE_OK;
}

void ike_forget_scope(struct ike_engine *e, uint64_t now_ms, uint16_t scope)
{
	e->now_ms = now_ms;
	/* None of them inherits from another, and none is probed for it. */
	list_each(item, &e->sas)
	{
		struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		if (sa->path.scope != scope)
			continue;
		ike_pair_leave(e, sa);
		sa->rival = sa->heir = sa->predecessor = NULL;
	}
	list_each_safe(item, &e->sas)
	{
		struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		if (sa->path.scope != scope)
			continue;
		if (sa->state == STATE_GONE) {
			ike_sa_free(e, sa);
			continue;
		}
		ike_fail(sa, IKE_CLOSE_FORGOTTEN, IKE_WHY_NONE, 0);
		ike_close(e, sa);
	}
}

/* ---- probing, moving, time */

/* RFC 7296 2.4: any request of ours that is answered proves that the peer is alive. */
enum ike_err ike_probe(struct ike_engine *e, uint64_t now_ms, uint32_t id)
{
	struct ike_sa *sa = ike_sa_by_id(e, id);

	e->now_ms = now_ms;
	if (!sa)
		return IKE_NOT_FOUND;
	if (sa->state != STATE_UP)
		return IKE_NOT_READY;
	if (sa->out.bytes.len > 0)
		ike_retransmit_now(e, sa);
	else
		ike_probe_now(e, sa);
	return IKE_OK;
}

enum ike_err ike_move(struct ike_engine *e, uint32_t id, const struct endpoint *remote)
{
	struct ike_sa *sa = ike_sa_by_id(e, id);

	if (!sa)
		return IKE_NOT_FOUND;
	if (sa->state != STATE_UP)
		return IKE_NOT_READY;
	ike_sa_move(sa, remote);
	return IKE_OK;
}

void ike_used(struct ike_engine *e, uint32_t id, uint64_t used_ms)
{
	struct ike_sa *sa = ike_sa_by_id(e, id);

	if (sa && sa->crossing.used_ms < used_ms)
		sa->crossing.used_ms = used_ms;
}

static void end_childless(struct ike_engine *e, struct ike_sa *sa)
{
	ike_fail(sa, sa->childless_why, IKE_WHY_NONE, 0);
	ike_command(e, sa, COMMAND_DELETE, GOODBYE_WAIT_MS, 1);
}

/* One deadline of the SA that is due; it may be gone afterwards. */
static void serve(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->expire_ms <= e->now_ms) {
		ike_expire(e, sa);
	} else if (ike_ids_used_up(sa)) {
		ike_ids_close(e, sa);
	} else if (sa->out.bytes.len > 0 && sa->out.due_ms <= e->now_ms) {
		ike_retransmit_due(e, sa);
		ike_timer_update(e, sa);
	} else if (ike_pieces_due(sa) <= e->now_ms) {
		ike_pieces_expire(e, sa);
	} else if (ike_follow_due_ms(sa) <= e->now_ms) {
		ike_follow_drop(e, sa);
	} else if (sa->crossing.due_ms <= e->now_ms) {
		ike_crossing_due(e, sa);
	} else if (sa->childless_ms <= e->now_ms) {
		end_childless(e, sa);
	} else {
		ike_children_due(e, sa);
		ike_task_next(e, sa);
	}
}

void ike_tick(struct ike_engine *e, uint64_t now_ms)
{
	struct ike_sa *sa;

	e->now_ms = now_ms;
	while ((sa = ike_timer_first(e)) && sa->timer_ms <= now_ms)
		serve(e, sa);
}

uint64_t ike_next_due_ms(const struct ike_engine *e)
{
	const struct ike_sa *sa = ike_timer_first(e);

	return sa ? sa->timer_ms : IKE_NEVER;
}

bool ike_view(const struct ike_engine *e, uint32_t id, struct ike_info *out)
{
	const struct ike_sa *sa = ike_sa_by_id(e, id);

	if (sa)
		ike_sa_info(sa, out);
	return sa != NULL;
}

void ike_each(const struct ike_engine *e, bool (*each)(const struct ike_info *, void *),
	void *ctx)
{
	list_each(item, &e->sas)
	{
		const struct ike_sa *sa = list_entry(item, struct ike_sa, all);
		struct ike_info info;

		if (sa->state == STATE_GONE)
			continue;
		ike_sa_info(sa, &info);
		if (!each(&info, ctx))
			return;
	}
}

size_t ike_count_half_open(const struct ike_engine *e)
{
	return e->n_half_open;
}

void ike_counters(const struct ike_engine *e, struct ike_counters *out)
{
	*out = e->counters;
}
