/* tests/unit/test_ike_intermediate.c - additional key exchanges between IKE_SA_INIT and
 * IKE_AUTH (RFC 9242, RFC 9370 2.2.1 to 2.2.3): agreed, made, lost, wrong, left out.
 */
#include "ike_craft.h"

enum { EXCHANGE_AT = 18, MESSAGE_ID_AT = 20, FLAGS_AT = 19, RESPONSE = 0x20 };

static struct ike_more more_of(uint16_t first, uint16_t second)
{
	return (struct ike_more){.ke = {(uint8_t)first, (uint8_t)second}};
}

static void give_more(struct lab_side *s, uint16_t first, uint16_t second)
{
	s->conn.proposals.ike[0].more = more_of(first, second);
}

/* Behind the strong suite the same without anything more. */
static void give_both(struct lab_side *s, uint16_t first, uint16_t second)
{
	struct ike_proposals *p = &s->conn.proposals;

	give_more(s, first, second);
	p->ike[1] = p->ike[0];
	p->ike[1].more = (struct ike_more){{0}};
	p->n_ike = 2;
}

static struct lab *lab_with_two(void)
{
	struct lab *lab = lab_new(31);

	give_more(&lab->side[A], KE_ECP_384, KE_MODP_3072);
	give_more(&lab->side[B], KE_ECP_384, KE_MODP_3072);
	return lab;
}

static void assert_up(struct lab *lab, bool with_more)
{
	for (enum lab_side_name s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_up, 1);
		assert_int_equal(
			ike_more_any(&lab->side[s].established[0].suite.more), with_more);
		assert_null(lab_sa(lab, s)->intermediate);
		assert_null(lab_sa(lab, s)->next_open);
	}
	lab_assert_children_match(&lab->side[A].up[0], &lab->side[B].up[0]);
}

static void assert_probe_is_answered(struct lab *lab)
{
	for (enum lab_side_name s = A; s <= B; s++) {
		assert_int_equal(
			ike_probe(lab->side[s].engine, lab->now_ms, lab_sa(lab, s)->id),
			IKE_OK);
		lab_run(lab, 100);
		assert_int_equal(lab_sa(lab, s)->out.bytes.len, 0);
	}
}

static unsigned count_sent(const struct lab *lab, uint8_t exchange)
{
	unsigned n = 0;

	for (unsigned i = 0; i < lab->n_log; i++)
		n += lab->log[i].bytes[EXCHANGE_AT] == exchange;
	return n;
}

/*	A                                        B
 *	SAi (ADDKE1, ADDKE2), KEi, Ni, N  -->
 *	                                  <--    SAr, KEr, Nr, N
 *	IKE_INTERMEDIATE, 1: SK{KEi(1)}   -->
 *	                                  <--    SK{KEr(1)}
 *	IKE_INTERMEDIATE, 2: SK{KEi(2)}   -->
 *	                                  <--    SK{KEr(2)}
 *	IKE_AUTH, 3                       -->                  */
static void in_the_order_of_their_types(void **state)
{
	static const struct {
		uint8_t exchange, id;
	} want[] = {{IKE_SA_INIT, 0}, {IKE_SA_INIT, 0}, {IKE_INTERMEDIATE, 1},
		{IKE_INTERMEDIATE, 1}, {IKE_INTERMEDIATE, 2}, {IKE_INTERMEDIATE, 2},
		{IKE_AUTH, 3}, {IKE_AUTH, 3}};
	struct lab *lab = lab_with_two();

	(void)state;
	lab_up(lab);
	assert_up(lab, true);
	assert_int_equal(lab->n_log, 8);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(lab->log[i].bytes[EXCHANGE_AT], want[i].exchange);
		assert_int_equal(lab->log[i].bytes[MESSAGE_ID_AT + 3], want[i].id);
	}
	assert_int_equal(lab_sa(lab, A)->suite.more.ke[1], KE_MODP_3072);
	assert_probe_is_answered(lab);
	lab_free(lab);
}

/* RFC 9370 2.2.1: types need not follow each other, and seven is the most there can be. */
static void gaps_and_all_seven(void **state)
{
	static const struct ike_more sets[] = {{{0, KE_ECP_256, 0, 0, KE_ECP_384}},
		{{0, 0, 0, 0, 0, 0, KE_MODP_2048}},
		{{KE_ECP_256, KE_ECP_384, KE_ECP_521, KE_CURVE448, KE_MODP_2048,
			KE_MODP_3072, KE_MODP_4096}}};
	static const unsigned n[] = {2, 1, 7};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct lab *lab = lab_new(32 + i);

		lab->side[A].conn.proposals.ike[0].more = sets[i];
		lab->side[B].conn.proposals.ike[0].more = sets[i];
		lab_call(lab, A);
		lab_run(lab, 100);
		assert_up(lab, true);
		assert_int_equal(count_sent(lab, IKE_INTERMEDIATE), 2 * n[i]);
		lab_free(lab);
	}
}

/* The n-th message of the log, and whatever is sent again, is lost once in a while. */
struct losses {
	unsigned n, lost; /* datagrams so far; the bits of those to lose */
};

static struct lab_fate lose(struct lab *lab, const struct lab_datagram *d)
{
	struct losses *l = lab->filter_ctx;
	unsigned n = l->n++;

	(void)d;
	return (struct lab_fate){.copies = n < 8 && (l->lost >> n & 1) ? 0 : 1, .ms = 1};
}

/* Each message, and each two of them, is lost once; in particular an answer after which the
 * responder has new keys already (RFC 9242 3.3.1). */
static void whatever_is_lost_is_repeated(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 8; a++)
		for (unsigned b = a; b < 8; b++) {
			struct losses losses = {.lost = 1U << a | 1U << b};
			struct lab *lab = lab_with_two();

			lab->filter = lose;
			lab->filter_ctx = &losses;
			lab_call(lab, A);
			lab_run(lab, 10000);
			assert_up(lab, true);
			assert_probe_is_answered(lab);
			lab_free(lab);
		}
}

static struct lab_fate twice_and_late(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	(void)d;
	return (struct lab_fate){.copies = 3, .ms = 2};
}

static void repeated_messages_change_nothing(void **state)
{
	struct lab *lab = lab_with_two();
	unsigned n;

	(void)state;
	lab->filter = twice_and_late;
	lab_call(lab, A);
	lab_run(lab, 100);
	assert_up(lab, true);
	/* All that was ever said, once more. */
	n = lab->n_log;
	lab->filter = NULL;
	for (unsigned i = 0; i < n; i++) {
		const struct lab_datagram *d = &lab->log[i];
		struct ike_path back = lab_sa(lab, d->from)->path;

		lab_inject(lab, d->from, &back, bytes_of(d));
	}
	lab_run(lab, 100);
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	assert_int_equal(lab->side[A].n_closed + lab->side[B].n_closed, 0);
	assert_probe_is_answered(lab);
	lab_free(lab);
}

/* Messages in fragments: what is signed is the whole message (RFC 9242 3.3.2). */
static void in_fragments(void **state)
{
	struct lab *lab = lab_with_two();

	(void)state;
	for (enum lab_side_name s = A; s <= B; s++)
		ike_set_fragment_size(lab->side[s].engine, 300);
	lab_call(lab, A);
	lab_run(lab, 200);
	assert_up(lab, true);
	assert_true(count_sent(lab, IKE_INTERMEDIATE) > 4);
	lab_free(lab);
}

/* One side in fragments, the other not: they still sign the same. */
static void in_fragments_one_way(void **state)
{
	struct lab *lab = lab_with_two();

	(void)state;
	ike_set_fragment_size(lab->side[A].engine, 300);
	lab_call(lab, A);
	lab_run(lab, 200);
	assert_up(lab, true);
	lab_free(lab);
}

static void behind_a_nat_the_port_changes_first(void **state)
{
	struct lab *lab = lab_with_two();

	(void)state;
	lab_put_behind_nat(lab, A);
	lab_call(lab, A);
	lab_run(lab, 100);
	assert_up(lab, true);
	for (unsigned i = 0; i < lab->n_log; i++)
		assert_int_equal(lab->log[i].path.natt,
			lab->log[i].bytes[EXCHANGE_AT] != IKE_SA_INIT);
	lab_free(lab);
}

/* ---- who can, and who cannot */

static void mixed_support(void **state)
{
	struct lab *lab;

	(void)state;
	for (int caller = A; caller <= B; caller++) {
		/* Only one side has them, and can do without. */
		lab = lab_new(40);
		give_both(&lab->side[A], KE_ECP_384, KE_NONE);
		lab_call(lab, (enum lab_side_name)caller);
		lab_run(lab, 100);
		assert_up(lab, false);
		assert_int_equal(count_sent(lab, IKE_INTERMEDIATE), 0);
		lab_free(lab);
		/* Both have, and both can do without. */
		lab = lab_new(41);
		give_both(&lab->side[A], KE_ECP_384, KE_NONE);
		give_both(&lab->side[B], KE_ECP_384, KE_NONE);
		lab_call(lab, (enum lab_side_name)caller);
		lab_run(lab, 100);
		assert_up(lab, true);
		lab_free(lab);
		/* Only one side has them, and cannot do without: nothing. */
		lab = lab_new(42);
		give_more(&lab->side[A], KE_ECP_384, KE_NONE);
		lab_call(lab, (enum lab_side_name)caller);
		lab_run(lab, 100);
		assert_int_equal(lab->side[A].n_up + lab->side[B].n_up, 0);
		lab_assert_noted(&lab->side[caller], "NO_PROPOSAL_CHOSEN");
		lab_free(lab);
		/* Not the same ones: nothing. */
		lab = lab_new(43);
		give_more(&lab->side[A], KE_ECP_384, KE_NONE);
		give_more(&lab->side[B], KE_ECP_384, KE_MODP_3072);
		lab_call(lab, (enum lab_side_name)caller);
		lab_run(lab, 100);
		assert_int_equal(lab->side[A].n_up + lab->side[B].n_up, 0);
		lab_free(lab);
	}
}

/* The better suite is chosen although its group costs a round trip. */
static void a_round_trip_is_no_reason_for_less(void **state)
{
	struct lab *lab = lab_new(44);
	struct ike_proposals *p = &lab->side[B].conn.proposals;

	(void)state;
	give_both(&lab->side[A], KE_ECP_384, KE_NONE);
	give_both(&lab->side[B], KE_ECP_384, KE_NONE);
	lab->side[A].conn.proposals.ike[0].ke = KE_ECP_256;
	p->ike[0].ke = KE_ECP_256;
	/* A guesses the group of its second suite. */
	lab->side[A].conn.proposals.ike[2] = lab->side[A].conn.proposals.ike[0];
	lab->side[A].conn.proposals.ike[0] = lab->side[A].conn.proposals.ike[1];
	lab->side[A].conn.proposals.ike[1] = lab->side[A].conn.proposals.ike[2];
	lab_call(lab, A);
	lab_run(lab, 100);
	assert_up(lab, true);
	assert_int_equal(count_sent(lab, IKE_SA_INIT), 4);
	lab_free(lab);
}

/* A copy of B's IKE_SA_INIT answer without INTERMEDIATE_EXCHANGE_SUPPORTED. */
static void without_support_such_a_choice_is_ignored(void **state)
{
	struct lab *lab = lab_with_two();
	struct ike_header h;
	const struct payload *p = NULL;
	uint8_t store[2048];

	(void)state;
	lab_call(lab, A);
	lab->filter = lab_drop_all;
	lab_run(lab, 2);
	struct lab_datagram answer = lab->log[1];
	struct payload_set set = read_clear(&answer, &h);
	struct message m = message_begin(store, sizeof(store), &h);
	for (unsigned type = PAYLOAD_SA; type <= PAYLOAD_NOTIFY; type++)
		while ((p = payload_set_next(&set, (uint8_t)type, p))) {
			struct reader body = p->body;
			struct span octets = rd_rest(&body);

			if (type == PAYLOAD_NOTIFY &&
				octets.at[3] ==
					(N_INTERMEDIATE_EXCHANGE_SUPPORTED & 0xff))
				continue;
			copy_payload(&m, p);
		}
	ike_receive(lab->side[A].engine, lab->now_ms, &answer.path, message_finish(&m));
	assert_int_equal(lab_sa(lab, A)->state, STATE_INIT_SENT);
	lab_assert_noted(&lab->side[A], "does not fit to what was asked; ignored");
	lab_free(lab);
}

/* ---- what does not belong there */

/* A and B have agreed on two, and B has heard nothing of them; A hears nothing any more. */
static struct lab *half_keyed(void)
{
	struct lab *lab = lab_with_two();

	lab_call(lab, A);
	lab_run(lab, 2);
	lab->n_queue = 0;
	lab->filter = drop_from_b;
	assert_int_equal(lab_sa(lab, A)->state, STATE_KEYING);
	assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_KEYED);
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 1);
	return lab;
}

static void write_ke(struct message *m, uint16_t group, size_t len)
{
	static const uint8_t octets[512];
	struct wire_ke ke = {.group = group, .public = span_of(octets, len)};

	ke_payload_write(message_payload(m, PAYLOAD_KE), &ke);
}

static void assert_b_refuses(struct lab *lab, struct message *m)
{
	lab_send_crafted(lab, A, m);
	lab_run(lab, 2);
	assert_int_equal(error_from_b(lab), N_INVALID_SYNTAX);
	assert_int_equal(lab_count(lab, B), 0);
	lab_free(lab);
}

static void another_method_or_no_valid_value(void **state)
{
	static const struct {
		uint16_t group;
		size_t len;
	} wrong[] = {{KE_MODP_3072, 384}, {KE_CURVE25519, 32}, {KE_ECP_384, 96},
		{KE_ECP_384, 95}, {KE_NONE, 1}, {9999, 10}};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct lab *lab = half_keyed();
		struct message m = lab_craft(lab, A, IKE_INTERMEDIATE, false, 1);

		write_ke(&m, wrong[i].group, wrong[i].len);
		assert_b_refuses(lab, &m);
	}
}

/* RFC 9370 2.2.2: all of them come before IKE_AUTH. */
static void ike_auth_before_its_time_is_dropped(void **state)
{
	struct lab *lab = half_keyed();
	struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);

	(void)state;
	message_payload(&m, PAYLOAD_AUTH);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 2);
	assert_int_equal(lab->side[B].n_sent, 1);
	assert_int_equal(lab_counters(lab, B).wrong_state, 1);
	assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_KEYED);
	lab_free(lab);
}

/* RFC 9242 3.2: the numbers follow each other. */
static void a_number_is_not_left_out(void **state)
{
	struct lab *lab = half_keyed();
	struct message m = lab_craft(lab, A, IKE_INTERMEDIATE, false, 2);

	(void)state;
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 2);
	assert_int_equal(lab->side[B].n_sent, 1);
	assert_int_equal(lab_counters(lab, B).wrong_message_id, 1);
	lab_free(lab);
}

/* RFC 9242 5: exchanges for something else are answered, but not for ever. */
static void exchanges_without_a_key_are_few(void **state)
{
	struct lab *lab = half_keyed();

	(void)state;
	for (uint32_t id = 1; id <= 2; id++) {
		struct message m = lab_craft(lab, A, IKE_INTERMEDIATE, false, id);

		lab_send_crafted(lab, A, &m);
		lab_run(lab, 2);
		assert_int_equal(lab->side[B].n_sent, 1 + id);
		assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_KEYED);
	}
	struct message m = lab_craft(lab, A, IKE_INTERMEDIATE, false, 3);
	assert_b_refuses(lab, &m);
}

/* The half-open one has 30 s in all, however far it has come. */
static void half_way_is_forgotten(void **state)
{
	struct lab *lab = half_keyed();

	(void)state;
	lab->filter = lab_drop_all;
	lab_run(lab, 29000);
	assert_int_equal(lab_count(lab, B), 1);
	lab_run(lab, 2000);
	assert_int_equal(lab_count(lab, B), 0);
	assert_int_equal(lab_count(lab, A), 0);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_TIMEOUT);
	lab_free(lab);
}

/* RFC 9242 5: what a stranger makes us compute is limited, as in IKE_SA_INIT; a request that is
 * too much is not answered, and is when it comes again. Whom we know is not held up. */
static void strangers_have_their_share(void **state)
{
	static const struct ike_limits limits = {.half_open = 1000,
		.half_open_per_addr = 16,
		.cookie_above = 100,
		.established = 100,
		.work_per_second = 60};

	(void)state;
	for (int friends = 0; friends < 2; friends++) {
		struct lab *lab = lab_new_limited(46, &limits);

		lab->side[B].friends = friends;
		for (enum lab_side_name s = A; s <= B; s++)
			give_more(&lab->side[s], KE_MODP_3072, KE_MODP_4096);
		lab_call(lab, A);
		lab_run(lab, 100);
		assert_int_equal(lab->side[B].n_up, friends);
		assert_true((lab_counters(lab, B).half_open_refused == 0) == friends);
		if (!friends) /* the second of them: the first used up what it has */
			assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_KEYED);
		lab_run(lab, 20000);
		assert_up(lab, true);
		lab_free(lab);
	}
}

/* Who has not said that it can is not asked, and does not answer. */
static void without_agreement_there_is_none(void **state)
{
	struct lab *lab = lab_new(45);

	(void)state;
	half_way(lab, NULL);
	struct message m = lab_craft(lab, A, IKE_INTERMEDIATE, false, 1);
	unsigned sent = lab->side[B].n_sent;
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 2);
	assert_int_equal(lab->side[B].n_sent, sent);
	assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_OPEN);
	lab_free(lab);
}

/* RFC 9242 3.4: an error ends the call; it is from the one who has the keys. */
static void the_peer_refuses(void **state)
{
	struct lab *lab = half_keyed();
	struct message m;

	(void)state;
	lab->filter = NULL;
	m = lab_craft(lab, B, IKE_INTERMEDIATE, true, 1);
	ike_notify_write(&m, N_INVALID_SYNTAX, span_of(NULL, 0));
	lab_send_crafted(lab, B, &m);
	lab_run(lab, 2);
	assert_int_equal(lab_count(lab, A), 0);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REFUSED);
	lab_free(lab);
}

static void an_answer_that_does_not_fit(void **state)
{
	struct lab *lab = half_keyed();

	(void)state;
	lab->filter = NULL;
	struct message m = lab_craft(lab, B, IKE_INTERMEDIATE, true, 1);
	write_ke(&m, KE_ECP_384, 96); /* not on the curve */
	lab_send_crafted(lab, B, &m);
	lab_run(lab, 5000);
	lab_assert_noted(&lab->side[A], "does not fit to what was asked");
	assert_int_equal(lab_count(lab, A), 0);
	assert_int_equal(lab->side[A].n_up + lab->side[B].n_up, 0);
	lab_free(lab);
}

/* ---- what is signed */

/* Both sides derive the same keys, but one has been told another message: AUTH differs.
 * RFC 9242 3.3.2. */
static void what_was_said_is_signed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct lab *lab = lab_new(46);

		give_more(&lab->side[A], KE_ECP_384, KE_NONE);
		give_more(&lab->side[B], KE_ECP_384, KE_NONE);
		lab_call(lab, A);
		lab_run(lab, 2);
		if (i == 1) { /* B gets the key with a notice that A has not sent */
			struct wire_ke ke = {.group = KE_ECP_384,
				.public = kex_public(lab_sa(lab, A)->kex)};
			lab->n_queue = 0;
			struct message m = lab_craft(lab, A, IKE_INTERMEDIATE, false, 1);

			ke_payload_write(message_payload(&m, PAYLOAD_KE), &ke);
			ike_notify_write(&m, N_SET_WINDOW_SIZE, span_of(NULL, 0));
			lab_send_crafted(lab, A, &m);
		}
		lab_run(lab, 20);
		assert_int_equal(lab->side[A].n_up, i == 0);
		assert_int_equal(lab->side[B].n_up, i == 0);
		if (i == 1)
			lab_assert_noted(&lab->side[B], "AUTHENTICATION_FAILED");
		lab_free(lab);
	}
}

/* RFC 8784 stays what it is: the PPK is mixed in when IKE_AUTH comes. */
static void with_a_ppk_on_top(void **state)
{
	struct lab *lab = lab_with_two();

	(void)state;
	for (enum lab_side_name s = A; s <= B; s++) {
		struct ike_ppk *p = &lab->side[s].conn.ppk;

		p->required = s == A;
		p->id_len = 1;
		p->id[0] = 'q';
		p->len = 32;
		memset(p->key, 7, 32);
	}
	lab_call(lab, A);
	lab_run(lab, 100);
	assert_up(lab, true);
	assert_true(lab->side[A].established[0].ppk && lab->side[B].established[0].ppk);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_the_order_of_their_types),
		cmocka_unit_test(gaps_and_all_seven),
		cmocka_unit_test(whatever_is_lost_is_repeated),
		cmocka_unit_test(repeated_messages_change_nothing),
		cmocka_unit_test(in_fragments),
		cmocka_unit_test(in_fragments_one_way),
		cmocka_unit_test(behind_a_nat_the_port_changes_first),
		cmocka_unit_test(mixed_support),
		cmocka_unit_test(a_round_trip_is_no_reason_for_less),
		cmocka_unit_test(without_support_such_a_choice_is_ignored),
		cmocka_unit_test(another_method_or_no_valid_value),
		cmocka_unit_test(ike_auth_before_its_time_is_dropped),
		cmocka_unit_test(a_number_is_not_left_out),
		cmocka_unit_test(exchanges_without_a_key_are_few),
		cmocka_unit_test(half_way_is_forgotten),
		cmocka_unit_test(strangers_have_their_share),
		cmocka_unit_test(without_agreement_there_is_none),
		cmocka_unit_test(the_peer_refuses),
		cmocka_unit_test(an_answer_that_does_not_fit),
		cmocka_unit_test(what_was_said_is_signed),
		cmocka_unit_test(with_a_ppk_on_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
