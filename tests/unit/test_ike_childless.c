/* tests/unit/test_ike_childless.c - IKE SAs that begin without a child (RFC 6023).
 *
 *	A                                        B
 *	SA, KE, Ni                        -->
 *	                                  <--    SA, KE, Nr, N(CHILDLESS_IKEV2_SUPPORTED)
 *	SK{IDi, AUTH}                     -->
 *	                                  <--    SK{IDr, AUTH}
 *	CREATE_CHILD_SA: SK{SA, Ni, ..}   -->
 *	                                  <--    SK{SA, Nr, ..}
 */
#include "ike_lab.h"

#include "wire/notify_payload.h"
#include "wire/ts_payload.h"

static struct lab *lab_with(enum ike_childless a, enum ike_childless b)
{
	struct lab *lab = lab_new(6023);

	lab->side[A].conn.childless = a;
	lab->side[B].conn.childless = b;
	return lab;
}

static struct lab *lab_childless(void)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_FORCE, IKE_CHILDLESS_ALLOW);

	lab_call(lab, A);
	return lab;
}

/* The n-th datagram of that exchange, either way. */
static const struct lab_datagram *logged(
	const struct lab *lab, uint8_t exchange, unsigned nth)
{
	for (unsigned i = 0; i < lab->n_log; i++)
		if (lab->log[i].bytes[18] == exchange && nth-- == 0)
			return &lab->log[i];
	return NULL;
}

static bool is_offered(struct lab *lab)
{
	struct payload_set answer = lab_read(lab, logged(lab, IKE_SA_INIT, 1));
	const struct payload *p = NULL;

	while ((p = payload_set_next(&answer, PAYLOAD_NOTIFY, p))) {
		struct wire_notify n;

		assert_int_equal(notify_payload_read(p->body, &n), WIRE_OK);
		if (n.type != N_CHILDLESS_IKEV2_SUPPORTED)
			continue;
		assert_int_equal(n.protocol, PROTO_IKE); /* RFC 6023 4: MUST */
		assert_int_equal(n.spi.len, 0);
		return true;
	}
	return false;
}

/* RFC 6023 5: what is missing. */
static void assert_without_child(struct lab *lab, unsigned nth)
{
	struct payload_set set = lab_read(lab, logged(lab, IKE_AUTH, nth));

	assert_true(payload_set_has(&set, PAYLOAD_AUTH));
	assert_false(payload_set_has(&set, PAYLOAD_SA));
	assert_false(payload_set_has(&set, PAYLOAD_TSI));
	assert_false(payload_set_has(&set, PAYLOAD_TSR));
	assert_false(ike_notify_find(&set, N_USE_TRANSPORT_MODE, NULL));
}

static void the_first_child_comes_by_create_child_sa(void **state)
{
	struct lab *lab = lab_childless();
	const struct lab_side *a = &lab->side[A], *b = &lab->side[B];

	(void)state;
	lab_run(lab, 100);
	assert_true(is_offered(lab));
	assert_without_child(lab, 0);
	assert_without_child(lab, 1);
	assert_non_null(logged(lab, CREATE_CHILD_SA, 1));
	assert_int_equal(a->n_established, 1);
	assert_int_equal(b->n_established, 1);
	assert_true(a->established[0].childless);
	assert_true(b->established[0].childless);
	assert_int_equal(a->n_up, 1);
	assert_int_equal(b->n_up, 1);
	assert_int_equal(a->established[0].asks, a->up[0].id);
	assert_int_equal(b->established[0].asks, 0);
	lab_assert_children_match(&a->up[0], &b->up[0]);
	lab_free(lab);
}

static void it_has_a_key_exchange_of_its_own(void **state)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_FORCE, IKE_CHILDLESS_FORCE);

	(void)state;
	for (enum lab_side_name s = A; s <= B; s++) {
		lab->side[s].conn.proposals.pfs[0] = KE_ECP_256;
		lab->side[s].conn.proposals.n_pfs = 1;
		lab->side[s].conn.proposals.pfs_required = true;
	}
	lab_call(lab, A);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].up[0].pfs, KE_ECP_256);
	lab_assert_children_match(&lab->side[A].up[0], &lab->side[B].up[0]);
	lab_free(lab);
}

/* A child does not share its IKE SA with another; with none it may. */
static void with_master_pfs_there_is_one_child(void **state)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_FORCE, IKE_CHILDLESS_ALLOW);
	uint32_t child;

	(void)state;
	lab->side[B].conn.proposals.master_pfs = true;
	uint32_t id = lab_call(lab, A);
	lab_run(lab, 100);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(ike_create_child(lab->side[A].engine, lab->now_ms, id,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(lab->side[A].refused[0].why.notify, N_NO_ADDITIONAL_SAS);
	lab_free(lab);
}

/* Allowed is not wanted. */
static void who_may_but_need_not_does_not(void **state)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_ALLOW, IKE_CHILDLESS_ALLOW);

	(void)state;
	lab_up(lab);
	assert_true(is_offered(lab));
	assert_false(lab->side[A].established[0].childless);
	assert_null(logged(lab, CREATE_CHILD_SA, 0));
	lab_free(lab);
}

/* RFC 6023 3: MUST NOT send it then; and MUST NOT offer what is forbidden. */
static void not_without_the_peers_word(void **state)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_FORCE, IKE_CHILDLESS_NO);

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 1000);
	assert_false(is_offered(lab));
	assert_null(logged(lab, IKE_AUTH, 0));
	lab_assert_noted(&lab->side[A], "does not take an IKE SA without a child");
	assert_int_equal(lab->side[A].n_closed, 0); /* the answer may be forged */
	lab_run(lab, 30000);
	assert_int_equal(lab->side[A].closed[0].why.why, IKE_WHY_CHILDLESS);
	assert_int_equal(lab_count(lab, A), 0);
	lab_free(lab);
}

/* An answer without the word, and behind it the true one. */
static void a_forged_answer_does_not_end_the_call(void **state)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_FORCE, IKE_CHILDLESS_NO);

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 100);
	assert_int_equal(lab_count(lab, A), 1);
	ike_forget_scope(lab->side[B].engine, lab->now_ms, 0);
	lab->side[B].conn.childless = IKE_CHILDLESS_ALLOW;
	lab_run(lab, 10000);
	assert_int_equal(lab->side[A].n_up, 1);
	lab_free(lab);
}

static void who_must_refuses_a_child_in_ike_auth(void **state)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_ALLOW, IKE_CHILDLESS_FORCE);

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 100);
	lab_assert_noted(&lab->side[B], "NO_ADDITIONAL_SAS");
	assert_int_equal(lab->side[A].n_up + lab->side[B].n_up, 0);
	assert_int_equal(lab->side[B].closed[0].why.why, IKE_WHY_CHILDLESS);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	lab_free(lab);
}

/* ---- a peer that gets it wrong */

static struct lab_fate lose_auth_of_a(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){
		.copies = !(d->from == A && d->bytes[18] == IKE_AUTH), .ms = 1};
}

static struct lab_fate lose_auth_of_b(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){
		.copies = !(d->from == B && d->bytes[18] == IKE_AUTH), .ms = 1};
}

static bool is_of_child(uint8_t type)
{
	return type == PAYLOAD_SA || type == PAYLOAD_TSI || type == PAYLOAD_TSR;
}

/* The IKE_AUTH of a side again: without the child; or, where it has none, with some octets
 * in its place. */
static void send_otherwise(struct lab *lab, enum lab_side_name from)
{
	struct payload_set set = lab_read(lab, lab_last(lab));
	struct message m = lab_craft(lab, from, IKE_AUTH, from == B, 1);
	bool had = payload_set_has(&set, PAYLOAD_SA);

	lab->filter = NULL;
	for (unsigned i = 0; i < set.n; i++) {
		struct reader body = set.at[i].body;

		if (!is_of_child(set.at[i].type))
			wr_bytes(message_payload(&m, set.at[i].type), rd_rest(&body));
	}
	for (uint8_t type = PAYLOAD_SA; !had && type <= PAYLOAD_TSR; type++)
		if (is_of_child(type))
			wr_bytes(message_payload(&m, type), span_text("octets"));
	lab_send_crafted(lab, from, &m);
	lab_run(lab, 10);
}

/* RFC 6023 3: SHOULD be answered so by who does not support it. */
static void asked_for_though_not_offered(void **state)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_ALLOW, IKE_CHILDLESS_NO);

	(void)state;
	lab->filter = lose_auth_of_a;
	lab_call(lab, A);
	lab_run(lab, 2);
	send_otherwise(lab, A);
	lab_assert_noted(
		&lab->side[B], "INVALID_SYNTAX: the caller wants an IKE SA without");
	lab_assert_noted(&lab->side[A], "INVALID_SYNTAX");
	assert_int_equal(lab->side[B].n_established, 0);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	lab_free(lab);
}

/* RFC 6023 3: MUST NOT be answered so unless it was asked so. */
static void answered_otherwise_than_asked(void **state)
{
	static const char *const notes[] = {
		[IKE_CHILDLESS_ALLOW] = "without the child SA that was asked for",
		[IKE_CHILDLESS_FORCE] = "with a child SA that was not asked for",
	};

	(void)state;
	for (enum ike_childless a = IKE_CHILDLESS_ALLOW; a <= IKE_CHILDLESS_FORCE; a++) {
		struct lab *lab = lab_with(a, IKE_CHILDLESS_ALLOW);

		lab->filter = lose_auth_of_b;
		lab_call(lab, A);
		lab_run(lab, 3);
		send_otherwise(lab, B);
		lab_assert_noted(&lab->side[A], notes[a]);
		assert_int_equal(lab->side[A].n_established, 0);
		assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
		lab_free(lab);
	}
}

/* ---- its life */

/* Refused the child that it was begun for, our IKE SA is of no use. */
static void a_refused_first_child_ends_it(void **state)
{
	struct lab *lab = lab_with(IKE_CHILDLESS_FORCE, IKE_CHILDLESS_ALLOW);

	(void)state;
	lab->side[B].conn.local_ts.at[0] = ts_any(ADDR_V6);
	lab_call(lab, A);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].why.notify, N_TS_UNACCEPTABLE);
	assert_int_equal(lab->side[A].refused[0].child, lab->side[A].established[0].asks);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	lab_free(lab);
}

/* Who calls without a child means the IKE SA to stand: only the caller ends it. */
static void without_children_it_stays_with_the_responder(void **state)
{
	struct lab *lab = lab_childless();

	(void)state;
	lab_run(lab, 100);
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, lab_sa(lab, A)->id),
		IKE_OK); /* so B knows that A has the child */
	lab_run(lab, 10);
	assert_int_equal(
		ike_delete_child(lab->side[B].engine, lab->now_ms, lab->side[B].up[0].id),
		IKE_OK);
	lab_run(lab, 50);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab->side[B].n_closed, 0);
	lab->filter = lab_drop_from_a; /* which would end it, after 10 s */
	lab_run(lab, 60000);
	assert_int_equal(lab_count(lab, B), 1);
	assert_int_equal(lab_count(lab, B), 1);
	lab_free(lab);
}

static struct lab_fate lose_create_of_a(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){
		.copies = !(d->from == A && d->bytes[18] == CREATE_CHILD_SA), .ms = 1};
}

/* B asks for new keys while A's first child is still on its way. */
static void it_is_rekeyed_before_it_has_a_child(void **state)
{
	struct lab *lab = lab_childless();

	(void)state;
	lab->filter = lose_create_of_a;
	lab_run(lab, 20);
	assert_int_equal(lab->side[B].n_established, 1);
	assert_int_equal(ike_rekey(lab->side[B].engine, lab->now_ms,
				 lab->side[B].established[0].id),
		IKE_OK);
	lab_run(lab, 20);
	lab->filter = NULL;
	lab_run(lab, 60000);
	assert_int_equal(lab->side[B].n_rekeyed, 1);
	assert_int_equal(lab->side[A].n_up, 1);
	lab_assert_children_match(&lab->side[A].up[0], &lab->side[B].up[0]);
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	lab_free(lab);
}

/* Both call at once; INITIAL_CONTACT apart, one IKE SA and one child are left. */
static void both_begin_so_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct lab *lab = lab_new(seed);

		for (enum lab_side_name s = A; s <= B; s++) {
			lab->side[s].conn.childless = IKE_CHILDLESS_FORCE;
			lab->side[s].conn.nlbs = true;
			lab_call(lab, s);
		}
		lab_run(lab, 60000);
		for (enum lab_side_name s = A; s <= B; s++) {
			assert_int_equal(lab_count(lab, s), 1);
			assert_int_equal(lab->side[s].n_up - lab->side[s].n_down, 1);
		}
		lab_free(lab);
	}
}

/* A second call goes beside what there is until its own child has come. */
static void the_older_one_stays_until_the_child_is_there(void **state)
{
	struct lab *lab = lab_childless();
	uint32_t old;

	(void)state;
	lab_run(lab, 20000);
	old = lab_sa(lab, A)->id;
	lab->filter = lose_create_of_a;
	lab_call(lab, A);
	lab_run(lab, 8000);
	assert_int_equal(lab->side[A].n_established, 2);
	assert_int_equal(lab->side[A].n_down, 0);
	lab->filter = NULL;
	lab_run(lab, 60000);
	assert_int_equal(lab->side[A].n_up, 2);
	assert_int_equal(lab->side[A].n_down, 1);
	assert_int_equal(lab->side[A].down[0].ike, old);
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_child_comes_by_create_child_sa),
		cmocka_unit_test(it_has_a_key_exchange_of_its_own),
		cmocka_unit_test(with_master_pfs_there_is_one_child),
		cmocka_unit_test(who_may_but_need_not_does_not),
		cmocka_unit_test(not_without_the_peers_word),
		cmocka_unit_test(a_forged_answer_does_not_end_the_call),
		cmocka_unit_test(who_must_refuses_a_child_in_ike_auth),
		cmocka_unit_test(asked_for_though_not_offered),
		cmocka_unit_test(answered_otherwise_than_asked),
		cmocka_unit_test(a_refused_first_child_ends_it),
		cmocka_unit_test(without_children_it_stays_with_the_responder),
		cmocka_unit_test(it_is_rekeyed_before_it_has_a_child),
		cmocka_unit_test(both_begin_so_at_once),
		cmocka_unit_test(the_older_one_stays_until_the_child_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
