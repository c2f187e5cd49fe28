/* When a peer is called, how often, and when no more. */
#include "node_conf.h"
#include "node_lab.h"

#include "base/iana.h"
#include "replica/peers.h"

#define WRONG_KEY                                                                    \
	"cluster { backend none; }\n"                                                \
	"secret \"lab\" { psk file \"/keys/other\"; }\n"                             \
	"filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp mirrored; " \
	"}\n" TRANSPORT POLICY("host")
#define TWO_KEYS                                                                     \
	"cluster { backend none; }\n"                                                \
	"secret \"old\" { psk file \"/keys/other\"; }\n" SECRET                      \
	"filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp mirrored; " \
	"}\n" TRANSPORT                                                              \
	"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; "            \
	"auth psk \"old\", psk \"lab\"; } }\nassign policy \"p\" to host;\n"
#define MANY_CONF                                                               \
	WEB "vip \"mail\" { address 192.0.2.10; }\n" SECRET                     \
	    "filter-list \"mail\" { from vip \"mail\" to 10.0.0.0/8 mirrored; " \
	    "}\n" TRANSPORT POLICY("vip \"mail\"")

enum { SERVER, CLIENT };

static struct lab *two(const char *client_conf)
{
	struct lab *l = lab_new();

	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, client_conf);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	return l;
}

static void traffic(struct lab *l)
{
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
}

/* Nobody answers: again and again, with pauses that do not grow beyond bounds, as long as
 * there is traffic; when the server is there at last, it works. */
static void giving_up_is_not_final(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		traffic(l);
		lab_run(l, 1000);
	}
	assert_in_range(
		lab_count(l, CLIENT, "event peer-failed"), 5, 10); /* once a minute */
	assert_true(lab_count(l, CLIENT, "times since last told") >= 3);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	for (unsigned i = 0; i < 30 && !lab_up(l, CLIENT); i++) {
		traffic(l);
		lab_run(l, 1000);
	}
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

static void without_traffic_the_calling_ends(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	traffic(l);
	lab_run(l, 120000);
	lab_forget_log(l, CLIENT);
	lab_run(l, 600000);
	assert_int_equal(lab_count(l, CLIENT, "send"), 0);
	assert_int_equal(lab_peer(l, CLIENT).state, PEER_IDLE);
	lab_free(l);
}

/* A lost SA is called for a day without any traffic. */
static void lost_peer_is_called_for_a_day(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 2000);
	lab_kill(l, SERVER);
	lab_kill(l, CLIENT);
	lab_restart(l, CLIENT, CLIENT_CONF);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_run(l, 1);
	assert_true(lab_count(l, CLIENT, "exchange 34") >= 1);
	for (unsigned hour = 0; hour < 23; hour++) {
		lab_forget_log(l, CLIENT);
		lab_run(l, 3600000);
		assert_true(lab_count(l, CLIENT, "exchange 34") >= 1);
	}
	lab_run(l, 2 * 3600000);
	lab_forget_log(l, CLIENT);
	lab_run(l, 3600000);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 0);
	lab_free(l);
}

static void polite_delete_ends_the_calling_until_traffic(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 100);
	lab_command(l, SERVER, NODE_DOWN, "mail");
	lab_run(l, 100);
	assert_int_equal(l->node[SERVER].n_child + l->node[CLIENT].n_child, 0);
	lab_forget_log(l, CLIENT);
	lab_forget_log(l, SERVER);
	lab_run(l, 3600000);
	assert_int_equal(lab_count(l, CLIENT, "send"), 0);
	assert_int_equal(lab_count(l, SERVER, "send"), 0);
	traffic(l);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, SERVER), 1);
	lab_free(l);
}

static void up_and_down_by_order(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 100);
	lab_command(l, CLIENT, NODE_DOWN, "host");
	assert_int_equal(l->node[CLIENT].reply_code, 0);
	lab_run(l, 1000);
	assert_int_equal(lab_up(l, CLIENT), 0);
	lab_command(l, CLIENT, NODE_UP, "host");
	lab_run(l, 20);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* New keys before any lifetime asks for them; the old SAs go, the peer stays up. */
static void new_keys_by_order(void **state)
{
	static const char *const whats[] = {"child", "ike"};
	static const char *const told[] = {"child-rekeyed", "ike-rekeyed"};
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 100);
	for (unsigned i = 0; i < 2; i++) {
		struct node_event ev = {.kind = NODE_REKEY};
		ev.u.command.token = 1;
		ev.u.command.key = whats[i];
		lab_step(l, CLIENT, &ev);
		assert_int_equal(l->node[CLIENT].reply_code, 0);
		lab_run(l, 100);
		assert_int_equal(lab_count(l, CLIENT, told[i]), 1);
		assert_int_equal(lab_up(l, CLIENT), 1);
		assert_int_equal(lab_up(l, SERVER), 1);
	}
	lab_command(l, CLIENT, NODE_REKEY, NULL);
	assert_int_equal(l->node[CLIENT].reply_code, 1);
	lab_free(l);
}

/* No SA, one clear line on each side, and not one for each try. */
static void wrong_key_is_told_on_both_sides(void **state)
{
	struct lab *l = two(WRONG_KEY);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	for (unsigned i = 0; i < 60; i++) {
		traffic(l);
		lab_run(l, 1000);
	}
	assert_int_equal(lab_up(l, SERVER) + lab_up(l, CLIENT), 0);
	assert_true(lab_count(l, CLIENT, "pre-shared key") >= 1);
	assert_true(lab_count(l, SERVER, "pre-shared key") >= 1);
	assert_in_range(lab_count(l, SERVER, "event"), 1, 40);
	assert_in_range(lab_count(l, CLIENT, "event"), 1, 40);
	lab_free(l);
}

/* One line on each side, and then one a minute with how often it has happened. */
static void the_same_is_told_once_a_minute(void **state)
{
	struct lab *l = two(WRONG_KEY);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	for (unsigned i = 0; i < 59; i++) {
		traffic(l);
		lab_run(l, 1000);
	}
	assert_int_equal(lab_count(l, SERVER, "AUTHENTICATION_FAILED"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event ike-note"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event peer-failed"), 1);
	assert_int_equal(lab_count(l, SERVER, "times since last told"), 0);
	for (unsigned i = 0; i < 130; i++) {
		traffic(l);
		lab_run(l, 1000);
	}
	assert_in_range(lab_count(l, SERVER, "times since last told"), 1, 2);
	assert_in_range(lab_count(l, CLIENT, "times since last told"), 2, 4);
	lab_free(l);
}

/* Nobody's word is worth a line before he has proved who he is. */
static void strangers_do_not_tell_what_they_hold(void **state)
{
	struct lab *l = two(WRONG_KEY);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 5000);
	assert_int_equal(lab_count(l, SERVER, "Vid-Initial-Contact"), 0);
	lab_free(l);

	l = two(CLIENT_CONF);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 5000);
	assert_int_equal(lab_count(l, SERVER, "Vid-Initial-Contact"), 1);
	lab_free(l);
}

/* Whatever ends a call, its line says what, and no number that means nothing. */
static void every_failure_has_a_reason(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_command(l, CLIENT, NODE_DOWN, "host");
	lab_run(l, 100);
	l->cut = true;
	traffic(l);
	lab_run(l, 9000);
	l->cut = false;
	assert_true(lab_count(l, CLIENT, "peer-failed") >= 1);
	assert_int_equal(lab_count(l, CLIENT, "peer-failed"),
		lab_count(l, CLIENT, "no answer") + lab_count(l, CLIENT, "given up"));
	assert_int_equal(lab_count(l, CLIENT, "notify 0"), 0);
	lab_free(l);
}

static void the_next_method_is_tried(void **state)
{
	struct lab *l = two(TWO_KEYS);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	for (unsigned i = 0; i < 10 && !lab_up(l, CLIENT); i++) {
		traffic(l);
		lab_run(l, 1000);
	}
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* An SA at its end is deleted and begun anew, without a packet that asks for it. */
static void lifetime_begins_anew(void **state)
{
	struct lab *l = two(CLIENT_CONF);
	uint64_t begun;

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 20);
	begun = l->now_ms;
	for (unsigned i = 0; i < 72; i++) {
		if (l->node[CLIENT].n_child == 1)
			lab_usage(l, CLIENT)->last_in_ms = l->now_ms;
		if (l->node[SERVER].n_child == 1)
			lab_usage(l, SERVER)->last_in_ms = l->now_ms;
		lab_run(l, 60000);
	}
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_true(lab_count(l, CLIENT, "sa-add") >= 2);
	assert_true(l->now_ms - begun > 3600000);
	lab_free(l);
}

static void exhausted_numbers_are_rekeyed(void **state)
{
	struct lab *l = two(CLIENT_CONF);
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 20);
	uint32_t first = l->node[CLIENT].child[0].c.id;
	ev.u.notice.kind = ESP_SEQ_SOFT;
	ev.u.notice.id = first;
	lab_step(l, CLIENT, &ev);
	lab_run(l, 4000);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_not_equal(l->node[CLIENT].child[0].c.id, first);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 1); /* the IKE SA stays */
	assert_int_equal(lab_count(l, CLIENT, "event child-rekeyed"), 1);
	lab_free(l);
}

/* ---- takeover of many ---------------------------------------------------------------- */

/* Peers that the other member told of, all silent but the last. */
static void tell_of_peers(struct lab *l, unsigned count)
{
	uint8_t bytes[REPLICA_CHUNK_MAX + 8];
	struct writer w = wr_over(bytes, sizeof(bytes));
	struct replica_peer r = {.vip = "mail", .rule = "mail", .local = unit_addr(VIP)};
	struct node_event ev = {.kind = NODE_MESSAGE};

	wr_bytes(&w, span_text("VS\x01\x04"));
	for (unsigned i = 0; i < count; i++) {
		r.remote.addr =
			addr_v4(10, 0, (uint8_t)(i / 250), (uint8_t)(1 + i % 250));
		r.remote.port = 500;
		r.rank = (uint8_t)(i % 40);
		replica_write_put(&w, &r);
	}
	assert_true(wr_ok(&w));
	ev.u.message.from = 2;
	ev.u.message.bytes = wr_span(&w);
	lab_step(l, SERVER, &ev);
}

static void takeover_is_paced_busiest_first(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, 0, MANY_CONF);
	lab_start(l, 1, MANY_CONF);
	lab_group(l, 3);
	lab_run(l, 10);
	tell_of_peers(l, 200);
	lab_forget_log(l, SERVER);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 1);
	assert_int_equal(lab_count(l, SERVER, "exchange 34"), 64);
	/* rank 39 is number 39 of the list: 10.0.0.40, then 10.0.0.80, ... */
	assert_true(lab_line(l, SERVER, "to 10.0.0.40:500 exchange", 0) >= 0);
	assert_true(lab_line(l, SERVER, "to 10.0.0.40:500 exchange", 0) <
		    lab_line(l, SERVER, "to 10.0.0.39:500 exchange", 0));
	assert_int_equal(lab_line(l, SERVER, "to 10.0.0.1:500 exchange", 0), -1);
	/* the silent ones do not hold up the rest for more than a second a round */
	lab_run(l, 3500);
	assert_true(lab_line(l, SERVER, "to 10.0.0.1:500 exchange", 0) >= 0);
	lab_free(l);
}

/* A packet that was waiting when the configuration changed names its rule by the old
 * number: the rule that has it now says nothing of this flow. Nobody is called for it. */
static void an_old_packet_calls_nobody(void **state)
{
	static const char other[] = "203.0.113.77";
	struct lab *l = lab_new();
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, other, NODE_ADDR_PRESENT);
	ev.u.notice.kind = ESP_ACQUIRE;
	ev.u.notice.flow = (struct flow){.local = unit_addr(VIP),
		.remote = unit_addr(other),
		.proto = IP_TCP,
		.ports_known = true,
		.local_port = 143,
		.remote_port = 40000};
	lab_step(l, SERVER, &ev);
	lab_run(l, 2000);
	assert_int_equal(l->node[SERVER].sent, 0);
	lab_free(l);
}

/* What the machine sends to a group of hosts has no peer. */
static void groups_are_not_called(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, CLIENT,
		ALONE SECRET "filter-list \"mail\" { from me to any proto udp mirrored; "
			     "}\n" TRANSPORT POLICY("host"));
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	struct node_event ev = {.kind = NODE_NOTICE};
	ev.u.notice.kind = ESP_ACQUIRE;
	ev.u.notice.flow = (struct flow){.local = unit_addr(CLIENT_ADDR),
		.remote = unit_addr("224.0.0.251"),
		.proto = IP_UDP,
		.ports_known = true};
	lab_step(l, CLIENT, &ev);
	ev.u.notice.flow.remote = unit_addr("255.255.255.255");
	lab_step(l, CLIENT, &ev);
	lab_run(l, 2000);
	assert_int_equal(l->node[CLIENT].sent, 0);
	lab_free(l);
}

/* `vipsec up` without a name: everybody. */
static void an_order_without_a_name_means_all(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 20);
	lab_command(l, CLIENT, NODE_DOWN, NULL);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, CLIENT), 0);
	lab_command(l, CLIENT, NODE_UP, NULL);
	assert_int_equal(l->node[CLIENT].reply_code, 0);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(giving_up_is_not_final),
		cmocka_unit_test(without_traffic_the_calling_ends),
		cmocka_unit_test(lost_peer_is_called_for_a_day),
		cmocka_unit_test(polite_delete_ends_the_calling_until_traffic),
		cmocka_unit_test(up_and_down_by_order),
		cmocka_unit_test(new_keys_by_order),
		cmocka_unit_test(wrong_key_is_told_on_both_sides),
		cmocka_unit_test(the_same_is_told_once_a_minute),
		cmocka_unit_test(strangers_do_not_tell_what_they_hold),
		cmocka_unit_test(every_failure_has_a_reason),
		cmocka_unit_test(the_next_method_is_tried),
		cmocka_unit_test(lifetime_begins_anew),
		cmocka_unit_test(exhausted_numbers_are_rekeyed),
		cmocka_unit_test(takeover_is_paced_busiest_first),
		cmocka_unit_test(an_old_packet_calls_nobody),
		cmocka_unit_test(groups_are_not_called),
		cmocka_unit_test(an_order_without_a_name_means_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
