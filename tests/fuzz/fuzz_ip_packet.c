/* An IP packet: what was accepted lies inside its octets, its header can be written again,
 * and a sum that was set is right. The port of its talk can be changed, and nothing else of
 * the talk changes with it. */
#include "wire/checksum.h"
#include "wire/ip_packet.h"
#include "wire/talk.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_offsets(const struct ip_packet *p, const uint8_t *data, size_t size)
{
	assert(p->total_len <= size && p->l4_at <= p->total_len);
	assert(p->header_len <= p->l4_at && p->proto_at < p->l4_at);
	assert(data[p->proto_at] == p->proto);
	assert(p->src.family == p->dst.family && addr_is_set(&p->src));
	assert(!p->ports_known || p->total_len - p->l4_at >= 4);
	assert(p->frag_at == 0 || data[p->frag_named_at] == IPV6_FRAGMENT);
	assert(p->frag_at == 0 ||
		(p->frag_named_at < p->frag_at && p->frag_at < p->l4_at));
}

static void check_header(const struct ip_packet *p, uint8_t *copy)
{
	static uint8_t out[1 << 17];
	struct writer w = wr_over(out, sizeof(out));
	struct ip_packet back;
	size_t payload_len = p->total_len - p->l4_at;

	ip_packet_write_header(&w, p, payload_len);
	wr_bytes(&w, span_of(copy + p->l4_at, payload_len));
	assert(ip_packet_read(wr_span(&w), &back) == WIRE_OK);
	assert(addr_equal(&p->src, &back.src) && addr_equal(&p->dst, &back.dst));
	assert(p->proto == back.proto && p->ports_known == back.ports_known);
	assert(p->src_port == back.src_port && p->dst_port == back.dst_port);
	assert(p->fragment == back.fragment && p->frag_offset == back.frag_offset);
	assert(p->tos == back.tos && p->ttl == back.ttl && p->df == back.df);
}

static void check_talk(const struct ip_packet *p, uint8_t *copy, bool outbound)
{
	struct span packet = span_of(copy, p->total_len);
	struct talk t, again;

	if (p->fragment || !talk_read(packet, p, outbound, &t) || t.port_at == 0)
		return;
	assert(t.port_at >= p->l4_at && t.port_at + 2u <= p->total_len);
	assert(copy[t.port_at] << 8 == (t.remote_port & 0xff00));
	copy[t.port_at] ^= 0x5a;
	assert(talk_read(packet, p, outbound, &again));
	assert(again.remote_port == (t.remote_port ^ 0x5a00));
	copy[t.port_at] ^= 0x5a;
	again.remote_port = t.remote_port;
	assert(again.proto == t.proto && again.local_port == t.local_port);
	assert(again.port_at == t.port_at && again.quoted == t.quoted);
	assert(again.opens == t.opens && again.closes == t.closes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[1 << 16];
	struct ip_packet p;

	if (size > sizeof(copy) || ip_packet_read(span_of(data, size), &p) != WIRE_OK)
		return 0;
	check_offsets(&p, data, size);
	memcpy(copy, data, size);
	if (l4_checksum_set(copy, &p))
		assert(l4_checksum_ok(copy, &p));
	check_talk(&p, copy, true);
	check_talk(&p, copy, false);
	/* the fragment header of a whole packet is not written again */
	if (p.total_len - p.l4_at + IPV4_HEADER_LEN <= UINT16_MAX)
		check_header(&p, copy);
	return 0;
}
