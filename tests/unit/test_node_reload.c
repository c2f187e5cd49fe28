/* A new configuration while SAs stand: what has not changed goes on. */
#include "node_conf.h"
#include "node_lab.h"

#define BASE                                                                          \
	ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET                         \
	      "filter-list \"mail\" { from vip \"mail\" port 143 to 198.51.100.0/24 " \
	      "proto tcp mirrored; }\n" TRANSPORT
#define RULE "rule \"mail\" { match \"mail\"; action \"esp\"; auth psk \"lab\"; }"
#define REST "rule \"rest\" { match any; action block; }"
#define ASSIGN "assign policy \"p\" to vip \"mail\";\n"
#define MORE_RULES BASE "policy \"p\" { " RULE REST " }\n" ASSIGN
#define OTHER_SECRET                                                                  \
	ALONE "vip \"mail\" { address 192.0.2.10; }\n"                                \
	      "secret \"lab\" { psk file \"/keys/new\"; }\n"                          \
	      "filter-list \"mail\" { from vip \"mail\" port 143 to 198.51.100.0/24 " \
	      "proto tcp mirrored; }\n" TRANSPORT POLICY("vip \"mail\"")
#define OTHER_VIP                                                                     \
	ALONE "vip \"news\" { address 192.0.2.10; }\n" SECRET                         \
	      "filter-list \"mail\" { from vip \"news\" port 143 to 198.51.100.0/24 " \
	      "proto tcp mirrored; }\n" TRANSPORT POLICY("vip \"news\"")
#define MARKED SERVER_WITH(ALONE, "address 192.0.2.10; output-mark 7;")
#define NO_ADDRESS SERVER_WITH(ALONE, "address 192.0.2.99;")

enum { SERVER, CLIENT };

static struct lab *working(void)
{
	struct lab *l = lab_new();

	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, SERVER), 1);
	lab_forget_log(l, SERVER);
	return l;
}

static void same_configuration_changes_nothing(void **state)
{
	struct lab *l = working();

	(void)state;
	lab_reload(l, SERVER, SERVER_CONF);
	lab_run(l, 10);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(lab_count(l, SERVER, "send"), 0);
	assert_int_equal(lab_count(l, SERVER, "policy"), 0);
	assert_int_equal(lab_count(l, SERVER, "sockets"), 0);
	lab_free(l);
}

static void a_rule_behind_it_leaves_the_first_alone(void **state)
{
	struct lab *l = working();

	(void)state;
	lab_reload(l, SERVER, MORE_RULES);
	lab_run(l, 10);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(lab_count(l, SERVER, "policy 0 set"), 1);
	assert_int_equal(lab_count(l, SERVER, "sa-delete"), 0);
	lab_free(l);
}

static void changed_secret_deletes_politely(void **state)
{
	struct lab *l = working();

	(void)state;
	lab_reload(l, SERVER, OTHER_SECRET);
	lab_run(l, 50);
	assert_int_equal(l->node[SERVER].n_child, 0);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	lab_free(l);
}

/* What the SAs were made with has changed: they are deleted, and the next ones have it. */
static void changed_mark_is_in_the_next_sa(void **state)
{
	struct lab *l = working();

	(void)state;
	assert_int_equal(l->node[SERVER].child[0].c.tags.mask, 0);
	lab_reload(l, SERVER, MARKED);
	lab_run(l, 50);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 20);
	assert_int_equal(lab_count(l, SERVER, "sa-delete"), 1);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(l->node[SERVER].child[0].c.tags.mark, 7);
	assert_int_equal(l->node[SERVER].child[0].c.tags.mask, UINT32_MAX);
	lab_reload(l, SERVER, MARKED);
	lab_run(l, 50);
	assert_int_equal(lab_count(l, SERVER, "sa-delete"), 1);
	lab_free(l);
}

static void renamed_vip_starts_a_new_life(void **state)
{
	struct lab *l = working();

	(void)state;
	lab_reload(l, SERVER, OTHER_VIP);
	lab_run(l, 50);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, SERVER), 1);
	lab_free(l);
}

static void removed_address_is_left_at_once(void **state)
{
	struct lab *l = working();

	(void)state;
	lab_reload(l, SERVER, NO_ADDRESS);
	lab_run(l, 50);
	assert_int_equal(l->node[SERVER].n_sockets, 0);
	assert_int_equal(l->node[SERVER].n_child, 0);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	assert_false(l->node[SERVER].gate[0]);
	lab_free(l);
}

static void client_that_loses_its_policy_deletes(void **state)
{
	struct lab *l = working();

	(void)state;
	lab_forget_log(l, CLIENT);
	lab_reload(l, CLIENT, ALONE);
	lab_run(l, 50);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	assert_int_equal(l->node[SERVER].n_child, 0);
	assert_int_equal(l->node[CLIENT].n_sockets, 0);
	assert_true(lab_line(l, CLIENT, "policy 0 end", 0) >= 0);
	lab_free(l);
}

#define POP                                                                           \
	ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET                         \
	      "filter-list \"mail\" { from vip \"mail\" port 110 to 198.51.100.0/24 " \
	      "proto tcp mirrored; }\n" TRANSPORT POLICY("vip \"mail\"")
#define ALL_PORTS                                                              \
	ALONE SECRET "filter-list \"mail\" { from me to 192.0.2.10 proto tcp " \
		     "mirrored; }\n" TRANSPORT POLICY("host")

/* The client's rule has all ports, and the server's narrows them to another one than when
 * they agreed last: what it refuses is not asked for for ever. */
static void what_the_peer_has_no_more_is_not_insisted_on(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, ALL_PORTS);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_reload(l, SERVER, POP);
	lab_run(l, 1000);
	assert_int_equal(lab_up(l, CLIENT), 0);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 110);
	lab_run(l, 4000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(lab_count(l, CLIENT, "no matching selectors"), 1);
	lab_free(l);
}

static void fifty_reloads_keep_nothing(void **state)
{
	struct lab *l = working();
	size_t kept = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		lab_reload(l, SERVER, i % 2 ? SERVER_CONF : OTHER_VIP);
		lab_run(l, 2000);
		lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
		lab_run(l, 2000);
		assert_int_equal(lab_up(l, SERVER), 1);
		if (i == 1)
			kept = node_count_kept(l->node[SERVER].node);
	}
	assert_int_equal(node_count_kept(l->node[SERVER].node), kept);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_configuration_changes_nothing),
		cmocka_unit_test(a_rule_behind_it_leaves_the_first_alone),
		cmocka_unit_test(changed_secret_deletes_politely),
		cmocka_unit_test(changed_mark_is_in_the_next_sa),
		cmocka_unit_test(renamed_vip_starts_a_new_life),
		cmocka_unit_test(removed_address_is_left_at_once),
		cmocka_unit_test(client_that_loses_its_policy_deletes),
		cmocka_unit_test(what_the_peer_has_no_more_is_not_insisted_on),
		cmocka_unit_test(fifty_reloads_keep_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
