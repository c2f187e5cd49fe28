/* tests/unit/test_ike_mobike.c - peers that change their address (RFC 4555). A is the
 * virtual IP, B the one that moves. */
#include "ike_lab.h"

#include "wire/notify_payload.h"

static bool on_may_move(void *ctx, uint32_t rule, const struct ike_path *to)
{
	const struct lab_side *s = ctx;

	(void)to;
	return rule == s->conn.rule && s->bound;
}

static struct lab *lab_of_movers(uint64_t seed)
{
	struct lab *lab = lab_new(seed);

	for (int s = A; s <= B; s++) {
		lab_set_mode(&lab->side[s], POLICY_TUNNEL);
		lab->side[s].conn.mobike = true;
		lab->side[s].engine->host.may_move = on_may_move;
	}
	return lab;
}

static const struct addr *where_b_was(struct lab *lab)
{
	return &lab->side[A].up[0].path.remote.addr;
}

/* B has another address, and its engine knows. */
static void walk(struct lab *lab, uint8_t last)
{
	struct lab_side *b = &lab->side[B];

	b->addr = b->outside = addr_v4(203, 0, 113, last);
	lab_sa(lab, B)->path.local.addr = b->addr;
}

static struct message begin(struct lab *lab)
{
	lab->side[B].engine->now_ms = lab->now_ms;
	return ike_request_begin(lab->side[B].engine, lab_sa(lab, B), INFORMATIONAL);
}

static void send(struct lab *lab, struct message *m)
{
	struct ike_engine *e = lab->side[B].engine;

	ike_request_send(e, lab_sa(lab, B), m, INFORMATIONAL, false);
	ike_timer_update(e, lab_sa(lab, B));
}

static void write_natd(struct message *m, struct lab *lab)
{
	struct ike_sa *sa = lab_sa(lab, B);

	ike_natd_write(m, sa->spi_i, sa->spi_r, &sa->path, false);
}

static void update(struct lab *lab)
{
	struct message m = begin(lab);

	ike_notify_write(&m, N_UPDATE_SA_ADDRESSES, span_of(NULL, 0));
	write_natd(&m, lab);
	send(lab, &m);
}

/* The payloads of the first INFORMATIONAL that A has sent since mark. */
static struct payload_set said_by_a(struct lab *lab, unsigned mark, bool response)
{
	for (unsigned i = mark; i < lab->n_log; i++)
		if (lab->log[i].from == A &&
			((lab->log[i].bytes[19] & 0x20) != 0) == response)
			return lab_read(lab, &lab->log[i]);
	fail_msg("A has said nothing of the kind");
	return (struct payload_set){.n = 0};
}

static bool a_noted(struct lab *lab, unsigned mark, bool response, uint16_t type)
{
	struct payload_set set = said_by_a(lab, mark, response);

	return ike_notify_find(&set, type, NULL);
}

/* Moved by one message and one check: 1 ms each way. */
static void a_peer_moves(void **state)
{
	struct lab *lab = lab_of_movers(1);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	assert_true(lab_sa(lab, A)->mobike.on && lab_sa(lab, B)->mobike.on);
	assert_int_equal(lab_sa(lab, A)->path.remote.port, IKE_NATT_PORT); /* 3.3 */
	assert_false(lab->side[A].up[0].encap);
	walk(lab, 9);
	update(lab);
	lab_run(lab, 2);
	/* IKE goes there, ESP not yet. */
	assert_true(addr_equal(&lab_sa(lab, A)->path.remote.addr, &lab->side[B].addr));
	assert_int_equal(lab->side[A].n_moved, 0);
	lab_run(lab, 3);
	assert_int_equal(lab->side[A].n_moved, 1);
	assert_true(
		addr_equal(&lab->side[A].moved[0].path.remote.addr, &lab->side[B].addr));
	assert_false(lab->side[A].moved[0].encap);
	assert_false(lab_sa(lab, A)->mobike.pending);
	lab_free(lab);
}

static void behind_a_nat_the_new_place_is_encapsulated(void **state)
{
	struct lab *lab = lab_of_movers(2);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	assert_false(lab->side[A].up[0].encap);
	walk(lab, 9);
	lab->side[B].outside = addr_v4(203, 0, 113, 77);
	lab->side[B].mapped = 10000;
	unsigned mark = lab->n_log;
	update(lab);
	lab_run(lab, 20);
	assert_true(a_noted(lab, mark, true, N_NAT_DETECTION_SOURCE_IP));
	assert_int_equal(lab->side[A].n_moved, 1);
	assert_true(lab->side[A].moved[0].encap && lab->side[A].moved[0].nat_remote);
	assert_int_equal(lab->side[A].moved[0].path.remote.port, IKE_NATT_PORT + 10000);
	/* And back home without. */
	lab->side[B].mapped = 0;
	walk(lab, 9);
	update(lab);
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_moved, 2);
	assert_false(lab->side[A].moved[1].encap);
	lab_free(lab);
}

/* RFC 4555 3.8: what does not say so does not move anything. */
static void a_probe_from_elsewhere_moves_nothing(void **state)
{
	struct lab *lab = lab_of_movers(3);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	walk(lab, 9);
	struct message m = begin(lab);
	send(lab, &m);
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_moved, 0);
	assert_true(addr_equal(&lab_sa(lab, A)->path.remote.addr, where_b_was(lab)));
	lab_free(lab);
}

static struct lab_fate lose_the_check(struct lab *lab, const struct lab_datagram *d)
{
	bool request = (d->bytes[19] & 0x20) == 0;

	(void)lab;
	return (struct lab_fate){.copies = !(d->from == A && request), .ms = 1};
}

/* RFC 4555 3.7: somebody who is only said to be there gets no ESP. */
static void esp_waits_for_the_check(void **state)
{
	struct lab *lab = lab_of_movers(4);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	walk(lab, 9);
	lab->filter = lose_the_check;
	update(lab);
	lab_run(lab, 5000);
	assert_int_equal(lab->side[A].n_moved, 0);
	assert_true(lab_sa(lab, A)->mobike.pending);
	lab->filter = NULL;
	lab_run(lab, 10000);
	assert_int_equal(lab->side[A].n_moved, 1);
	lab_free(lab);
}

/* The first check has gone to two places, and says nothing of either. */
static void moving_twice_is_checked_again(void **state)
{
	struct lab *lab = lab_of_movers(5);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	walk(lab, 9);
	lab->filter = lose_the_check;
	update(lab);
	lab_run(lab, 5);
	walk(lab, 10);
	update(lab);
	lab_run(lab, 5);
	unsigned mark = lab->n_log;
	lab->filter = NULL;
	lab_run(lab, 10000);
	unsigned checks = 0;
	for (unsigned i = mark; i < lab->n_log; i++)
		checks += lab->log[i].from == A && (lab->log[i].bytes[19] & 0x20) == 0;
	assert_int_equal(checks, 2);
	assert_int_equal(lab->side[A].n_moved, 1);
	lab_free(lab);
}

static void a_wrong_cookie_is_the_end(void **state)
{
	struct lab *lab = lab_of_movers(6);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	walk(lab, 9);
	update(lab);
	lab_run(lab, 1); /* A has answered, and asks */
	lab_sa(lab, A)->mobike.cookie[0] ^= 1;
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_moved, 0);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_WE_REFUSED);
	lab_assert_noted(&lab->side[A], "COOKIE2");
	lab_free(lab);
}

static void a_cookie_is_copied(void **state)
{
	struct lab *lab = lab_new(7); /* also without MOBIKE */
	struct span got;

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	unsigned mark = lab->n_log;
	struct message m = begin(lab);
	ike_notify_write(&m, N_COOKIE2, span_text("12345678"));
	send(lab, &m);
	lab_run(lab, 5);
	struct payload_set set = said_by_a(lab, mark, true);
	assert_true(ike_notify_find(&set, N_COOKIE2, &got));
	unit_assert_span_equal(got, span_text("12345678"));
	lab_free(lab);
}

static void a_rule_that_names_an_address_means_it(void **state)
{
	struct lab *lab = lab_of_movers(8);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	lab->side[A].bound = false; /* may not move */
	walk(lab, 9);
	unsigned mark = lab->n_log;
	update(lab);
	lab_run(lab, 20);
	assert_true(a_noted(lab, mark, true, N_UNACCEPTABLE_ADDRESSES));
	assert_int_equal(lab->side[A].n_moved, 0);
	assert_true(addr_equal(&lab_sa(lab, A)->path.remote.addr, where_b_was(lab)));
	lab_assert_noted(&lab->side[A], "UNACCEPTABLE_ADDRESSES");
	lab_free(lab);
}

static void write_no_nats(struct message *m, struct lab *lab, const struct addr *src)
{
	const struct ike_path *p = &lab_sa(lab, B)->path;
	uint8_t at[12];
	struct writer w = wr_over(at, sizeof(at));

	wr_bytes(&w, span_of(src->b, 4));
	wr_bytes(&w, span_of(p->remote.addr.b, 4));
	wr_u16(&w, p->local.port);
	wr_u16(&w, p->remote.port);
	ike_notify_write(m, N_NO_NATS_ALLOWED, wr_span(&w));
}

static void no_nat_means_the_addresses_as_sent(void **state)
{
	struct lab *lab = lab_of_movers(9);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	walk(lab, 9);
	unsigned mark = lab->n_log;
	struct message m = begin(lab);
	ike_notify_write(&m, N_UPDATE_SA_ADDRESSES, span_of(NULL, 0));
	struct addr other = addr_v4(10, 0, 0, 1);
	write_no_nats(&m, lab, &other);
	send(lab, &m);
	lab_run(lab, 20);
	assert_true(a_noted(lab, mark, true, N_UNEXPECTED_NAT_DETECTED));
	assert_int_equal(lab->side[A].n_moved, 0);
	m = begin(lab);
	ike_notify_write(&m, N_UPDATE_SA_ADDRESSES, span_of(NULL, 0));
	write_no_nats(&m, lab, &lab->side[B].addr);
	send(lab, &m);
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_moved, 1);
	lab_free(lab);
}

static void tell_of(struct lab *lab, unsigned n, uint8_t from)
{
	struct message m = begin(lab);

	for (unsigned i = 0; i < n; i++) {
		struct addr a = addr_v4(198, 51, 100, (uint8_t)(from + i));
		ike_notify_write(&m, N_ADDITIONAL_IP4_ADDRESS, span_of(a.b, 4));
	}
	if (n == 0)
		ike_notify_write(&m, N_NO_ADDITIONAL_ADDRESSES, span_of(NULL, 0));
	send(lab, &m);
}

static void few_addresses_are_kept(void **state)
{
	struct lab *lab = lab_of_movers(10);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 50);
	tell_of(lab, 12, 100);
	lab_run(lab, 5);
	assert_int_equal(lab_sa(lab, A)->mobike.n_others, IKE_MOBIKE_OTHERS);
	tell_of(lab, 0, 0);
	lab_run(lab, 5);
	assert_int_equal(lab_sa(lab, A)->mobike.n_others, 0);
	assert_int_equal(lab->side[A].n_moved, 0);
	lab_free(lab);
}

/* After a takeover we are the initiator: the peer tells, we send the update. */
static void a_peer_that_we_called_moves(void **state)
{
	struct lab *lab = lab_of_movers(11);

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 50);
	assert_true(lab_sa(lab, A)->mobike.on && lab_sa(lab, A)->mobike.ours);
	walk(lab, 9);
	unsigned mark = lab->n_log;
	tell_of(lab, 0, 0);
	lab_run(lab, 20);
	assert_true(a_noted(lab, mark, false, N_UPDATE_SA_ADDRESSES));
	assert_true(a_noted(lab, mark, false, N_COOKIE2));
	assert_int_equal(lab->side[A].n_moved, 1);
	assert_true(addr_equal(&lab_sa(lab, A)->path.remote.addr, &lab->side[B].addr));
	/* Where it was is still one of its addresses: nothing to do. */
	struct addr home = lab->side[B].addr;
	walk(lab, 10);
	struct message m = begin(lab);
	ike_notify_write(&m, N_ADDITIONAL_IP4_ADDRESS, span_of(home.b, 4));
	send(lab, &m);
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_moved, 1);
	lab_free(lab);
}

static void transport_mode_does_not_move(void **state)
{
	struct lab *lab = lab_of_movers(12);

	(void)state;
	lab_set_mode(&lab->side[A], POLICY_TRANSPORT);
	lab_set_mode(&lab->side[B], POLICY_TRANSPORT);
	lab_call(lab, B);
	lab_run(lab, 50);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_false(lab_sa(lab, A)->mobike.on || lab_sa(lab, B)->mobike.on);
	assert_int_equal(lab_sa(lab, A)->path.remote.port, IKE_PORT);
	lab_free(lab);
}

/* Rekeyed while the check waits for its turn: it goes out on the heir. */
/* RFC 4302 3.3.3.1.1.1: AH has the addresses under its ICV. */
static void ah_does_not_move(void **state)
{
	struct lab *lab = lab_of_movers(13);

	(void)state;
	for (int s = A; s <= B; s++) {
		lab->side[s].conn.proposals.ah[0] = true;
		lab->side[s].conn.proposals.esp[0] = AEAD_NULL_SHA256;
	}
	lab_call(lab, B);
	lab_run(lab, 50);
	assert_true(lab->side[A].up[0].ah);
	unsigned mark = lab->n_log;
	walk(lab, 9);
	update(lab);
	lab_run(lab, 10);
	assert_true(a_noted(lab, mark, true, N_UNACCEPTABLE_ADDRESSES));
	assert_int_equal(lab->side[A].n_moved, 0);
	lab_free(lab);
}

static void an_heir_goes_on_with_it(void **state)
{
	struct lab *lab = lab_of_movers(13);

	(void)state;
	uint32_t id = lab_call(lab, B);
	lab_run(lab, 50);
	lab->filter = lose_the_check;
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms,
				 lab->side[A].established[0].id),
		IKE_OK);
	walk(lab, 9);
	update(lab);
	lab_run(lab, 5);
	assert_int_equal(ike_rekey(lab->side[B].engine, lab->now_ms, id), IKE_OK);
	lab_run(lab, 10);
	assert_true(lab_sa(lab, A)->is_heir && lab_sa(lab, A)->mobike.pending);
	lab->filter = NULL;
	lab_run(lab, 1000);
	assert_false(lab_sa(lab, A)->mobike.pending);
	assert_int_equal(lab->side[A].n_moved, 1);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_moves),
		cmocka_unit_test(behind_a_nat_the_new_place_is_encapsulated),
		cmocka_unit_test(a_probe_from_elsewhere_moves_nothing),
		cmocka_unit_test(esp_waits_for_the_check),
		cmocka_unit_test(moving_twice_is_checked_again),
		cmocka_unit_test(a_wrong_cookie_is_the_end),
		cmocka_unit_test(a_cookie_is_copied),
		cmocka_unit_test(a_rule_that_names_an_address_means_it),
		cmocka_unit_test(no_nat_means_the_addresses_as_sent),
		cmocka_unit_test(few_addresses_are_kept),
		cmocka_unit_test(a_peer_that_we_called_moves),
		cmocka_unit_test(transport_mode_does_not_move),
		cmocka_unit_test(ah_does_not_move),
		cmocka_unit_test(an_heir_goes_on_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
