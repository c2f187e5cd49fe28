/* tests/unit/sad_lab.h - a table of children over a kernel in memory, with one rule for tunnels between
 * 10.1.0.0/16 and 10.2.0.0/16.
 */
#ifndef VIPSEC_TESTS_SAD_LAB_H
#define VIPSEC_TESTS_SAD_LAB_H

#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

#include "fake_kernel.h"
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

static inline struct ts net(const char *text)
{
	struct prefix p = {0};

	assert_true(prefix_parse(text, &p));
	return ts_prefix(&p);
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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

static inline struct esp_child child(uint32_t id)
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

static inline void add(const struct esp_child *c)
{
	assert_int_equal(sad_add(&t.sad, &t.scope, c, NOW), 0);
}

static inline struct fake_sa *incoming(uint32_t id)
{
	const struct sad_child *c = sad_find(&t.sad, id);

	assert_non_null(c);
	struct fake_sa *sa = fake_find_sa(&c->sa.local.addr, c->sa.spi_in);
	assert_non_null(sa);
	return sa;
}

static inline struct fake_sa *outgoing(uint32_t id)
{
	const struct sad_child *c = sad_find(&t.sad, id);

	assert_non_null(c);
	struct fake_sa *sa = fake_find_sa(&c->sa.remote.addr, c->sa.spi_out);
	assert_non_null(sa);
	return sa;
}

#define SAD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
