/* xfrm/numbers.c - see numbers.h. RFC 4303 3.3.3 and 3.4.3. */
#include "config.h"

#include "xfrm/numbers.h"

#include <string.h>

#include "xfrm/request.h"

enum { WORD_BITS = 32 };

/* ---- one direction ------------------------------------------------------------------- */

/* The head has an array without a length at its end, so what follows lies over it. */
union bitmap {
	struct xfrm_replay_state_esn head;
	struct {
		uint8_t over_head[sizeof(struct xfrm_replay_state_esn)];
		uint32_t words[REQUEST_WINDOW_MAX / WORD_BITS];
	} tail;
};

static bool take_apart(const struct request_replay *r, union bitmap *out)
{
	memset(out, 0, sizeof(*out));
	if (r->len < sizeof(out->head) || r->len > sizeof(*out))
		return false;
	memcpy(out, r->bytes, r->len);
	return out->head.replay_window <= REQUEST_WINDOW_MAX &&
	       out->head.bmp_len * sizeof(uint32_t) <= r->len - sizeof(out->head) &&
	       out->head.replay_window <= out->head.bmp_len * WORD_BITS;
}

/* Where the number that is so far behind the highest has its bit. */
static uint32_t place_of(const union bitmap *b, uint32_t back)
{
	uint32_t window = b->head.replay_window;
	uint32_t top = (b->head.seq - 1) % window;

	return top >= back ? top - back : top + window - back;
}

bool numbers_from_kernel(const struct request_replay *r, struct esp_replay_state *out)
{
	union bitmap b;

	memset(out, 0, sizeof(*out));
	if (!take_apart(r, &b))
		return false;
	out->seq_out = (uint64_t)b.head.oseq_hi << 32 | b.head.oseq;
	out->seq_in = (uint64_t)b.head.seq_hi << 32 | b.head.seq;
	out->window = b.head.replay_window;
	for (uint32_t back = 0; back < out->window && back < out->seq_in; back++) {
		uint32_t at = place_of(&b, back);
		if ((b.tail.words[at / WORD_BITS] >> at % WORD_BITS & 1) != 0)
			esp_replay_state_mark(out, back);
	}
	return true;
}

void numbers_to_kernel(const struct esp_replay_state *s, struct request_replay *r)
{
	union bitmap b;

	memset(&b, 0, sizeof(b));
	b.head.oseq = (uint32_t)s->seq_out;
	b.head.oseq_hi = (uint32_t)(s->seq_out >> 32);
	b.head.seq = (uint32_t)s->seq_in;
	b.head.seq_hi = (uint32_t)(s->seq_in >> 32);
	b.head.replay_window = s->window;
	b.head.bmp_len = (s->window + WORD_BITS - 1) / WORD_BITS;
	for (uint32_t back = 0; back < s->window && back < s->seq_in; back++) {
		uint32_t at = place_of(&b, back);
		if (esp_replay_state_has(s, back))
			b.tail.words[at / WORD_BITS] |= UINT32_C(1) << at % WORD_BITS;
	}
	r->len = sizeof(b.head) + b.head.bmp_len * sizeof(uint32_t);
	memcpy(r->bytes, &b, r->len);
}

/* ---- both ------------------------------------------------------------------------------ */

/* With the outgoing half away nothing of it changes: what is remembered counts. */
static uint64_t seq_out(struct sad *cs, const struct sad_child *c)
{
	const struct request_name name = sad_name_out(&c->sa);
	struct esp_replay_state out;
	struct request_replay r;

	if (c->out_there && request_sa_replay(cs->line, &name, &r) == 0 &&
		numbers_from_kernel(&r, &out))
		return out.seq_out;
	return c->seq_out;
}

bool numbers_read(struct sad *cs, const struct sad_child *c, struct esp_replay_state *out)
{
	const struct request_name name = sad_name_in(&c->sa);
	struct request_replay r;

	if (!c->in_there || request_sa_replay(cs->line, &name, &r) != 0 ||
		!numbers_from_kernel(&r, out))
		return false;
	out->seq_out = seq_out(cs, c);
	return true;
}

/* What comes between the reading and the setting is forgotten: so nothing is set that is known. */
int numbers_set(struct sad *cs, const struct sad_scope *s, struct sad_child *c,
	const struct esp_replay_state *state)
{
	const struct request_name in = sad_name_in(&c->sa);
	struct esp_replay_state was, both;
	struct request_replay r;
	int err = 0;

	if (!numbers_read(cs, c, &was))
		return 0; /* it is amiss, or going */
	both = was;
	esp_replay_state_join(&both, state);
	if (both.seq_out > was.seq_out)
		err = sad_send_behind(cs, s, c->sa.id, both.seq_out);
	if (err != 0 || (both.seq_in == was.seq_in &&
				memcmp(both.seen, was.seen, sizeof(both.seen)) == 0))
		return err;
	both.seq_out = 0; /* this half never sends */
	numbers_to_kernel(&both, &r);
	return request_sa_replay_set(cs->line, &in, &r);
}

void numbers_watch(struct sad *cs, struct sad_child *c, uint32_t packets, uint32_t ms)
{
	const struct request_name in = sad_name_in(&c->sa), out = sad_name_out(&c->sa);

	c->watch = (struct request_watch){.packets = packets};
	c->watch_ms = ms;
	c->told.seq_out = c->seq_out;
	c->told.seq_in = c->seq_in;
	if (c->in_there)
		(void)request_sa_watch(cs->line, &in, &c->watch);
	if (c->out_there)
		(void)request_sa_watch(cs->line, &out, &c->watch);
}

bool numbers_are_due(const struct sad_child *c, uint64_t now_ms)
{
	bool more = c->seq_out != c->told.seq_out || c->seq_in != c->told.seq_in;

	return c->watch_ms != 0 && more && now_ms >= c->told.at_ms + c->watch_ms;
}

void numbers_told(struct sad_child *c, const struct esp_replay_state *s, uint64_t now_ms)
{
	c->told.at_ms = now_ms;
	c->told.seq_out = c->seq_out = s->seq_out;
	c->told.seq_in = c->seq_in = s->seq_in;
}
