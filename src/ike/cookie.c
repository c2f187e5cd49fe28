/* ike/cookie.c - who may become half open, and the stateless cookie (RFC 7296 2.6).
 *
 *	cookie = version (4) | HMAC-SHA-256(secret, version | Ni | IPi | SPIi)
 *
 * The version is a stretch of time; this one and the one before are accepted. Members of
 * a cluster share the secret; where their clocks differ, a takeover in mid exchange costs
 * one more cookie. A known peer's address is no proof either, so friends have a pool of their own
 * that strangers cannot fill, and are asked for a cookie when it is half full, or when they
 * cause much work. Neither strangers nor friends of one address can have all of a pool.
 */
#include "ike/sa.h"

#include <assert.h>

enum {
	STRETCH_MS = 60000,
	VERSION_LEN = 4,
	COOKIE_LEN = VERSION_LEN + SHA256_LEN,
	/* With a cookie the address is real; still, one address is not everybody. */
	PROVED_FACTOR = 8
};

static void make(const struct exchange *x, struct span nonce, uint32_t version,
	uint8_t out[COOKIE_LEN])
{
	const struct addr *ip = &x->from->remote.addr;
	uint8_t spi[IKE_SPI_LEN];

	for (int i = 0; i < IKE_SPI_LEN; i++)
		spi[i] = (uint8_t)(x->header.spi_i >> (8 * i));
	for (int i = 0; i < VERSION_LEN; i++)
		out[i] = (uint8_t)(version >> (8 * i));
	const struct span parts[] = {span_of(out, VERSION_LEN), nonce,
		span_of(ip->b, addr_len(ip)), span_of(spi, sizeof(spi))};
	enum crypto_err err = prf(PRF_SHA256, secret_span(&x->e->cookie_secret), parts, 4,
		out + VERSION_LEN);
	assert(err == CRYPTO_OK); /* fails for want of memory alone */
}

static uint32_t version_now(const struct ike_engine *e)
{
	return (uint32_t)(e->now_ms / STRETCH_MS + 1);
}

static bool is_valid(const struct exchange *x, struct span nonce)
{
	uint8_t want[COOKIE_LEN];
	struct span got;

	if (!ike_notify_find(&x->in, N_COOKIE, &got))
		return false;
	for (uint32_t age = 0; age <= 1; age++) {
		make(x, nonce, version_now(x->e) - age, want);
		if (secret_equal(got, span_of(want, sizeof(want))))
			return true;
	}
	return false;
}

void ike_cookie_ask(struct exchange *x, struct span nonce)
{
	uint8_t cookie[COOKIE_LEN];

	make(x, nonce, version_now(x->e), cookie);
	x->e->counters.cookies_sent++;
	ike_answer_stateless(x, N_COOKIE, span_of(cookie, sizeof(cookie)));
}

static unsigned half_open_at(const struct exchange *x, bool strangers)
{
	const struct ike_origin *o = ike_origin_find(x->e, &x->from->remote.addr);

	return o ? o->half_open[strangers] : 0;
}

static enum ike_gate gate_friend(const struct exchange *x, struct span nonce)
{
	struct ike_engine *e = x->e;
	size_t half = e->limits.half_open / 2, friends = e->n_half_open - e->n_strangers;

	if (friends >= e->limits.half_open || half_open_at(x, false) > half)
		return GATE_REFUSE;
	if (friends < half && rate_has(&e->work[false], 1, e->now_ms))
		return GATE_PASS;
	return is_valid(x, nonce) ? GATE_PASS : GATE_COOKIE;
}

/* Who may be anywhere leaves at least half of the work to those with a cookie. */
static enum ike_gate gate_stranger(const struct exchange *x, struct span nonce)
{
	struct ike_engine *e = x->e;
	const struct ike_limits *l = &e->limits;
	unsigned here = half_open_at(x, true);

	if (e->n_strangers >= l->half_open ||
		here >= l->half_open_per_addr * PROVED_FACTOR)
		return GATE_REFUSE;
	if (e->n_strangers < l->cookie_above && here < l->half_open_per_addr &&
		rate_has(&e->work[true], l->work_per_second / 2, e->now_ms))
		return GATE_PASS;
	return is_valid(x, nonce) ? GATE_PASS : GATE_COOKIE;
}

enum ike_gate ike_cookie_gate(struct exchange *x, struct span nonce, bool *stranger)
{
	struct ike_engine *e = x->e;

	*stranger = !e->host.is_friend(e->host.ctx, x->from);
	if (e->n_established >= e->limits.established)
		return GATE_REFUSE;
	return *stranger ? gate_stranger(x, nonce) : gate_friend(x, nonce);
}
