/* xfrm/halves.c - a child as the kernel's SAs. */
#include "config.h"

#include "xfrm/halves.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "esp/replay_state.h"
#include "xfrm/offload.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"

enum {
	SEQ_MARGIN = 1 << 16, /* what may have left since it was looked at */
	SEQ_HARD_ROOM = 1024, /* numbers left unused at the end */
};

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

int halves_put_in(
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

int halves_put_out(struct sad *cs, struct sad_child *c)
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

int halves_delete(struct sad *cs, const struct request_name *name)
{
	int err = request_sa_delete(cs->line, name);

	return err == ESRCH ? 0 : err;
}

/* Without what it has received the next one would take that again. */
static int read_in(struct sad *cs, const struct request_name *in,
	struct request_replay *replay, struct request_counts *counts)
{
	int err = request_sa_replay(cs->line, in, replay);

	if (err == 0)
		err = replay->len == 0 ? EIO : request_sa_get(cs->line, in, counts);
	return err;
}

int halves_take_in(struct sad *cs, struct sad_child *c, struct request_replay *replay)
{
	const struct request_name in = sad_name_in(&c->sa);
	struct request_counts counts = {0};
	int err = 0;

	if (!c->in_there) /* whatever has its name is another program's */
		return 0;
	if (replay)
		err = read_in(cs, &in, replay, &counts);
	if (err == 0)
		err = halves_delete(cs, &in);
	if (err != 0)
		return err;
	add_counts(&c->in_before, &counts);
	c->in_there = false;
	return 0;
}

/* What it has sent is asked before, and what may leave in between allowed for: no number
 * of an SA is ever used twice. */
int halves_take_out(struct sad *cs, struct sad_child *c)
{
	const struct request_name out = sad_name_out(&c->sa);
	struct request_counts counts = {.seq_out = c->seq_out};

	if (!c->out_there)
		return 0;
	(void)request_sa_get(cs->line, &out, &counts);
	int err = halves_delete(cs, &out);
	if (err != 0)
		return err;
	c->seq_out = counts.seq_out + SEQ_MARGIN;
	add_counts(&c->out_before, &counts);
	c->usage.offload_out = OFFLOAD_NO;
	c->out_there = false;
	return 0;
}

bool halves_are(const struct sad_child *c, bool out, const struct xfrm_usersa_info *there)
{
	const struct request_sa own = half(c, out);

	return there->mode == own.info.mode && there->reqid == own.info.reqid &&
	       memcmp(&there->saddr, &own.info.saddr, sizeof(there->saddr)) == 0 &&
	       memcmp(&there->sel, &own.info.sel, sizeof(there->sel)) == 0;
}

int halves_claim(struct sad *cs, const struct sad_scope *s, struct sad_child *c)
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
