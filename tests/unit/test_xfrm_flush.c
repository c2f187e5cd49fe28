/* tests/unit/test_xfrm_flush.c - what a dead daemon has left goes, and nobody else's. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "fake_kernel.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"
#include "xfrm/xfrm.h"

static const uint8_t dirs[] = {XFRM_POLICY_OUT, XFRM_POLICY_IN, XFRM_POLICY_FWD};

static struct addr at(uint8_t last)
{
	return addr_v4(192, 0, 2, last);
}

static void add_policies(uint32_t user)
{
	struct request_policy p;

	memset(&p, 0, sizeof(p));
	p.sel.family = 2;
	p.sel.user = user;
	for (size_t i = 0; i < sizeof(dirs); i++) {
		p.dir = dirs[i];
		fake_add_policy(&p);
	}
}

static int set_up(void **state)
{
	struct addr a = at(1);

	(void)state;
	fake_reset();
	fake_add_sa(&a, 1, REQID_FIRST, SELECT_USER);
	fake_add_sa(&a, 2, REQID_LAST, SELECT_USER);
	fake_add_sa(&a, 3, REQID_ASK, SELECT_USER); /* a trial that was cut short */
	fake_add_sa(&a, 4, 1, 0);
	fake_add_sa(&a, 5, REQID_FIRST - 1, SELECT_USER);
	fake_add_sa(&a, 6, REQID_FIRST, 0); /* who else has chosen that number */
	add_policies(SELECT_USER);
	add_policies(0);
	return 0;
}

static void check_others(void)
{
	struct addr a = at(1);

	for (uint32_t spi = 4; spi <= 6; spi++)
		assert_non_null(fake_find_sa(&a, spi));
	size_t n = 0;
	for (size_t i = 0; i < fake.n_policies; i++)
		n += fake.policies[i].sel.user == 0;
	assert_int_equal(n, 3);
}

static void ours_go_and_no_others(void **state)
{
	struct xfrm_flushed done;
	char why[128];

	(void)state;
	assert_int_equal(xfrm_flush(false, &done, why, sizeof(why)), XFRM_FLUSHED);
	assert_int_equal(done.sas, 3);
	assert_int_equal(done.policies, 3);
	assert_int_equal(done.kept, 0);
	assert_int_equal(fake.n_sas, 3);
	assert_int_equal(fake.n_policies, 3);
	check_others();
	/* A policy without its SA drops; an SA without its policy would not. */
	assert_true(fake.last_sa_gone < fake.last_policy_gone);
	assert_int_equal(xfrm_flush(false, &done, why, sizeof(why)), XFRM_FLUSHED);
	assert_int_equal(done.sas + done.policies + done.kept, 0);
	assert_true(fake.steering_was_cleared);
	check_others();
}

static void policies_stay_where_nothing_else_protects(void **state)
{
	struct xfrm_flushed done;
	char why[128];

	(void)state;
	assert_int_equal(xfrm_flush(true, &done, why, sizeof(why)), XFRM_FLUSHED);
	assert_int_equal(done.sas, 3);
	assert_int_equal(done.policies, 0);
	assert_int_equal(done.kept, 3);
	assert_int_equal(fake.n_sas, 3);
	assert_int_equal(fake.n_policies, 6);
}

static void nothing_is_touched_while_a_daemon_serves(void **state)
{
	struct xfrm_flushed done;
	char why[128];

	(void)state;
	fake.lock_error = EADDRINUSE;
	assert_int_equal(xfrm_flush(false, &done, why, sizeof(why)), XFRM_SERVES);
	assert_non_null(strstr(why, "stop it first"));
	assert_int_equal(fake.requests, 0);
}

static void come_back(void)
{
	struct addr a = at(9);

	fake.on_delete = NULL;
	fake_add_sa(&a, 9, REQID_FIRST + 9, SELECT_USER);
}

static void what_comes_meanwhile_goes_too(void **state)
{
	struct xfrm_flushed done;
	char why[128];

	(void)state;
	fake.on_delete = come_back;
	assert_int_equal(xfrm_flush(false, &done, why, sizeof(why)), XFRM_FLUSHED);
	assert_int_equal(done.sas, 4);
	assert_int_equal(fake.n_sas, 3);
}

static void keep_coming(void)
{
	struct addr a = at(9);

	fake_add_sa(&a, 9, REQID_FIRST + 9, SELECT_USER);
}

static void what_cannot_be_deleted_is_said(void **state)
{
	struct xfrm_flushed done;
	char why[128];

	(void)state;
	fake.delete_error = EPERM;
	assert_int_equal(xfrm_flush(false, &done, why, sizeof(why)), XFRM_NOT_FLUSHED);
	assert_non_null(strstr(why, strerror(EPERM)));
	fake.delete_error = 0;
	fake.on_delete = keep_coming;
	assert_int_equal(xfrm_flush(false, &done, why, sizeof(why)), XFRM_NOT_FLUSHED);
}

/* Linux before 5.12: nobody can serve, and what is there is of an earlier life. */
static void where_there_is_no_lock_ours_go(void **state)
{
	struct xfrm_flushed done;
	char why[128];

	(void)state;
	fake.lock_error = EOPNOTSUPP;
	assert_int_equal(xfrm_flush(false, &done, why, sizeof(why)), XFRM_FLUSHED);
	assert_int_equal(done.sas, 3);
	assert_int_equal(done.policies, 3);
	check_others();
}

static void a_kernel_without_ipsec_has_nothing(void **state)
{
	struct xfrm_flushed done;
	char why[128];

	(void)state;
	fake.lock_error = EPROTONOSUPPORT;
	assert_int_equal(xfrm_flush(false, &done, why, sizeof(why)), XFRM_FLUSHED);
	fake.open_error = EPROTONOSUPPORT;
	assert_true(xfrm_clear(why, sizeof(why)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ours_go_and_no_others, set_up),
		cmocka_unit_test_setup(policies_stay_where_nothing_else_protects, set_up),
		cmocka_unit_test_setup(nothing_is_touched_while_a_daemon_serves, set_up),
		cmocka_unit_test_setup(what_comes_meanwhile_goes_too, set_up),
		cmocka_unit_test_setup(what_cannot_be_deleted_is_said, set_up),
		cmocka_unit_test_setup(where_there_is_no_lock_ours_go, set_up),
		cmocka_unit_test_setup(a_kernel_without_ipsec_has_nothing, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
