/* tests/unit/test_esp_shared_storm.c - peers behind one NAT, at random.
 *
 * Clients ask from few ports, so that they collide; they get new keys, go, come back at
 * another port of the NAT; the server answers, late, and sends what nobody asked for. Held
 * against a plain table of what the server's host has seen: what is sent to a port that it
 * has seen goes to the client that was seen there, under that client's own port, or to
 * nobody while that client is away; never to another one.
 */
#include "shared_lab.h"

enum { ROUNDS = 60, STEPS = 3000, PORTS = 5, SERVICES = 2, SEEN_MAX = 65536 };

struct seat {
	bool taken;
	unsigned who;
	uint16_t port;
};

/* [protocol][service][port as seen] */
static struct seat seen[3][SERVICES][SEEN_MAX];
static const uint8_t protos[] = {IP_UDP, IP_TCP, IP_ICMP};
static const uint16_t services[SERVICES] = {143, 110};
static struct entropy dice;
static struct seeded_entropy dice_store;

struct tally {
	unsigned asked, moved, answered, away, unasked;
};

static unsigned roll(unsigned sides)
{
	return entropy_below(&dice, sides);
}

static struct seat *seat_of(unsigned proto, unsigned service, uint16_t port)
{
	/* An echo has no service. */
	return &seen[proto][protos[proto] == IP_ICMP ? 0 : service][port];
}

static void ask(struct tally *t)
{
	unsigned who = roll(CLIENTS), proto = roll(3), service = roll(SERVICES);
	uint16_t port = (uint16_t)(5000 + roll(PORTS)), at = 0;

	if (s.c[who].id == 0)
		return;
	assert_int_equal(
		shared_ask(who, protos[proto], port, services[service], &at), ESP_INJECT);
	struct seat *seat = seat_of(proto, service, at);
	if (seat->taken) {
		assert_int_equal(seat->who, who);
		assert_int_equal(seat->port, port);
	}
	*seat = (struct seat){true, who, port};
	t->asked++;
	t->moved += at != port;
}

/* Any port that was seen, or any at all. */
static void answer(struct tally *t)
{
	unsigned proto = roll(3), service = roll(SERVICES);
	uint16_t port = (uint16_t)(roll(2) ? 5000 + roll(PORTS) : roll(SEEN_MAX));
	const struct seat *seat = seat_of(proto, service, port);

	for (unsigned i = 0; !seat->taken && i < 2000; i++)
		seat = seat_of(proto, service, ++port);
	if (!seat->taken)
		seat = seat_of(proto, service, port = (uint16_t)(3000 + roll(1000)));
	const struct said text = {protos[proto], services[service], port, 0, seat->who};
	unsigned who = CLIENTS;
	uint16_t own = 0;
	enum esp_verdict v =
		shared_answer(protos[proto], services[service], port, &text, &who, &own);

	if (!seat->taken) {
		assert_int_equal(v, ESP_DROP);
		t->unasked++;
	} else if (s.c[seat->who].id == 0) {
		assert_int_not_equal(v, ESP_SEND);
		t->away++;
	} else {
		assert_int_equal(v, ESP_SEND);
		assert_int_equal(who, seat->who);
		assert_int_equal(own, seat->port);
		t->answered++;
	}
}

static void change(void)
{
	unsigned who = roll(CLIENTS);
	struct client *c = &s.c[who];

	switch (roll(4)) {
	case 0:
		shared_drop(who, &c->old_id);
		shared_connect(who);
		break;
	case 1:
		shared_drop(who, &c->old_id);
		break;
	case 2:
		shared_disconnect(who);
		break;
	default:
		if (c->id != 0)
			break;
		c->nat_port = (uint16_t)(20000 + who + CLIENTS * roll(100));
		shared_connect(who);
	}
}

/* What waited for its SA goes to whom it was meant for, too. */
static void release(void)
{
	struct esp_batch b;

	for (esp_dp_release(s.server, &b, s.now_ms); b.n > 0;
		esp_dp_release(s.server, &b, s.now_ms)) {
		for (unsigned i = 0; i < b.n; i++) {
			struct esp_packet p = b.at[i];
			struct said text;
			struct talk talk;
			if (p.verdict != ESP_SEND)
				continue;
			unsigned who = shared_who(&p.remote);
			p.remote = (struct endpoint){s.vip, 4500};
			p.local = (struct endpoint){s.c[who].inner, 4500};
			assert_int_equal(
				call(s.c[who].dp, esp_dp_inbound, &p), ESP_INJECT);
			said_in(&p, false, &text, &talk);
			assert_int_equal(text.who, who);
		}
	}
}

static void run(uint64_t seed, struct tally *t)
{
	dice = entropy_seeded(&dice_store, seed);
	memset(seen, 0, sizeof seen);
	shared_open(0, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		shared_connect(i);
	/* Each is known by having asked once; who never did leaves no trace. */
	for (unsigned i = 0; i < CLIENTS; i++) {
		uint16_t at;
		assert_int_equal(
			shared_ask(i, IP_UDP, (uint16_t)(100 + i), 143, &at), ESP_INJECT);
	}
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned what = roll(100);
		s.now_ms += roll(2000);
		if (what < 45)
			ask(t);
		else if (what < 95)
			answer(t);
		else
			change();
		release();
	}
	shared_close(NULL);
}

static void nobody_gets_what_is_anothers(void **state)
{
	struct tally t = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= ROUNDS; seed++)
		run(seed, &t);
	/* All of it happened. */
	assert_true(t.asked > 10000 && t.moved > 5000 && t.answered > 10000);
	assert_true(t.away > 1000 && t.unasked > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_gets_what_is_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
