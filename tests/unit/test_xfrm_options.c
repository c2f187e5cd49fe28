/* tests/unit/test_xfrm_options.c - output marks, XFRM interfaces and offload, from an order to
 * what the kernel holds.
 */
#include "xfrm_lab.h"

#include <errno.h>
#include <string.h>

#include "xfrm/rules.h"

static const struct fake_sa *half(bool out)
{
	const struct fake_sa *sa =
		fake_find_sa(out ? &lab_peer : &lab_own, out ? LAB_SPI_OUT : LAB_SPI_IN);

	assert_non_null(sa);
	return sa;
}

static void child_sends(enum policy_offload offload)
{
	lab_give_policy(NULL);
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	lab_add_child(offload);
}

/* ---- tags --------------------------------------------------------------------------- */

static void what_leaves_is_marked(void **state)
{
	(void)state;
	lab_tags = (struct policy_tags){.mark = 0x10, .mask = 0xff};
	child_sends(OFFLOAD_NO);
	assert_int_equal(half(true)->sa.tags.mark, 0x10);
	assert_int_equal(half(true)->sa.tags.mask, 0xff);
	assert_int_equal(half(false)->sa.tags.mask, 0);
	lab_no_more(PLANE_REFUSED);
}

/* SAs, what asks for them, and what drops what came without: all on that interface. */
static void an_interface_has_sas_and_policies(void **state)
{
	struct addr blocked = unit_addr("198.51.100.66");
	size_t of_it = 0;

	(void)state;
	lab_tags = (struct policy_tags){.if_id = 7};
	lab_give_policy(&blocked);
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	lab_add_child(OFFLOAD_NO);
	assert_int_equal(half(true)->sa.tags.if_id, 7);
	assert_int_equal(half(false)->sa.tags.if_id, 7);
	for (size_t i = 0; i < fake.n_policies; i++) {
		const struct request_policy *p = &fake.policies[i];
		bool asks = p->has_tmpl;
		of_it += p->if_id == 7;
		assert_true(!asks || p->if_id == 7);
		assert_true(p->if_id == 0 || p->if_id == 7);
	}
	assert_int_equal(of_it, 6); /* the rule's three, the child's three */
	plane_sa_delete(lab_plane, LAB_CHILD);
	plane_policy(lab_plane, LAB_SCOPE, NULL, &lab_own, 1);
	assert_int_equal(fake.n_policies, 0);
}

/* A rule that comes to an interface leaves nothing where it was. */
static void an_interface_that_is_another(void **state)
{
	(void)state;
	lab_give_policy(NULL);
	lab_tags.if_id = 7;
	lab_give_policy(NULL);
	size_t n = fake.n_policies;
	lab_tags.if_id = 8;
	lab_give_policy(NULL);
	assert_int_equal(fake.n_policies, n);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(fake.policies[i].if_id, 7);
	struct plane_found found;
	plane_mend(lab_plane, &found);
	assert_int_equal(found.deeds, 0);
}

/* ---- offload -------------------------------------------------------------------------- */

static void auto_takes_what_there_is(void **state)
{
	(void)state;
	fake.device = OFFLOAD_CRYPTO;
	child_sends(OFFLOAD_AUTO);
	assert_true(half(false)->sa.inbound);
	assert_false(half(true)->sa.inbound);
	struct esp_usage u = lab_usage();
	assert_int_equal(u.offload_in, OFFLOAD_CRYPTO);
	assert_int_equal(u.offload_out, OFFLOAD_CRYPTO);
	plane_gate_close(lab_plane, LAB_SCOPE);
	u = lab_usage();
	assert_int_equal(u.offload_in, OFFLOAD_CRYPTO);
	assert_int_equal(u.offload_out, OFFLOAD_NO);
}

static void auto_goes_without(void **state)
{
	(void)state;
	child_sends(OFFLOAD_AUTO); /* the kernel says yes, and no device does it */
	assert_int_equal(lab_usage().offload_out, OFFLOAD_NO);
	assert_int_equal(fake.n_sas, 2);
	lab_no_more(PLANE_REFUSED);
	plane_sa_delete(lab_plane, LAB_CHILD);
	fake.offload_error = EINVAL; /* or it says no */
	lab_add_child(OFFLOAD_AUTO);
	lab_no_more(PLANE_REFUSED);
	assert_int_equal(fake.n_sas, 2);
	assert_int_equal(half(true)->sa.offload, OFFLOAD_NO);
}

static void check_refused(const char *words, const char *more)
{
	struct plane_report r = lab_next(PLANE_REFUSED);

	lab_expect_words(r.u.refused.text, words, more);
	assert_int_equal(fake.n_sas, 0);
	const struct request_policy *out =
		fake_policy_for(&lab_own, &lab_peer, XFRM_POLICY_OUT);
	assert_true(out && out->has_tmpl && out->tmpl.reqid == REQID_ASK);
}

static void crypto_is_that_or_nothing(void **state)
{
	(void)state;
	child_sends(OFFLOAD_CRYPTO);
	check_refused("offload crypto: no device does it for this SA", "offload auto");
	fake.offload_error = EINVAL;
	fake.words = "Encapsulation and TFC padding can't be offloaded";
	lab_add_child(OFFLOAD_CRYPTO);
	check_refused("offload crypto: Encapsulation", "esp-hw-offload");
	fake.offload_error = 0;
	fake.device = OFFLOAD_CRYPTO;
	lab_add_child(OFFLOAD_CRYPTO);
	lab_no_more(PLANE_REFUSED);
	assert_int_equal(fake.n_sas, 2);
}

/* The device judges packets altogether, so it needs the child's policies, too; those of the
 * rule are the kernel's. */
static void packet_brings_its_policies_along(void **state)
{
	size_t offloaded = 0;

	(void)state;
	fake.device = OFFLOAD_PACKET;
	child_sends(OFFLOAD_PACKET);
	assert_int_equal(lab_usage().offload_in, OFFLOAD_PACKET);
	for (size_t i = 0; i < fake.n_policies; i++) {
		const struct request_policy *p = &fake.policies[i];
		bool of_child = p->has_tmpl && p->tmpl.reqid != REQID_ASK;
		assert_int_equal(p->offload_ifindex, of_child ? 5 : 0);
		offloaded += of_child;
	}
	assert_int_equal(offloaded, 3);
}

/* As Linux 6.1 answers. */
static void packet_on_a_kernel_that_knows_none(void **state)
{
	(void)state;
	fake.offload_error = EINVAL;
	fake.words = "Unrecognized flags in offload request";
	child_sends(OFFLOAD_PACKET);
	check_refused("offload packet: Unrecognized flags", "offload auto");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(test) cmocka_unit_test_setup_teardown(test, lab_set_up, lab_tear_down)
		ROW(what_leaves_is_marked),
		ROW(an_interface_has_sas_and_policies),
		ROW(an_interface_that_is_another),
		ROW(auto_takes_what_there_is),
		ROW(auto_goes_without),
		ROW(crypto_is_that_or_nothing),
		ROW(packet_brings_its_policies_along),
		ROW(packet_on_a_kernel_that_knows_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
