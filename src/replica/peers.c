/* replica/peers.c - the directory of peers, kept as encoded records.
 *
 * A record in memory is the octets that would travel: some 150 instead of the 2 kB of
 * the value, "has it changed" is one comparison, and a snapshot only copies.
 */
#include "replica/peers.h"

#include "base/map.h"
#include "base/mem.h"
#include "replica/record.h"

#include <assert.h>
#include <stdlib.h>

struct kept {
	uint64_t key;
	uint8_t said[32]; /* by which members: a bit each */
	size_t len;
	uint8_t bytes[];
};

struct replica_peers {
	struct map *records; /* by key */
};

struct replica_peers *replica_peers_new(const struct entropy *e)
{
	struct replica_peers *d = mem_new(1, sizeof(*d));

	d->records = map_new(e);
	return d;
}

static bool free_each(void *value, void *ctx)
{
	(void)ctx;
	free(value);
	return true;
}

void replica_peers_free(struct replica_peers *d)
{
	if (!d)
		return;
	map_each(d->records, free_each, NULL);
	map_free(d->records);
	free(d);
}

static struct span key_span(const uint64_t *key)
{
	return span_of(key, sizeof(*key));
}

static struct kept *kept_new(uint64_t key, struct span bytes)
{
	struct kept *k = mem_new(1, sizeof(*k) + bytes.len);

	k->key = key;
	k->len = bytes.len;
	memcpy(k->bytes, bytes.at, bytes.len);
	return k;
}

static void kept_read(const struct kept *k, struct replica_peer *out)
{
	struct reader r = rd_over(span_of(k->bytes, k->len));
	bool sane = record_read(&r, out);

	assert(sane); /* only what was read or written by us is kept */
}

/* What nobody could read must not travel. */
static bool reads_back(struct span bytes)
{
	struct reader r = rd_over(bytes);
	struct replica_peer p;

	return record_read(&r, &p);
}

static bool has_said(const struct kept *k, uint8_t member)
{
	return k->said[member / 8] >> (member % 8) & 1;
}

static void say(struct kept *k, uint8_t member)
{
	if (member != 0)
		k->said[member / 8] |= (uint8_t)(1u << (member % 8));
}

bool replica_peers_put(struct replica_peers *d, const struct replica_peer *p, uint8_t by)
{
	uint8_t bytes[REPLICA_RECORD_MAX];
	struct writer w = wr_over(bytes, sizeof(bytes));
	uint64_t key = replica_peer_key(p);
	struct kept *was = map_get(d->records, key_span(&key));

	record_write(&w, p);
	if (!wr_ok(&w) || !reads_back(wr_span(&w)))
		return false;
	if (was && span_equal(span_of(was->bytes, was->len), wr_span(&w))) {
		say(was, by);
		return false;
	}
	if (!was && map_count(d->records) >= REPLICA_PEERS_MAX)
		return false;
	struct kept *k = kept_new(key, wr_span(&w));
	if (was)
		memcpy(k->said, was->said, sizeof(k->said));
	say(k, by);
	map_put(d->records, key_span(&key), k);
	free(was);
	return true;
}

bool replica_peers_drop(struct replica_peers *d, uint64_t key)
{
	struct kept *was = map_take(d->records, key_span(&key));

	free(was);
	return was != NULL;
}

bool replica_peers_get(
	const struct replica_peers *d, uint64_t key, struct replica_peer *out)
{
	const struct kept *k = map_get(d->records, key_span(&key));

	if (k)
		kept_read(k, out);
	return k != NULL;
}

size_t replica_peers_count(const struct replica_peers *d)
{
	return map_count(d->records);
}

struct visit {
	bool (*each)(const struct replica_peer *p, void *ctx);
	void *ctx;
};

static bool visit_each(void *value, void *ctx)
{
	const struct visit *v = ctx;
	struct replica_peer p;

	kept_read(value, &p);
	return v->each(&p, v->ctx);
}

void replica_peers_each(const struct replica_peers *d,
	bool (*each)(const struct replica_peer *p, void *ctx), void *ctx)
{
	struct visit v = {.each = each, .ctx = ctx};

	map_each(d->records, visit_each, &v);
}

/* ---- who says so: who comes back to the group may know too much ------------------------ */

struct sayings {
	uint8_t by;
	bool (*wanted)(const struct replica_peer *p, void *ctx);
	void *ctx;
	uint64_t *keys; /* of those that go */
	size_t n;
};

static bool is_wanted(const struct sayings *q, const struct kept *k)
{
	struct replica_peer p;

	kept_read(k, &p);
	return q->wanted(&p, q->ctx);
}

static bool doubt_each(void *value, void *ctx)
{
	struct kept *k = value;

	if (is_wanted(ctx, k))
		memset(k->said, 0, sizeof(k->said));
	return true;
}

void replica_peers_doubt(struct replica_peers *d,
	bool (*wanted)(const struct replica_peer *p, void *ctx), void *ctx)
{
	struct sayings q = {.wanted = wanted, .ctx = ctx};

	map_each(d->records, doubt_each, &q);
}

static bool say_each(void *value, void *ctx)
{
	const struct sayings *q = ctx;

	if (is_wanted(q, value))
		say(value, q->by);
	return true;
}

void replica_peers_say(struct replica_peers *d, uint8_t by,
	bool (*wanted)(const struct replica_peer *p, void *ctx), void *ctx)
{
	struct sayings q = {.by = by, .wanted = wanted, .ctx = ctx};

	map_each(d->records, say_each, &q);
}

static bool collect_each(void *value, void *ctx)
{
	const struct kept *k = value;
	struct sayings *q = ctx;

	if (!has_said(k, q->by) && is_wanted(q, k))
		q->keys[q->n++] = k->key;
	return true;
}

size_t replica_peers_forget(struct replica_peers *d, uint8_t by,
	bool (*wanted)(const struct replica_peer *p, void *ctx), void *ctx)
{
	struct sayings q = {.by = by, .wanted = wanted, .ctx = ctx};

	q.keys = mem_new(map_count(d->records) + 1, sizeof(uint64_t));
	map_each(d->records, collect_each, &q);
	for (size_t i = 0; i < q.n; i++)
		replica_peers_drop(d, q.keys[i]);
	free(q.keys);
	return q.n;
}

struct snapshot {
	uint8_t *bytes;
	struct writer w;
	size_t cap, n;
	bool (*wanted)(const struct replica_peer *p, void *ctx);
	void (*out)(struct span journal, void *ctx);
	void *ctx;
};

static void snapshot_flush(struct snapshot *s)
{
	if (wr_len(&s->w) > 0)
		s->out(wr_span(&s->w), s->ctx);
	s->w = wr_over(s->bytes, s->cap);
}

static bool snapshot_each(const struct replica_peer *p, void *ctx)
{
	struct snapshot *s = ctx;

	if (s->wanted && !s->wanted(p, s->ctx))
		return true;
	if (wr_len(&s->w) + REPLICA_RECORD_MAX > s->cap)
		snapshot_flush(s);
	replica_write_put(&s->w, p);
	s->n++;
	return true;
}

size_t replica_peers_snapshot(const struct replica_peers *d, size_t cap,
	bool (*wanted)(const struct replica_peer *p, void *ctx),
	void (*out)(struct span journal, void *ctx), void *ctx)
{
	struct snapshot s = {.bytes = mem_new(1, cap),
		.cap = cap,
		.wanted = wanted,
		.out = out,
		.ctx = ctx};

	assert(cap >= REPLICA_RECORD_MAX);
	s.w = wr_over(s.bytes, cap);
	replica_peers_each(d, snapshot_each, &s);
	snapshot_flush(&s);
	free(s.bytes);
	return s.n;
}
