/* The worst-case recovery time that `vipsec status` prints: never exceeded, and no larger
 * than what it is made of. */
#include "node_conf.h"
#include "node_lab.h"

#include "base/iana.h"
#include "replica/peers.h"

#define MANY_CONF                                                               \
	WEB "vip \"mail\" { address 192.0.2.10; }\n" SECRET                     \
	    "filter-list \"mail\" { from vip \"mail\" to 10.0.0.0/8 mirrored; " \
	    "}\n" TRANSPORT POLICY("vip \"mail\"")

#define FORCE "filter-action \"esp\" { negotiate require; childless force; pfs yes; }\n"
#define SERVER_FORCE                                                            \
	ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET                   \
	      "filter-list \"mail\" { from vip \"mail\" port 143 to any proto " \
	      "tcp mirrored; }\n" FORCE POLICY("vip \"mail\"")
#define CLIENT_FORCE(tuning)                                                         \
	ALONE tuning SECRET "filter-list \"mail\" { from me to 192.0.2.10 port 143 " \
			    "proto tcp mirrored; }\n" FORCE POLICY("host")

enum { SERVER, CLIENT };
enum { CALL_MS = 1000 };
enum { EXCHANGE_AT = 18, FLAGS_AT = 19, FLAG_RESPONSE = 0x20 };

static struct lab *pair(const char *server_conf, const char *client_conf)
{
	struct lab *l = lab_new();

	lab_start(l, SERVER, server_conf);
	lab_start(l, CLIENT, client_conf);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	return l;
}

static struct lab *two(const char *client_conf)
{
	return pair(SERVER_CONF, client_conf);
}

static void traffic(struct lab *l)
{
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
}

static void all_well_is_the_timer_and_a_call(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 100);
	assert_int_equal(lab_peer(l, CLIENT).worst_recovery_ms, 300000 + CALL_MS);
	lab_free(l);
}

/* Packets that nobody answers, and probes that are: the report is late by a period. */
static void one_way_traffic_adds_a_report(void **state)
{
	struct lab *l = two(CLIENT_WITH("tuning { idle-timeout 8s; }\n"));

	(void)state;
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	traffic(l);
	lab_run(l, 3000);
	lab_usage(l, CLIENT)->unanswered_since_ms = l->now_ms;
	lab_usage(l, CLIENT)->last_out_ms = l->now_ms;
	lab_run(l, 6000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(lab_peer(l, CLIENT).worst_recovery_ms, 8000 + 1000 + CALL_MS);
	lab_free(l);
}

/* Whenever the server comes, in the middle of a call or of a pause: what was said at that
 * moment is kept. */
static void what_is_said_is_kept(void **state)
{
	(void)state;
	for (uint64_t after = 100; after < 60000; after += 911) {
		struct lab *l = two(CLIENT_CONF);

		for (uint64_t t = 0; t < after; t += 500) {
			traffic(l);
			lab_run(l, after - t < 500 ? after - t : 500);
		}
		uint64_t said = lab_peer(l, CLIENT).worst_recovery_ms;
		assert_in_range(said, CALL_MS, 8000 + 18000 + CALL_MS);
		lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
		for (uint64_t t = 0; t < said && !lab_up(l, CLIENT); t += 100) {
			traffic(l);
			lab_run(l, 100);
		}
		assert_int_equal(lab_up(l, CLIENT), 1);
		lab_free(l);
	}
}

static void a_pause_counts_as_what_is_left_of_it(void **state)
{
	struct lab *l = two(CLIENT_CONF);

	(void)state;
	traffic(l);
	lab_run(l, 8001);
	struct peer_view v = lab_peer(l, CLIENT);
	assert_int_equal(v.state, PEER_BACKOFF);
	assert_in_range(v.next_try_ms - l->now_ms, 300, 600);
	assert_in_range(v.worst_recovery_ms, v.next_try_ms - l->now_ms + CALL_MS, 1601);
	lab_free(l);
}

/* ---- an IKE SA without a child, whose other end is dead ------------------------------- */

static bool lose_the_clients_auth(
	struct lab *l, unsigned from, const struct ike_path *path)
{
	(void)path;
	return from != CLIENT || l->leaving.at[EXCHANGE_AT] != IKE_AUTH ||
	       (l->leaving.at[FLAGS_AT] & FLAG_RESPONSE);
}

/* The server calls, and dies when the client has its IKE SA; it comes back without it. */
static void server_calls_and_dies(struct lab *l)
{
	const struct flow flow = {.local = unit_addr(VIP),
		.remote = unit_addr(CLIENT_ADDR),
		.proto = IP_TCP,
		.ports_known = true,
		.local_port = 143,
		.remote_port = 40000};

	lab_acquire_flow(l, SERVER, 0, &flow);
	for (unsigned i = 0; i < 50 && !lab_count(l, CLIENT, "IKE SA without a child");
		i++)
		lab_run(l, 1);
	assert_int_equal(lab_count(l, CLIENT, "IKE SA without a child (the peer"), 1);
	lab_kill(l, SERVER);
	l->filter = NULL;
	lab_run(l, 2); /* what it has left on the way */
	lab_start(l, SERVER, SERVER_FORCE);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	assert_int_equal(lab_up(l, CLIENT), 0);
}

/* Whether it is found dead by the timer or by an ask that is given up. */
static void back_in_time(struct lab *l)
{
	uint64_t said = lab_peer(l, CLIENT).worst_recovery_ms;
	uint64_t from_ms = l->now_ms;

	while (!lab_up(l, CLIENT) && l->now_ms < from_ms + 60000) {
		traffic(l);
		lab_run(l, 50);
	}
	assert_int_equal(lab_count(l, CLIENT, "exchange 36") > 0, 1);
	assert_in_range(l->now_ms - from_ms, 0, said);
	assert_in_range(said, CALL_MS, 2 * 8000 + 2 * 1200 + CALL_MS);
	lab_free(l);
}

enum { N_TIMERS = 2, PAUSE_MS = 600, FIRST_CHILD_MS = 1000 };
static const char *const timers[N_TIMERS] = {
	CLIENT_FORCE("tuning { idle-timeout 4s; }\n"),
	CLIENT_FORCE("tuning { idle-timeout 60s; }\n")};
static const uint64_t in_vain_ms[N_TIMERS] = {4000, 8000};

/* In its first second the server is expected to ask. */
static void a_stale_ike_sa_is_asked_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_TIMERS; i++) {
		struct lab *l = pair(SERVER_FORCE, timers[i]);

		lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
		server_calls_and_dies(l);
		uint64_t most = FIRST_CHILD_MS + in_vain_ms[i] + PAUSE_MS + CALL_MS;
		assert_in_range(lab_peer(l, CLIENT).worst_recovery_ms, most - 5, most);
		back_in_time(l);
	}
}

/* Its own call, which had been answered half, is given up before that. */
static void it_is_asked_after_the_call_under_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_TIMERS; i++) {
		struct lab *l = pair(SERVER_FORCE, timers[i]);

		lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
		l->filter = lose_the_clients_auth;
		traffic(l);
		lab_run(l, 10);
		assert_true(lab_count(l, CLIENT, "exchange 35") > 0);
		server_calls_and_dies(l);
		assert_int_equal(lab_peer(l, CLIENT).state, PEER_CALLING);
		back_in_time(l);
	}
}

/* ---- a cluster ------------------------------------------------------------------------ */

struct extremes {
	uint64_t least, most;
	unsigned n;
};

static bool take_extremes(const struct peer_view *v, void *ctx)
{
	struct extremes *x = ctx;

	if (x->n++ == 0 || v->worst_recovery_ms < x->least)
		x->least = v->worst_recovery_ms;
	if (v->worst_recovery_ms > x->most)
		x->most = v->worst_recovery_ms;
	return true;
}

/* 200 silent peers of ten ranks, a second after the takeover. 64 a second are called: those
 * in a call have its rest and the pause after it before them; the next, one round. */
static void a_crowd_is_called_by_rank(void **state)
{
	uint8_t bytes[REPLICA_CHUNK_MAX + 8];
	struct writer w = wr_over(bytes, sizeof(bytes));
	struct replica_peer r = {.vip = "mail", .rule = "mail", .local = unit_addr(VIP)};
	struct node_event ev = {.kind = NODE_MESSAGE};
	struct lab *l = lab_new();
	struct extremes x = {.n = 0};

	(void)state;
	lab_start(l, 0, MANY_CONF);
	lab_start(l, 1, MANY_CONF);
	lab_group(l, 3);
	lab_run(l, 10);
	wr_bytes(&w, span_text("VS\x01\x04"));
	for (unsigned i = 0; i < 200; i++) {
		r.remote = (struct endpoint){
			.addr = addr_v4(10, 0, 0, (uint8_t)(1 + i)), .port = 500};
		r.rank = (uint8_t)(i % 10);
		replica_write_put(&w, &r);
	}
	assert_true(wr_ok(&w));
	ev.u.message.from = 2;
	ev.u.message.bytes = wr_span(&w);
	lab_step(l, 0, &ev);
	lab_address(l, 0, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	node_each_peer(l->node[0].node, take_extremes, &x);
	assert_int_equal(x.n, 200);
	assert_int_equal(x.least, 1000 + CALL_MS);
	assert_in_range(x.most, 8000 + CALL_MS, 8600 + 1000 + CALL_MS);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_well_is_the_timer_and_a_call),
		cmocka_unit_test(one_way_traffic_adds_a_report),
		cmocka_unit_test(what_is_said_is_kept),
		cmocka_unit_test(a_pause_counts_as_what_is_left_of_it),
		cmocka_unit_test(a_stale_ike_sa_is_asked_first),
		cmocka_unit_test(it_is_asked_after_the_call_under_way),
		cmocka_unit_test(a_crowd_is_called_by_rank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
