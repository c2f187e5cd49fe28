/* tests/unit/test_ike_followup.c - additional key exchanges behind CREATE_CHILD_SA (RFC 9370
 * 2.2.4): further children, new keys for children and for IKE SAs, what is lost, forgotten,
 * crossed or deleted on the way.
 */
#include "ike_craft.h"

enum { EXCHANGE_AT = 18, RESPONSE = 0x20, FLAGS_AT = 19 };

static const struct ike_more two = {.ke = {KE_ECP_384, 0, KE_MODP_2048}};

static void give(struct lab_side *s, const struct ike_more *more)
{
	struct ike_proposals *p = &s->conn.proposals;

	p->ike[0].more = *more;
	p->pfs[0] = KE_CURVE25519;
	p->pfs_more[0] = *more;
	p->n_pfs = 1;
	p->pfs_required = true;
}

/* Up with two additional key exchanges everywhere, and each side knows that the other one has
 * its answers. */
static struct lab *lab_ready(uint64_t seed)
{
	struct lab *lab = lab_new(seed);

	give(&lab->side[A], &two);
	give(&lab->side[B], &two);
	lab_up(lab);
	assert_int_equal(
		ike_probe(lab->side[A].engine, lab->now_ms, lab_sa(lab, A)->id), IKE_OK);
	lab_run(lab, 10);
	lab->n_log = 0;
	return lab;
}

static uint32_t child_of(struct lab *lab, enum lab_side_name s)
{
	return ike_child_first(lab_sa(lab, s))->is.id;
}

static void rekey_child(struct lab *lab, enum lab_side_name s)
{
	assert_int_equal(
		ike_rekey_child(lab->side[s].engine, lab->now_ms, child_of(lab, s)),
		IKE_OK);
}

static void rekey_ike(struct lab *lab, enum lab_side_name s)
{
	const struct lab_side *side = &lab->side[s];
	uint32_t id = side->n_rekeyed > 0 ? side->rekeyed[side->n_rekeyed - 1].sa.id
					  : side->established[0].id;

	assert_int_equal(ike_rekey(side->engine, lab->now_ms, id), IKE_OK);
}

static unsigned sent(const struct lab *lab, uint8_t exchange)
{
	unsigned n = 0;

	for (unsigned i = 0; i < lab->n_log; i++)
		n += lab->log[i].bytes[EXCHANGE_AT] == exchange;
	return n;
}

static const struct ike_child *up_by_id(
	const struct lab *lab, enum lab_side_name s, uint32_t id)
{
	for (unsigned i = 0; i < lab->side[s].n_up; i++)
		if (lab->side[s].up[i].id == id)
			return &lab->side[s].up[i];
	fail_msg("no such child was up");
	return NULL;
}

/* Both sides: one IKE SA, the same, with n children up, nothing to do and nothing kept. */
static void assert_settled(struct lab *lab, unsigned n)
{
	const struct ike_sa *sa[2];

	for (enum lab_side_name s = A; s <= B; s++) {
		assert_int_equal(lab_count(lab, s), 1);
		sa[s] = lab_sa(lab, s);
		assert_int_equal(sa[s]->n_children, n);
		assert_int_equal(sa[s]->n_known, n);
		assert_true(list_empty(&sa[s]->tasks) && !sa[s]->task && !sa[s]->follow);
		assert_int_equal(sa[s]->state, STATE_UP);
	}
	assert_true(sa[A]->spi_i == sa[B]->spi_i && sa[A]->spi_r == sa[B]->spi_r);
	unit_assert_span_equal(secret_span(&sa[A]->sk_d), secret_span(&sa[B]->sk_d));
	if (n == 1)
		lab_assert_children_match(up_by_id(lab, A, child_of(lab, A)),
			up_by_id(lab, B, child_of(lab, B)));
}

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
				if (what == 0)
					rekey_child(lab, A);
				else
					rekey_ike(lab, A);
				lab_run(lab, 20000);
				assert_settled(lab, 1);
				assert_int_equal(lab->side[A].n_refused, 0);
				lab_free(lab);
			}
}

static bool lost_now;

/* IKE_FOLLOWUP_KE does not arrive while it is so. */
static struct lab_fate lose_followups(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){
		.copies = !(lost_now && d->bytes[EXCHANGE_AT] == IKE_FOLLOWUP_KE),
		.ms = 1};
}

static uint16_t last_error_of(struct lab *lab, enum lab_side_name s)
{
	for (unsigned i = lab->n_log; i-- > 0;) {
		const struct lab_datagram *d = &lab->log[i];

		if (d->from == s && (d->bytes[FLAGS_AT] & RESPONSE)) {
			struct payload_set set = lab_read(lab, d);
			return ike_notify_error(&set);
		}
	}
	return 0;
}

/* The responder forgets after 20 s and says so; the initiator asks anew. */
static void what_is_forgotten_is_asked_for_again(void **state)
{
	(void)state;
	for (int what = 0; what < 2; what++) {
		struct lab *lab = lab_ready(54);

		lab->filter = lose_followups;
		lost_now = true;
		if (what == 0)
			rekey_child(lab, A);
		else
			rekey_ike(lab, A);
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

/* ---- what ends on the way */

static void either_side_deletes_the_ike_sa_meanwhile(void **state)
{
	(void)state;
	for (int what = 0; what < 2; what++)
		for (enum lab_side_name s = A; s <= B; s++)
			for (uint64_t after = 0; after < unit_rounds(8); after++) {
				struct lab *lab = lab_ready(59);

				if (what == 0)
					rekey_child(lab, A);
				else
					rekey_ike(lab, A);
				lab_run(lab, after);
				assert_int_equal(
					ike_delete(lab->side[s].engine, lab->now_ms,
						lab->side[s].n_rekeyed > 0
							? lab->side[s].rekeyed[0].sa.id
							: lab->side[s].established[0].id,
						2000, 1),
					IKE_OK);
				lab_run(lab, 90000);
				assert_int_equal(lab_count(lab, A), 0);
				assert_int_equal(lab_count(lab, B), 0);
				assert_int_equal(lab->side[A].n_up, lab->side[A].n_down);
				assert_int_equal(lab->side[B].n_up, lab->side[B].n_down);
				lab_free(lab);
			}
}

static void either_side_deletes_the_child_meanwhile(void **state)
{
	(void)state;
	for (enum lab_side_name s = A; s <= B; s++)
		for (uint64_t after = 0; after < unit_rounds(8); after++) {
			struct lab *lab = lab_ready(60);
			uint32_t keep;

			assert_int_equal(
				ike_create_child(lab->side[A].engine, lab->now_ms,
					lab_sa(lab, A)->id, &lab->side[A].conn, &keep),
				IKE_OK);
			lab_run(lab, 100);
			rekey_child(lab, A);
			lab_run(lab, after);
			uint32_t old = lab->side[s].up[0].id;
			(void)!ike_delete_child(lab->side[s].engine, lab->now_ms, old);
			lab_run(lab, 90000);
			/* the other one, and perhaps what was made in its place */
			unsigned n = lab_sa(lab, A)->n_children;
			assert_in_range(n, 1, 2);
			assert_settled(lab, n);
			lab_free(lab);
		}
}

/* ---- collisions */

static void both_rekey(
	void (*rekey)(struct lab *, enum lab_side_name), unsigned exchanges)
{
	unsigned won[2] = {0, 0};

	for (uint64_t seed = 100; seed < 120; seed++) {
		struct lab *lab = lab_ready(seed);

		rekey(lab, A);
		rekey(lab, B);
		lab_run(lab, 2000);
		assert_int_equal(sent(lab, CREATE_CHILD_SA), 4);
		/* RFC 9370 2.2.4: one of them goes on, the other one MUST NOT */
		assert_int_equal(sent(lab, IKE_FOLLOWUP_KE), exchanges);
		enum lab_side_name winner = A;
		for (unsigned i = 0; i < lab->n_log; i++)
			if (lab->log[i].bytes[EXCHANGE_AT] == IKE_FOLLOWUP_KE &&
				!(lab->log[i].bytes[FLAGS_AT] & RESPONSE))
				winner = lab->log[i].from;
		won[winner]++;
		for (unsigned i = 0; i < lab->n_log; i++)
			if (lab->log[i].bytes[EXCHANGE_AT] == IKE_FOLLOWUP_KE)
				assert_true((lab->log[i].from == winner) ==
					    !(lab->log[i].bytes[FLAGS_AT] & RESPONSE));
		lab_run(lab, 60000);
		assert_settled(lab, 1);
		assert_int_equal(sent(lab, IKE_FOLLOWUP_KE), exchanges);
		lab_free(lab);
	}
	assert_true(won[A] > 0 && won[B] > 0);
}

static void both_rekey_the_child(void **state)
{
	(void)state;
	both_rekey(rekey_child, 4);
}

static void both_rekey_the_ike_sa(void **state)
{
	(void)state;
	both_rekey(rekey_ike, 4);
}

/* The request of one side arrives when the other's exchange is over, and what follows it goes
 * on: TEMPORARY_FAILURE (RFC 9370 2.2.4: MUST). */
static void one_side_has_gone_on(void **state)
{
	(void)state;
	for (int what = 0; what < 2; what++) {
		struct lab *lab = lab_ready(61);

		lab->filter = lose_followups;
		lost_now = true;
		if (what == 0)
			rekey_child(lab, A);
		else
			rekey_ike(lab, A);
		lab_run(lab, 10); /* A waits for the answer to its IKE_FOLLOWUP_KE */
		ike_follow_drop(lab->side[B].engine, lab_sa(lab, B)); /* B tries, too */
		if (what == 0)
			rekey_child(lab, B);
		else
			rekey_ike(lab, B);
		lab_run(lab, 5);
		assert_int_equal(last_error_of(lab, A), N_TEMPORARY_FAILURE);
		lost_now = false;
		lab_run(lab, 60000);
		assert_settled(lab, 1);
		lab_free(lab);
	}
}

static void want_another(struct lab *lab, enum lab_side_name s)
{
	uint32_t child;

	assert_int_equal(ike_create_child(lab->side[s].engine, lab->now_ms,
				 lab_sa(lab, s)->id, &lab->side[s].conn, &child),
		IKE_OK);
}

/* Both want the same further child, one of them so much later: there is one in the end.
 *
 *	CREATE_CHILD_SA SK{SA, Ni, KEi, TS}   -->
 *	                                      <--  SK{SA, Nr, KEr, TS, N(link1)}
 *	                                           ... it wants the same now, and waits
 *	IKE_FOLLOWUP_KE SK{KEi(1), N(link1)}  -->   ... */
static void both_want_the_same_child(void **state)
{
	(void)state;
	for (uint64_t seed = 160; seed < 160 + unit_rounds(10); seed++)
		for (uint64_t after = 0; after < 5; after++)
			for (enum lab_side_name s = A; s <= B; s++) {
				struct lab *lab = lab_ready(seed);

				want_another(lab, s);
				lab_run(lab, after);
				want_another(lab, s == A ? B : A);
				lab_run(lab, 60000);
				assert_settled(lab, 2);
				lab_free(lab);
			}
}

static unsigned in_use(const struct lab *lab, enum lab_side_name s)
{
	unsigned n = 0;

	list_each(item, &lab->side[s].engine->sas)
	{
		const struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		n += sa->state == STATE_UP && !sa->replaced;
	}
	return n;
}

/* Both call without a child (RFC 6023), one of them so much later. When the last child of
 * the two has come, both sides know which of the IKE SAs is used. */
static void of_two_begun_without_a_child_one_is_used(void **state)
{
	(void)state;
	for (uint64_t after = 0; after < 12; after++) {
		struct lab *lab = lab_new(after + 1);

		for (enum lab_side_name s = A; s <= B; s++) {
			give(&lab->side[s], &two);
			lab->side[s].conn.childless = IKE_CHILDLESS_FORCE;
			lab->side[s].conn.nlbs = true;
		}
		lab_call(lab, A);
		lab_run(lab, after);
		lab_call(lab, B);
		lab_run(lab, 40);
		assert_int_equal(in_use(lab, A), 1);
		assert_int_equal(in_use(lab, B), 1);
		lab_free(lab);
	}
}

/* What the peer has begun may never come: then it is asked for all the same. */
static void the_child_that_is_waited_for_does_not_come(void **state)
{
	struct lab *lab = lab_ready(170);

	(void)state;
	want_another(lab, A);
	lab_run(lab, 1);
	lab->filter = lose_followups;
	lost_now = true;
	want_another(lab, B);
	lab_run(lab, 5000);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(sent(lab, CREATE_CHILD_SA), 2);
	lab_run(lab, 16000); /* B forgets what A has begun */
	lost_now = false;
	lab_run(lab, 60000);
	assert_settled(lab, 2);
	assert_true(sent(lab, CREATE_CHILD_SA) >= 4);
	lab_free(lab);
}

/* One side's suite has more behind it, the other side's not; both ask at once. */
static void crossed_with_and_without(void **state)
{
	static const struct ike_more none = {{0}};

	(void)state;
	for (int what = 0; what < 2; what++)
		for (uint64_t seed = 130; seed < 130 + unit_rounds(20); seed++) {
			struct lab *lab = lab_new(seed);

			for (enum lab_side_name s = A; s <= B; s++) {
				struct ike_proposals *p = &lab->side[s].conn.proposals;

				give(&lab->side[s], &two);
				p->ike[1] = p->ike[0];
				p->ike[1].more = none;
				p->n_ike = 2;
				p->pfs[1] = KE_CURVE25519;
				p->n_pfs = 2;
			}
			lab_up(lab);
			/* A asks for less from now on, B for more. */
			struct ike_sa *a = lab_sa(lab, A);
			a->conn->proposals.ike[0] = a->conn->proposals.ike[1];
			a->conn->proposals.n_ike = 1;
			ike_child_first(a)->proposals.pfs_more[0] = none;
			ike_child_first(a)->proposals.n_pfs = 1;
			if (what == 0) {
				rekey_child(lab, A);
				rekey_child(lab, B);
			} else {
				rekey_ike(lab, A);
				rekey_ike(lab, B);
			}
			lab_run(lab, 90000);
			assert_settled(lab, 1);
			lab_free(lab);
		}
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
		cmocka_unit_test(either_side_deletes_the_ike_sa_meanwhile),
		cmocka_unit_test(either_side_deletes_the_child_meanwhile),
		cmocka_unit_test(of_two_begun_without_a_child_one_is_used),
		cmocka_unit_test(both_rekey_the_child),
		cmocka_unit_test(both_rekey_the_ike_sa),
		cmocka_unit_test(one_side_has_gone_on),
		cmocka_unit_test(both_want_the_same_child),
		cmocka_unit_test(the_child_that_is_waited_for_does_not_come),
		cmocka_unit_test(crossed_with_and_without),
		cmocka_unit_test(no_child_with_fewer_than_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
