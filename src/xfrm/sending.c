/* xfrm/sending.c - see sending.h. */
#include "config.h"

#include "xfrm/sending.h"

#include "xfrm/halves.h"

/* Of a lineage the one that was activated last; sends: of those that send. NULL: none. */
static struct sad_child *latest(const struct sad *cs, uint32_t reqid_out, bool sends)
{
	struct sad_child *last = NULL;

	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->reqid_out == reqid_out && (sends ? c->out_there : c->active) &&
			(!last || c->turn > last->turn))
			last = c;
	}
	return last;
}

static bool is_other(const struct sad_child *other, const struct sad_child *c)
{
	return other != c && other->reqid_out == c->reqid_out && other->out_there;
}

/* How many of its lineage are younger: c, which comes, and what was activated later. */
static uint64_t rank_of(
	const struct sad *cs, const struct sad_child *other, const struct sad_child *c)
{
	uint64_t n = 1;

	list_each(item, &cs->all)
	{
		const struct sad_child *third = list_entry(item, struct sad_child, link);
		n += is_other(third, c) && third->turn > other->turn;
	}
	return n;
}

static int make_older(struct sad *cs, const struct sad_child *c, uint64_t than_s)
{
	const struct request_name out = sad_name_out(&c->sa);
	struct xfrm_lifetime_cur life;
	int err = request_sa_life(cs->line, &out, &life);

	if (err != 0 || life.add_time < than_s)
		return err;
	life.add_time = than_s - 1;
	return request_sa_life_set(cs->line, &out, &life);
}

/* Of outgoing SAs with one reqid the kernel takes the youngest by the wall clock's seconds (but
 * first one that has not met its soft limit: then its successor is under way); of two of one
 * second either, and the wrong one when the clock was set back. So before a new one comes, what
 * it might prefer to that is made older. It stays: a packet that is just being sealed with
 * it would be lost. */
static int make_others_older(struct sad *cs, const struct sad_child *c)
{
	const uint64_t now_s = request_clock_s();
	int err = 0;

	list_each(item, &cs->all)
	{
		struct sad_child *other = list_entry(item, struct sad_child, link);
		if (err == 0 && is_other(other, c) &&
			make_older(cs, other, now_s + 1 - rank_of(cs, other, c)) != 0)
			err = halves_take_out(cs, other);
	}
	return err;
}

static uint64_t added_s(struct sad *cs, const struct sad_child *c)
{
	const struct request_name out = sad_name_out(&c->sa);
	struct xfrm_lifetime_cur life;

	return request_sa_life(cs->line, &out, &life) == 0 ? life.add_time : 0;
}

/* When an older one is to send again, its successor is about to go, and the peer may not
 * have that any more: nothing may leave with it. */
static void retire_others(struct sad *cs, const struct sad_child *c)
{
	uint64_t born = added_s(cs, c);

	list_each(item, &cs->all)
	{
		struct sad_child *other = list_entry(item, struct sad_child, link);
		if (is_other(other, c) && added_s(cs, other) >= born)
			(void)halves_take_out(cs, other); /* its turn to go comes */
	}
}

static int send_out(struct sad *cs, struct sad_child *c)
{
	bool shared = lineage_is_shared(&cs->lineages, &c->sa, LINEAGE_OUT);
	const struct sad_child *last = shared ? latest(cs, c->reqid_out, true) : NULL;

	if (last && last->turn > c->turn)
		return 0;
	if (c->out_there) {
		if (shared)
			retire_others(cs, c);
		return 0;
	}
	int err = shared ? make_others_older(cs, c) : 0;
	return err == 0 ? halves_put_out(cs, c) : err;
}

int sending_go_on(struct sad *cs, const struct sad_scope *s, struct sad_child *c)
{
	int err = 0;

	if (c->active && s->open)
		err = send_out(cs, c);
	return err == 0 ? halves_claim(cs, s, c) : err;
}

bool sending_is_replaced(const struct sad *cs, const struct sad_child *c)
{
	const struct sad_child *last = latest(cs, c->reqid_out, false);

	return last && last->turn > c->turn;
}

void sending_pass_on(
	struct sad *cs, const struct sad_scope *s, uint32_t reqid_out, bool sent)
{
	struct sad_child *heir = latest(cs, reqid_out, false);

	if (heir && (sent || !latest(cs, reqid_out, true)))
		(void)sending_go_on(cs, s, heir);
}
