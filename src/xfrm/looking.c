/* xfrm/looking.c - one dump of the kernel's SAs beside our own table. */
#include "config.h"

#include "xfrm/looking.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "wire/ip_packet.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"

enum {
	AWAITED_MS = 20, /* between looks while a new SA has not been heard from */
	AWAITED_FOR_MS = 3000,
	USUAL_MS = 250,
	SHARE = 20, /* a look may take that part of the time */
	LAST_MS = 5000
};

struct looking {
	struct sad *sad;
	uint64_t now_ms;
	void (*tell)(const struct sad_child *c, enum esp_notice_kind what, void *ctx);
	void *ctx;
	bool strange; /* something is there that is no child's */
};

/* In transport mode the kernel counts what is behind the IP header. */
static uint64_t octets(const struct sad_child *c, uint64_t packets, uint64_t bytes)
{
	bool v4 = c->sa.local.addr.family == ADDR_V4;
	uint64_t header = v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;

	return bytes + (c->sa.mode == POLICY_TRANSPORT ? header * packets : 0);
}

/* The numbers of both directions of one child, put together from two SAs. */
static void take_in(
	struct looking *k, struct sad_child *c, const struct request_counts *counts)
{
	struct esp_usage *u = &c->usage;
	uint64_t packets = c->in_before.packets + counts->packets;

	if (packets > u->packets_in) {
		u->last_in_ms = k->now_ms;
		u->unanswered_since_ms = 0;
	}
	u->packets_in = packets;
	u->bytes_in = octets(c, packets, c->in_before.bytes + counts->bytes);
	u->replayed = c->in_before.replayed + counts->replayed;
	u->forged = c->in_before.forged + counts->forged;
	if (!c->heard && counts->packets > 0) {
		c->heard = true;
		k->tell(c, ESP_INBOUND, k->ctx);
	}
	c->seq_in = counts->seq_in;
	c->seen_in = true;
}

static void take_out(
	struct looking *k, struct sad_child *c, const struct request_counts *counts)
{
	struct esp_usage *u = &c->usage;
	uint64_t packets = c->out_before.packets + counts->packets;

	if (packets > u->packets_out) {
		u->last_out_ms = k->now_ms;
		if (u->unanswered_since_ms == 0 && u->last_in_ms != k->now_ms)
			u->unanswered_since_ms = k->now_ms;
	}
	u->packets_out = packets;
	u->bytes_out = octets(c, packets, c->out_before.bytes + counts->bytes);
	c->seq_out = counts->seq_out;
	if (c->sa.soft_seq != 0 && c->seq_out >= c->sa.soft_seq && !c->told_soft) {
		c->told_soft = true;
		k->tell(c, ESP_SEQ_SOFT, k->ctx);
	}
	c->seen_out = true;
}

static void take_sa(
	const struct xfrm_usersa_info *sa, const struct request_counts *counts, void *ctx)
{
	struct looking *k = ctx;

	if (sa->reqid < REQID_FIRST || sa->reqid > REQID_LAST)
		return;
	const struct request_name name = select_name(&sa->id, sa->family);
	struct sad_child *in = sad_by_name_in(k->sad, &name);
	struct sad_child *out = sad_by_name_out(k->sad, &name);
	if (in)
		take_in(k, in, counts);
	if (out && out->out_there)
		take_out(k, out, counts);
	if (!in && !(out && out->out_there) && sa->sel.user == SELECT_USER)
		k->strange = true;
}

static bool has_ah(const struct sad *cs)
{
	list_each(item, &cs->all) if (list_entry(item, struct sad_child, link)
					      ->sa.ah) return true;
	return false;
}

/* A device that goes down takes its SAs with it, and the kernel does not say so. */
static void compare(struct looking *k)
{
	bool broken = k->strange;

	list_each(item, &k->sad->all) broken =
		broken || sad_is_broken(list_entry(item, struct sad_child, link));
	k->sad->amiss |= broken;
}

static int dump(struct looking *k)
{
	int err = request_sa_each(k->sad->line, false, take_sa, k);

	if (err == 0 && has_ah(k->sad))
		err = request_sa_each(k->sad->line, true, take_sa, k);
	return err;
}

void looking_round(struct sad *cs, uint64_t now_ms,
	void (*tell)(const struct sad_child *c, enum esp_notice_kind what, void *ctx),
	void *ctx)
{
	struct looking k = {.sad = cs, .now_ms = now_ms, .tell = tell, .ctx = ctx};

	if (list_empty(&cs->all))
		return;
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		c->seen_in = c->seen_out = false;
	}
	if (dump(&k) == 0) {
		compare(&k);
		cs->as_of_ms = now_ms;
	}
	/* Of one that does not send now it is what it will go on with. */
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		c->usage.seq_out = c->seq_out;
	}
	cs->looked_ms = now_ms;
}

static bool first_is_awaited(const struct sad *cs)
{
	/* The newest stand at the end. */
	for (struct list *at = cs->all.prev; at != &cs->all; at = at->prev) {
		const struct sad_child *c = list_entry(at, struct sad_child, link);
		if (cs->looked_ms > c->since_ms + AWAITED_FOR_MS)
			return false;
		if (!c->heard)
			return true;
	}
	return false;
}

/* When very many peers come at once, or the machine is overloaded, what is to be done for them
 * comes first. */
static uint64_t later_by_ms(const struct sad *cs, uint64_t usual_ms)
{
	uint64_t rest_ms = cs->look_took_ms * SHARE;

	rest_ms = rest_ms < LAST_MS ? rest_ms : LAST_MS;
	return cs->look_took_ms + (rest_ms > usual_ms ? rest_ms : usual_ms);
}

bool looking_is_fresh(const struct sad *cs, uint64_t now_ms)
{
	return now_ms < cs->looked_ms + later_by_ms(cs, 0);
}

uint64_t looking_next_ms(const struct sad *cs)
{
	if (list_empty(&cs->all))
		return UINT64_MAX;
	return cs->looked_ms +
	       later_by_ms(cs, first_is_awaited(cs) ? AWAITED_MS : USUAL_MS);
}
