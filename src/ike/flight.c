/* ike/flight.c - a message of ours as one datagram, or as several (RFC 7383 2.3 to 2.5).
 *
 * What fits the path is one datagram, as ever. What does not, and the peer has said that it
 * can put fragments together, is cut; what may turn out to be too large is kept in clear, to
 * be cut smaller when no answer comes (2.5.2). The datagrams of one message stand end to end:
 * each begins with an IKE header, which says how long it is.
 *
 * Leaves when to repeat to retransmit.c and receive.c, octets to wire/fragment.h.
 */
#include "ike/sa.h"

#include <assert.h>

#include "base/secret.h"
#include "wire/fragment.h"

enum {
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	UDP_HEADER = 8,
	NON_ESP_MARKER = 4,
	/* RFC 7383 2.5.1: these pass almost everywhere, or everywhere. */
	IPV4_SMALL = 576,
	IPV6_SMALL = 1280,
	FRAGMENTS_MAX = 128
};

_Static_assert(
	sizeof(((struct ike_engine *)0)->flight) >= IKE_OUT_MAX + FRAGMENTS_MAX * 64,
	"a message in fragments");

void ike_whole_free(struct ike_whole *w)
{
	if (w->plain.len > 0)
		wipe(w->plain.at, w->plain.len);
	octets_free(&w->plain);
	*w = (struct ike_whole){0};
}

static bool is_v6(const struct ike_path *path)
{
	return path->remote.addr.family == ADDR_V6;
}

static uint16_t small_size(const struct ike_path *path)
{
	return is_v6(path) ? IPV6_SMALL : IPV4_SMALL;
}

/* Octets of IKE in an IP datagram of that size. */
static size_t room_in(const struct ike_path *path, size_t size)
{
	return size - (is_v6(path) ? IPV6_HEADER : IPV4_HEADER) - UDP_HEADER -
	       (path->natt ? NON_ESP_MARKER : 0);
}

static uint16_t current_size(const struct ike_engine *e, const struct ike_sa *sa)
{
	return sa->fragment_size ? sa->fragment_size : e->fragment_size;
}

/* Empty: not into so few. */
static struct span seal_fragments(
	struct ike_engine *e, struct ike_sa *sa, struct ike_whole *w, size_t max)
{
	struct fragments cut;
	size_t at = 0;

	if (!fragments_cut(octets_span(&w->plain), max, ike_sk_shape(sa), &cut) ||
		cut.total > FRAGMENTS_MAX || cut.total <= w->total)
		return span_of(NULL, 0);
	for (uint16_t n = 1; n <= cut.total; n++) {
		struct sk_frame frame;
		bool fits = fragment_write(
			&cut, n, e->flight + at, sizeof(e->flight) - at, &frame);

		assert(fits);
		ike_sk_seal_frame(sa, &frame);
		at += frame.datagram.len;
	}
	w->total = cut.total;
	return span_of(e->flight, at);
}

struct span ike_flight_seal(struct ike_engine *e, struct ike_sa *sa,
	const struct ike_path *path, struct message *m, struct ike_whole *w)
{
	struct span plain = message_plain(m);
	struct sk_shape shape = ike_sk_shape(sa);
	size_t len = plain.len + shape.block_len + shape.tag_len; /* or less */
	size_t max = room_in(path, current_size(e, sa));
	struct span datagrams = span_of(NULL, 0);

	assert(plain.len > 0); /* IKE_OUT_MAX holds the longest message that we write */
	ike_whole_free(w);
	if (sa->fragments && (len > max || len > room_in(path, small_size(path))))
		octets_set(&w->plain, plain);
	if (sa->fragments && len > max)
		datagrams = seal_fragments(e, sa, w, max);
	return datagrams.len > 0 ? datagrams : ike_sk_seal(sa, m);
}

/* RFC 7383 2.5.2: more fragments than before, so that the peer begins anew with them. */
bool ike_flight_shrink(struct ike_engine *e, struct ike_sa *sa,
	const struct ike_path *path, struct octets *sent, struct ike_whole *w)
{
	uint16_t size = small_size(path);

	if (w->plain.len == 0 || size >= current_size(e, sa))
		return false;
	struct span datagrams = seal_fragments(e, sa, w, room_in(path, size));
	if (datagrams.len == 0)
		return false;
	sa->fragment_size = size;
	octets_set(sent, datagrams);
	return true;
}

void ike_flight_send(
	struct ike_engine *e, const struct ike_path *path, struct span datagrams)
{
	while (datagrams.len > 0) {
		struct reader r = rd_over(datagrams);

		rd_skip(&r, IKE_HEADER_LEN - sizeof(uint32_t));
		size_t len = rd_u32(&r);
		assert(len >= IKE_HEADER_LEN && len <= datagrams.len);
		e->host.send(e->host.ctx, path, span_of(datagrams.at, len));
		datagrams = span_of(datagrams.at + len, datagrams.len - len);
	}
}

/* RFC 7383 2.5.1: what the peer thinks of the path, we may think, too. */
void ike_flight_learn(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_path *path, size_t len)
{
	size_t size = len + IPV4_SMALL - room_in(path, IPV4_SMALL);

	if (size < small_size(path))
		size = small_size(path);
	if (size < current_size(e, sa))
		sa->fragment_size = (uint16_t)size;
}

void ike_set_fragment_size(struct ike_engine *e, uint16_t octets)
{
	assert(octets >= IKE_FRAGMENT_SIZE_MIN);
	e->fragment_size = octets;
}
