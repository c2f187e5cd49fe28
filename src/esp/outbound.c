/* esp/outbound.c - from the TUN to the network.
 *
 * Obeys RFC 4301 4.1 (both modes), RFC 4301 5.1 and 5.1.2 (order, tunnel headers), RFC 4303
 * 3.3 and 2.4 (padding), RFC 4106, RFC 7634. A packet is sealed where it lies. The outer
 * IP header, and UDP's in front of it (RFC 3948 2.1), are the socket's to write; what they
 * must say is left in the packet's fields. AH is in ah.c.
 */
#include "esp/dp.h"

#include "esp/ah.h"
#include "wire/esp_header.h"

#include <assert.h>

enum { IPV6_NEXT_AT = 6 };

/* The packet waits for the SA that is asked for here. */
static void acquire(struct esp_dp *dp, struct esp_packet *p, const struct selection *to,
	uint64_t now_ms)
{
	const struct spd_entry *e = to->entry;
	const struct flow *f = &to->f;
	bool tunnel = e->mode == POLICY_TUNNEL && addr_is_set(&e->tunnel_to);
	const struct esp_notice n = {
		.kind = ESP_ACQUIRE,
		.scope = p->scope,
		.rule = e->rule,
		.flow = *f,
		.local.addr = f->local,
		.remote.addr = tunnel ? e->tunnel_to : f->remote,
		.owner = to->owner,
	};
	const struct hold_key key = {n.scope, n.rule, n.remote.addr, n.owner};
	bool fragment = to->ip->fragment;

	if (!notice_acquire(&dp->notices, &n, now_ms))
		dp->count.notices_lost++;
	if (hold_put(&dp->hold, &key, span_of(p->at, p->len), fragment, now_ms)) {
		dp->count.held++;
		p->verdict = ESP_HELD;
	} else {
		dp->count.drop_no_sa++;
	}
}

/* ---- sealing ---------------------------------------------------------------- */

/* RFC 4303 3.1, RFC 4302 3.1: where the text lies, and what it is. False: the packet cannot be
 * carried so. */
static bool text_of(const struct esp_sa *sa, const struct esp_packet *p,
	const struct ip_packet *ip, struct sa_text *out)
{
	bool v4 = ip->src.family == ADDR_V4;

	if (sa->mode == POLICY_TUNNEL) {
		*out = (struct sa_text){p->at, p->len, v4 ? IP_IPIP : IP_IPV6};
		return true;
	}
	uint8_t next = v4 ? ip->proto : p->at[IPV6_NEXT_AT];
	/* Options and headers for the routers on the way: the socket would lose them. */
	if (v4 ? ip->header_len != IPV4_HEADER_LEN
	       : next == IPV6_HOP_BY_HOP || next == IPV6_ROUTING || next == IPV6_FRAGMENT)
		return false;
	*out = (struct sa_text){p->at + ip->header_len, p->len - ip->header_len, next};
	return true;
}

/* RFC 4303 2.4: 1, 2, 3, ..., then how many, then the next header. */
static size_t write_trailer(const struct sa_text *t, size_t align)
{
	size_t pad = (align - (t->len + ESP_TRAILER_LEN) % align) % align;
	struct writer w = wr_over(t->at + t->len, pad + ESP_TRAILER_LEN);

	for (size_t i = 1; i <= pad; i++)
		wr_u8(&w, (uint8_t)i);
	wr_u8(&w, (uint8_t)pad);
	wr_u8(&w, t->next);
	assert(wr_ok(&w));
	return pad + ESP_TRAILER_LEN;
}

static bool seal_esp(const struct esp_sa *sa, const struct sa_stamp *stamp,
	const struct sa_text *t, struct esp_packet *p)
{
	struct sa_aad aad;
	size_t before = sa_before_text(sa);
	size_t len = t->len + write_trailer(t, sa_align(sa));
	uint8_t *header = t->at - before;
	struct writer w = wr_over(header, ESP_IV_AT);

	esp_header_write(&w, &(struct esp_header){sa->spi_out, (uint32_t)stamp->seq});
	assert(wr_ok(&w));
	p->at = header;
	p->len = before + len + sa->shape.tag_len;
	sa_aad(sa, sa->spi_out, stamp->seq, &aad);
	return aead_seal_packet(sa->seal, stamp->iv, aad.clear, aad.tail,
		       header + ESP_IV_AT, t->at, len) == CRYPTO_OK;
}

static void account(
	struct esp_dp *dp, struct esp_sa *sa, const struct ip_packet *ip, uint64_t now_ms)
{
	struct esp_usage *u = &sa->usage;

	dp->count.sealed++;
	u->packets_out++;
	u->bytes_out += ip->total_len;
	u->last_out_ms = now_ms;
	if (u->unanswered_since_ms == 0)
		u->unanswered_since_ms = now_ms;
	if (sa->soft_seq != 0 && u->seq_out > sa->soft_seq)
		dp_tell(dp, sa, ESP_SEQ_SOFT, &sa->told_soft);
	watching_note(dp, sa);
}

/* The gate is asked before anything of the SA is used up. */
static bool stamp(struct esp_dp *dp, struct esp_sa *sa, const struct esp_permit *permit,
	struct sa_stamp *out)
{
	enum sa_answer answer =
		permit->open ? sa_stamp(sa, permit->activation, out) : SA_STALE;

	if (answer == SA_STALE)
		dp->count.drop_gate++;
	if (answer == SA_EXHAUSTED) {
		dp->count.drop_seq_exhausted++;
		dp_tell(dp, sa, ESP_SEQ_HARD, &sa->told_hard);
	}
	return answer == SA_GO;
}

/* False: it goes no further. */
static bool fits(struct esp_dp *dp, const struct esp_sa *sa, struct esp_packet *p,
	const struct ip_packet *ip)
{
	enum fit fit = path_fit(sa, p, ip);

	p->dont_fragment = fit == FIT_WHOLE;
	if (fit == FIT_TOLD)
		dp->count.icmp_too_big_made++;
	if (fit == FIT_NOT)
		dp->count.drop_too_big++;
	return fit == FIT_WHOLE || fit == FIT_IN_FRAGMENTS;
}

static void send_on(struct esp_dp *dp, const struct selection *to, struct esp_packet *p,
	uint64_t now_ms, uint32_t *turn)
{
	struct esp_sa *sa = to->sa;
	const struct ip_packet *ip = to->ip;
	struct esp_permit permit = esp_gate_read(&dp->gates[sa->scope]);
	struct sa_text text;
	struct sa_stamp s;

	if (!text_of(sa, p, ip, &text)) {
		dp->count.drop_malformed++;
		return;
	}
	if (!fits(dp, sa, p, ip) || !stamp(dp, sa, &permit, &s))
		return;
	if (to->flow != NULL && to->flow->seen_port != to->flow->port)
		nat_set_port(p->at, ip, &to->talk, to->flow->port);
	p->ttl = sa->mode == POLICY_TRANSPORT ? ip->ttl : 0; /* AH writes it */
	bool sealed = sa->ah ? ah_seal(sa, s.seq, &text, ip->tos, p)
			     : seal_esp(sa, &s, &text, p);
	if (!sealed) {
		dp->count.drop_refused++;
		return;
	}
	account(dp, sa, ip, now_ms);
	p->verdict = ESP_SEND;
	p->scope = sa->scope;
	p->encap = sa->encap;
	p->ah = sa->ah;
	p->mark = sa->tags.mark;
	p->mark_mask = sa->tags.mask;
	p->tos = ip->tos;
	p->local = sa->local;
	p->remote = sa->remote;
	*turn = permit.turn;
}

/* ---- the path --------------------------------------------------------------- */

/* Reads the packet; puts fragments together. True: *ip is a whole packet at p. */
static bool take(
	struct esp_dp *dp, struct esp_packet *p, struct ip_packet *ip, uint64_t now_ms)
{
	struct buf whole;

	if (ip_packet_read(span_of(p->at, p->len), ip) != WIRE_OK) {
		dp->count.drop_malformed++;
		return false;
	}
	p->len = ip->total_len;
	if (!ip->fragment)
		return true;
	enum reassembled got = reassembly_add(&dp->reassembly, ip, p->at, now_ms, &whole);
	if (got != REASSEMBLY_WHOLE) {
		p->verdict = got == REASSEMBLY_WAITS ? ESP_HELD : ESP_DROP;
		return false;
	}
	p->at = whole.at;
	p->len = whole.len;
	if (ip_packet_read(buf_span(&whole), ip) != WIRE_OK) {
		dp->count.drop_malformed++;
		return false;
	}
	dp->count.reassembled++;
	ip->fragment = true; /* it was: the outer packet may be fragmented, too */
	return true;
}

static void drop_nobodys(struct esp_dp *dp, const struct selection *to, uint64_t now_ms)
{
	const struct esp_notice n = {
		.kind = ESP_FLOW_NOBODY,
		.scope = to->scope,
		.flow = to->f,
		.local.addr = to->f.local,
		.remote.addr = to->f.remote,
	};

	dp->count.drop_flow_nobody++;
	notice_flow(&dp->notices, &n, now_ms);
}

/* What the policy says of the packet. False: it wants an SA which is not there. */
static bool judge(struct esp_dp *dp, struct esp_packet *p, struct selection *to,
	uint64_t now_ms, uint32_t *turn)
{
	enum selected answer = select_outbound(dp, to);

	p->scope = to->scope;
	switch (answer) {
	case SELECT_SA:
		send_on(dp, to, p, now_ms, turn);
		break;
	case SELECT_NOBODY:
		drop_nobodys(dp, to, now_ms);
		break;
	case SELECT_NO_POLICY:
		dp->count.drop_no_policy++;
		break;
	case SELECT_BLOCKED:
		dp->count.drop_blocked++;
		break;
	case SELECT_NO_SA:
		return false;
	case SELECT_OTHER:
	case SELECT_TAKEN:
		assert(false); /* inbound only */
	}
	return true;
}

static struct selection selection_of(
	const struct esp_packet *p, const struct ip_packet *ip)
{
	return (struct selection){.ip = ip, .at = p->at, .f = ip_packet_flow(ip, true)};
}

static void outbound_one(
	struct esp_dp *dp, struct esp_packet *p, uint64_t now_ms, uint32_t *turn)
{
	struct ip_packet ip;

	p->verdict = ESP_DROP;
	if (!take(dp, p, &ip, now_ms))
		return;
	struct selection to = selection_of(p, &ip);
	if (!judge(dp, p, &to, now_ms, turn))
		acquire(dp, p, &to, now_ms);
}

/* False: it has to wait on. */
static bool release_one(struct esp_dp *dp, struct held *h, struct esp_packet *p,
	uint64_t now_ms, uint32_t *turn)
{
	struct ip_packet ip;

	*p = (struct esp_packet){
		.at = h->room + ESP_ROOM_BEFORE, .len = h->len, .verdict = ESP_DROP};
	enum wire_err err = ip_packet_read(span_of(p->at, p->len), &ip);
	assert(err == WIRE_OK); /* as when it was put away */
	ip.fragment = h->fragment;
	struct selection to = selection_of(p, &ip);
	if (!judge(dp, p, &to, now_ms, turn))
		return false;
	hold_release(&dp->hold, h);
	dp->count.released += p->verdict == ESP_SEND;
	return true;
}

/* What was sealed while the gate moved does not leave. */
static void ask_gates_again(
	struct esp_dp *dp, struct esp_batch *b, const uint32_t turns[ESP_BATCH_MAX])
{
	for (unsigned i = 0; i < b->n; i++) {
		struct esp_packet *p = &b->at[i];
		if (p->verdict != ESP_SEND)
			continue;
		struct esp_permit permit = esp_gate_read(&dp->gates[p->scope]);
		if (permit.open && permit.turn == turns[i])
			continue;
		p->verdict = ESP_DROP;
		dp->count.drop_gate++;
	}
}

void esp_dp_outbound(struct esp_dp *dp, struct esp_batch *b, uint64_t now_ms)
{
	uint32_t turns[ESP_BATCH_MAX] = {0};

	assert(b->n <= ESP_BATCH_MAX && now_ms != 0);
	reassembly_begin(&dp->reassembly, now_ms);
	hold_begin(&dp->hold, now_ms);
	nat_begin(&dp->nat, now_ms);
	for (unsigned i = 0; i < b->n; i++)
		outbound_one(dp, &b->at[i], now_ms, &turns[i]);
	ask_gates_again(dp, b, turns);
}

void esp_dp_release(struct esp_dp *dp, struct esp_batch *b, uint64_t now_ms)
{
	uint32_t turns[ESP_BATCH_MAX] = {0};

	assert(now_ms != 0);
	b->n = 0;
	nat_begin(&dp->nat, now_ms);
	inbound_release(dp, b, now_ms);
	hold_begin(&dp->hold, now_ms);
	if (!dp->hold.due)
		return;
	list_each_safe(item, &dp->hold.waiting)
	{
		struct held *h = list_entry(item, struct held, link);
		if (b->n == ESP_BATCH_MAX)
			break;
		if (release_one(dp, h, &b->at[b->n], now_ms, &turns[b->n]))
			b->n++;
	}
	dp->hold.due = b->n == ESP_BATCH_MAX;
	ask_gates_again(dp, b, turns);
}
