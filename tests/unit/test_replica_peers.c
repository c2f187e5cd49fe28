/* The directory of peers: records, journals, bounds. */
#include "unit.h"

#include "base/iana.h"
#include "replica/peers.h"

#include <stdio.h>
#include <stdlib.h>

static struct replica_peer sample(unsigned i)
{
	struct replica_peer p = {.vip = "mail", .rule = "rule", .natt = true, .rank = 7};
	struct ts t;
	char id[32];

	p.local = unit_addr("192.0.2.10");
	p.remote.addr = addr_v4(198, 51, (uint8_t)(i / 250), (uint8_t)(1 + i % 250));
	p.remote.port = 4500;
	snprintf(id, sizeof(id), "c%u.example", i);
	assert_true(identity_from_bytes(ID_FQDN, span_text(id), &p.remote_id));
	p.local_id = identity_from_addr(&p.local);
	p.mode = POLICY_TUNNEL;
	t = ts_host(&p.remote.addr);
	assert_true(ts_list_add(&p.remote_ts, &t));
	t = ts_any(ADDR_V6);
	assert_true(ts_list_add(&p.local_ts, &t));
	return p;
}

static struct replica_peers *directory(struct seeded_entropy *store)
{
	struct entropy e = unit_entropy(store);

	return replica_peers_new(&e);
}

static void what_is_put_comes_back(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = sample(3), q;

	(void)state;
	assert_true(replica_peers_put(d, &p, 0));
	assert_true(replica_peers_get(d, replica_peer_key(&p), &q));
	assert_string_equal(q.vip, "mail");
	assert_string_equal(q.rule, "rule");
	assert_true(q.natt && !q.behind && !q.nlbs);
	assert_int_equal(q.rank, 7);
	assert_int_equal(q.mode, POLICY_TUNNEL);
	assert_true(endpoint_equal(&p.remote, &q.remote));
	assert_true(addr_equal(&p.local, &q.local));
	assert_true(identity_equal(&p.local_id, &q.local_id));
	assert_true(identity_equal(&p.remote_id, &q.remote_id));
	assert_true(ts_list_equal(&p.local_ts, &q.local_ts));
	assert_true(ts_list_equal(&p.remote_ts, &q.remote_ts));
	replica_peers_free(d);
}

static void only_a_change_is_a_change(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = sample(3);

	(void)state;
	assert_true(replica_peers_put(d, &p, 0));
	assert_false(replica_peers_put(d, &p, 0));
	p.rank = 9;
	assert_true(replica_peers_put(d, &p, 0));
	assert_int_equal(replica_peers_count(d), 1);
	p.remote.port = 1234; /* another peer behind the same NAT */
	assert_true(replica_peers_put(d, &p, 0));
	assert_int_equal(replica_peers_count(d), 2);
	assert_true(replica_peers_drop(d, replica_peer_key(&p)));
	assert_false(replica_peers_drop(d, replica_peer_key(&p)));
	replica_peers_free(d);
}

static void the_largest_record_fits(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = {.remote.addr = unit_addr("2001:db8::1")}, q;
	uint8_t long_id[IDENTITY_MAX];
	struct ts t = ts_any(ADDR_V6);

	(void)state;
	memset(p.vip, 'v', sizeof(p.vip) - 1);
	memset(p.rule, 'r', sizeof(p.rule) - 1);
	memset(long_id, 'i', sizeof(long_id));
	p.local = p.remote.addr;
	assert_true(identity_from_bytes(
		ID_KEY_ID, span_of(long_id, sizeof(long_id)), &p.remote_id));
	p.local_id = p.remote_id;
	for (unsigned i = 0; i < TS_LIST_MAX; i++) {
		t.proto = IP_TCP;
		t.port_lo = (uint16_t)i;
		assert_true(ts_list_add(&p.local_ts, &t));
		assert_true(ts_list_add(&p.remote_ts, &t));
	}
	assert_true(replica_peers_put(d, &p, 0));
	assert_true(replica_peers_get(d, replica_peer_key(&p), &q));
	assert_true(ts_list_equal(&p.remote_ts, &q.remote_ts));
	replica_peers_free(d);
}

static void nonsense_is_not_taken(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = sample(1);

	(void)state;
	p.rule[0] = '\0';
	assert_false(replica_peers_put(d, &p, 0));
	p = sample(1);
	p.remote_ts.at[0].port_lo = 7; /* ports without a protocol */
	assert_false(replica_peers_put(d, &p, 0));
	assert_int_equal(replica_peers_count(d), 0);
	replica_peers_free(d);
}

static void a_journal_changes_another_directory(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = sample(1), q = sample(2);
	uint8_t bytes[4096];
	struct writer w = wr_over(bytes, sizeof(bytes));

	(void)state;
	replica_write_put(&w, &p);
	replica_write_put(&w, &q);
	replica_write_drop(&w, replica_peer_key(&p));
	assert_int_equal(replica_peers_apply(d, wr_span(&w), 0, NULL, NULL), REPLICA_OK);
	assert_int_equal(replica_peers_count(d), 1);
	assert_true(replica_peers_get(d, replica_peer_key(&q), &p));
	replica_peers_free(d);
}

/* Cut anywhere but between entries: nothing at all is taken. */
static void a_journal_cut_short_changes_nothing(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = sample(1), q = sample(2);
	uint8_t bytes[4096];
	struct writer w = wr_over(bytes, sizeof(bytes));

	(void)state;
	replica_write_put(&w, &p);
	size_t first = wr_len(&w);
	replica_write_put(&w, &q);
	for (size_t len = 1; len < wr_len(&w); len++) {
		if (len == first)
			continue;
		assert_int_equal(
			replica_peers_apply(d, span_of(bytes, len), 0, NULL, NULL),
			REPLICA_MALFORMED);
		assert_int_equal(replica_peers_count(d), 0);
	}
	replica_peers_free(d);
}

static bool refuse_one(const struct replica_peer *p, void *ctx)
{
	return !addr_equal(&p->remote.addr, ctx);
}

static void admission_is_asked_for_puts_and_drops(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = sample(1), q = sample(2);
	uint8_t bytes[4096];
	struct writer w = wr_over(bytes, sizeof(bytes));

	(void)state;
	replica_write_put(&w, &p);
	replica_write_put(&w, &q);
	assert_int_equal(
		replica_peers_apply(d, wr_span(&w), 0, refuse_one, &p.remote.addr),
		REPLICA_OK);
	assert_int_equal(replica_peers_count(d), 1);
	w = wr_over(bytes, sizeof(bytes));
	replica_write_drop(&w, replica_peer_key(&q));
	assert_int_equal(
		replica_peers_apply(d, wr_span(&w), 0, refuse_one, &q.remote.addr),
		REPLICA_OK);
	assert_int_equal(replica_peers_count(d), 1);
	replica_peers_free(d);
}

static void an_unknown_kind_of_entry_is_skipped(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = sample(1);
	uint8_t bytes[4096] = {77, 0, 2, 'h', 'i'};
	struct writer w = wr_over(bytes + 5, sizeof(bytes) - 5);

	(void)state;
	replica_write_put(&w, &p);
	assert_int_equal(
		replica_peers_apply(d, span_of(bytes, 5 + wr_len(&w)), 0, NULL, NULL),
		REPLICA_OK);
	assert_int_equal(replica_peers_count(d), 1);
	replica_peers_free(d);
}

struct copy {
	struct replica_peers *to;
	unsigned chunks;
	size_t largest;
};

static void copy_chunk(struct span journal, void *ctx)
{
	struct copy *c = ctx;

	c->chunks++;
	if (journal.len > c->largest)
		c->largest = journal.len;
	assert_int_equal(replica_peers_apply(c->to, journal, 0, NULL, NULL), REPLICA_OK);
}

static void a_snapshot_comes_in_bounded_chunks(void **state)
{
	struct seeded_entropy s1, s2;
	struct replica_peers *d = directory(&s1);
	struct copy c = {.to = directory(&s2)};

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct replica_peer p = sample(i);
		assert_true(replica_peers_put(d, &p, 0));
	}
	assert_int_equal(replica_peers_snapshot(d, 4096, NULL, copy_chunk, &c), 500);
	assert_int_equal(replica_peers_count(c.to), 500);
	assert_true(c.chunks > 10 && c.largest <= 4096);
	replica_peers_free(d);
	replica_peers_free(c.to);
}

static bool every(const struct replica_peer *p, void *ctx)
{
	(void)p;
	(void)ctx;
	return true;
}

/* Whoever has said it, too, and whatever was said last: it counts who has not. */
static void what_somebody_has_not_said_is_forgotten(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	struct replica_peer p = sample(1);

	(void)state;
	assert_true(replica_peers_put(d, &p, 3));
	assert_false(replica_peers_put(d, &p, 200));
	p.rank++;
	assert_true(replica_peers_put(d, &p, 0));
	assert_int_equal(replica_peers_forget(d, 200, every, NULL), 0);
	assert_int_equal(replica_peers_forget(d, 3, every, NULL), 0);
	replica_peers_doubt(d, every, NULL);
	replica_peers_say(d, 3, every, NULL);
	assert_int_equal(replica_peers_forget(d, 3, every, NULL), 0);
	assert_int_equal(replica_peers_forget(d, 200, every, NULL), 1);
	assert_int_equal(replica_peers_count(d), 0);
	replica_peers_free(d);
}

static void the_directory_is_bounded(void **state)
{
	struct seeded_entropy store;
	struct replica_peers *d = directory(&store);
	uint8_t bytes[4096];
	struct writer w = wr_over(bytes, sizeof(bytes));
	struct replica_peer p = sample(0);

	(void)state;
	for (unsigned i = 0; i < REPLICA_PEERS_MAX; i++) {
		p.remote.addr =
			addr_v4(10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i);
		assert_true(replica_peers_put(d, &p, 0));
	}
	p.remote.addr = addr_v4(11, 0, 0, 0);
	assert_false(replica_peers_put(d, &p, 0));
	replica_write_put(&w, &p);
	assert_int_equal(
		replica_peers_apply(d, wr_span(&w), 0, NULL, NULL), REPLICA_FULL);
	assert_int_equal(replica_peers_count(d), REPLICA_PEERS_MAX);
	replica_peers_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_comes_back),
		cmocka_unit_test(only_a_change_is_a_change),
		cmocka_unit_test(the_largest_record_fits),
		cmocka_unit_test(nonsense_is_not_taken),
		cmocka_unit_test(a_journal_changes_another_directory),
		cmocka_unit_test(a_journal_cut_short_changes_nothing),
		cmocka_unit_test(admission_is_asked_for_puts_and_drops),
		cmocka_unit_test(an_unknown_kind_of_entry_is_skipped),
		cmocka_unit_test(a_snapshot_comes_in_bounded_chunks),
		cmocka_unit_test(what_somebody_has_not_said_is_forgotten),
		cmocka_unit_test(the_directory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
