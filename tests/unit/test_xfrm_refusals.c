/* tests/unit/test_xfrm_refusals.c - a kernel that cannot, or will not, or has somebody else's
 * policy first: each is told in words that say what to do, and nothing opens.
 */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xfrm/select.h"
#include "xfrm/xfrm.h"
#include "xfrm_lab.h"

/* Nothing leaves in clear, and nothing clear comes in. */
static void check_closed(void)
{
	const struct request_policy *out =
		fake_policy_for(&lab_own, &lab_peer, XFRM_POLICY_OUT);
	const struct request_policy *in =
		fake_policy_for(&lab_peer, &lab_own, XFRM_POLICY_IN);

	assert_true(out && out->has_tmpl && out->tmpl.reqid == REQID_ASK);
	assert_true(in && in->action == XFRM_POLICY_BLOCK);
}

/* ---- at the start ------------------------------------------------------------------------ */

static void what_a_kernel_lacks_is_named(void **state)
{
	static const struct {
		int err;
		bool ah;
		enum aead_alg alg;
		const char *what, *advice;
	} rows[] = {
		{EPROTONOSUPPORT, false, AEAD_AES256_GCM16, "no ESP for IPv4",
			"modprobe esp4"},
		{ENOSYS, false, AEAD_AES256_GCM16, "rfc4106(gcm(aes)), seqiv",
			"load its module"},
		{ENOENT, false, AEAD_AES128_SHA256, "hmac(sha256), authenc, echainiv",
			"propose another"},
		{ENOMEM, false, AEAD_AES128_GCM16, "no memory", "free some"},
		{EPERM, false, AEAD_AES128_GCM16, "the kernel says: Not today", ""},
		{EPROTONOSUPPORT, true, AEAD_NULL_SHA256, "no AH for IPv4",
			"modprobe ah4"},
		{ENOSYS, true, AEAD_NULL_SHA512, "lacks one of hmac(sha512): load",
			"propose another"},
	};
	char why[256];

	(void)state;
	fake_reset();
	fake.words = "Not today";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake.sa_error = rows[i].err;
		assert_false(xfrm_offers(rows[i].ah, rows[i].alg, why, sizeof(why)));
		lab_expect_words(why,
			rows[i].ah ? aead_mac_name(rows[i].alg) : aead_name(rows[i].alg),
			rows[i].what);
		lab_expect_words(why, rows[i].advice, "");
		assert_int_equal(fake.n_sas, 0);
	}
	fake.sa_error = 0;
	fake.open_error = EPROTONOSUPPORT;
	assert_false(xfrm_offers(false, AEAD_AES128_GCM16, why, sizeof(why)));
	lab_expect_words(why, "no IPsec", "xfrm_user");
}

static void ipv6_is_tried_too(void **state)
{
	char why[256];
	int six = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)state;
	if (six < 0)
		skip();
	close(six);
	fake_reset();
	assert_true(xfrm_offers(false, AEAD_AES128_GCM16, why, sizeof(why)));
	assert_int_equal(fake.n_sas, 0);
	fake.sa_error = EPROTONOSUPPORT;
	fake.sa_error_family = AF_INET6;
	assert_false(xfrm_offers(false, AEAD_AES128_GCM16, why, sizeof(why)));
	lab_expect_words(why, "no ESP for IPv6", "modprobe esp6");
}

/* A daemon that was killed while it tried has left its trial. */
static void a_trial_that_was_cut_short_is_in_nobodys_way(void **state)
{
	struct addr to = unit_addr("192.0.2.255");
	char why[256];

	(void)state;
	fake_reset();
	fake_add_sa(&to, 0x76697073, REQID_ASK, SELECT_USER);
	assert_true(xfrm_offers(false, AEAD_AES128_GCM16, why, sizeof(why)));
	assert_int_equal(fake.n_sas, 0);
}

/* However little of it there is, nothing stays of a plane that does not open. */
static void why_the_plane_does_not_open(void **state)
{
	static const struct {
		int open, lock, delete;
		const char *what, *more;
	} rows[] = {
		{EPROTONOSUPPORT, 0, 0, "the kernel's IPsec: ", ""},
		{0, EADDRINUSE, 0, "another vipsecd uses it", ""},
		{0, EOPNOTSUPP, 0, "needs Linux 5.12 or newer", "nf_tables"},
		{0, EPROTONOSUPPORT, 0, "needs Linux 5.12 or newer", "nf_tables"},
		{0, ENOMEM, 0, "the kernel's IPsec: ", "memory"},
		{0, 0, EPERM, "an earlier daemon cannot be deleted", ""},
	};
	struct seeded_entropy seed;
	struct addr to = unit_addr("192.0.2.10");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char why[PLANE_WHY_MAX] = "";
		struct plane_params p = {.entropy = unit_entropy(&seed),
			.why = why,
			.why_cap = sizeof(why)};

		fake_reset();
		fake_add_sa(&to, 1, REQID_FIRST, SELECT_USER);
		fake.open_error = rows[i].open;
		fake.lock_error = rows[i].lock;
		fake.delete_error = rows[i].delete;
		assert_null(plane_open_xfrm(&p));
		lab_expect_words(why, rows[i].what, rows[i].more);
		assert_int_equal(fake.n_sas, 1);
	}
}

/* ---- a kernel that is full ------------------------------------------------------------------ */

static void no_room_for_an_sa(void **state)
{
	(void)state;
	lab_give_policy(NULL);
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	fake.sa_room = 1; /* one half of two */
	lab_add_child(OFFLOAD_NO);
	struct plane_report r = lab_next(PLANE_REFUSED);
	assert_int_equal(r.u.refused.id, LAB_CHILD);
	lab_expect_words(r.u.refused.text, "no memory left for an SA", "fewer peers");
	assert_int_equal(fake.n_sas, 0);
	check_closed();
	lab_no_more(PLANE_TROUBLED);
}

/* What is cleared away after the failure is not that one. */
static void an_sa_of_another_with_this_spi(void **state)
{
	(void)state;
	lab_give_policy(NULL);
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	fake_add_sa(&lab_own, LAB_SPI_IN, 1, 0);
	lab_add_child(OFFLOAD_NO);
	lab_expect_words(lab_next(PLANE_REFUSED).u.refused.text,
		"another program has an SA with this SPI", "delete it there");
	assert_non_null(fake_find_sa(&lab_own, LAB_SPI_IN));
	assert_int_equal(fake.n_sas, 1);
	check_closed();
}

static void no_room_when_the_gate_opens(void **state)
{
	(void)state;
	lab_give_policy(NULL);
	lab_add_child(OFFLOAD_NO); /* receives */
	assert_int_equal(fake.n_sas, 1);
	fake.sa_room = 1;
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	assert_int_equal(lab_next(PLANE_REFUSED).u.refused.id, LAB_CHILD);
	const struct request_policy *out =
		fake_policy_for(&lab_own, &lab_peer, XFRM_POLICY_OUT);
	assert_true(out && out->has_tmpl);
}

static void no_room_for_the_policies_of_an_sa(void **state)
{
	struct plane_found found;

	(void)state;
	lab_give_policy(NULL);
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	fake.policy_room = fake.n_policies + 1;
	lab_add_child(OFFLOAD_NO);
	struct plane_report r = lab_next(PLANE_REFUSED);
	lab_expect_words(r.u.refused.text, "no memory", "");
	assert_int_equal(fake.n_sas, 0);
	check_closed();
	plane_mend(lab_plane, &found);
	assert_int_equal(found.deeds, 0);
	assert_int_equal(found.n, 0);
}

static void no_room_for_a_rule(void **state)
{
	struct plane_found found;

	(void)state;
	fake.policy_room = 4;
	lab_give_policy(NULL);
	struct plane_report r = lab_next(PLANE_TROUBLED);
	assert_int_equal(r.u.trouble.scope, LAB_SCOPE);
	lab_expect_words(r.u.trouble.why, "no memory left for a policy", "stays blocked");
	plane_mend(lab_plane, &found);
	assert_true(found.again);
	assert_int_equal(found.at[0].scope, LAB_SCOPE);
	assert_int_equal(found.deeds, 0); /* nobody has touched it */
	fake.policy_room = FAKE_MAX;
	plane_mend(lab_plane, &found);
	assert_false(found.again);
	assert_int_equal(found.n, 0);
	assert_int_equal(found.deeds, 0);
	check_closed();
}

/* The last policies go first where there is no room: those of the rule. */
static void a_rule_is_named(void **state)
{
	(void)state;
	lab_give_policy(NULL);
	size_t all = fake.n_policies;
	plane_policy(lab_plane, LAB_SCOPE, NULL, &lab_own, 1);
	assert_int_equal(fake.n_policies, 0);
	fake.policy_room = all - 3;
	lab_give_policy(NULL);
	struct plane_report r = lab_next(PLANE_TROUBLED);
	assert_int_equal(r.u.trouble.rule, LAB_RULE);
}

/* ---- others --------------------------------------------------------------------------------- */

static struct request_policy of_another(
	uint8_t dir, const struct addr *src, const struct addr *dst, uint32_t priority)
{
	struct request_policy p;

	memset(&p, 0, sizeof(p));
	p.sel.family = AF_INET;
	p.sel.saddr = select_addr(src);
	p.sel.daddr = select_addr(dst);
	p.sel.prefixlen_s = p.sel.prefixlen_d = 24;
	p.dir = dir;
	p.priority = priority;
	return p;
}

static void a_policy_of_another_in_the_way_is_named(void **state)
{
	struct plane_found found;

	(void)state;
	lab_give_policy(NULL);
	assert_int_equal(plane_touched(lab_plane), PLANE_BESIDE);
	uint32_t last = rules_priority(false, 0);
	struct request_policy theirs =
		of_another(XFRM_POLICY_OUT, &lab_own, &lab_peer, last);
	fake_add_policy(&theirs);
	plane_mend(lab_plane, &found);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.at[0].scope, LAB_SCOPE);
	assert_int_equal(found.at[0].rule, LAB_RULE);
	lab_expect_words(found.at[0].why, "dir out src 192.0.2.0/24 dst 198.51.100.0/24",
		"larger priority");
	assert_int_equal(found.deeds, 0);
	assert_false(found.again); /* its end is told by an event */
	fake_remove_policy(&theirs);
	plane_mend(lab_plane, &found);
	assert_int_equal(found.n, 0);
	theirs.priority = last + 1;
	fake_add_policy(&theirs);
	plane_mend(lab_plane, &found);
	assert_int_equal(found.n, 0);
	theirs = of_another(XFRM_POLICY_IN, &lab_peer, &lab_own, 0);
	fake_add_policy(&theirs);
	plane_mend(lab_plane, &found);
	lab_expect_words(found.at[0].why, "dir in", "priority 0");
}

static bool poll_touched(void)
{
	struct pollfd fd = {.fd = plane_touched_fd(lab_plane), .events = POLLIN};
	struct plane_report r;

	while (plane_next_report(lab_plane, &r))
		continue;
	return poll(&fd, 1, 0) == 1;
}

static void what_others_take_away_is_put_back(void **state)
{
	struct plane_found found;

	(void)state;
	lab_give_policy(NULL);
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	lab_add_child(OFFLOAD_NO);
	(void)plane_touched(lab_plane);
	assert_false(poll_touched());
	struct request_policy ours = fake.policies[0];
	fake_remove_policy(&ours);
	fake_event(EVENT_POLICIES);
	assert_true(poll_touched());
	assert_int_equal(plane_touched(lab_plane), PLANE_TOUCHED);
	plane_mend(lab_plane, &found);
	assert_int_equal(found.deeds, PLANE_DEED_POLICIES);
	fake_event(EVENT_BESIDE);
	assert_true(poll_touched());
	assert_int_equal(plane_touched(lab_plane), PLANE_BESIDE);
	fake.n_sas = 0;
	fake_event(EVENT_SAS);
	assert_true(poll_touched());
	assert_int_equal(plane_touched(lab_plane), PLANE_TOUCHED);
	plane_mend(lab_plane, &found);
	assert_int_equal(found.deeds, PLANE_DEED_SAS);
	assert_int_equal(lab_next(PLANE_NOTICE).u.notice.kind, ESP_SEQ_HARD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_kernel_lacks_is_named),
		cmocka_unit_test(ipv6_is_tried_too),
		cmocka_unit_test(a_trial_that_was_cut_short_is_in_nobodys_way),
		cmocka_unit_test(why_the_plane_does_not_open),
		cmocka_unit_test_setup_teardown(
			no_room_for_an_sa, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			an_sa_of_another_with_this_spi, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			no_room_when_the_gate_opens, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			no_room_for_the_policies_of_an_sa, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			no_room_for_a_rule, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			a_rule_is_named, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(a_policy_of_another_in_the_way_is_named,
			lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			what_others_take_away_is_put_back, lab_set_up, lab_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
