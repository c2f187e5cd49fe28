/* tests/fuzz/fuzz_exchange.c - whole exchanges between two engines, disturbed on the way.
 *
 * The first octet is the world's options; 255: more of them and then they. Then come steps: what to do, two octets that say
 * to whom and how, and for some a length and octets. Datagrams wait on a wire until a step
 * delivers, loses or repeats them, in any order; a step may also take one apart, change its
 * chain of payloads (drop, repeat, exchange, retype, cut, edit, add) or its header, and seal
 * it again with its sender's keys: so any message of any exchange, from either side and in
 * any state, comes with any chain of payloads and a good seal, in one datagram or in fragments,
 * which can be changed, too. Commands, strangers, moves and the clock are steps as well. What must hold is in world.c.
 */
#include <stdlib.h>

#include "fuzz/world.h"
#include "wire/fragment.h"
#include "wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 96, ADDED_MAX = 600, MORE_OPTIONS = 255 };

enum step {
	STEP_CALL,
	STEP_DELIVER,
	STEP_DELIVER_ALL,
	STEP_LOSE,
	STEP_REPEAT,
	STEP_WAIT,
	STEP_COMMAND,
	STEP_CHANGE,
	STEP_HEADER,
	STEP_FLIP,
	STEP_STRANGER,
	STEP_FLOOD,
	STEP_REFLECT,
	STEP_CUT,
	STEP_FRAGMENT,
	STEP_FROM,
	STEP_MOVED,
	STEP_FETCHED,
	STEPS
};

/* ---- commands */

static void command(struct world *w, unsigned by, unsigned what)
{
	struct ike_engine *e = w->end[by].engine;
	struct ike_sa *sa = world_last_sa(w, by);
	struct child *c = sa ? ike_child_first(sa) : NULL;
	uint32_t child = c ? c->is.id : 0, fresh;
	struct endpoint elsewhere = w->end[by].conn.path.remote;
	enum ike_err err = IKE_OK;

	if (!sa)
		return;
	elsewhere.port = (uint16_t)(1024 + what);
	switch (what % 12) {
	case 0:
		err = ike_create_child(e, w->now_ms, sa->id, &w->end[by].conn, &fresh);
		break;
	case 1:
		err = ike_rekey_child(e, w->now_ms, child);
		break;
	case 2:
		err = ike_rekey(e, w->now_ms, sa->id);
		break;
	case 3:
		err = ike_delete_child(e, w->now_ms, child);
		break;
	case 4:
		err = ike_delete(e, w->now_ms, sa->id, 1000, 1);
		break;
	case 5:
		err = ike_delete(e, w->now_ms, sa->id, 0, 3);
		break;
	case 6:
		err = ike_forget(e, w->now_ms, sa->id);
		break;
	case 7:
		err = ike_probe(e, w->now_ms, sa->id);
		break;
	case 8:
		err = ike_move(e, sa->id, &elsewhere);
		break;
	case 9:
		ike_used(e, sa->id, w->now_ms);
		break;
	case 10:
		w->end[by].away = !w->end[by].away;
		break;
	default:
		elsewhere.addr = addr_v4(192, 0, 2, 99);
		err = ike_redirect(e, w->now_ms, sa->id, &elsewhere.addr);
		break;
	}
	(void)err; /* not up, or gone: then nothing happens */
	world_check(w, by);
}

/* ---- a message, taken apart and put together otherwise */

/* The payloads of a datagram, those inside of SK if it has one. */
static bool open_datagram(struct world *w, const struct world_datagram *d,
	struct ike_header *h, struct payload_set *set, bool *sealed)
{
	struct span bytes = span_of(d->at, d->len);
	struct exchange x = {.e = w->end[1U - d->from].engine, .datagram = bytes};
	struct reader payloads;
	uint8_t first;

	if (ike_header_read(bytes, h, &payloads) != WIRE_OK ||
		payload_set_read(payloads, h->next_payload, &x.in) != WIRE_OK)
		return false;
	*sealed = payload_set_has(&x.in, PAYLOAD_SK);
	*set = x.in;
	if (!*sealed)
		return !payload_set_has(&x.in, PAYLOAD_SKF);
	x.header = *h;
	x.sa = world_sa_of(w, 1U - d->from, bytes);
	struct ike_sa *from = world_sa_of(w, d->from, bytes);
	if (!x.sa || !x.sa->open || !from || !from->seal)
		return false;
	/* From before an additional key exchange, or from behind it. */
	struct exchange again = x;
	again.repeated = true;
	return (ike_sk_open(&x, &payloads, &first) == SK_OPENED ||
		       ike_sk_open(&again, &payloads, &first) == SK_OPENED) &&
	       payload_set_read(payloads, first, set) == WIRE_OK;
}

/* As the datagram was sealed by its sender. */
static struct message begin(struct world *w, const struct world_datagram *d,
	const struct ike_header *h, bool sealed)
{
	static uint8_t out[WIRE_DATAGRAM + ADDED_MAX];
	struct message m = message_begin(out, sizeof(out), h);

	if (sealed)
		message_encrypt_as(&m,
			ike_sk_shape(world_sa_of(w, d->from, span_of(d->at, d->len))));
	return m;
}

/* Into out; empty: it became too long. */
static struct span close_datagram(
	struct world *w, const struct world_datagram *d, struct message *m, bool sealed)
{
	enum { SEAL_ROOM = 96 };

	if (!wr_ok(&m->w) || wr_len(&m->w) + SEAL_ROOM > WIRE_DATAGRAM)
		return span_of(NULL, 0);
	if (!sealed)
		return message_finish(m);
	return ike_sk_seal(world_sa_of(w, d->from, span_of(d->at, d->len)), m);
}

enum change {
	CHANGE_NOTHING,
	CHANGE_DROP,
	CHANGE_REPEAT,
	CHANGE_EXCHANGE,
	CHANGE_RETYPE,
	CHANGE_CUT,
	CHANGE_EDIT,
	CHANGE_CRITICAL,
	CHANGE_ADD,
	CHANGES
};

static void write_payload(struct message *m, const struct payload *p, uint8_t how,
	uint8_t which, struct span octets)
{
	struct reader body = p->body, edits = rd_over(octets);
	struct span bytes = rd_rest(&body);
	uint8_t type = how == CHANGE_RETYPE ? which : p->type;
	struct writer *w = how == CHANGE_CRITICAL ? message_payload_critical(m, type)
						  : message_payload(m, type);
	size_t at = wr_len(w);

	if (how == CHANGE_CUT && bytes.len > 0)
		bytes.len = which % bytes.len;
	wr_bytes(w, bytes);
	/* (offset, octet)* */
	while (how == CHANGE_EDIT && rd_left(&edits) >= 2 && bytes.len > 0) {
		size_t offset = rd_u8(&edits) % bytes.len;
		wr_fill_u8(w, at + offset, rd_u8(&edits));
	}
}

static void change(
	struct world *w, unsigned n, uint8_t how, uint8_t which, struct span octets)
{
	static struct payload_set set;
	struct ike_header h;
	bool sealed;

	if (n >= w->n || !open_datagram(w, &w->wire[n], &h, &set, &sealed))
		return;
	struct world_datagram *d = &w->wire[n];
	struct message m = begin(w, d, &h, sealed);
	unsigned k = set.n > 0 ? which % set.n : 0;
	if (how % CHANGES == CHANGE_EXCHANGE && k + 1 < set.n) {
		struct payload p = set.at[k];
		set.at[k] = set.at[k + 1];
		set.at[k + 1] = p;
	}
	for (unsigned i = 0; i < set.n; i++) {
		uint8_t doing = i == k ? how % CHANGES : CHANGE_NOTHING;
		uint8_t value = octets.len > 0 ? octets.at[0] : which;

		if (doing != CHANGE_DROP)
			write_payload(&m, &set.at[i], doing, value, octets);
		if (doing == CHANGE_REPEAT)
			write_payload(&m, &set.at[i], CHANGE_EDIT, value, octets);
	}
	if (how % CHANGES == CHANGE_ADD)
		wr_bytes(message_payload(&m, which > 0 ? which : PAYLOAD_NOTIFY), octets);
	struct span made = close_datagram(w, d, &m, sealed);
	if (made.len == 0 || made.len > WIRE_DATAGRAM)
		return;
	d->len = made.len;
	memcpy(d->at, made.at, made.len);
}

/* The same chain under another header, sealed again. */
static void change_header(struct world *w, unsigned n, uint8_t how, uint8_t value)
{
	static struct payload_set set;
	struct ike_header h;
	bool sealed;

	if (n >= w->n || !open_datagram(w, &w->wire[n], &h, &set, &sealed))
		return;
	struct world_datagram *d = &w->wire[n];
	h.message_id += how % 5 == 0 ? value : 0;
	h.exchange = how % 5 == 1 ? value : h.exchange;
	h.response ^= how % 5 == 2;
	h.initiator ^= how % 5 == 3;
	h.minor = how % 5 == 4 ? value & 15 : h.minor;
	struct message m = begin(w, d, &h, sealed);
	for (unsigned i = 0; i < set.n; i++)
		write_payload(&m, &set.at[i], CHANGE_NOTHING, 0, span_of(NULL, 0));
	struct span made = close_datagram(w, d, &m, sealed);
	if (made.len == 0 || made.len > WIRE_DATAGRAM)
		return;
	d->len = made.len;
	memcpy(d->at, made.at, made.len);
}

/* ---- fragments */

enum { NUMBER_AT = 33, TOTAL_AT = 35 };

/* A sealed message in one datagram, in several instead. */
static void cut(struct world *w, unsigned n, uint8_t size)
{
	static uint8_t out[WIRE_DATAGRAM];
	static struct payload_set set;
	static struct world_datagram like;
	struct fragments pieces;
	struct sk_frame frame;
	struct ike_header h;
	bool sealed;

	if (n >= w->n || !open_datagram(w, &w->wire[n], &h, &set, &sealed) || !sealed)
		return;
	like = w->wire[n];
	struct ike_sa *sa = world_sa_of(w, like.from, span_of(like.at, like.len));
	struct message m = begin(w, &like, &h, true);
	for (unsigned i = 0; i < set.n; i++)
		write_payload(&m, &set.at[i], CHANGE_NOTHING, 0, span_of(NULL, 0));
	if (!wr_ok(&m.w) || !fragments_cut(message_plain(&m), 100U + 4U * size,
				    ike_sk_shape(sa), &pieces))
		return;
	world_lose(w, n);
	for (uint16_t i = 1; i <= pieces.total && w->n < WIRE_MAX; i++) {
		if (!fragment_write(&pieces, i, out, sizeof(out), &frame))
			return;
		ike_sk_seal_frame(sa, &frame);
		world_put(w, &like, frame.datagram);
	}
}

/* What a fragment holds, its padding off; it stands in the receiver's engine. */
static bool open_fragment(struct world *w, const struct world_datagram *d,
	struct fragment *f, struct reader *text)
{
	struct span bytes = span_of(d->at, d->len);
	struct exchange x = {.e = w->end[1U - d->from].engine, .datagram = bytes};
	const struct ike_sa *from = world_sa_of(w, d->from, bytes);
	struct reader payloads;

	x.sa = world_sa_of(w, 1U - d->from, bytes);
	if (!x.sa || !x.sa->open || !from || !from->seal ||
		ike_header_read(bytes, &x.header, &payloads) != WIRE_OK ||
		payload_set_read(payloads, x.header.next_payload, &x.in) != WIRE_OK ||
		!payload_set_has(&x.in, PAYLOAD_SKF))
		return false;
	struct sk_shape shape = ike_sk_shape(x.sa);
	return fragment_read(bytes, payload_set_first(&x.in, PAYLOAD_SKF), shape, f) ==
		       WIRE_OK &&
	       ike_sk_open_sealed(&x, &f->sealed) &&
	       sk_payload_strip(span_of(x.e->text, f->sealed.sealed.len - shape.tag_len),
		       text) == WIRE_OK;
}

/* Another number, total, first payload, text or padding, sealed again. */
static void change_fragment(struct world *w, unsigned n, uint8_t how, struct span octets)
{
	static uint8_t out[WIRE_DATAGRAM];
	struct reader text, edits = rd_over(octets);
	struct fragments whole;
	struct sk_frame frame;
	struct fragment f;

	if (n >= w->n || !open_fragment(w, &w->wire[n], &f, &text))
		return;
	struct world_datagram *d = &w->wire[n];
	struct ike_sa *sa = world_sa_of(w, d->from, span_of(d->at, d->len));
	struct ike_header h;
	struct reader rest;
	enum wire_err err = ike_header_read(span_of(d->at, d->len), &h, &rest);
	struct message m = begin(w, d, &h, true);
	wr_fill_u8(&m.w, m.sk_at, how % 5 == 0 ? rd_u8(&edits) : f.sealed.inner);
	wr_bytes(&m.w, rd_rest(&text));
	if (how % 5 == 1)
		wr_bytes(&m.w, rd_rest(&edits));
	if (err != WIRE_OK || !wr_ok(&m.w) ||
		!fragments_cut(
			message_plain(&m), WIRE_DATAGRAM, ike_sk_shape(sa), &whole) ||
		!fragment_write(&whole, 1, out, sizeof(out), &frame))
		return;
	out[NUMBER_AT] = how % 5 == 2 ? rd_u8(&edits) : (uint8_t)f.number;
	out[TOTAL_AT] = how % 5 == 3 ? rd_u8(&edits) : (uint8_t)f.total;
	if (how % 5 == 4) /* the padding's length */
		frame.text[frame.text_len - 1] = rd_u8(&edits);
	ike_sk_seal_frame(sa, &frame);
	d->len = frame.datagram.len;
	memcpy(d->at, frame.datagram.at, d->len);
}

/* ---- moves */

/* RFC 4555 3.5, 3.6: it is elsewhere, or could be. */
static void moved(struct world *w, unsigned by, uint8_t what)
{
	struct ike_engine *e = w->end[by].engine;
	struct ike_sa *sa = world_last_sa(w, by);
	const uint8_t other[4] = {203, 0, 113, what};

	if (!sa || sa->state != STATE_UP || sa->out.bytes.len > 0 || sa->task)
		return;
	struct message m = ike_request_begin(e, sa, INFORMATIONAL);
	if (what & 1)
		ike_notify_write(&m, N_UPDATE_SA_ADDRESSES, span_of(NULL, 0));
	if (what & 2)
		ike_natd_write(&m, sa->spi_i, sa->spi_r, &sa->path, false);
	if (what & 4)
		ike_notify_write(&m, N_ADDITIONAL_IP4_ADDRESS, span_of(other, 4));
	if (what & 8)
		ike_notify_write(&m, N_NO_ADDITIONAL_ADDRESSES, span_of(NULL, 0));
	if (what & 16)
		ike_notify_write(&m, N_COOKIE2, span_of(sa->mobike.cookie, 32));
	ike_request_send(e, sa, &m, INFORMATIONAL, false);
	ike_timer_update(e, sa);
}

/* ---- strangers */

/* The same first message from many: cookies, limits. */
static void flood(struct world *w, unsigned n, uint8_t times)
{
	enum { SPI_AT = 0, EXCHANGE_AT = 18 };
	static struct world_datagram d;

	if (n >= w->n || w->wire[n].at[EXCHANGE_AT] != IKE_SA_INIT)
		return;
	d = w->wire[n];
	for (unsigned i = 0; i < times % 32U; i++) {
		d.at[SPI_AT] = (uint8_t)(i + 1);
		world_stranger(
			w, 1U - d.from, (uint8_t)(1 + i % 7), span_of(d.at, d.len));
		w->n = w->n > n + 1 ? n + 1 : w->n; /* nobody hears the answers */
	}
}

static void reflect(struct world *w, unsigned n)
{
	if (n >= w->n)
		return;
	w->wire[n].from ^= 1;
	struct endpoint local = w->wire[n].path.local;
	w->wire[n].path.local = w->wire[n].path.remote;
	w->wire[n].path.remote = local;
}

static struct span octets_of(struct reader *r)
{
	size_t len = rd_u8(r);

	return rd_bytes(r, len < rd_left(r) ? len : rd_left(r));
}

static void step(struct world *w, struct reader *r)
{
	enum step what = (enum step)(rd_u8(r) % STEPS);
	uint8_t a = rd_u8(r), b = rd_u8(r);
	unsigned n = w->n > 0 ? a % w->n : 0;
	struct span octets;

	switch (what) {
	case STEP_CALL:
		world_call(w, a & 1);
		break;
	case STEP_DELIVER:
		world_deliver(w, n);
		break;
	case STEP_DELIVER_ALL:
		for (unsigned i = 0; i < b % 32U && w->n > 0; i++)
			world_deliver(w, 0);
		break;
	case STEP_LOSE:
		world_lose(w, n);
		break;
	case STEP_REPEAT:
		world_repeat(w, n);
		break;
	case STEP_WAIT:
		world_wait(w, (uint64_t)a * b);
		break;
	case STEP_COMMAND:
		command(w, a & 1, b);
		break;
	case STEP_CHANGE:
		octets = octets_of(r);
		change(w, n, b, octets.len > 1 ? octets.at[1] : a, octets);
		break;
	case STEP_HEADER:
		change_header(w, n, b, rd_u8(r));
		break;
	case STEP_FLIP:
		if (w->n > 0)
			w->wire[n].at[(size_t)(b << 8 | rd_u8(r)) % w->wire[n].len] ^= 1;
		break;
	case STEP_STRANGER:
		world_stranger(w, a & 1, b, octets_of(r));
		break;
	case STEP_FLOOD:
		flood(w, n, b);
		break;
	case STEP_CUT:
		cut(w, n, b);
		break;
	case STEP_FRAGMENT:
		change_fragment(w, n, b, octets_of(r));
		break;
	case STEP_FROM:
		world_from(w, n, b);
		break;
	case STEP_MOVED:
		moved(w, a & 1, b);
		break;
	case STEP_FETCHED:
		world_fetched(w, a & 1);
		break;
	default:
		reflect(w, n);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = rd_over(span_of(data, size));
	uint8_t options = rd_u8(&r), more = 0;

	if (options == MORE_OPTIONS) {
		more = rd_u8(&r);
		options = rd_u8(&r);
	}
	struct world *w = world_new(options, more);

	for (unsigned i = 0; i < STEPS_MAX && rd_left(&r) > 0; i++)
		step(w, &r);
	/* What is on its way arrives, and what waits comes to an end. */
	for (unsigned i = 0; i < 4 * WIRE_MAX && w->n > 0; i++)
		world_deliver(w, 0);
	world_wait(w, 120000);
	world_free(w);
	return 0;
}
