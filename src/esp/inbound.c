/* esp/inbound.c - from the network to the TUN.
 *
 * Obeys RFC 4303 2.6, 3.4, 3.4.2 to 3.4.4, 3.4.4.1 and 3.4.4.2; RFC 4301 4.4.1.1 and 5.2; of NAT
 * RFC 3948 2.2, 2.3, 3.1.1, 3.1.2 and 4; RFC 7296 2.8, 2.24 and RFC 6040 3.2 in what RFC 4301
 * 5.1.2 asks of it (a congestion mark of the outer header reaches the inner one). ESP is taken with and without UDP, whatever the SA sends
 * (RFC 7296 2.23). Outer fragments have been put together by the kernel.
 */
#include "esp/dp.h"

#include "esp/ah.h"
#include "wire/checksum.h"
#include "wire/esp_header.h"

#include <assert.h>

enum {
	HOP_LIMIT = 64,
	KEEPALIVE = 0xff, /* RFC 3948 2.3 */
	ECN_MASK = 3,
	ECN_CE = 3
};

static bool parse(const struct esp_packet *p, struct esp_parts *out)
{
	struct esp_header header;
	struct reader r;

	if (p->ah)
		return ah_parse(p, out);
	if (esp_header_read(span_of(p->at, p->len), &header, &r) != WIRE_OK)
		return false;
	*out = (struct esp_parts){.spi = header.spi, .seq_low = header.seq};
	return true;
}

static bool divide(
	const struct esp_packet *p, const struct esp_sa *sa, struct esp_parts *parts)
{
	size_t around = sa_before_text(sa) + sa->shape.tag_len;

	if (sa->ah)
		return ah_fits(sa, parts);
	if (p->len < around + ESP_TRAILER_LEN)
		return false;
	parts->text_at = sa_before_text(sa);
	parts->text_len = p->len - around;
	return true;
}

/* RFC 7296 2.8: its SA may be about to be made. It waits, and the node is told, who
 * repeats a request that is not answered yet. */
static void unknown_spi(
	struct esp_dp *dp, struct esp_packet *p, uint32_t spi, uint64_t now_ms)
{
	unsigned scope = dp_scope_of(dp, &p->local.addr);
	const struct esp_notice n = {
		.kind = ESP_UNKNOWN_SPI,
		.scope = (uint16_t)scope,
		.spi = spi,
		.local = p->local,
		.remote = p->remote,
	};

	if (scope != SCOPE_MAX)
		(void)notice_unknown_spi(&dp->notices, &n, now_ms);
	if (scope != SCOPE_MAX && early_put(&dp->early, p, spi, now_ms))
		p->verdict = ESP_HELD;
	else
		dp->count.drop_unknown_spi++;
}

/* ---- opening ------------------------------------------------------------------ */

static bool open_esp(const struct esp_sa *sa, const struct esp_packet *p,
	const struct esp_parts *parts, uint64_t seq)
{
	struct sa_aad aad;
	uint8_t *text = p->at + parts->text_at;

	sa_aad(sa, parts->spi, seq, &aad);
	return aead_open_packet(sa->open, aad.clear, aad.tail, p->at + ESP_IV_AT,
		       span_of(text, parts->text_len + sa->shape.tag_len),
		       text) == CRYPTO_OK;
}

/* RFC 4303 3.4.3, 3.4.4: number, then integrity, then the window moves. */
static bool open_sealed(struct esp_dp *dp, struct esp_sa *sa, const struct esp_packet *p,
	const struct esp_parts *parts, uint64_t *seq)
{
	*seq = esp_replay_number(&sa->replay, parts->seq_low);
	if (!esp_replay_fresh(&sa->replay, *seq)) {
		dp->count.drop_replayed++;
		sa->usage.replayed++;
		return false;
	}
	if (!(sa->ah ? ah_is_authentic(sa, p, parts, *seq)
		     : open_esp(sa, p, parts, *seq))) {
		dp->count.drop_forged++;
		sa->usage.forged++;
		return false;
	}
	return true;
}

/* RFC 7296 2.23: a mapping that moved is told once, and only by the newest packet, so
 * that an old one, delayed, does not point back. */
static void watch_mapping(
	struct esp_dp *dp, struct esp_sa *sa, const struct esp_packet *p)
{
	struct esp_notice n = dp_notice_of(sa, ESP_MAPPING);

	if (!sa->encap || !p->encap || endpoint_equal(&p->remote, &sa->told_remote))
		return;
	n.remote = p->remote;
	if (endpoint_equal(&p->remote, &sa->remote) || dp_push(dp, &n))
		sa->told_remote = p->remote;
}

static void authentic(struct esp_dp *dp, struct esp_sa *sa, const struct esp_packet *p,
	uint64_t seq, uint64_t now_ms)
{
	bool newest = seq > sa->replay.top;

	esp_replay_accept(&sa->replay, seq);
	dp->count.opened++;
	sa->usage.last_in_ms = now_ms;
	sa->usage.unanswered_since_ms = 0;
	dp_tell(dp, sa, ESP_INBOUND, &sa->told_inbound);
	watching_note(dp, sa);
	if (newest)
		watch_mapping(dp, sa, p);
}

/* ---- what was inside ---------------------------------------------------------- */

/* Takes padding and trailer off; *next is what the text is. */
static bool strip_trailer(struct span *text, uint8_t *next)
{
	struct reader r = rd_over(*text);

	rd_skip(&r, text->len - ESP_TRAILER_LEN);
	size_t pad = rd_u8(&r);
	*next = rd_u8(&r);
	if (!rd_done(&r) || pad > text->len - ESP_TRAILER_LEN)
		return false;
	text->len -= pad + ESP_TRAILER_LEN;
	return true;
}

/* RFC 4301 5.1.2.1: what routers said of congestion is passed on. */
static void copy_congestion(uint8_t *at, const struct ip_packet *ip, uint8_t outer_tos)
{
	uint8_t inner = ip->tos & ECN_MASK;

	if ((outer_tos & ECN_MASK) != ECN_CE || inner == 0 || inner == ECN_CE)
		return;
	if (ip->src.family == ADDR_V4) {
		at[1] |= ECN_CE;
		ipv4_checksum_set(at, ip->header_len);
	} else {
		at[1] |= ECN_CE << 4;
	}
}

static bool unwrap_tunnel(struct esp_packet *p, uint8_t *text, size_t len, uint8_t next,
	struct ip_packet *ip)
{
	if ((next != IP_IPIP && next != IP_IPV6) ||
		ip_packet_read(span_of(text, len), ip) != WIRE_OK ||
		(next == IP_IPIP) != (ip->src.family == ADDR_V4))
		return false;
	p->at = text;
	p->len = ip->total_len; /* RFC 4303 2.7: what follows is there to hide a length */
	copy_congestion(p->at, ip, p->tos);
	return true;
}

/* The IP header that transport mode left outside is written anew, with the addresses that
 * the packet had when it reached us. */
static bool unwrap_transport(struct esp_packet *p, uint8_t *text, size_t len,
	uint8_t next, struct ip_packet *ip)
{
	const struct ip_packet header = {
		.src = p->remote.addr,
		.dst = p->local.addr,
		.tos = p->tos,
		.ttl = p->ttl != 0 ? p->ttl : HOP_LIMIT,
		.proto = next,
	};
	bool v4 = header.src.family == ADDR_V4;
	size_t header_len = v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
	struct writer w = wr_over(text - header_len, header_len);

	/* RFC 4303 3.1.1: transport mode carries no fragments. */
	if (header.src.family != header.dst.family || header_len + len > UINT16_MAX ||
		(!v4 && next == IPV6_FRAGMENT))
		return false;
	ip_packet_write_header(&w, &header, len);
	assert(wr_ok(&w));
	p->at = text - header_len;
	p->len = header_len + len;
	if (ip_packet_read(span_of(p->at, p->len), ip) != WIRE_OK)
		return false;
	/* RFC 3948 3.1.2, second way: a NAT changed what the sum was made of. */
	if (p->encap)
		l4_checksum_set(p->at, ip);
	return true;
}

static void drop_taken(struct esp_dp *dp, struct esp_sa *sa, const struct selection *from)
{
	struct esp_notice n = dp_notice_of(sa, ESP_FLOW_TAKEN);
	const struct nat_peer *other = from->flow->peer;

	n.flow = from->f;
	if (!list_empty(&other->sas))
		n.other = list_entry(other->sas.next, struct esp_sa, of_peer)->id;
	dp->count.drop_flow_taken++;
	sa->usage.flow_taken++;
	notice_flow(&dp->notices, &n, dp->nat.now_ms);
}

/* What was authentic counts, though its selectors may not be the SA's: the kernel, too, has
 * counted before it looks. */
static void account(struct esp_sa *sa, size_t text_len)
{
	bool v4 = sa->local.addr.family == ADDR_V4;

	sa->usage.packets_in++;
	sa->usage.bytes_in += text_len;
	if (sa->mode == POLICY_TRANSPORT)
		sa->usage.bytes_in += v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
}

/* May it go on? Then it has the port under which its talk is seen. RFC 4301 7.3: a later
 * fragment has no ports, and fits no selectors that want some. */
static bool admit(
	struct esp_dp *dp, struct esp_sa *sa, uint8_t *at, const struct ip_packet *ip)
{
	struct selection from = {
		.ip = ip, .at = at, .f = ip_packet_flow(ip, false), .sa = sa};
	enum selected answer = select_inbound(dp, &from);

	if (answer == SELECT_TAKEN)
		drop_taken(dp, sa, &from);
	if (answer == SELECT_OTHER) {
		dp->count.drop_selector++;
		sa->usage.wrong_selector++;
	}
	if (answer != SELECT_SA)
		return false;
	if (from.flow != NULL && from.flow->seen_port != from.flow->port)
		nat_set_port(at, ip, &from.talk, from.flow->seen_port);
	return true;
}

static void deliver(struct esp_dp *dp, struct esp_sa *sa, struct esp_packet *p,
	const struct esp_parts *parts)
{
	uint8_t *at = p->at + parts->text_at;
	struct span text = span_of(at, parts->text_len);
	struct ip_packet ip;
	uint8_t next = parts->next;

	if (!sa->ah && !strip_trailer(&text, &next)) {
		dp->count.drop_malformed++;
		return;
	}
	if (next == IP_NONE) {
		dp->count.dummy_packets++;
		return;
	}
	account(sa, text.len);
	bool whole = sa->mode == POLICY_TUNNEL
			     ? unwrap_tunnel(p, at, text.len, next, &ip)
			     : unwrap_transport(p, at, text.len, next, &ip);
	if (!whole) {
		dp->count.drop_malformed++;
		return;
	}
	if (admit(dp, sa, p->at, &ip))
		p->verdict = ESP_INJECT;
}

/* RFC 4301 4.1: the SPI means something together with its protocol and address only. */
static struct esp_sa *sa_for(
	const struct esp_dp *dp, const struct esp_packet *p, uint32_t spi)
{
	struct esp_sa *sa = dp_by_spi(dp, spi);

	return sa != NULL && sa->ah == p->ah &&
			       addr_equal(&sa->local.addr, &p->local.addr)
		       ? sa
		       : NULL;
}

static void inbound_on(struct esp_dp *dp, struct esp_sa *sa, struct esp_packet *p,
	struct esp_parts *parts, uint64_t now_ms)
{
	uint64_t seq;

	p->verdict = ESP_DROP;
	p->scope = sa->scope;
	if (!divide(p, sa, parts)) {
		dp->count.drop_malformed++;
		return;
	}
	if (!open_sealed(dp, sa, p, parts, &seq))
		return;
	authentic(dp, sa, p, seq, now_ms);
	deliver(dp, sa, p, parts);
}

static void inbound_one(struct esp_dp *dp, struct esp_packet *p, uint64_t now_ms)
{
	struct esp_parts parts;

	p->verdict = ESP_DROP;
	if (p->encap && p->len == 1 && p->at[0] == KEEPALIVE) {
		dp->count.keepalives_in++;
		return;
	}
	if (!parse(p, &parts)) {
		dp->count.drop_malformed++;
		return;
	}
	struct esp_sa *sa = sa_for(dp, p, parts.spi);
	if (sa == NULL)
		unknown_spi(dp, p, parts.spi, now_ms);
	else
		inbound_on(dp, sa, p, &parts, now_ms);
}

static void release_one(
	struct esp_dp *dp, struct early_packet *e, struct esp_packet *p, uint64_t now_ms)
{
	struct esp_parts parts;
	struct esp_sa *sa = sa_for(dp, &e->packet, e->spi);
	bool whole = parse(&e->packet, &parts);

	assert(sa != NULL && whole); /* as when it was put away */
	(void)whole;
	early_take(&dp->early, e);
	*p = e->packet;
	inbound_on(dp, sa, p, &parts, now_ms);
	dp->count.early++;
}

void inbound_release(struct esp_dp *dp, struct esp_batch *b, uint64_t now_ms)
{
	early_begin(&dp->early, now_ms);
	if (!dp->early.due)
		return;
	list_each_safe(item, &dp->early.waiting)
	{
		struct early_packet *e = list_entry(item, struct early_packet, link);
		if (b->n == ESP_BATCH_MAX)
			break;
		if (sa_for(dp, &e->packet, e->spi) != NULL)
			release_one(dp, e, &b->at[b->n++], now_ms);
	}
	dp->early.due = b->n == ESP_BATCH_MAX;
}

void esp_dp_inbound(struct esp_dp *dp, struct esp_batch *b, uint64_t now_ms)
{
	assert(b->n <= ESP_BATCH_MAX && now_ms != 0);
	early_begin(&dp->early, now_ms);
	nat_begin(&dp->nat, now_ms);
	for (unsigned i = 0; i < b->n; i++)
		inbound_one(dp, &b->at[i], now_ms);
}
