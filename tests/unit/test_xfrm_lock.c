/* tests/unit/test_xfrm_lock.c - what the kernel's answer to the lock's request means. */
#include "unit.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "xfrm/lock.h"

static void each_answer_has_its_meaning(void **state)
{
	enum { OF_TABLE = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE };
	enum { OF_ALL = NFNL_MSG_BATCH_BEGIN };
	static const struct {
		uint16_t of;
		int error, meaning;
	} rows[] = {
		{OF_TABLE, 0, 0},
		{OF_TABLE, -EEXIST, EADDRINUSE},
		{OF_TABLE, -EPERM, EADDRINUSE},
		{OF_ALL, -EPERM, EPERM}, /* no CAP_NET_ADMIN */
		{OF_TABLE, -EINVAL, EOPNOTSUPP}, /* Linux before 5.12 knows no owner */
		{OF_TABLE, -EOPNOTSUPP, EOPNOTSUPP},
		{OF_ALL, -EOPNOTSUPP, EOPNOTSUPP}, /* no nf_tables */
		{OF_ALL, -EINVAL, EINVAL},
		{OF_TABLE, -ENOMEM, ENOMEM},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nlmsgerr e = {
			.error = rows[i].error, .msg.nlmsg_type = rows[i].of};

		assert_int_equal(lock_meaning(&e), rows[i].meaning);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_has_its_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
