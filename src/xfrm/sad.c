/* xfrm/sad.c - RFC 4301 4.4.2 with the kernel's SAD.
 *
 * A child and its successor have the same reqids (lineage.h), so a rekey changes no policy.
 * Of a lineage the one sends that was activated last, as in the userspace plane, and another
 * does again when that is gone.
 */
#include "config.h"

#include "xfrm/sad.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "esp/replay_state.h"
#include "xfrm/offload.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"

enum {
	SEQ_MARGIN = 1 << 16, /* what may have left since it was looked at */
	SEQ_HARD_ROOM = 1024, /* numbers left unused at the end */
};

/* ---- the table ---------------------------------------------------------------------------- */

static struct request_name name_of(const struct addr *daddr, uint32_t spi, bool ah)
{
	struct request_name n;

	memset(&n, 0, sizeof(n)); /* it is a key */
	n.daddr = *daddr;
	n.spi = spi;
	n.ah = ah;
	return n;
}

struct request_name sad_name_in(const struct esp_child *sa)
{
	return name_of(&sa->local.addr, sa->spi_in, sa->ah);
}

struct request_name sad_name_out(const struct esp_child *sa)
{
	return name_of(&sa->remote.addr, sa->spi_out, sa->ah);
}

static struct sad_child *by_name(const struct map *m, const struct request_name *name)
{
	struct request_name n = name_of(&name->daddr, name->spi, name->ah);

	return map_get(m, span_of(&n, sizeof(n)));
}

void sad_init(struct sad *cs, const struct entropy *e, struct request_line *line,
	struct claims *claims)
{
	list_init(&cs->all);
	cs->by_id = map_new(e);
	cs->by_name_in = map_new(e);
	cs->by_name_out = map_new(e);
	lineages_init(&cs->lineages, e);
	cs->line = line;
	cs->claims = claims;
}

struct sad_child *sad_find(const struct sad *cs, uint32_t id)
{
	return map_get(cs->by_id, span_of(&id, sizeof(id)));
}

struct sad_child *sad_by_name_in(const struct sad *cs, const struct request_name *in)
{
	return by_name(cs->by_name_in, in);
}

struct sad_child *sad_by_name_out(const struct sad *cs, const struct request_name *out)
{
	return by_name(cs->by_name_out, out);
}

static void enlist_out(struct sad *cs, struct sad_child *c)
{
	struct request_name n = sad_name_out(&c->sa);

	map_put(cs->by_name_out, span_of(&n, sizeof(n)), c);
}

static void forget_out(struct sad *cs, struct sad_child *c)
{
	struct request_name n = sad_name_out(&c->sa);

	if (map_get(cs->by_name_out, span_of(&n, sizeof(n))) == c)
		(void)map_take(cs->by_name_out, span_of(&n, sizeof(n)));
}

static void enlist(struct sad *cs, struct sad_child *c)
{
	struct request_name in = sad_name_in(&c->sa);

	list_add(&cs->all, &c->link);
	map_put(cs->by_id, span_of(&c->sa.id, sizeof(c->sa.id)), c);
	map_put(cs->by_name_in, span_of(&in, sizeof(in)), c);
	enlist_out(cs, c);
}

static void take_reqids(struct sad *cs, struct sad_child *c)
{
	c->reqid_out = lineage_take(&cs->lineages, &c->sa, LINEAGE_OUT);
	c->reqid_in = lineage_take(&cs->lineages, &c->sa, LINEAGE_IN);
}

static void drop_reqids(struct sad *cs, const struct sad_child *c)
{
	lineage_drop(&cs->lineages, &c->sa, LINEAGE_OUT);
	lineage_drop(&cs->lineages, &c->sa, LINEAGE_IN);
}

static void forget(struct sad *cs, struct sad_child *c)
{
	struct request_name in = sad_name_in(&c->sa);

	(void)map_take(cs->by_id, span_of(&c->sa.id, sizeof(c->sa.id)));
	(void)map_take(cs->by_name_in, span_of(&in, sizeof(in)));
	forget_out(cs, c);
	list_del(&c->link);
	drop_reqids(cs, c);
	esp_child_wipe(&c->sa);
	free(c);
}

/* ---- SAs of the kernel --------------------------------------------------------------------- */

static uint64_t last_seq(const struct esp_child *sa)
{
	return (sa->esn ? UINT64_MAX : UINT32_MAX) - SEQ_HARD_ROOM;
}

/* Numbers that are used up are told beforehand (soft), and end the SA (hard). */
static struct xfrm_lifetime_cfg limits(
	const struct esp_child *sa, uint64_t used, bool out)
{
	struct xfrm_lifetime_cfg lft = {.soft_byte_limit = XFRM_INF,
		.hard_byte_limit = XFRM_INF,
		.soft_packet_limit = XFRM_INF,
		.hard_packet_limit = XFRM_INF};

	if (!out)
		return lft;
	if (sa->soft_seq != 0)
		lft.soft_packet_limit = sa->soft_seq > used ? sa->soft_seq - used : 1;
	lft.hard_packet_limit = last_seq(sa) > used ? last_seq(sa) - used : 1;
	return lft;
}

static struct request_sa half(const struct sad_child *c, bool out)
{
	const struct esp_child *sa = &c->sa;
	const struct endpoint *from = out ? &sa->local : &sa->remote;
	const struct endpoint *to = out ? &sa->remote : &sa->local;
	struct request_sa r;

	memset(&r, 0, sizeof(r));
	r.info.sel =
		select_hull(&sa->local_ts, &sa->remote_ts, out ? SELECT_OUT : SELECT_IN);
	r.info.id.daddr = select_addr(&to->addr);
	r.info.id.spi = htonl(out ? sa->spi_out : sa->spi_in);
	r.info.id.proto = sa->ah ? IPPROTO_AH : IPPROTO_ESP;
	r.info.saddr = select_addr(&from->addr);
	r.info.lft = limits(sa, c->seq_out, out);
	r.info.reqid = out ? c->reqid_out : c->reqid_in;
	r.info.family = select_family(&to->addr);
	r.info.mode = sa->mode == POLICY_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	if (r.info.sel.family == 0 || r.info.sel.family != r.info.family)
		r.info.flags = XFRM_STATE_AF_UNSPEC;
	/* RFC 4302 3.3.3.2.1; without it the kernel pads to 8 octets over IPv4, too. */
	if (sa->ah && r.info.family == AF_INET)
		r.info.flags |= XFRM_STATE_ALIGN4;
	r.alg = sa->alg;
	r.key = out ? &sa->key_out : &sa->key_in;
	r.encap = sa->encap;
	r.encap_sport = from->port;
	r.encap_dport = to->port;
	r.esn = sa->esn;
	/* One that only sends needs no window, but with ESN the kernel wants one. */
	r.replay_window = !out      ? esp_replay_window(sa->replay_window)
			  : sa->esn ? ESP_REPLAY_MIN
				    : 0;
	r.seq_out = out ? c->seq_out : 0;
	r.tags.if_id = sa->tags.if_id;
	if (out)
		r.tags = sa->tags;
	r.inbound = !out;
	r.offload = sa->offload;
	r.watch = c->watch;
	return r;
}

static int put_in(
	struct sad *cs, struct sad_child *c, const struct request_replay *replay)
{
	struct request_sa r = half(c, false);
	struct offload_granted granted;

	r.replay = replay;
	int err = offload_add(cs->line, &r, &granted);
	c->usage.offload_in = granted.what;
	c->in_ifindex = granted.ifindex;
	c->in_there = err == 0;
	return err;
}

/* EOVERFLOW: all its numbers are used up, and the kernel would begin with them anew. */
static int put_out(struct sad *cs, struct sad_child *c)
{
	if (c->seq_out >= last_seq(&c->sa))
		return EOVERFLOW;
	struct request_sa r = half(c, true);
	struct offload_granted granted;
	int err = offload_add(cs->line, &r, &granted);

	c->usage.offload_out = granted.what;
	c->out_ifindex = granted.ifindex;
	c->out_there = err == 0;
	return err;
}

static void add_counts(struct request_counts *sum, const struct request_counts *more)
{
	sum->bytes += more->bytes;
	sum->packets += more->packets;
	sum->replayed += more->replayed;
	sum->forged += more->forged;
}

/* replay: what it has received, for one that takes its place. */
static void take_in(struct sad *cs, struct sad_child *c, struct request_replay *replay)
{
	const struct request_name in = sad_name_in(&c->sa);
	struct request_counts counts = {0};

	if (!c->in_there) /* whatever has its name is another program's */
		return;
	if (replay && request_sa_get(cs->line, &in, &counts) == 0)
		add_counts(&c->in_before, &counts);
	if (replay)
		(void)request_sa_replay(cs->line, &in, replay);
	(void)request_sa_delete(cs->line, &in);
	c->in_there = false;
}

/* What it has sent is asked before, and what may leave in between allowed for: no number
 * of an SA is ever used twice. */
static void take_out(struct sad *cs, struct sad_child *c)
{
	const struct request_name out = sad_name_out(&c->sa);
	struct request_counts counts = {0};

	if (!c->out_there)
		return;
	if (request_sa_get(cs->line, &out, &counts) == 0)
		c->seq_out = counts.seq_out;
	add_counts(&c->out_before, &counts);
	c->seq_out += SEQ_MARGIN;
	(void)request_sa_delete(cs->line, &out);
	c->usage.offload_out = OFFLOAD_NO;
	c->out_there = false;
}

static int claim(struct sad *cs, const struct sad_scope *s, struct sad_child *c)
{
	struct claimant fresh;

	claimant_init(&fresh, c->sa.scope);
	int err = rules_claim_child(cs->claims, &fresh, s->spd, s->is_host,
		&(struct rules_child){.child = &c->sa,
			.reqid_out = c->reqid_out,
			.reqid_in = c->reqid_in,
			.out = c->active && s->open,
			.in_ifindex = c->in_ifindex,
			.out_ifindex = c->out_there ? c->out_ifindex : 0});
	claims_drop(cs->claims, &c->policies);
	claims_hand_over(&fresh, &c->policies);
	return err;
}

/* ---- orders ------------------------------------------------------------------------------------ */

static bool later_sends(const struct sad *cs, const struct sad_child *c)
{
	list_each(item, &cs->all)
	{
		const struct sad_child *other = list_entry(item, struct sad_child, link);
		if (other->reqid_out == c->reqid_out && other->out_there &&
			other->turn > c->turn)
			return true;
	}
	return false;
}

static bool any_sends(const struct sad *cs, uint32_t reqid_out)
{
	list_each(item, &cs->all)
	{
		const struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->reqid_out == reqid_out && c->out_there)
			return true;
	}
	return false;
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
static void make_others_older(struct sad *cs, const struct sad_child *c)
{
	const uint64_t now_s = request_clock_s();

	list_each(item, &cs->all)
	{
		struct sad_child *other = list_entry(item, struct sad_child, link);
		if (is_other(other, c) &&
			make_older(cs, other, now_s + 1 - rank_of(cs, other, c)) != 0)
			take_out(cs, other);
	}
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
			take_out(cs, other);
	}
}

static int send_out(struct sad *cs, struct sad_child *c)
{
	bool shared = lineage_is_shared(&cs->lineages, &c->sa, LINEAGE_OUT);

	if (shared && later_sends(cs, c))
		return 0;
	if (c->out_there) {
		if (shared)
			retire_others(cs, c);
		return 0;
	}
	if (shared)
		make_others_older(cs, c);
	return put_out(cs, c);
}

static int send_on(struct sad *cs, const struct sad_scope *s, struct sad_child *c)
{
	int err = 0;

	if (c->active && s->open)
		err = send_out(cs, c);
	return err == 0 ? claim(cs, s, c) : err;
}

/* When the one that sent is gone. */
static void send_on_earlier(struct sad *cs, const struct sad_scope *s, uint32_t reqid_out)
{
	struct sad_child *heir = NULL;

	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->reqid_out == reqid_out && c->active &&
			(!heir || c->turn > heir->turn))
			heir = c;
	}
	if (heir)
		(void)send_on(cs, s, heir);
}

/* Two peers behind one NAT, in transport mode, look alike to the kernel: what is for one would
 * go to the other (RFC 3948 5.2). */
static bool is_taken(const struct sad *cs, const struct esp_child *sa)
{
	if (sa->owner == 0)
		return false;
	list_each(item, &cs->all)
	{
		const struct esp_child *other =
			&list_entry(item, struct sad_child, link)->sa;
		if (other->scope == sa->scope && other->owner != 0 &&
			other->owner != sa->owner &&
			addr_equal(&other->remote.addr, &sa->remote.addr))
			return true;
	}
	return false;
}

int sad_add(struct sad *cs, const struct sad_scope *s, const struct esp_child *sa,
	uint64_t now_ms)
{
	if (!s->spd)
		return ENODEV;
	const struct request_name in = sad_name_in(sa);
	if (sad_find(cs, sa->id) || sad_by_name_in(cs, &in))
		return EEXIST;
	if (is_taken(cs, sa))
		return EADDRINUSE;
	struct sad_child *c = mem_new(1, sizeof(*c));
	c->sa = *sa;
	take_reqids(cs, c);
	c->active = sa->outbound_ready;
	c->turn = c->active ? ++cs->turns : 0;
	c->usage.id = sa->id;
	c->since_ms = now_ms;
	if (list_empty(&cs->all))
		cs->looked_ms = now_ms;
	claimant_init(&c->policies, sa->scope);
	enlist(cs, c);
	int err = put_in(cs, c, NULL);
	if (err == 0)
		err = send_on(cs, s, c);
	if (err != 0)
		sad_delete(cs, s, sa->id);
	return err;
}

int sad_activate(struct sad *cs, const struct sad_scope *s, uint32_t id)
{
	struct sad_child *c = sad_find(cs, id);

	if (!c || !s->spd)
		return ENODEV;
	c->active = true;
	c->turn = ++cs->turns;
	return send_on(cs, s, c);
}

static void remove_child(struct sad *cs, struct sad_child *c)
{
	const struct request_name out = sad_name_out(&c->sa);

	if (c->out_there)
		(void)request_sa_delete(cs->line, &out);
	take_in(cs, c, NULL);
	claims_drop(cs->claims, &c->policies);
	forget(cs, c);
}

void sad_delete(struct sad *cs, const struct sad_scope *s, uint32_t id)
{
	struct sad_child *c = sad_find(cs, id);

	if (!c)
		return;
	uint32_t reqid_out = c->reqid_out;
	bool leaves_others = lineage_is_shared(&cs->lineages, &c->sa, LINEAGE_OUT);
	bool sent = c->out_there;
	remove_child(cs, c);
	if (leaves_others && (sent || !any_sends(cs, reqid_out)))
		send_on_earlier(cs, s, reqid_out);
}

/* The kernel names an SA by its destination, so a peer that is elsewhere has new ones, with
 * the old numbers. */
int sad_move(struct sad *cs, const struct sad_scope *s, uint32_t id,
	const struct endpoint *remote, bool encap)
{
	struct sad_child *c = sad_find(cs, id);
	struct request_replay replay;

	if (!c || !c->in_there || !s->spd)
		return ENODEV;
	take_out(cs, c);
	take_in(cs, c, &replay);
	drop_reqids(cs, c);
	forget_out(cs, c);
	c->sa.remote = *remote;
	c->sa.encap = encap;
	enlist_out(cs, c);
	take_reqids(cs, c);
	int err = put_in(cs, c, &replay);
	return err == 0 ? send_on(cs, s, c) : err;
}

/* A new half in the old one's place: the kernel's limits count from its beginning. */
int sad_send_behind(
	struct sad *cs, const struct sad_scope *s, uint32_t id, uint64_t seq_out)
{
	struct sad_child *c = sad_find(cs, id);

	if (!c)
		return ENOENT;
	take_out(cs, c);
	if (c->seq_out < seq_out)
		c->seq_out = seq_out;
	return send_on(cs, s, c);
}

/* It has been replaced: its successor sends. */
static bool has_later(const struct sad *cs, const struct sad_child *c)
{
	list_each(item, &cs->all)
	{
		const struct sad_child *other = list_entry(item, struct sad_child, link);
		if (other->reqid_out == c->reqid_out && other->active &&
			other->turn > c->turn)
			return true;
	}
	return false;
}

static void close_gate(struct sad *cs, uint16_t scope)
{
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope == scope)
			take_out(cs, c);
	}
}

/* Those that send first: a policy without its SA would ask for one. */
static void open_gate(struct sad *cs, uint16_t scope, const struct sad_scope *s,
	void (*refused)(const struct sad_child *c, int err, void *ctx), void *ctx)
{
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope != scope || has_later(cs, c))
			continue;
		int err = send_on(cs, s, c);
		if (err != 0)
			refused(c, err, ctx);
	}
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope == scope && has_later(cs, c))
			(void)claim(cs, s, c); /* claims_failed() tells */
	}
}

void sad_gate(struct sad *cs, uint16_t scope, const struct sad_scope *s,
	void (*refused)(const struct sad_child *c, int err, void *ctx), void *ctx)
{
	if (s->open)
		open_gate(cs, scope, s, refused, ctx);
	else
		close_gate(cs, scope);
}

void sad_rules(struct sad *cs, uint16_t scope, const struct sad_scope *s)
{
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope == scope)
			(void)claim(cs, s, c); /* claims_failed() tells */
	}
}

void sad_drop_scope(struct sad *cs, uint16_t scope)
{
	list_each_safe(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope == scope)
			remove_child(cs, c);
	}
}

void sad_wipe(struct sad *cs, bool keep)
{
	list_each_safe(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (keep)
			forget(cs, c);
		else
			remove_child(cs, c);
	}
	map_free(cs->by_id);
	map_free(cs->by_name_in);
	map_free(cs->by_name_out);
	lineages_wipe(&cs->lineages);
}

/* ---- what another life has left ------------------------------------------------------------------ */

struct left {
	struct list link;
	struct request_name name;
	struct request_larval larval; /* reqid 0: it is none */
};

static void note_left(
	const struct xfrm_usersa_info *sa, const struct request_counts *counts, void *ctx)
{
	(void)counts;
	bool waits = sa->reqid == REQID_ASK && sa->id.spi == 0;

	if (sa->reqid < REQID_FIRST || sa->reqid > REQID_ASK ||
		(!waits && (sa->sel.user != SELECT_USER || sa->id.spi == 0)))
		return;
	struct left *l = mem_new(1, sizeof(*l));
	if (waits)
		l->larval = (struct request_larval){.id = sa->id,
			.saddr = sa->saddr,
			.family = sa->family,
			.seq = sa->seq,
			.reqid = sa->reqid,
			.mode = sa->mode};
	l->name.daddr = select_addr_read(&sa->id.daddr, sa->family);
	l->name.spi = ntohl(sa->id.spi);
	l->name.ah = sa->id.proto == IPPROTO_AH;
	list_add(ctx, &l->link);
}

int sad_sweep(struct request_line *line, size_t *n)
{
	struct list all;
	int error, of_ah;

	*n = 0;
	list_init(&all);
	error = request_sa_each(line, false, note_left, &all);
	of_ah = request_sa_each(line, true, note_left, &all);
	error = error != 0 ? error : of_ah;
	list_each_safe(item, &all)
	{
		struct left *l = list_entry(item, struct left, link);
		bool waits = l->larval.reqid != 0;
		int err = waits ? request_larval_end(line, &l->larval)
				: request_sa_delete(line, &l->name);
		if (!waits && err != 0 && err != ESRCH)
			error = err;
		list_del(&l->link);
		free(l);
		*n += !waits;
	}
	return error;
}
