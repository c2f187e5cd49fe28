/* The life of a VIP without a cluster: docs/FAILOVER, Life of a VIP. */
#include "node_conf.h"
#include "node_lab.h"

#define AGENT_CONF SERVER_WITH(ALONE, "address 192.0.2.10; bind agent;")
#define PAIR_CONF SERVER_WITH(ALONE, "address 192.0.2.10, 192.0.2.11;")

enum { SERVER, CLIENT };

static struct lab *bound(const char *conf)
{
	struct lab *l = lab_new();

	lab_start(l, SERVER, conf);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	return l;
}

static struct lab *with_client(void)
{
	struct lab *l = bound(SERVER_CONF);

	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, SERVER), 1);
	lab_forget_log(l, SERVER);
	lab_forget_log(l, CLIENT);
	return l;
}

static void address_that_goes_ends_everything(void **state)
{
	struct lab *l = bound(SERVER_CONF);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_ABSENT);
	lab_run(l, 50);
	assert_int_equal(l->node[SERVER].n_sockets, 0);
	assert_false(l->node[SERVER].gate[0]);
	assert_true(lab_line(l, SERVER, "policy 0 end", 0) >= 0);
	lab_free(l);
}

/* IKE_SA_INIT is answered; then nothing more comes. */
static bool only_the_first_call(struct lab *l, unsigned from, const struct ike_path *path)
{
	(void)path;
	return from == SERVER || l->node[CLIENT].sent == 1;
}

static bool count_one(const struct ike_info *sa, void *ctx)
{
	(void)sa;
	++*(unsigned *)ctx;
	return true;
}

/* Half a handshake is nothing to keep for a VIP that has gone elsewhere. */
static void address_that_goes_ends_half_a_call(void **state)
{
	struct lab *l = bound(SERVER_CONF);
	unsigned before = 0, after = 0;

	(void)state;
	l->filter = only_the_first_call;
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 20);
	node_each_ike(l->node[SERVER].node, count_one, &before);
	assert_int_equal(before, 1);
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	lab_run(l, 50);
	node_each_ike(l->node[SERVER].node, count_one, &after);
	assert_int_equal(after, 0);
	lab_free(l);
}

/* Nothing reaches an address that is gone. */
static bool only_from_server(struct lab *l, unsigned from, const struct ike_path *path)
{
	(void)l;
	(void)path;
	return from == SERVER;
}

/* stop; the address goes 60 ms later: the Delete leaves then, three times, 10 ms apart,
 * with the gate already closed. */
static void stop_then_address_gone_sends_three_deletes(void **state)
{
	struct lab *l = with_client();

	(void)state;
	lab_command(l, SERVER, NODE_UNBIND, "mail");
	assert_int_equal(l->node[SERVER].reply_code, 0);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_RELEASING);
	lab_run(l, 60);
	assert_int_equal(lab_count(l, SERVER, "send"), 0);
	assert_true(l->node[SERVER].gate[0]);
	l->filter = only_from_server;
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	lab_run(l, 100);
	assert_int_equal(lab_count(l, SERVER, "exchange 37"), 3);
	int closed = lab_line(l, SERVER, "gate 0 close", 0);
	assert_true(closed >= 0 && closed < lab_line(l, SERVER, "exchange 37", 0));
	assert_int_equal(l->node[SERVER].n_child, 0);
	assert_int_equal(l->node[SERVER].n_sockets, 0);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_ABSENT);
	lab_free(l);
}

/* stop; the address stays: after 500 ms one Delete, its answer is awaited. */
static void stop_with_address_left_there(void **state)
{
	struct lab *l = with_client();

	(void)state;
	lab_command(l, SERVER, NODE_UNBIND, "mail");
	lab_run(l, 499);
	assert_int_equal(lab_count(l, SERVER, "send"), 0);
	lab_run(l, 20);
	assert_int_equal(lab_count(l, SERVER, "exchange 37"), 1);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_HELD);
	assert_int_equal(l->node[SERVER].n_child, 0);
	assert_int_equal(l->node[SERVER].n_sockets, 0);
	lab_run(l, 60000);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_HELD);
	lab_free(l);
}

static void no_delete_for_a_peer_long_silent(void **state)
{
	struct lab *l = with_client();

	(void)state;
	lab_run(l, 25000);
	lab_forget_log(l, SERVER);
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	lab_run(l, 100);
	assert_int_equal(lab_count(l, SERVER, "send"), 0);
	assert_int_equal(l->node[SERVER].n_child, 0);
	lab_free(l);
}

static void held_survives_a_restart_and_ends_by_start(void **state)
{
	struct lab *l = bound(SERVER_CONF);

	(void)state;
	lab_command(l, SERVER, NODE_UNBIND, "mail");
	lab_run(l, 600);
	lab_kill(l, SERVER);
	lab_restart(l, SERVER, SERVER_CONF);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 1000);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_HELD);
	lab_command(l, SERVER, NODE_BIND, "mail");
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	assert_int_equal(l->node[SERVER].reply_code, 0);
	lab_free(l);
}

static void held_ends_when_the_address_goes(void **state)
{
	struct lab *l = bound(SERVER_CONF);

	(void)state;
	lab_command(l, SERVER, NODE_UNBIND, "mail");
	lab_run(l, 600);
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	lab_free(l);
}

static void start_again_cancels_a_release(void **state)
{
	struct lab *l = with_client();

	(void)state;
	lab_command(l, SERVER, NODE_UNBIND, "mail");
	lab_run(l, 100);
	lab_command(l, SERVER, NODE_BIND, "mail");
	lab_run(l, 1000);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	assert_int_equal(lab_up(l, SERVER), 1);
	lab_free(l);
}

static void bind_agent_waits_for_the_word(void **state)
{
	struct lab *l = bound(AGENT_CONF);

	(void)state;
	lab_run(l, 1000);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_WAITING);
	lab_command(l, SERVER, NODE_BIND, "mail");
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	assert_int_equal(l->node[SERVER].reply_code, 0);
	lab_free(l);
}

static void start_without_address_says_why(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER, SERVER_CONF);
	lab_command(l, SERVER, NODE_BIND, "mail");
	assert_int_equal(l->node[SERVER].reply_code, -1);
	lab_run(l, 5000);
	assert_int_equal(l->node[SERVER].reply_code, 7);
	assert_non_null(
		strstr(l->node[SERVER].reply, "192.0.2.10 is not on this machine"));
	lab_free(l);
}

static void start_waits_for_duplicate_address_detection(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER, SERVER_CONF);
	lab_address(l, SERVER, VIP, NODE_ADDR_TENTATIVE);
	lab_command(l, SERVER, NODE_BIND, "mail");
	lab_run(l, 5000);
	assert_int_equal(l->node[SERVER].reply_code, -1);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	assert_int_equal(l->node[SERVER].reply_code, 0);
	lab_free(l);
}

/* The gate is the VIP's: it stays open while one address is bound. */
static void each_address_has_its_own_life(void **state)
{
	struct lab *l = bound(PAIR_CONF);

	(void)state;
	lab_address(l, SERVER, "192.0.2.11", NODE_ADDR_PRESENT);
	assert_int_equal(l->node[SERVER].n_sockets, 2);
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	lab_run(l, 50);
	assert_int_equal(l->node[SERVER].n_sockets, 1);
	assert_true(l->node[SERVER].gate[0]);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	lab_address(l, SERVER, "192.0.2.11", NODE_ADDR_GONE);
	lab_run(l, 50);
	assert_false(l->node[SERVER].gate[0]);
	lab_free(l);
}

/* A new binding waits for the data thread to acknowledge the last closing. */
static void not_bound_again_before_the_gate_is_acknowledged(void **state)
{
	struct lab *l = bound(SERVER_CONF);
	struct node_event ev = {.kind = NODE_GATE_CLOSED};

	(void)state;
	l->hold_acks = true;
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 5000);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_WAITING);
	lab_step(l, SERVER, &ev);
	assert_int_equal(lab_vip(l, SERVER, 0), VIP_BOUND);
	lab_free(l);
}

static struct vip_view vip_of(struct lab *l, unsigned i)
{
	struct vip_view v;

	assert_true(node_look_vip(l->node[i].node, 0, &v));
	return v;
}

/* The VIP shows its most alive address; each one is shown beside it. */
static void each_address_has_a_state_of_its_own(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER, SERVER_WITH(ALONE, "address 192.0.2.10, 2001:db8::10;"));
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, SERVER, "2001:db8::10", NODE_ADDR_TENTATIVE);
	assert_int_equal(vip_of(l, SERVER).state, VIP_BOUND);
	assert_int_equal(vip_of(l, SERVER).addr_state[0], VIP_BOUND);
	assert_int_equal(vip_of(l, SERVER).addr_state[1], VIP_TENTATIVE);
	lab_free(l);
}

/* Since when, so that whoever looks can give the cluster time to start the second. */
static void a_bound_vip_says_which_address_it_lacks(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER, SERVER_WITH(ALONE, "address 192.0.2.10, 2001:db8::10;"));
	assert_int_equal(vip_of(l, SERVER).partial_ms, 0); /* not bound at all */
	lab_run(l, 1000);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	uint64_t bound_ms = vip_of(l, SERVER).since_ms;
	lab_run(l, 3000);
	assert_int_equal(vip_of(l, SERVER).partial_ms, bound_ms);
	assert_non_null(strstr(vip_of(l, SERVER).partial, "2001:db8::10 is not on this"));
	lab_address(l, SERVER, "2001:db8::10", NODE_ADDR_PRESENT);
	assert_int_equal(vip_of(l, SERVER).partial_ms, 0);
	lab_run(l, 3000);
	lab_address(l, SERVER, "2001:db8::10", NODE_ADDR_GONE);
	assert_true(vip_of(l, SERVER).partial_ms >= bound_ms + 6000);
	lab_free(l);
}

/* After a second without the data thread's word there is one warning, and the VIP is not
 * shown as cleanly released; when the word comes, it is. */
static void a_gate_that_is_not_acknowledged_raises_an_alarm(void **state)
{
	struct lab *l = bound(SERVER_CONF);
	struct node_event ev = {.kind = NODE_GATE_CLOSED};

	(void)state;
	l->hold_acks = true;
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	lab_run(l, 999);
	assert_int_equal(lab_count(l, SERVER, "gate-stuck"), 0);
	assert_false(vip_of(l, SERVER).stuck);
	lab_run(l, 1);
	assert_int_equal(lab_count(l, SERVER, "gate-stuck"), 1);
	assert_true(vip_of(l, SERVER).stuck);
	assert_non_null(strstr(vip_of(l, SERVER).reason, "data plane"));
	lab_run(l, 10000);
	assert_int_equal(lab_count(l, SERVER, "gate-stuck"), 1);
	lab_step(l, SERVER, &ev);
	assert_false(vip_of(l, SERVER).stuck);
	assert_int_equal(lab_count(l, SERVER, "gate-closed"), 1);
	lab_free(l);
}

static void each_binding_has_a_new_activation(void **state)
{
	struct lab *l = bound(SERVER_CONF);

	(void)state;
	assert_int_equal(l->node[SERVER].stored[0].bytes[1], 1);
	lab_address(l, SERVER, VIP, NODE_ADDR_GONE);
	lab_run(l, 50);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 50);
	lab_kill(l, SERVER);
	lab_restart(l, SERVER, SERVER_CONF);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	assert_string_equal(l->node[SERVER].stored[0].name, "activation");
	assert_true(l->node[SERVER].stored[0].bytes[1] >= 3);
	lab_free(l);
}

static void shutdown_says_goodbye_and_exits(void **state)
{
	struct lab *l = with_client();

	(void)state;
	lab_command(l, SERVER, NODE_SHUTDOWN, NULL);
	assert_false(l->node[SERVER].exited);
	lab_run(l, 300);
	assert_true(l->node[SERVER].exited);
	assert_int_equal(lab_count(l, SERVER, "exit"), 1);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	assert_int_equal(l->node[SERVER].n_sockets, 0);
	lab_free(l);
}

static void shutdown_does_not_wait_for_a_dead_peer(void **state)
{
	struct lab *l = with_client();

	(void)state;
	lab_kill(l, CLIENT);
	lab_command(l, SERVER, NODE_SHUTDOWN, NULL);
	lab_run(l, 300);
	assert_true(l->node[SERVER].exited);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_that_goes_ends_everything),
		cmocka_unit_test(address_that_goes_ends_half_a_call),
		cmocka_unit_test(stop_then_address_gone_sends_three_deletes),
		cmocka_unit_test(stop_with_address_left_there),
		cmocka_unit_test(no_delete_for_a_peer_long_silent),
		cmocka_unit_test(held_survives_a_restart_and_ends_by_start),
		cmocka_unit_test(held_ends_when_the_address_goes),
		cmocka_unit_test(start_again_cancels_a_release),
		cmocka_unit_test(bind_agent_waits_for_the_word),
		cmocka_unit_test(start_without_address_says_why),
		cmocka_unit_test(start_waits_for_duplicate_address_detection),
		cmocka_unit_test(each_address_has_its_own_life),
		cmocka_unit_test(not_bound_again_before_the_gate_is_acknowledged),
		cmocka_unit_test(each_address_has_a_state_of_its_own),
		cmocka_unit_test(a_bound_vip_says_which_address_it_lacks),
		cmocka_unit_test(a_gate_that_is_not_acknowledged_raises_an_alarm),
		cmocka_unit_test(each_binding_has_a_new_activation),
		cmocka_unit_test(shutdown_says_goodbye_and_exits),
		cmocka_unit_test(shutdown_does_not_wait_for_a_dead_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
