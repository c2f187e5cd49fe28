/* tests/unit/test_ike_followup.c - additional key exchanges behind CREATE_CHILD_SA (RFC 9370
 * 2.2.4): further children, new keys for children and for IKE SAs, what is lost or forgotten
 * on the way, and what does not fit.
 */
#include "followup_lab.h"

/*	CREATE_CHILD_SA SK{N(REKEY_SA), SA, Ni, KEi, TS}  -->
 *	                                                  <--  SK{SA, Nr, KEr, TS, N(link1)}
 *	IKE_FOLLOWUP_KE SK{KEi(1), N(link1)}              -->
 *	                                                  <--  SK{KEr(1), N(link2)}
 *	IKE_FOLLOWUP_KE SK{KEi(2), N(link2)}              -->
 *	                                                  <--  SK{KEr(2)}
 *	INFORMATIONAL SK{D}                               -->   ... */
static void either_side_rekeys_a_child(void **state)
{
	(void)state;
	for (enum lab_side_name s = A; s <= B; s++) {
		struct lab *lab = lab_ready(50);

		rekey_child(lab, s);
		lab_run(lab, 3);
		assert_int_equal(lab->side[A].n_up, 1); /* not before the last */
		lab_run(lab, 1500);
		assert_int_equal(sent(lab, CREATE_CHILD_SA), 2);
		assert_int_equal(sent(lab, IKE_FOLLOWUP_KE), 4);
		assert_settled(lab, 1);
		for (enum lab_side_name i = A; i <= B; i++) {
			const struct ike_child *c = &lab->side[i].up[1];

			assert_int_equal(lab->side[i].n_up, 2);
			assert_int_equal(c->replaces, lab->side[i].up[0].id);
			assert_int_equal(c->pfs, KE_CURVE25519);
			assert_true(ike_more_equal(&c->pfs_more, &two));
			assert_int_equal(lab->side[i].down[0].why, IKE_CLOSE_REPLACED);
		}
		lab_free(lab);
	}
}

static void either_side_makes_a_further_child(void **state)
{
	(void)state;
	for (enum lab_side_name s = A; s <= B; s++) {
		struct lab *lab = lab_ready(51);
		uint32_t child;

		assert_int_equal(ike_create_child(lab->side[s].engine, lab->now_ms,
					 lab_sa(lab, s)->id, &lab->side[s].conn, &child),
			IKE_OK);
		lab_run(lab, 100);
		assert_int_equal(sent(lab, IKE_FOLLOWUP_KE), 4);
		assert_settled(lab, 2);
		lab_assert_children_match(&lab->side[A].up[1], &lab->side[B].up[1]);
		lab_free(lab);
	}
}

static void either_side_rekeys_the_ike_sa(void **state)
{
	(void)state;
	for (enum lab_side_name s = A; s <= B; s++) {
		struct lab *lab = lab_ready(52);

		rekey_ike(lab, s);
		lab_run(lab, 3);
		assert_int_equal(lab->side[A].n_rekeyed, 0);
		lab_run(lab, 100);
		assert_int_equal(sent(lab, IKE_FOLLOWUP_KE), 4);
		assert_int_equal(lab->side[A].n_rekeyed, 1);
		assert_int_equal(lab->side[B].n_rekeyed, 1);
		assert_settled(lab, 1);
		assert_true(ike_more_equal(&lab_sa(lab, A)->suite.more, &two));
		rekey_child(lab, A); /* and the new SA is good for the same again */
		lab_run(lab, 1500);
		assert_settled(lab, 1);
		lab_free(lab);
	}
}

/* ---- what is lost */

struct losses {
	unsigned n, lost;
};

static struct lab_fate lose(struct lab *lab, const struct lab_datagram *d)
{
	struct losses *l = lab->filter_ctx;
	unsigned n = l->n++;

	(void)d;
	return (struct lab_fate){.copies = n < 8 && (l->lost >> n & 1) ? 0 : 1, .ms = 1};
}

static void whatever_is_lost_is_repeated(void **state)
{
	(void)state;
	for (int what = 0; what < 2; what++)
		for (unsigned a = 0; a < unit_rounds(8); a++)
			for (unsigned b = a; b < 8; b++) {
				struct losses losses = {.lost = 1U << a | 1U << b};
				struct lab *lab = lab_ready(53);

				lab->filter = lose;
				lab->filter_ctx = &losses;
				rekeys[what](lab, A);
				lab_run(lab, 20000);
				assert_settled(lab, 1);
				assert_int_equal(lab->side[A].n_refused, 0);
				lab_free(lab);
			}
}

/* The responder forgets after 20 s and says so; the initiator asks anew. */
static void what_is_forgotten_is_asked_for_again(void **state)
{
	(void)state;
	for (int what = 0; what < 2; what++) {
		struct lab *lab = lab_ready(54);

		lab->filter = lose_followups;
		lost_now = true;
		rekeys[what](lab, A);
		lab_run(lab, 19000);
		assert_non_null(lab_sa(lab, B)->follow);
		lab_run(lab, 1500);
		assert_null(lab_sa(lab, B)->follow);
		assert_int_equal(lab_sa(lab, B)->n_children, 1);
		lost_now = false;
		lab->n_log = 0;
		while (sent(lab, IKE_FOLLOWUP_KE) < 2)
			lab_run(lab, 1);
		assert_int_equal(last_error_of(lab, B), N_STATE_NOT_FOUND);
		lab_run(lab, 30000);
		assert_settled(lab, 1);
		assert_int_equal(lab->side[A].n_refused, 0);
		assert_int_equal(
			what == 0 ? lab->side[A].n_up : lab->side[A].n_rekeyed + 1, 2);
		lab_free(lab);
	}
}

static struct lab_fate forget_at_b(struct lab *lab, const struct lab_datagram *d)
{
	if (d->from == A && d->bytes[EXCHANGE_AT] == IKE_FOLLOWUP_KE)
		ike_follow_drop(lab->side[B].engine, lab_sa(lab, B));
	return (struct lab_fate){.copies = 1, .ms = 1};
}

/* RFC 9370 2.2.4: after several retries the IKE SA is deleted. */
static void a_peer_that_always_forgets(void **state)
{
	struct lab *lab = lab_ready(55);

	(void)state;
	lab->filter = forget_at_b;
	rekey_child(lab, A);
	lab_run(lab, 120000);
	lab_assert_noted(&lab->side[A], "STATE_NOT_FOUND again and again");
	assert_int_equal(lab_count(lab, A), 0);
	assert_int_equal(lab_count(lab, B), 0);
	assert_int_equal(lab->side[B].closed[0].why.close, IKE_CLOSE_DELETED_BY_PEER);
	lab_free(lab);
}

/* ---- what does not fit */

static void write_ke(struct message *m, uint16_t group, size_t len)
{
	static const uint8_t octets[512];
	struct wire_ke ke = {.group = group, .public = span_of(octets, len)};

	ke_payload_write(message_payload(m, PAYLOAD_KE), &ke);
}

/* A has asked to rekey its child, B has answered, and A is not heard any more. */
static struct lab *half_followed(uint64_t seed, struct span *link)
{
	struct lab *lab = lab_ready(seed);

	rekey_child(lab, A);
	lab_run(lab, 2);
	lab->n_queue = 0;
	lab->filter = drop_from_b;
	assert_non_null(lab_sa(lab, B)->follow);
	*link = span_of(lab_sa(lab, B)->follow->link, lab_sa(lab, B)->follow->link_len);
	return lab;
}

static void send_followup(struct lab *lab, uint16_t group, size_t len, struct span link)
{
	struct message m =
		lab_craft(lab, A, IKE_FOLLOWUP_KE, false, lab_sa(lab, B)->next_in);

	write_ke(&m, group, len);
	if (link.len > 0)
		ike_notify_write(&m, N_ADDITIONAL_KEY_EXCHANGE, link);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 2);
}

static void another_link_or_none_is_not_known(void **state)
{
	struct span link;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct lab *lab = half_followed(56, &link);
		uint8_t other[8];

		memcpy(other, link.at, 8);
		other[7] ^= 1;
		send_followup(lab, KE_ECP_384, 96,
			i == 0   ? span_of(NULL, 0)
			: i == 1 ? span_of(other, 8)
				 : span_of(link.at, 7));
		assert_int_equal(last_error_of(lab, B), N_STATE_NOT_FOUND);
		assert_int_equal(lab_sa(lab, B)->state, STATE_UP);
		assert_non_null(lab_sa(lab, B)->follow);
		lab_free(lab);
	}
}

static void another_method_or_no_valid_value(void **state)
{
	static const struct {
		uint16_t group;
		size_t len;
	} wrong[] = {{KE_MODP_2048, 256}, {KE_CURVE25519, 32}, {KE_ECP_384, 96},
		{KE_ECP_384, 95}, {9999, 10}};
	struct span link;

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct lab *lab = half_followed(57, &link);

		send_followup(lab, wrong[i].group, wrong[i].len, link);
		assert_int_equal(last_error_of(lab, B), N_INVALID_SYNTAX);
		assert_int_equal(lab_count(lab, B), 0);
		assert_int_equal(lab->side[B].n_down, 1);
		lab_free(lab);
	}
}

/* The peer has something else to ask: it has left the exchange behind. */
static void another_request_takes_its_place(void **state)
{
	struct span link;
	struct lab *lab = half_followed(58, &link);
	uint8_t old[8];

	(void)state;
	memcpy(old, link.at, 8);
	/* A has forgotten what it did, and begins anew. */
	struct ike_sa *a = lab_sa(lab, A);
	lab->filter = NULL;
	a->task->kind = TASK_CHECK_PATH; /* its child is left alone */
	ike_task_done(lab->side[A].engine, a);
	ike_retransmit_stop(a);
	a->next_out--;
	ike_child_rekeying(ike_child_first(a), false);
	rekey_child(lab, A);
	lab_run(lab, 1);
	assert_non_null(lab_sa(lab, B)->follow);
	assert_memory_not_equal(lab_sa(lab, B)->follow->link, old, 8);
	assert_int_equal(lab_sa(lab, B)->n_children, 2);
	lab_run(lab, 1500);
	assert_int_equal(lab_sa(lab, B)->n_children, 1);
	assert_null(lab_sa(lab, B)->follow);
	lab_free(lab);
}

/* ---- who wants less */

/* B can do without, A not: no child without them. */
static void no_child_with_fewer_than_asked_for(void **state)
{
	static const struct ike_more none = {{0}};
	struct lab *lab = lab_new(62);

	(void)state;
	give(&lab->side[A], &two);
	give(&lab->side[B], &two);
	lab->side[B].conn.proposals.pfs_more[0] = none;
	lab_up(lab);
	rekey_child(lab, A);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].why.notify, N_NO_PROPOSAL_CHOSEN);
	assert_int_equal(lab->side[A].n_up, 1);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_side_rekeys_a_child),
		cmocka_unit_test(either_side_makes_a_further_child),
		cmocka_unit_test(either_side_rekeys_the_ike_sa),
		cmocka_unit_test(whatever_is_lost_is_repeated),
		cmocka_unit_test(what_is_forgotten_is_asked_for_again),
		cmocka_unit_test(a_peer_that_always_forgets),
		cmocka_unit_test(another_link_or_none_is_not_known),
		cmocka_unit_test(another_method_or_no_valid_value),
		cmocka_unit_test(another_request_takes_its_place),
		cmocka_unit_test(no_child_with_fewer_than_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
