/* node/cluster_msg.c - codec of the group messages.
 *
 * An address takes 17 octets: its family (4 or 6), then 16, of which an IPv4 address
 * uses the first four and leaves zeros. Leaves to others: what a message means (claim.c,
 * cluster.c) and the inside of a journal (replica/).
 */
#include "node/cluster_msg.h"

#include "wire/reader.h"

enum { ADDR_OCTETS = 17, VOUCHED_OCTETS = 1 + ADDR_OCTETS };

static bool read_addr(struct reader *r, struct addr *out)
{
	uint8_t family = rd_u8(r);
	struct span bytes = rd_bytes(r, ADDR_OCTETS - 1);

	if (!rd_ok(r) || (family != ADDR_V4 && family != ADDR_V6))
		return false;
	*out = addr_from_bytes(bytes.at, family == ADDR_V4 ? 4 : 16);
	return memcmp(out->b, bytes.at, ADDR_OCTETS - 1) == 0;
}

static bool read_hello(struct reader *r, struct cluster_msg *out)
{
	struct span hash = rd_bytes(r, sizeof(out->config_hash));
	struct span members = rd_bytes(r, sizeof(out->members));
	out->n_claims = rd_u16(r);
	out->claims = rd_rest(r);

	if (!rd_done(r) || out->n_claims > CLUSTER_CLAIMS_MAX ||
		out->claims.len != (size_t)out->n_claims * ADDR_OCTETS)
		return false;
	memcpy(out->config_hash, hash.at, hash.len);
	memcpy(out->members, members.at, members.len);
	struct reader claims = rd_over(out->claims);
	for (unsigned i = 0; i < out->n_claims; i++)
		if (!read_addr(&claims, &out->addr))
			return false;
	return true;
}

static bool read_vouched(struct reader *r, struct vouched *out)
{
	out->owner = rd_u8(r);
	return read_addr(r, &out->addr);
}

static bool read_vouch(struct reader *r, struct cluster_msg *out)
{
	struct span members = rd_bytes(r, sizeof(out->members));
	struct span silent = rd_bytes(r, sizeof(out->silent));
	out->n_claims = rd_u16(r);
	out->claims = rd_rest(r);
	struct vouched v;

	if (!rd_done(r) || out->n_claims > CLUSTER_CLAIMS_MAX ||
		out->claims.len != (size_t)out->n_claims * VOUCHED_OCTETS)
		return false;
	memcpy(out->members, members.at, members.len);
	memcpy(out->silent, silent.at, silent.len);
	struct reader claims = rd_over(out->claims);
	for (unsigned i = 0; i < out->n_claims; i++)
		if (!read_vouched(&claims, &v))
			return false;
	return true;
}

static bool read_name(struct reader *r, char out[POLICY_NAME_MAX])
{
	size_t len = rd_u8(r);
	struct span name = rd_bytes(r, len);

	if (!rd_ok(r) || len == 0 || len >= POLICY_NAME_MAX ||
		memchr(name.at, '\0', name.len))
		return false;
	memcpy(out, name.at, name.len);
	return true;
}

bool drain_words_read(struct reader *r, struct drain_words *out)
{
	struct drain_words d = {.on = false};
	bool sane = read_name(r, d.vip);

	d.version = rd_u64(r);
	uint8_t on = rd_u8(r), n = rd_u8(r);
	if (!rd_ok(r) || !sane || on > 1 || n > 2)
		return false;
	d.on = on == 1;
	for (uint8_t i = 0; i < n; i++) {
		struct addr a;

		/* One of each family, in this order: there is one way to write it. */
		if (!read_addr(r, &a) || addr_is_set(&d.to[1]) ||
			addr_is_set(&d.to[a.family == ADDR_V6]))
			return false;
		d.to[a.family == ADDR_V6] = a;
	}
	if (d.on != (n > 0))
		return false;
	*out = d;
	return true;
}

enum cluster_err cluster_msg_read(struct span bytes, struct cluster_msg *out)
{
	struct reader r = rd_over(bytes);
	bool sane = false;

	*out = (struct cluster_msg){0};
	bool ours = rd_u8(&r) == 'V' && rd_u8(&r) == 'S';
	uint8_t version = rd_u8(&r);
	uint8_t type = rd_u8(&r);
	if (!rd_ok(&r) || !ours)
		return CLUSTER_MALFORMED;
	if (version != CLUSTER_VERSION)
		return CLUSTER_OTHER_VERSION;
	switch (type) {
	case CLUSTER_HELLO:
		sane = read_hello(&r, out);
		break;
	case CLUSTER_CLAIM:
	case CLUSTER_RELEASE:
		sane = read_addr(&r, &out->addr) && rd_done(&r);
		break;
	case CLUSTER_PEERS:
		out->journal = rd_rest(&r);
		sane = rd_done(&r);
		break;
	case CLUSTER_VOUCH:
		sane = read_vouch(&r, out);
		break;
	case CLUSTER_DRAIN:
		sane = drain_words_read(&r, &out->drain) && rd_done(&r);
		break;
	default:
		break;
	}
	if (!sane)
		return CLUSTER_MALFORMED;
	out->type = type;
	return CLUSTER_OK;
}

struct addr cluster_msg_claim(const struct cluster_msg *m, unsigned i)
{
	struct reader r = rd_over(m->claims);
	struct addr a = {0};

	rd_skip(&r, (size_t)i * ADDR_OCTETS);
	(void)read_addr(&r, &a); /* was checked when the message was read */
	return a;
}

struct vouched cluster_msg_vouched(const struct cluster_msg *m, unsigned i)
{
	struct reader r = rd_over(m->claims);
	struct vouched v = {.owner = 0};

	rd_skip(&r, (size_t)i * VOUCHED_OCTETS);
	(void)read_vouched(&r, &v);
	return v;
}

static void write_head(struct writer *w, enum cluster_msg_type type)
{
	wr_u8(w, 'V');
	wr_u8(w, 'S');
	wr_u8(w, CLUSTER_VERSION);
	wr_u8(w, (uint8_t)type);
}

static void write_addr(struct writer *w, const struct addr *a)
{
	wr_u8(w, a->family);
	wr_bytes(w, span_of(a->b, sizeof(a->b)));
}

void cluster_write_hello(struct writer *w, const uint8_t config_hash[32],
	const uint8_t members[32], const struct addr *claims, unsigned n_claims)
{
	write_head(w, CLUSTER_HELLO);
	wr_bytes(w, span_of(config_hash, 32));
	wr_bytes(w, span_of(members, 32));
	wr_u16(w, (uint16_t)n_claims);
	for (unsigned i = 0; i < n_claims; i++)
		write_addr(w, &claims[i]);
}

void cluster_write_vouch(struct writer *w, const uint8_t members[32],
	const uint8_t silent[32], const struct vouched *at, unsigned n)
{
	write_head(w, CLUSTER_VOUCH);
	wr_bytes(w, span_of(members, 32));
	wr_bytes(w, span_of(silent, 32));
	wr_u16(w, (uint16_t)n);
	for (unsigned i = 0; i < n; i++) {
		wr_u8(w, at[i].owner);
		write_addr(w, &at[i].addr);
	}
}

void cluster_write_addr(
	struct writer *w, enum cluster_msg_type type, const struct addr *addr)
{
	write_head(w, type);
	write_addr(w, addr);
}

void cluster_write_peers(struct writer *w, struct span journal)
{
	write_head(w, CLUSTER_PEERS);
	wr_bytes(w, journal);
}

void drain_words_write(struct writer *w, const struct drain_words *d)
{
	size_t len = strlen(d->vip);

	wr_u8(w, (uint8_t)len);
	wr_bytes(w, span_of(d->vip, len));
	wr_u64(w, d->version);
	wr_u8(w, d->on);
	wr_u8(w, (uint8_t)(addr_is_set(&d->to[0]) + addr_is_set(&d->to[1])));
	for (unsigned i = 0; i < 2; i++)
		if (addr_is_set(&d->to[i]))
			write_addr(w, &d->to[i]);
}

void cluster_write_drain(struct writer *w, const struct drain_words *d)
{
	write_head(w, CLUSTER_DRAIN);
	drain_words_write(w, d);
}
