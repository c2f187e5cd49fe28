/* ike/pieces.c - fragments of a message, until it is whole (RFC 7383 2.6).
 *
 * Nothing is kept that the peer's keys do not prove. Anybody has such keys after
 * IKE_SA_INIT, so what those can make us keep who have not proved who they are is limited
 * apart from what others can: all of them together, and those of one address. Each message is
 * limited in octets, fragments and time.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/fragment.h"

enum { FRAGMENTS_MAX = 128, WHOLE_WITHIN_MS = 30000 };

struct ike_pieces {
	uint32_t message_id;
	uint8_t exchange, first; /* first: type of the first payload inside */
	enum ike_share share;
	struct ike_origin *origin; /* whose pieces it counts among; or NULL */
	uint16_t total, n;
	uint64_t due_ms; /* dropped then */
	size_t octets; /* of text so far */
	size_t cost; /* counted in the share */
	size_t longest; /* datagram */
	/* the first one's headers, as those of a message in one piece; len 0: others stand in
	 * front of it */
	size_t head_len;
	uint8_t head[IKE_HEADER_LEN + PAYLOAD_HEADER_LEN];
	struct octets
		at[]; /* by number - 1; text, a padding octet included; len 0: missing
			     */
};

void ike_pieces_free(struct ike_engine *e, struct ike_pieces **slot)
{
	struct ike_pieces *p = *slot;

	if (!p)
		return;
	for (uint16_t i = 0; i < p->total; i++) {
		if (p->at[i].len > 0)
			wipe(p->at[i].at, p->at[i].len);
		octets_free(&p->at[i]);
	}
	e->pieces[p->share] -= p->cost;
	if (p->origin)
		p->origin->pieces -= p->cost;
	free(p);
	*slot = NULL;
}

uint64_t ike_pieces_due(const struct ike_sa *sa)
{
	uint64_t due = IKE_NEVER;

	for (int i = 0; i < 2; i++)
		if (sa->pieces[i] && sa->pieces[i]->due_ms < due)
			due = sa->pieces[i]->due_ms;
	return due;
}

void ike_pieces_expire(struct ike_engine *e, struct ike_sa *sa)
{
	for (int i = 0; i < 2; i++)
		if (sa->pieces[i] && sa->pieces[i]->due_ms <= e->now_ms)
			ike_pieces_free(e, &sa->pieces[i]);
	ike_timer_update(e, sa);
}

static enum ike_share share_of(const struct ike_sa *sa)
{
	if (!ike_is_half_open(sa))
		return SHARE_PROVED;
	return sa->stranger ? SHARE_STRANGERS : SHARE_FRIENDS;
}

static bool may_cost(struct ike_engine *e, enum ike_share share,
	const struct ike_origin *o, size_t octets)
{
	if (octets <= e->pieces_max[share] - e->pieces[share] &&
		(!o || octets <= e->pieces_of_origin_max - o->pieces))
		return true;
	e->counters.fragments_refused++;
	return false;
}

static void cost(struct ike_engine *e, struct ike_pieces *p, size_t octets)
{
	p->cost += octets;
	e->pieces[p->share] += octets;
	if (p->origin)
		p->origin->pieces += octets;
}

static struct ike_pieces *of_this_message(const struct exchange *x)
{
	struct ike_pieces *p = x->sa->pieces[x->header.response];

	return p && p->message_id == x->header.message_id &&
			       p->exchange == x->header.exchange
		       ? p
		       : NULL;
}

/* RFC 7383 2.6: neither of an older set nor there already. */
static bool is_new(const struct exchange *x, const struct fragment *f)
{
	const struct ike_pieces *p = of_this_message(x);

	return !p || f->total > p->total ||
	       (f->total == p->total && p->at[f->number - 1].len == 0);
}

/* RFC 7383 2.6: what is there is of another message, or of larger fragments: begun anew. */
static struct ike_pieces *begin(struct exchange *x, const struct fragment *f)
{
	struct ike_pieces **slot = &x->sa->pieces[x->header.response];
	size_t size = sizeof(**slot) + f->total * sizeof((*slot)->at[0]);
	enum ike_share share = share_of(x->sa);
	struct ike_origin *origin = share == SHARE_PROVED ? NULL : x->sa->origin;
	struct ike_pieces *p = of_this_message(x);

	if (p && f->total == p->total)
		return p;
	ike_pieces_free(x->e, slot);
	ike_timer_update(x->e, x->sa);
	if (!may_cost(x->e, share, origin, size))
		return NULL;
	p = mem_new(1, size);
	p->message_id = x->header.message_id;
	p->exchange = x->header.exchange;
	p->share = share;
	p->origin = origin;
	p->total = f->total;
	p->due_ms = x->e->now_ms + WHOLE_WITHIN_MS;
	cost(x->e, p, size);
	*slot = p;
	ike_timer_update(x->e, x->sa);
	return p;
}

/* RFC 9242 3.3.2: what goes into IKE_AUTH of a message that came in fragments. */
static void keep_head(struct ike_pieces *p, struct span aad)
{
	enum { NEXT_PAYLOAD_AT = 16, NUMBERS_LEN = 4 };

	p->head_len = 0;
	if (aad.len != sizeof(p->head) + NUMBERS_LEN)
		return;
	memcpy(p->head, aad.at, sizeof(p->head));
	p->head[NEXT_PAYLOAD_AT] = PAYLOAD_SK;
	p->head_len = sizeof(p->head);
}

/* text: with its padding. False: no room. */
static bool keep(struct exchange *x, struct ike_pieces *p, const struct fragment *f,
	struct span text)
{
	if (p->octets + text.len > sizeof(x->e->text)) {
		x->e->counters.fragments_refused++;
		return false;
	}
	if (!may_cost(x->e, p->share, p->origin, text.len))
		return false;
	octets_set(&p->at[f->number - 1], text);
	p->octets += text.len;
	cost(x->e, p, text.len);
	p->n++;
	if (f->number == 1) {
		p->first = f->sealed.inner;
		keep_head(p, f->sealed.aad);
	}
	if (p->longest < x->datagram.len)
		p->longest = x->datagram.len;
	return true;
}

/* Into the engine's buffer, as if it had come in one datagram. */
static enum ike_sk put_together(
	struct exchange *x, struct ike_pieces *p, struct reader *payloads, uint8_t *first)
{
	size_t at = 0;

	for (uint16_t i = 0; i < p->total; i++) {
		struct reader text;

		if (sk_payload_strip(octets_span(&p->at[i]), &text) != WIRE_OK)
			return SK_MALFORMED;
		struct span bytes = rd_rest(&text);
		memcpy(x->e->text + at, bytes.at, bytes.len);
		at += bytes.len;
	}
	*payloads = rd_over(span_of(x->e->text, at));
	*first = p->first;
	memcpy(x->head_store, p->head, p->head_len);
	x->head = span_of(x->head_store, p->head_len);
	if (!x->header.response)
		ike_flight_learn(x->e, x->sa, x->from, p->longest);
	return SK_OPENED;
}

enum ike_sk ike_pieces_take(struct exchange *x, struct reader *payloads, uint8_t *first)
{
	struct fragment f;

	x->e->counters.fragments++;
	if (!x->sa->fragments ||
		fragment_read(x->datagram, payload_set_first(&x->in, PAYLOAD_SKF),
			ike_sk_shape(x->sa), &f) != WIRE_OK)
		return SK_FORGED;
	if (f.total > FRAGMENTS_MAX) {
		x->e->counters.fragments_refused++;
		return SK_PARTIAL;
	}
	/* RFC 7383 2.6.1: of a request that is done only the first asks for the answer. */
	if (x->repeated ? f.number != 1 : !is_new(x, &f))
		return SK_PARTIAL;
	if (!ike_sk_open_sealed(x, &f.sealed))
		return SK_FORGED;
	if (x->repeated)
		return SK_OPENED;
	struct ike_pieces *p = begin(x, &f);
	size_t len = f.sealed.sealed.len - ike_sk_shape(x->sa).tag_len;
	if (!p || !keep(x, p, &f, span_of(x->e->text, len)) || p->n < p->total)
		return SK_PARTIAL;
	enum ike_sk opened = put_together(x, p, payloads, first);
	ike_pieces_free(x->e, &x->sa->pieces[x->header.response]);
	ike_timer_update(x->e, x->sa);
	return opened;
}
