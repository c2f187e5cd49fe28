/* A server that owns a VIP alone and a client on a plain host, both without a cluster. */
#include "node_conf.h"
#include "node_lab.h"

enum { SERVER, CLIENT };

static struct lab *two(void)
{
	struct lab *l = lab_new();

	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, SERVER, "192.0.2.10", NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, "198.51.100.7", NODE_ADDR_PRESENT);
	return l;
}

/* Order of binding: activation on disk, steering, sockets, gate, announcement. */
static void binding_has_its_order(void **state)
{
	struct lab *l = two();

	(void)state;
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	int store = lab_line(l, SERVER, "store activation", 0);
	int policy = lab_line(l, SERVER, "policy 0 set", 0);
	int sockets = lab_line(l, SERVER, "sockets 192.0.2.10 open", 0);
	int gate = lab_line(l, SERVER, "gate 0 open", 0);
	int announce = lab_line(l, SERVER, "announce 192.0.2.10", 0);
	assert_true(store >= 0 && store < policy && policy < sockets);
	assert_true(sockets < gate && gate < announce);
	lab_free(l);
}

/*   client                                server
 *   packet -> ACQUIRE
 *   IKE_SA_INIT --->  <--- , IKE_AUTH --->  <---
 */
static void first_packet_brings_ike_up(void **state)
{
	struct lab *l = two();

	(void)state;
	lab_acquire(l, CLIENT, 0, "198.51.100.7", "192.0.2.10", 143);
	lab_run(l, 50);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(l->node[SERVER].n_child, 1);
	struct lab_child *a = &l->node[CLIENT].child[0], *b = &l->node[SERVER].child[0];
	assert_int_equal(a->c.spi_out, b->c.spi_in);
	assert_true(a->active && b->active);
	assert_int_equal(b->c.spi_in >> 24, 1);
	unit_assert_span_equal(secret_span(&a->c.key_out), secret_span(&b->c.key_in));
	lab_free(l);
}

#define TUNNEL_OF(from, to, peer)                                                     \
	ALONE SECRET                                                                  \
		"filter-list \"net\" { from " from " to " to " mirrored; }\n"         \
		"filter-action \"esp\" { negotiate require; mode tunnel" peer "; }\n" \
		"policy \"p\" { rule \"net\" { match \"net\"; action \"esp\"; auth "  \
		"psk \"lab\"; } }\n"
#define NEAR "192.168.7.0/24"
#define FAR "10.1.0.0/16"

/* The packet comes from another host, whose address is not ours to call from. */
static void a_host_calls_for_a_network_behind_it(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER,
		TUNNEL_OF(FAR, NEAR, "") "vip \"web\" { address 192.0.2.10; }\n"
					 "assign policy \"p\" to vip \"web\";\n");
	lab_start(l, CLIENT,
		TUNNEL_OF(NEAR, FAR, " to 192.0.2.10") "assign policy \"p\" to host;\n");
	lab_address(l, SERVER, "192.0.2.10", NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, "198.51.100.7", NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, "192.168.7.9", "10.1.0.1", 143);
	lab_run(l, 50);
	assert_int_equal(lab_up(l, CLIENT), 1);
	const struct addr own = unit_addr("198.51.100.7");
	assert_true(addr_equal(&l->node[CLIENT].child[0].c.local.addr, &own));
	lab_free(l);
}

static void strangers_hear_nothing_before_bound(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, CLIENT, "198.51.100.7", NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, "198.51.100.7", "192.0.2.10", 143);
	lab_run(l, 3000);
	assert_int_equal(l->node[SERVER].sent, 0);
	lab_address(l, SERVER, "192.0.2.10", NODE_ADDR_TENTATIVE);
	lab_run(l, 3000);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_TENTATIVE);
	assert_int_equal(l->node[SERVER].sent, 0);
	lab_address(l, SERVER, "192.0.2.10", NODE_ADDR_PRESENT);
	lab_run(l, 15000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binding_has_its_order),
		cmocka_unit_test(first_packet_brings_ike_up),
		cmocka_unit_test(a_host_calls_for_a_network_behind_it),
		cmocka_unit_test(strangers_hear_nothing_before_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
