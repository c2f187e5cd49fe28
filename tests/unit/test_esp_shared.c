/* tests/unit/test_esp_shared.c - several peers behind one NAT in transport mode (esp/nat.h):
 * what one asked is answered to it alone. */
#include "shared_lab.h"

#include "esp/nat.h"

#define TEST(name) cmocka_unit_test_teardown(name, shared_close)

enum { A, B, C };
enum { FIN = 1, SYN = 2 };
static const uint8_t protos[] = {IP_UDP, IP_TCP, IP_ICMP};

static void two_are_up(void)
{
	shared_open(0, 0);
	shared_connect(A);
	shared_connect(B);
}

static uint16_t asks(unsigned who, uint8_t proto, uint16_t port)
{
	uint16_t seen;

	assert_int_equal(shared_ask(who, proto, port, SERVICE, &seen), ESP_INJECT);
	return seen;
}

static enum esp_verdict answers_nobody(uint8_t proto, uint16_t seen)
{
	const struct said text = {.proto = proto};
	unsigned who;
	uint16_t port;

	return shared_answer(proto, SERVICE, seen, &text, &who, &port);
}

static void each_gets_its_answers(void **state)
{
	(void)state;
	two_are_up();
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(asks(A, protos[i], 5000), 5000);
		assert_int_equal(asks(B, protos[i], 5001), 5001);
		shared_answered(A, protos[i], 5000, SERVICE, 5000);
		shared_answered(B, protos[i], 5001, SERVICE, 5001);
		shared_answered(A, protos[i], 5000, SERVICE, 5000);
	}
}

static void one_port_of_two_is_seen_as_two(void **state)
{
	(void)state;
	two_are_up();
	for (size_t i = 0; i < 3; i++) {
		uint16_t seen[2] = {asks(A, protos[i], 5000), asks(B, protos[i], 5000)};

		assert_int_equal(seen[0], 5000);
		assert_int_not_equal(seen[1], 5000);
		assert_true(protos[i] == IP_ICMP || seen[1] > 1023);
		for (unsigned k = 0; k < 3; k++) {
			shared_answered(k % 2, protos[i], 5000, SERVICE, seen[k % 2]);
			assert_int_equal(asks(k % 2, protos[i], 5000), seen[k % 2]);
		}
	}
	struct esp_usage u;
	assert_int_equal(esp_dp_usage(s.server, s.c[B].id, 0, &u), ESP_OK);
	assert_int_equal(u.flows, 3);
	assert_int_equal(u.flows_moved, 3);
}

/* A service that wants a privileged port sees one. */
static void a_privileged_port_stays_one(void **state)
{
	(void)state;
	two_are_up();
	assert_int_equal(asks(A, IP_TCP, 900), 900);
	assert_in_range(asks(B, IP_TCP, 900), 1, 1023);
}

/* What B's own port would be, A's talk may have been given. */
static void a_port_that_was_given_away_is_not_given_twice(void **state)
{
	(void)state;
	two_are_up();
	asks(A, IP_UDP, 5000);
	uint16_t moved = asks(B, IP_UDP, 5000);
	uint16_t again = asks(A, IP_UDP, moved);
	assert_int_not_equal(again, moved);
	uint16_t third = asks(B, IP_UDP, moved);
	assert_true(third != moved && third != again);
	shared_answered(B, IP_UDP, 5000, SERVICE, moved);
	shared_answered(A, IP_UDP, moved, SERVICE, again);
	shared_answered(B, IP_UDP, moved, SERVICE, third);
}

static void new_keys_change_nothing(void **state)
{
	(void)state;
	two_are_up();
	uint16_t a = asks(A, IP_TCP, 5000), b = asks(B, IP_TCP, 5000);

	shared_connect(A);
	shared_answered(A, IP_TCP, 5000, SERVICE, a);
	shared_drop(A, &s.c[A].old_id);
	shared_connect(B);
	shared_drop(B, &s.c[B].old_id);
	shared_answered(A, IP_TCP, 5000, SERVICE, a);
	shared_answered(B, IP_TCP, 5000, SERVICE, b);
	assert_int_equal(asks(B, IP_TCP, 5000), b);
}

/* A has gone: what is still sent to it waits, or is dropped, but B does not get it. When A
 * comes back, at another port of the NAT, it goes on. */
static void what_was_meant_for_who_has_gone_goes_to_nobody(void **state)
{
	struct esp_notice n = {.owner = 0};

	(void)state;
	two_are_up();
	asks(A, IP_TCP, 5000);
	shared_answered(A, IP_TCP, 5000, SERVICE, 5000);
	shared_disconnect(A);
	while (esp_dp_notice(s.server, &n))
		;
	assert_int_equal(answers_nobody(IP_TCP, 5000), ESP_HELD);
	assert_true(esp_dp_notice(s.server, &n));
	assert_int_equal(n.kind, ESP_ACQUIRE);
	assert_int_equal(n.owner, s.c[A].owner);
	uint16_t b = asks(B, IP_TCP, 5000);
	assert_int_not_equal(b, 5000);
	s.c[A].nat_port = 30000;
	shared_connect(A);
	shared_answered(A, IP_TCP, 5000, SERVICE, 5000);
	shared_answered(B, IP_TCP, 5000, SERVICE, b);
}

/* Nor when B was not even there then, and is alone now. */
static void who_comes_later_gets_nothing_of_it(void **state)
{
	(void)state;
	shared_open(0, 0);
	shared_connect(A);
	asks(A, IP_TCP, 5000);
	shared_disconnect(A);
	s.now_ms += 60 * 60 * 1000;
	shared_connect(B);
	asks(B, IP_TCP, 5001);
	assert_int_not_equal(answers_nobody(IP_TCP, 5000), ESP_SEND);
	assert_int_equal(answers_nobody(IP_TCP, 5002), ESP_DROP);
	assert_int_equal(shared_count().drop_flow_nobody, 1);
	/* At last it is forgotten. */
	s.now_ms += NAT_GONE_MS;
	shared_answered(B, IP_TCP, 5002, SERVICE, 5002);
}

/* What nobody has asked for goes to the one that is there, and to none of two. */
static void what_nobody_asked_for(void **state)
{
	struct esp_notice n;
	bool told = false;

	(void)state;
	shared_open(0, 0);
	shared_connect(A);
	shared_answered(A, IP_UDP, 6000, SERVICE, 6000);
	shared_connect(B);
	assert_int_equal(answers_nobody(IP_UDP, 6000), ESP_DROP);
	assert_int_equal(answers_nobody(IP_UDP, 6001), ESP_DROP);
	assert_int_equal(shared_count().drop_flow_nobody, 2);
	while (esp_dp_notice(s.server, &n))
		told = told || n.kind == ESP_FLOW_NOBODY;
	assert_true(told);
	shared_disconnect(B);
	shared_answered(A, IP_UDP, 6000, SERVICE, 6000);
}

/* The selectors leave no other port: it stays with the first, until he is silent. */
static void where_no_port_is_left_the_first_keeps_it(void **state)
{
	struct esp_notice n;
	uint16_t seen;
	bool told = false;

	(void)state;
	shared_open(5000, 5000);
	shared_connect(A);
	shared_connect(B);
	asks(A, IP_UDP, 5000);
	assert_int_equal(shared_ask(B, IP_UDP, 5000, SERVICE, &seen), ESP_DROP);
	while (esp_dp_notice(s.server, &n)) {
		if (n.kind != ESP_FLOW_TAKEN)
			continue;
		told = true;
		assert_int_equal(n.id, s.c[B].id);
		assert_int_equal(n.other, s.c[A].id);
	}
	assert_true(told);
	assert_int_equal(shared_count().drop_flow_taken, 1);
	shared_answered(A, IP_UDP, 5000, SERVICE, 5000);
	s.now_ms += NAT_STALE_MS - 1;
	shared_answered(A, IP_UDP, 5000, SERVICE, 5000);
	s.now_ms += NAT_STALE_MS - 1;
	assert_int_equal(shared_ask(B, IP_UDP, 5000, SERVICE, &seen), ESP_DROP);
	s.now_ms++;
	assert_int_equal(asks(B, IP_UDP, 5000), 5000);
	shared_answered(B, IP_UDP, 5000, SERVICE, 5000);
}

static void another_port_is_within_the_selectors(void **state)
{
	(void)state;
	shared_open(5000, 5001);
	shared_connect(A);
	shared_connect(B);
	shared_connect(C);
	uint16_t seen;
	asks(A, IP_UDP, 5000);
	assert_int_equal(asks(B, IP_UDP, 5000), 5001);
	assert_int_equal(shared_ask(C, IP_UDP, 5000, SERVICE, &seen), ESP_DROP);
	shared_answered(B, IP_UDP, 5000, SERVICE, 5001);
}

/* ---- ICMP errors -------------------------------------------------------------- */

/* An ICMP error about a packet of this proto from src, port from, to dst, port to. */
static struct esp_packet error_packet(const struct addr *by, const struct addr *to_whom,
	const struct addr *src, uint16_t from, const struct addr *dst, uint16_t to)
{
	const struct said none = {.proto = 0};
	struct esp_packet quoted =
		shared_packet(src, dst, IP_UDP, from, to, false, 0, &none);
	uint8_t quote[IPV4_HEADER_LEN + 8];
	struct ip_packet ip;

	memcpy(quote, quoted.at, sizeof quote);
	struct esp_packet p = lab_ip(0, by, to_whom, IP_ICMP, 8 + sizeof quote);
	uint8_t *at = p.at + IPV4_HEADER_LEN;
	memset(at, 0, 8);
	at[0] = at[1] = 3; /* port unreachable */
	memcpy(at + 8, quote, sizeof quote);
	assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
	l4_checksum_set(p.at, &ip);
	return p;
}

enum { QUOTED_SRC_PORT = 20 + 8 + 20, QUOTED_DST_PORT = QUOTED_SRC_PORT + 2 };

static unsigned port_in(const struct esp_packet *p, size_t at)
{
	struct ip_packet ip;

	assert_int_equal(ip_packet_read(span_of(p->at, p->len), &ip), WIRE_OK);
	assert_true(l4_checksum_ok(p->at, &ip));
	return (unsigned)p->at[at] << 8 | p->at[at + 1];
}

static void an_error_goes_with_what_it_quotes(void **state)
{
	(void)state;
	two_are_up();
	asks(A, IP_UDP, 5000);
	uint16_t seen = asks(B, IP_UDP, 5000);
	struct esp_packet p = error_packet(&s.vip, &s.nat, &s.nat, seen, &s.vip, SERVICE);

	assert_int_equal(call(s.server, esp_dp_outbound, &p), ESP_SEND);
	assert_int_equal(shared_who(&p.remote), B);
	p.remote = (struct endpoint){s.vip, 4500};
	p.local = (struct endpoint){s.c[B].inner, 4500};
	assert_int_equal(call(s.c[B].dp, esp_dp_inbound, &p), ESP_INJECT);
	assert_int_equal(port_in(&p, QUOTED_SRC_PORT), 5000);

	p = error_packet(&s.vip, &s.nat, &s.nat, 5000, &s.vip, SERVICE);
	assert_int_equal(call(s.server, esp_dp_outbound, &p), ESP_SEND);
	assert_int_equal(shared_who(&p.remote), A);
	p = error_packet(&s.vip, &s.nat, &s.nat, 7000, &s.vip, SERVICE);
	assert_int_equal(call(s.server, esp_dp_outbound, &p), ESP_DROP);
}

static enum esp_verdict complains(unsigned who, uint16_t port, unsigned *seen)
{
	struct client *c = &s.c[who];
	struct esp_packet p =
		error_packet(&c->inner, &s.vip, &s.vip, SERVICE, &c->inner, port);

	assert_int_equal(call(c->dp, esp_dp_outbound, &p), ESP_SEND);
	p.local = (struct endpoint){s.vip, 4500};
	p.remote = (struct endpoint){s.nat, c->nat_port};
	if (call(s.server, esp_dp_inbound, &p) == ESP_INJECT)
		*seen = port_in(&p, QUOTED_DST_PORT);
	return p.verdict;
}

/* B cannot end A's talk by an error about it. */
static void nobody_complains_of_anothers_talk(void **state)
{
	unsigned seen = 0;

	(void)state;
	two_are_up();
	asks(A, IP_UDP, 5000);
	assert_int_equal(complains(B, 5000, &seen), ESP_DROP);
	assert_int_equal(shared_count().drop_flow_taken, 1);
	assert_int_equal(complains(A, 5000, &seen), ESP_INJECT);
	assert_int_equal(seen, 5000);
	uint16_t moved = asks(B, IP_UDP, 5000);
	assert_int_equal(complains(B, 5000, &seen), ESP_INJECT);
	assert_int_equal(seen, moved);
	/* About what nobody has: it teaches nothing. */
	assert_int_equal(complains(B, 7000, &seen), ESP_INJECT);
	assert_int_equal(answers_nobody(IP_UDP, 7000), ESP_DROP);
}

/* ---- bounds --------------------------------------------------------------------- */

/* Who asks a lot forgets his own; TCP that has not ended is forgotten last. */
static void much_asked_is_at_his_own_cost(void **state)
{
	uint16_t seen;

	(void)state;
	two_are_up();
	asks(A, IP_UDP, 5000);
	asks(B, IP_TCP, 5000);
	assert_int_equal(
		shared_ask_flags(B, IP_TCP, 5001, SERVICE, FIN, &seen), ESP_INJECT);
	for (unsigned i = 0; i < NAT_FLOWS_EACH + 10; i++)
		asks(B, IP_UDP, (uint16_t)(10000 + i));
	shared_answered(A, IP_UDP, 5000, SERVICE, 5000);
	uint16_t b = asks(B, IP_TCP, 5000);
	shared_answered(B, IP_TCP, 5000, SERVICE, b);
	assert_int_equal(answers_nobody(IP_TCP, 5001), ESP_DROP);
	assert_int_equal(answers_nobody(IP_UDP, 10000), ESP_DROP);
	assert_int_equal(shared_count().flows, NAT_FLOWS_EACH + 1);
	assert_int_equal(shared_count().flows_evicted, 12);
	/* It was forgotten, and that is no harm: the next packet teaches it. */
	asks(B, IP_UDP, 10000);
	shared_answered(B, IP_UDP, 10000, SERVICE, 10000);
}

/* A new connection from the same port is no old one. */
static void a_port_that_begins_anew_lasts(void **state)
{
	uint16_t seen;

	(void)state;
	two_are_up();
	assert_int_equal(
		shared_ask_flags(B, IP_TCP, 5001, SERVICE, FIN, &seen), ESP_INJECT);
	assert_int_equal(
		shared_ask_flags(B, IP_TCP, 5001, SERVICE, SYN, &seen), ESP_INJECT);
	for (unsigned i = 0; i < NAT_FLOWS_EACH + 10; i++)
		asks(B, IP_UDP, (uint16_t)(10000 + i));
	shared_answered(B, IP_TCP, 5001, SERVICE, 5001);
}

/* All together: who has more than his share gives, and the others lose nothing. */
static void together_the_largest_give(void **state)
{
	enum { SMALL = 40, EACH = NAT_FLOWS_EACH };
	uint16_t seen[SMALL];
	uint64_t owner;

	(void)state;
	two_are_up();
	asks(A, IP_UDP, 5000);
	owner = s.c[B].owner;
	/* B comes under many names, each of which asks as much as it may. */
	for (unsigned k = 0; k < NAT_FLOWS_MAX / EACH + 2; k++) {
		shared_disconnect(B);
		s.c[B].owner = owner + 100 + k;
		shared_connect(B);
		for (unsigned i = 0; i < EACH; i++)
			asks(B, IP_UDP, (uint16_t)(10000 + i));
	}
	shared_disconnect(B);
	s.c[B].owner = owner;
	shared_connect(B);
	for (unsigned i = 0; i < SMALL; i++)
		seen[i] = asks(B, IP_UDP, (uint16_t)(40000 + i));
	assert_int_equal(shared_count().flows, NAT_FLOWS_MAX);
	shared_answered(A, IP_UDP, 5000, SERVICE, 5000);
	for (unsigned i = 0; i < SMALL; i++)
		shared_answered(B, IP_UDP, (uint16_t)(40000 + i), SERVICE, seen[i]);
}

/* The scope ends, as when the VIP moves away: nothing is kept. */
static void a_scope_takes_its_memory_along(void **state)
{
	(void)state;
	two_are_up();
	asks(A, IP_UDP, 5000);
	shared_disconnect(B);
	esp_dp_policy(s.server, 0, NULL, NULL, 0);
	assert_int_equal(shared_count().flows, 0);
}

/* The NAT has another address now: SA and memory begin there anew. */
static void an_address_that_moves(void **state)
{
	struct endpoint to = {lab_addr(false, 98), 20001};

	(void)state;
	two_are_up();
	asks(A, IP_UDP, 5000);
	asks(B, IP_UDP, 5001);
	assert_int_equal(esp_dp_move(s.server, s.c[B].id, &to, true), ESP_OK);
	assert_int_equal(answers_nobody(IP_UDP, 5001), ESP_HELD);
	shared_answered(A, IP_UDP, 5000, SERVICE, 5000);
	to = (struct endpoint){s.nat, 20001};
	assert_int_equal(esp_dp_move(s.server, s.c[B].id, &to, true), ESP_OK);
	shared_answered(B, IP_UDP, 5001, SERVICE, 5001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_gets_its_answers),
		TEST(one_port_of_two_is_seen_as_two),
		TEST(a_privileged_port_stays_one),
		TEST(a_port_that_was_given_away_is_not_given_twice),
		TEST(new_keys_change_nothing),
		TEST(what_was_meant_for_who_has_gone_goes_to_nobody),
		TEST(who_comes_later_gets_nothing_of_it),
		TEST(what_nobody_asked_for),
		TEST(where_no_port_is_left_the_first_keeps_it),
		TEST(another_port_is_within_the_selectors),
		TEST(an_error_goes_with_what_it_quotes),
		TEST(nobody_complains_of_anothers_talk),
		TEST(much_asked_is_at_his_own_cost),
		TEST(a_port_that_begins_anew_lasts),
		TEST(together_the_largest_give),
		TEST(a_scope_takes_its_memory_along),
		TEST(an_address_that_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
