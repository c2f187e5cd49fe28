/* esp/reassembly.c - fragments in, datagrams out.
 *
 * Obeys RFC 791 3.2 and RFC 8200 4.5, and RFC 5722 for both families: a datagram whose
 * fragments overlap is dropped as a whole. A bitmap of the 8-octet units received makes
 * an overlap plain to see. The fragments come from our own kernel, moments apart, hence
 * a timeout far below RFC 1122's minute.
 */
#include "esp/reassembly.h"

#include "base/mem.h"
#include "esp/esp.h"
#include "wire/checksum.h"

#include <assert.h>
#include <stdlib.h>

enum {
	IP_PACKET_MAX = UINT16_MAX,
	UNIT = 8,
	UNITS = (IP_PACKET_MAX + UNIT) / UNIT,
	HEADERS_MAX = 256, /* what stands before the fragmented part */
	DATA_AT = ESP_ROOM_BEFORE + HEADERS_MAX,
	SLOT_CAP = DATA_AT + IP_PACKET_MAX + UNIT + ESP_ROOM_AFTER
};

enum slot_state { FREE, FILLING, HANDED_OUT };

struct reassembly_slot {
	enum slot_state state;
	struct addr src, dst;
	uint8_t proto; /* IPv4; part of what identifies a datagram there */
	uint32_t id;
	uint64_t since_ms;
	size_t headers_len; /* 0: the first fragment has not come */
	size_t data_len; /* known with the last fragment; 0 before */
	size_t reach; /* the furthest end of any fragment */
	size_t got_units;
	uint64_t seen[UNITS / 64 + 1];
	uint8_t bytes[SLOT_CAP];
};

void reassembly_init(struct reassembly *r)
{
	*r = (struct reassembly){.abandoned = 0};
}

void reassembly_wipe(struct reassembly *r)
{
	for (size_t i = 0; i < REASSEMBLY_SLOTS; i++)
		free(r->slots[i]);
	reassembly_init(r);
}

static void give_up(struct reassembly *r, struct reassembly_slot *s)
{
	s->state = FREE;
	r->abandoned++;
}

void reassembly_begin(struct reassembly *r, uint64_t now_ms)
{
	for (size_t i = 0; i < REASSEMBLY_SLOTS && r->slots[i] != NULL; i++) {
		struct reassembly_slot *s = r->slots[i];
		if (s->state == HANDED_OUT)
			s->state = FREE;
		if (s->state == FILLING && now_ms - s->since_ms >= REASSEMBLY_TIMEOUT_MS)
			give_up(r, s);
	}
}

/* RFC 791 3.2 has the protocol among what identifies a datagram, RFC 8200 4.5 has not. */
static uint8_t key_proto(const struct ip_packet *ip)
{
	return ip->src.family == ADDR_V4 ? ip->proto : 0;
}

static bool same_datagram(const struct reassembly_slot *s, const struct ip_packet *ip)
{
	return s->state == FILLING && s->id == ip->frag_id && s->proto == key_proto(ip) &&
	       addr_equal(&s->src, &ip->src) && addr_equal(&s->dst, &ip->dst);
}

/* A slot for a new datagram: a free one, a new one, else the one that waits longest. */
static struct reassembly_slot *slot_take(struct reassembly *r)
{
	struct reassembly_slot *oldest = NULL;

	for (size_t i = 0; i < REASSEMBLY_SLOTS; i++) {
		struct reassembly_slot *s = r->slots[i];
		if (s == NULL)
			return r->slots[i] = mem_new(1, sizeof *s);
		if (s->state == FREE)
			return s;
		if (s->state == FILLING &&
			(oldest == NULL || s->since_ms < oldest->since_ms))
			oldest = s;
	}
	/* There are more slots than one batch can hand out. */
	assert(oldest != NULL);
	give_up(r, oldest);
	return oldest;
}

static struct reassembly_slot *slot_for(
	struct reassembly *r, const struct ip_packet *ip, uint64_t now_ms)
{
	for (size_t i = 0; i < REASSEMBLY_SLOTS && r->slots[i] != NULL; i++) {
		if (same_datagram(r->slots[i], ip))
			return r->slots[i];
	}

	struct reassembly_slot *s = slot_take(r);
	s->state = FILLING;
	s->src = ip->src;
	s->dst = ip->dst;
	s->proto = key_proto(ip);
	s->id = ip->frag_id;
	s->since_ms = now_ms;
	s->headers_len = s->data_len = s->reach = s->got_units = 0;
	memset(s->seen, 0, sizeof s->seen);
	return s;
}

/* Marks the units as received; false when one of them was there already. */
static bool mark(struct reassembly_slot *s, size_t first, size_t n)
{
	for (size_t u = first; u < first + n; u++) {
		uint64_t bit = UINT64_C(1) << (u % 64);
		if (s->seen[u / 64] & bit)
			return false;
		s->seen[u / 64] |= bit;
	}
	s->got_units += n;
	return true;
}

static bool keep_headers(
	struct reassembly_slot *s, const struct ip_packet *ip, const uint8_t *at)
{
	bool v6 = ip->src.family == ADDR_V6;
	size_t len = v6 ? ip->frag_at : ip->header_len;
	uint8_t *to = s->bytes + DATA_AT - len;

	if (len > HEADERS_MAX)
		return false;
	memcpy(to, at, len);
	/* RFC 8200 4.5: the fragment header goes, its Next Header takes its place. */
	if (v6)
		to[ip->frag_named_at] = at[ip->frag_at];
	s->headers_len = len;
	return true;
}

/* Puts a fragment in. False: the datagram is spoilt. */
static bool fill(struct reassembly_slot *s, const struct ip_packet *ip, const uint8_t *at)
{
	bool v6 = ip->src.family == ADDR_V6;
	size_t data_at = v6 ? ip->frag_at + (size_t)IPV6_FRAGMENT_LEN : ip->header_len;
	size_t len = ip->total_len - data_at;
	size_t end = ip->frag_offset + len;

	assert(end <= IP_PACKET_MAX); /* ip_packet_read() sees to that */
	if (s->data_len != 0 && end > s->data_len)
		return false;
	if (!ip->more) {
		if (s->data_len != 0 || s->reach > end)
			return false;
		s->data_len = end;
	}
	if (end > s->reach)
		s->reach = end;
	if (ip->frag_offset == 0 && !keep_headers(s, ip, at))
		return false;
	memcpy(s->bytes + DATA_AT + ip->frag_offset, at + data_at, len);
	return mark(s, ip->frag_offset / UNIT, (len + UNIT - 1) / UNIT);
}

static bool is_whole(const struct reassembly_slot *s)
{
	return s->headers_len != 0 && s->data_len != 0 &&
	       s->got_units == (s->data_len + UNIT - 1) / UNIT;
}

static void write_length(uint8_t *field, size_t len)
{
	field[0] = (uint8_t)(len >> 8);
	field[1] = (uint8_t)len;
}

/* The header of the datagram that was never sent whole. False: too long for one. */
static bool finish(struct reassembly_slot *s, struct buf *out)
{
	size_t total = s->headers_len + s->data_len;
	uint8_t *header = s->bytes + DATA_AT - s->headers_len;

	if (total > IP_PACKET_MAX)
		return false;
	if (s->src.family == ADDR_V4) {
		write_length(header + 2, total);
		header[6] = header[7] = 0; /* no DF either: it has been fragmented */
		ipv4_checksum_set(header, s->headers_len);
	} else {
		write_length(header + 4, total - IPV6_HEADER_LEN);
	}
	*out = (struct buf){.at = header, .len = total, .cap = total + ESP_ROOM_AFTER};
	return true;
}

enum reassembled reassembly_add(struct reassembly *r, const struct ip_packet *ip,
	const uint8_t *at, uint64_t now_ms, struct buf *out)
{
	assert(ip->fragment);
	struct reassembly_slot *s = slot_for(r, ip, now_ms);

	if (!fill(s, ip, at) || (is_whole(s) && !finish(s, out))) {
		give_up(r, s);
		return REASSEMBLY_SPOILT;
	}
	if (!is_whole(s))
		return REASSEMBLY_WAITS;
	s->state = HANDED_OUT;
	return REASSEMBLY_WHOLE;
}
