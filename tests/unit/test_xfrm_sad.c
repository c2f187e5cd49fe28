/* tests/unit/test_xfrm_sad.c - children and what the kernel holds of them, with a kernel in memory. */
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

#include "fake_kernel.h"
#include "xfrm/looking.h"
#include "xfrm/rules.h"
#include "xfrm/sad.h"
#include "xfrm/select.h"

enum { RULE = 7, NOW = 5000 };

static struct {
	struct seeded_entropy seed;
	struct request_line *line;
	struct claims *claims;
	struct spd *spd;
	struct sad_scope scope;
	struct sad sad;
} t;

static struct ts net(const char *text)
{
	struct prefix p = {0};

	assert_true(prefix_parse(text, &p));
	return ts_prefix(&p);
}

static int set_up(void **state)
{
	const struct entropy e = unit_entropy(&t.seed);
	const struct spd_entry *x, *y;
	struct spd_entry rule = {.local = net("10.1.0.0/16"),
		.remote = net("10.2.0.0/16"),
		.action = POLICY_NEGOTIATE,
		.mode = POLICY_TUNNEL,
		.mirrored = true,
		.rule = RULE,
		.binding = RULE};

	(void)state;
	fake_reset();
	t.line = request_open();
	t.claims = claims_new(&e, t.line);
	t.spd = spd_new();
	assert_int_equal(spd_add(t.spd, &rule), POLICY_OK);
	assert_int_equal(spd_seal(t.spd, &x, &y), POLICY_OK);
	t.scope = (struct sad_scope){.spd = t.spd, .is_host = true, .open = true};
	sad_init(&t.sad, &e, t.line, t.claims);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sad_wipe(&t.sad, false);
	assert_int_equal(fake.n_sas, 0);
	assert_int_equal(fake.n_policies, 0);
	claims_free(t.claims);
	spd_free(t.spd);
	request_close(t.line);
	return 0;
}

static struct esp_child child(uint32_t id)
{
	struct esp_child c = {.id = id,
		.rule = RULE,
		.spi_in = 0x1000 + id,
		.spi_out = 0x2000 + id,
		.alg = AEAD_AES128_GCM16,
		.mode = POLICY_TUNNEL,
		.local = {.addr = addr_v4(192, 0, 2, 1)},
		.remote = {.addr = addr_v4(192, 0, 2, 2)},
		.replay_window = 64,
		.soft_seq = UINT64_MAX,
		.outbound_ready = true};

	c.local_ts.at[c.local_ts.n++] = net("10.1.0.0/16");
	c.remote_ts.at[c.remote_ts.n++] = net("10.2.0.0/16");
	return c;
}

static void add(const struct esp_child *c)
{
	assert_int_equal(sad_add(&t.sad, &t.scope, c, 0, NOW), 0);
}

static struct fake_sa *incoming(uint32_t id)
{
	const struct sad_child *c = sad_find(&t.sad, id);

	assert_non_null(c);
	struct fake_sa *sa = fake_find_sa(&c->sa.local.addr, c->sa.spi_in);
	assert_non_null(sa);
	return sa;
}

static struct fake_sa *outgoing(uint32_t id)
{
	const struct sad_child *c = sad_find(&t.sad, id);

	assert_non_null(c);
	struct fake_sa *sa = fake_find_sa(&c->sa.remote.addr, c->sa.spi_out);
	assert_non_null(sa);
	return sa;
}

static void ignore(const struct sad_child *c, void *ctx)
{
	(void)c, (void)ctx;
}

static const struct esp_usage *usage(uint32_t id)
{
	looking_round(&t.sad, NOW + 1, ignore, NULL);
	return &sad_find(&t.sad, id)->usage;
}

/* ---- counters ------------------------------------------------------------------------- */

/* The kernel counts what is behind the IP header; usage is of whole packets. */
static void octets_are_those_of_packets(void **state)
{
	static const struct {
		enum policy_mode mode;
		bool v6;
		uint64_t in, out;
	} cases[] = {
		{POLICY_TUNNEL, false, 1000, 300},
		{POLICY_TUNNEL, true, 1000, 300},
		{POLICY_TRANSPORT, false, 1000 + 10 * 20, 300 + 4 * 20},
		{POLICY_TRANSPORT, true, 1000 + 10 * 40, 300 + 4 * 40},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct esp_child c = child(i + 1);
		c.mode = cases[i].mode;
		if (cases[i].v6) {
			c.local.addr = unit_addr("2001:db8::1");
			c.remote.addr = unit_addr("2001:db8::2");
		}
		add(&c);
		incoming(c.id)->counts =
			(struct request_counts){.bytes = 1000, .packets = 10};
		outgoing(c.id)->counts =
			(struct request_counts){.bytes = 300, .packets = 4};
		const struct esp_usage *u = usage(c.id);
		assert_int_equal(u->bytes_in, cases[i].in);
		assert_int_equal(u->bytes_out, cases[i].out);
		sad_delete(&t.sad, c.id);
	}
}

/* The SAs of a peer that has moved are new ones: what the old ones had counted since the
 * last look is not lost. */
static void a_move_loses_no_count(void **state)
{
	const struct endpoint there = {.addr = addr_v4(192, 0, 2, 3)};
	struct esp_child c = child(1);

	(void)state;
	add(&c);
	for (unsigned i = 1; i <= 3; i++) {
		incoming(1)->counts = (struct request_counts){
			.bytes = 1000, .packets = 10, .replayed = 2, .forged = 1};
		outgoing(1)->counts = (struct request_counts){
			.bytes = 300, .packets = 4, .seq_out = 70000 * i};
		assert_int_equal(sad_move(&t.sad, &t.scope, 1, &there, false), 0);
		assert_int_equal(incoming(1)->counts.packets, 0);
		const struct esp_usage *u = usage(1);
		assert_int_equal(u->packets_in, 10 * i);
		assert_int_equal(u->bytes_in, 1000 * i);
		assert_int_equal(u->replayed, 2 * i);
		assert_int_equal(u->forged, 1 * i);
		assert_int_equal(u->packets_out, 4 * i);
		assert_int_equal(u->bytes_out, 300 * i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			octets_are_those_of_packets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_move_loses_no_count, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
