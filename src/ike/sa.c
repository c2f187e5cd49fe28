/* ike/sa.c - IKE SAs as values: birth, kin, end.
 *
 * An SA is found by the SPI that we drew (RFC 7296 2.6), by its id, and while it is half
 * open by what the initiator asked.
 */
#include "ike/sa.h"

#include <stdlib.h>

#include "base/mem.h"

static struct span key_u64(const uint64_t *v)
{
	return span_of(v, sizeof(*v));
}

static struct span key_u32(const uint32_t *v)
{
	return span_of(v, sizeof(*v));
}

/* The upper octet is the member's: SPIs of a cluster do not collide. */
uint64_t ike_sa_draw_spi(struct ike_engine *e)
{
	for (;;) {
		uint64_t spi = (uint64_t)e->member << 56 | entropy_u64(&e->entropy) >> 8;

		if (spi != 0 && !ike_sa_by_spi(e, spi))
			return spi;
	}
}

static struct ike_sa *new_sa(struct ike_engine *e, const struct ike_path *path,
	bool initiator, uint64_t own_spi)
{
	struct ike_sa *sa = mem_new(1, sizeof(*sa));

	if (++e->last_id == 0)
		e->last_id = 1;
	sa->id = e->last_id;
	sa->initiator = initiator;
	sa->path = *path;
	sa->own_spi = own_spi;
	if (initiator)
		sa->spi_i = sa->own_spi;
	sa->iv_prefix = (uint64_t)e->member << 56;
	sa->lineage = sa->id;
	sa->created_ms = e->now_ms;
	sa->expire_ms = IKE_NEVER;
	sa->auth_id = 1;
	sa->crossing.due_ms = IKE_NEVER;
	sa->childless_ms = IKE_NEVER;
	rate_init(
		&sa->creates, e->limits.creates, e->limits.creates_per_second, e->now_ms);
	sa->failure.close = IKE_CLOSE_TIMEOUT;
	list_add(&e->sas, &sa->all);
	list_init(&sa->half);
	list_init(&sa->kin);
	list_init(&sa->children);
	list_init(&sa->tasks);
	map_put(e->by_spi, key_u64(&sa->own_spi), sa);
	map_put(e->by_id, key_u32(&sa->id), sa);
	return sa;
}

struct ike_sa *ike_sa_new(
	struct ike_engine *e, const struct ike_path *path, bool initiator)
{
	return new_sa(e, path, initiator, ike_sa_draw_spi(e));
}

struct ike_sa *ike_sa_new_heir(
	struct ike_engine *e, const struct ike_sa *old, bool initiator, uint64_t own_spi)
{
	struct ike_sa *sa =
		new_sa(e, &old->path, initiator, own_spi ? own_spi : ike_sa_draw_spi(e));

	sa->is_heir = true;
	if (!initiator)
		sa->spi_r = sa->own_spi;
	sa->conn = mem_new(1, sizeof(*sa->conn));
	*sa->conn = *old->conn;
	ike_conn_keep(sa->conn);
	sa->claimed = old->claimed;
	sa->last_in_ms = old->last_in_ms;
	sa->proved_ms = old->proved_ms;
	sa->lineage = old->lineage;
	memcpy(sa->over, old->over, sizeof(sa->over));
	sa->n_over = old->n_over;
	sa->natd = old->natd;
	sa->nat_local = old->nat_local;
	sa->nat_remote = old->nat_remote;
	sa->forced = old->forced;
	sa->mobike = old->mobike;
	sa->childless = old->childless;
	sa->had_child = old->had_child;
	sa->settled = old->settled;
	sa->peer_redirects = old->peer_redirects;
	sa->redirectable = old->redirectable;
	sa->came_from = old->came_from;
	sa->fragments = old->fragments;
	sa->fragment_size = old->fragment_size;
	sa->peer_nlbs = old->peer_nlbs;
	sa->peer_is_vipsec = old->peer_is_vipsec;
	sa->ppk = old->ppk;
	sa->chain = chain_keep(old->chain);
	sa->confirmed = true; /* the peer is no stranger */
	ike_pair_join(e, sa);
	return sa;
}

void ike_sa_leave_kin(struct ike_sa *sa)
{
	struct ike_sa *old = sa->predecessor;

	if (old && old->heir == sa)
		old->heir = NULL;
	if (old && old->rival == sa)
		old->rival = NULL;
	if (sa->heir)
		sa->heir->predecessor = NULL;
	if (sa->rival)
		sa->rival->predecessor = NULL;
	sa->predecessor = sa->heir = sa->rival = NULL;
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
	ike_sa_leave_kin(sa);
	ike_tasks_drop(e, sa);
	ike_task_done(e, sa);
	ike_follow_free(&sa->follow);
	while (!list_empty(&sa->children))
		ike_child_free(e, ike_child_first(sa));
	ike_keys_turn(sa);
	aead_free(sa->seal);
	aead_free(sa->open);
	ike_retransmit_stop(sa);
	octets_free(&sa->response);
	ike_whole_free(&sa->response_whole);
	ike_pieces_free(e, &sa->pieces[0]);
	ike_pieces_free(e, &sa->pieces[1]);
	ike_origin_leave(e, sa);
	if (sa->conn)
		ike_conn_wipe(sa->conn);
	free(sa->conn);
	chain_free(sa->chain);
	wipe(sa, sizeof(*sa));
	free(sa);
}

struct ike_sa *ike_sa_by_spi(const struct ike_engine *e, uint64_t own_spi)
{
	return map_get(e->by_spi, key_u64(&own_spi));
}

void ike_sa_move(struct ike_sa *sa, const struct endpoint *remote)
{
	sa->path.remote = *remote;
	list_each(item, &sa->children)
	{
		struct ike_child *c = &list_entry(item, struct child, link)->is;

		c->path = sa->path;
		c->encap = ike_natd_encap(sa) && !c->ah;
		c->nat_local = sa->nat_local;
		c->nat_remote = sa->nat_remote;
	}
}

struct ike_sa *ike_sa_by_id(const struct ike_engine *e, uint32_t id)
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
		.ppk = sa->announced && sa->ppk,
		.childless = sa->childless,
		.redirectable = sa->announced && sa->peer_redirects,
		.nat_local = sa->nat_local,
		.nat_remote = sa->nat_remote,
		.encap = ike_natd_encap(sa),
		.peer_nlbs = sa->announced && sa->peer_nlbs,
		.peer_is_vipsec = sa->announced && sa->peer_is_vipsec,
		.since_ms = sa->announced ? sa->established_ms : sa->created_ms,
		.last_in_ms = sa->last_in_ms,
		.unanswered_since_ms = sa->out.bytes.len > 0 ? sa->out.first_ms : 0,
		.n_children = sa->n_known,
		.chain = sa->chain,
	};
	if (sa->conn) {
		out->rule = sa->conn->rule;
		out->local_id = sa->conn->local_id;
		out->remote_id = sa->conn->remote_id;
	} else {
		out->remote_id = sa->claimed;
	}
}
