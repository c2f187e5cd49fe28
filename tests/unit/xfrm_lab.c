/* tests/unit/xfrm_lab.c - what tests of the kernel plane begin with. */
#include "xfrm_lab.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "xfrm/xfrm.h"

struct plane *lab_plane;
struct addr lab_own, lab_peer;
struct policy_tags lab_tags;

int lab_set_up(void **state)
{
	static struct seeded_entropy seed;
	static char why[256];
	struct plane_params p = {
		.entropy = unit_entropy(&seed), .why = why, .why_cap = sizeof(why)};

	(void)state;
	fake_reset();
	lab_own = unit_addr("192.0.2.10");
	lab_peer = unit_addr("198.51.100.1");
	lab_tags = (struct policy_tags){0};
	lab_plane = plane_open_xfrm(&p);
	assert_non_null(lab_plane);
	return 0;
}

int lab_tear_down(void **state)
{
	(void)state;
	plane_close(lab_plane, false);
	return 0;
}

struct plane_report lab_next(enum plane_report_kind kind)
{
	struct plane_report r = {0};

	while (plane_next_report(lab_plane, &r))
		if (r.kind == kind)
			return r;
	fail_msg("no report of kind %d", (int)kind);
	return r;
}

struct plane_report lab_await(enum plane_report_kind kind)
{
	struct pollfd fd = {.fd = plane_fd(lab_plane), .events = POLLIN};
	struct plane_report r = {0};

	while (poll(&fd, 1, 20000) == 1)
		while (plane_next_report(lab_plane, &r))
			if (r.kind == kind)
				return r;
	fail_msg("no report of kind %d within 20 s", (int)kind);
	return r;
}

void lab_no_more(enum plane_report_kind kind)
{
	struct plane_report r;

	while (plane_next_report(lab_plane, &r))
		assert_int_not_equal(r.kind, kind);
}

void lab_give_policy(const struct addr *block)
{
	struct spd *spd = spd_new();
	const struct spd_entry *a, *b;
	struct spd_entry e = {.local = ts_host(&lab_own),
		.remote = ts_any(ADDR_V4),
		.action = POLICY_NEGOTIATE,
		.mode = POLICY_TRANSPORT,
		.mirrored = true,
		.tags = lab_tags,
		.rule = LAB_RULE};

	assert_int_equal(spd_add(spd, &e), POLICY_OK);
	if (block) {
		e.action = POLICY_BLOCK;
		e.remote = ts_host(block);
		e.rule = LAB_RULE + 1;
		assert_int_equal(spd_add(spd, &e), POLICY_OK);
	}
	assert_int_equal(spd_seal(spd, &a, &b), POLICY_OK);
	plane_policy(lab_plane, LAB_SCOPE, spd, &lab_own, 1);
}

void lab_add_child(enum policy_offload offload)
{
	struct esp_child *c = calloc(1, sizeof(*c));
	const uint8_t key[20] = {1};

	assert_non_null(c);
	c->id = LAB_CHILD;
	c->scope = LAB_SCOPE;
	c->rule = LAB_RULE;
	c->spi_in = LAB_SPI_IN;
	c->spi_out = LAB_SPI_OUT;
	c->alg = AEAD_AES128_GCM16;
	assert_true(secret_set(&c->key_in, span_of(key, sizeof(key))));
	assert_true(secret_set(&c->key_out, span_of(key, sizeof(key))));
	c->local.addr = lab_own;
	c->remote.addr = lab_peer;
	c->local_ts.at[c->local_ts.n++] = ts_host(&lab_own);
	c->remote_ts.at[c->remote_ts.n++] = ts_host(&lab_peer);
	c->esn = true;
	c->replay_window = 64;
	c->outbound_ready = true;
	c->tags = lab_tags;
	c->offload = offload;
	plane_sa_add(lab_plane, c);
	free(c);
}

struct esp_usage lab_usage(void)
{
	plane_usage_query(lab_plane);
	struct esp_usage u = lab_next(PLANE_USAGE).u.usage;
	lab_next(PLANE_USAGE_END);
	return u;
}

void lab_expect_words(const char *text, const char *a, const char *b)
{
	if (!strstr(text, a) || !strstr(text, b))
		fail_msg("not both of \"%s\" and \"%s\" in: %s", a, b, text);
}
