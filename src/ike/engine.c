/* ike/engine.c - the engine: its SAs, its public calls, its clock.
 *
 * An SA is found by the SPI that we drew (RFC 7296 2.6), by its id, and while it is half
 * open by what the initiator asked. Leaves messages to dispatch.c and to the exchanges.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum { ANSWERS_PER_SECOND = 20000, DEFAULT_GIVE_UP_MS = 30000 };

static const struct ike_limits default_limits = {.half_open = 1000,
	.half_open_per_addr = 16,
	.cookie_above = 100,
	.established = 20000};

static bool limits_unset(const struct ike_limits *l)
{
	return l->half_open == 0 && l->half_open_per_addr == 0 && l->cookie_above == 0 &&
	       l->established == 0;
}

struct ike_engine *ike_new(const struct ike_params *p, const struct ike_host *host)
{
	struct ike_engine *e = mem_new(1, sizeof(*e));

	e->entropy = p->entropy;
	e->host = *host;
	e->limits = limits_unset(&p->limits) ? default_limits : p->limits;
	e->member = p->member;
	e->cookie_secret = p->cookie_secret;
	if (e->cookie_secret.len == 0) {
		e->cookie_secret.len = SHA256_LEN;
		entropy_fill(&e->entropy, e->cookie_secret.b, SHA256_LEN);
	}
	rate_init(&e->stateless, ANSWERS_PER_SECOND, ANSWERS_PER_SECOND, 0);
	list_init(&e->sas);
	list_init(&e->half_open);
	list_init(&e->gone);
	e->by_spi = map_new(&e->entropy);
	e->by_init = map_new(&e->entropy);
	e->by_id = map_new(&e->entropy);
	e->by_pair = map_new(&e->entropy);
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
	free(e->heap);
	wipe(e, sizeof(*e));
	free(e);
}

/* ---- SAs */

static struct span key_u64(const uint64_t *v)
{
	return span_of(v, sizeof(*v));
}

static struct span key_u32(const uint32_t *v)
{
	return span_of(v, sizeof(*v));
}

/* The upper octet is the member's: SPIs of a cluster do not collide. */
static uint64_t draw_spi(struct ike_engine *e)
{
	for (;;) {
		uint64_t spi = (uint64_t)e->member << 56 | entropy_u64(&e->entropy) >> 8;

		if (spi != 0 && !ike_sa_by_spi(e, spi))
			return spi;
	}
}

struct ike_sa *ike_sa_new(
	struct ike_engine *e, const struct ike_path *path, bool initiator)
{
	struct ike_sa *sa = mem_new(1, sizeof(*sa));

	if (++e->last_id == 0)
		e->last_id = 1;
	sa->id = e->last_id;
	sa->initiator = initiator;
	sa->path = *path;
	sa->own_spi = draw_spi(e);
	if (initiator)
		sa->spi_i = sa->own_spi;
	sa->iv_prefix = (uint64_t)e->member << 56;
	sa->created_ms = e->now_ms;
	sa->expire_ms = IKE_NEVER;
	sa->crossing.due_ms = IKE_NEVER;
	sa->failure.close = IKE_CLOSE_TIMEOUT;
	list_add(&e->sas, &sa->all);
	list_init(&sa->half);
	list_init(&sa->kin);
	map_put(e->by_spi, key_u64(&sa->own_spi), sa);
	map_put(e->by_id, key_u32(&sa->id), sa);
	return sa;
}

void ike_sa_free(struct ike_engine *e, struct ike_sa *sa)
{
	struct span init_key = span_of(sa->init_key, SHA256_LEN);

	ike_timer_remove(e, sa);
	list_del(&sa->all);
	list_del(&sa->half);
	e->n_gone -= sa->state == STATE_GONE && sa->lingers;
	ike_pair_leave(e, sa);
	map_take(e->by_spi, key_u64(&sa->own_spi));
	map_take(e->by_id, key_u32(&sa->id));
	if (map_get(e->by_init, init_key) == sa)
		map_take(e->by_init, init_key);
	ike_keys_forget_init(sa);
	ike_child_free(sa);
	aead_free(sa->seal);
	aead_free(sa->open);
	octets_free(&sa->out.bytes);
	octets_free(&sa->response);
	free(sa->conn);
	wipe(sa, sizeof(*sa));
	free(sa);
}

struct ike_sa *ike_sa_by_spi(const struct ike_engine *e, uint64_t own_spi)
{
	return map_get(e->by_spi, key_u64(&own_spi));
}

static struct ike_sa *find(const struct ike_engine *e, uint32_t id)
{
	struct ike_sa *sa = map_get(e->by_id, key_u32(&id));

	return sa && sa->state != STATE_GONE ? sa : NULL;
}

void ike_sa_info(const struct ike_sa *sa, struct ike_info *out)
{
	bool up = sa->state == STATE_UP;

	*out = (struct ike_info){
		.id = sa->id,
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.initiator = sa->initiator,
		.established = up,
		.replaced = sa->replaced,
		.state = ike_state_name(sa->state),
		.path = sa->path,
		.suite = sa->suite,
		.nat_local = sa->nat_local,
		.nat_remote = sa->nat_remote,
		.encap = ike_natd_encap(sa),
		.peer_nlbs = sa->announced && sa->peer_nlbs,
		.peer_is_vipsec = sa->announced && sa->peer_is_vipsec,
		.since_ms = sa->announced ? sa->established_ms : sa->created_ms,
		.last_in_ms = sa->last_in_ms,
		.unanswered_since_ms = sa->out.bytes.len > 0 ? sa->out.first_ms : 0,
		.child = sa->child_is_up ? sa->child->id : 0,
	};
	if (sa->conn) {
		out->rule = sa->conn->rule;
		out->local_id = sa->conn->local_id;
		out->remote_id = sa->conn->remote_id;
	} else {
		out->remote_id = sa->claimed;
	}
}

/* ---- the public calls */

uint32_t ike_initiate(struct ike_engine *e, uint64_t now_ms, const struct ike_conn *c)
{
	e->now_ms = now_ms;
	struct ike_sa *sa = ike_sa_new(e, &c->path, true);

	sa->conn = mem_new(1, sizeof(*sa->conn));
	*sa->conn = *c;
	if (!c->remote_any)
		ike_pair_join(e, sa);
	sa->expire_ms = now_ms + (c->give_up_ms > 0 ? c->give_up_ms : DEFAULT_GIVE_UP_MS);
	ike_command(e, sa, COMMAND_CALL, 0, 0);
	return sa->id;
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

enum ike_err ike_delete(struct ike_engine *e, uint64_t now_ms, uint32_t id,
	uint64_t wait_ms, unsigned copies)
{
	struct ike_sa *sa = find(e, id);

	e->now_ms = now_ms;
	if (!sa)
		return IKE_NOT_FOUND;
	if (sa->state == STATE_UP) {
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
	struct ike_sa *sa = find(e, id);

	e->now_ms = now_ms;
	if (!sa)
		return IKE_NOT_FOUND;
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

		if (sa->path.scope == scope)
			ike_pair_leave(e, sa);
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

/* RFC 7296 2.4: any request of ours that is answered proves that the peer is alive. */
enum ike_err ike_probe(struct ike_engine *e, uint64_t now_ms, uint32_t id)
{
	struct ike_sa *sa = find(e, id);

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
	struct ike_sa *sa = find(e, id);

	if (!sa)
		return IKE_NOT_FOUND;
	if (sa->state != STATE_UP)
		return IKE_NOT_READY;
	sa->path.remote = *remote;
	return IKE_OK;
}

void ike_used(struct ike_engine *e, uint32_t id, uint64_t used_ms)
{
	struct ike_sa *sa = find(e, id);

	if (sa && sa->crossing.used_ms < used_ms)
		sa->crossing.used_ms = used_ms;
}

/* One deadline of the SA that is due; it may be gone afterwards. */
static void serve(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->expire_ms <= e->now_ms) {
		ike_expire(e, sa);
	} else if (sa->out.bytes.len > 0 && sa->out.due_ms <= e->now_ms) {
		ike_retransmit_due(e, sa);
		ike_timer_update(e, sa);
	} else {
		ike_crossing_due(e, sa);
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
	const struct ike_sa *sa = find(e, id);

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
