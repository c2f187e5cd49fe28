/* tests/fuzz/fuzz_ike_fragments.c - fragments from a peer that has the keys (RFC 7383).
 *
 * Two SAs that know each other's keys; the target is half open, or up. Then come
 * fragments: flags (1), number (1), total (1), first payload (1), length (1), octets. Each is
 * sealed with a header that fits. Memory that is kept stays within its limits, and all of it
 * is given back.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ike/sa.h"
#include "wire/fragment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROUNDS_MAX = 200, LIMIT = 2000 };
enum { FLAG_LATER = 1, FLAG_RAW = 2, FLAG_INIT = 4 };

static bool on_accept(void *ctx, const struct ike_path *path, struct ike_answer *out)
{
	(void)ctx;
	(void)path;
	(void)out;
	return false;
}

static bool on_authenticate(void *ctx, const struct ike_path *path,
	const struct identity *idi, const struct identity *idr, unsigned n,
	struct ike_conn *out)
{
	(void)ctx;
	(void)path;
	(void)idi;
	(void)idr;
	(void)n;
	(void)out;
	return false;
}

static void on_send(void *ctx, const struct ike_path *path, struct span datagram)
{
	unsigned *n = ctx;

	(void)path;
	assert(datagram.len > 0);
	++*n;
}

static void on_closed(void *ctx, const struct ike_info *sa, const struct ike_failure *why)
{
	(void)ctx;
	(void)sa;
	(void)why;
}

static void on_note(
	void *ctx, const struct ike_path *path, uint32_t ike, const char *text)
{
	(void)ctx;
	(void)path;
	(void)ike;
	(void)text;
}

static const uint8_t keys[2][20] = {{1}, {2}};

static struct aead *key(int n)
{
	struct aead *a = aead_new(AEAD_AES128_GCM16, span_of(keys[n], sizeof(keys[n])));

	if (!a)
		abort();
	return a;
}

/* Half open as a stranger's, and known to nobody but us. */
static struct ike_sa *make_target(struct ike_engine *e)
{
	struct ike_path path = {.local = {addr_v4(192, 0, 2, 1), IKE_PORT},
		.remote = {addr_v4(192, 0, 2, 2), IKE_PORT}};
	struct ike_sa *sa = ike_sa_new(e, &path, false);

	sa->spi_i = 7;
	sa->spi_r = sa->own_spi;
	sa->suite = (struct ike_suite){
		.encr = AEAD_AES128_GCM16, .prf = PRF_SHA256, .ke = KE_CURVE25519};
	sa->state = STATE_HALF_OPEN;
	list_add(&e->half_open, &sa->half);
	e->n_half_open++;
	sa->next_in = 1;
	sa->seal = key(0);
	sa->open = key(1);
	sa->fragments = true;
	sa->stranger = true;
	e->n_strangers++;
	return sa;
}

/* As the peer would, but for the numbers. */
static void give(struct ike_engine *e, struct ike_sa *peer, const struct ike_path *from,
	struct reader *r, uint64_t now)
{
	static uint8_t plain[512], out[1024];
	uint8_t flags = rd_u8(r), number = rd_u8(r), total = rd_u8(r), first = rd_u8(r);
	size_t len = rd_u8(r);
	struct span text = rd_bytes(r, len < rd_left(r) ? len : rd_left(r));
	struct ike_header h = {.spi_i = peer->spi_i,
		.spi_r = peer->spi_r,
		.major = 2,
		.exchange = flags & FLAG_INIT ? INFORMATIONAL : IKE_AUTH,
		.initiator = true,
		.message_id = 1};
	struct message m = message_begin(plain, sizeof(plain), &h);
	struct fragments cut;
	struct sk_frame frame;

	message_encrypt(&m);
	wr_fill_u8(&m.w, m.sk_at, first);
	wr_bytes(&m.w, text);
	if (!fragments_cut(message_plain(&m), 600, sk_shape_aead, &cut) ||
		!fragment_write(&cut, 1, out, sizeof(out), &frame))
		abort();
	out[33] = number;
	out[35] = total;
	if (flags & FLAG_RAW)
		frame.text[frame.text_len - 1] = number; /* the padding's length */
	ike_sk_seal_frame(peer, &frame);
	ike_receive(e, now, from, frame.datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = rd_over(span_of(data, size));
	struct seeded_entropy seed;
	unsigned sent = 0;
	struct ike_host host = {.ctx = &sent,
		.accept = on_accept,
		.authenticate = on_authenticate,
		.send = on_send,
		.closed = on_closed,
		.note = on_note};
	struct ike_params params = {.entropy = entropy_seeded(&seed, 1)};
	struct ike_engine *e = ike_new(&params, &host);
	struct ike_sa *target = make_target(e);
	struct ike_sa peer = {
		.spi_i = target->spi_i, .spi_r = target->spi_r, .seal = key(1)};
	struct ike_path from = target->path;
	uint64_t now = 1000;

	e->pieces_max[true] = LIMIT;
	for (unsigned i = 0; i < ROUNDS_MAX && rd_left(&r) > 5; i++) {
		if (*r.at & FLAG_LATER)
			ike_tick(e, now += 10000);
		give(e, &peer, &from, &r, ++now);
		assert(e->pieces[true] <= LIMIT && e->pieces[false] == 0);
	}
	ike_tick(e, now + 100000);
	assert(e->pieces[true] == 0);
	ike_free(e);
	aead_free(peer.seal);
	return 0;
}
