/* tests/unit/test_ike_collision.c - both sides at once: every case of RFC 7296 2.8.1, 2.8.2 and
 * 2.25, in both roles.
 *
 * Requests of both sides cross when both ask in the same millisecond: a datagram takes one.
 */
#include "ike_lab.h"

#include "wire/notify_payload.h"

static struct ike_engine *engine(struct lab *lab, enum lab_side_name s)
{
	return lab->side[s].engine;
}

static uint32_t child_of(struct lab *lab, enum lab_side_name s)
{
	return ike_child_first(lab_sa(lab, s))->is.id;
}

static uint32_t ike_of(struct lab *lab, enum lab_side_name s)
{
	const struct lab_side *side = &lab->side[s];

	return side->n_rekeyed > 0 ? side->rekeyed[side->n_rekeyed - 1].sa.id
				   : side->established[0].id;
}

/* Up, and each side knows that the other one has its answers. */
static struct lab *lab_ready(uint64_t seed)
{
	struct lab *lab = lab_new(seed);

	lab_up(lab);
	assert_int_equal(
		ike_probe(engine(lab, A), lab->now_ms, lab_sa(lab, A)->id), IKE_OK);
	lab_run(lab, 10);
	lab->n_log = 0;
	return lab;
}

static void rekey_child(struct lab *lab, enum lab_side_name s)
{
	assert_int_equal(
		ike_rekey_child(engine(lab, s), lab->now_ms, child_of(lab, s)), IKE_OK);
}

static void rekey_ike(struct lab *lab, enum lab_side_name s)
{
	assert_int_equal(ike_rekey(engine(lab, s), lab->now_ms, ike_of(lab, s)), IKE_OK);
}

static void delete_child(struct lab *lab, enum lab_side_name s)
{
	assert_int_equal(
		ike_delete_child(engine(lab, s), lab->now_ms, child_of(lab, s)), IKE_OK);
}

static void create_child(struct lab *lab, enum lab_side_name s)
{
	uint32_t child;

	assert_int_equal(ike_create_child(engine(lab, s), lab->now_ms, ike_of(lab, s),
				 &lab->side[s].conn, &child),
		IKE_OK);
}

/* Loses what one side sends while the switch is on. */
struct loss {
	enum lab_side_name of;
	bool on;
};

static struct lab_fate lose(struct lab *lab, const struct lab_datagram *d)
{
	const struct loss *l = lab->filter_ctx;

	return (struct lab_fate){.copies = !(l->on && d->from == l->of), .ms = 1};
}

static const struct ike_child *last_up(const struct lab *lab, enum lab_side_name s)
{
	return &lab->side[s].up[lab->side[s].n_up - 1];
}

static const struct ike_child *up_by_id(
	const struct lab *lab, enum lab_side_name s, uint32_t id)
{
	for (unsigned i = 0; i < lab->side[s].n_up; i++)
		if (lab->side[s].up[i].id == id)
			return &lab->side[s].up[i];
	return NULL;
}

/* Both sides: one IKE SA, one child, the same. */
static void assert_one(struct lab *lab)
{
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	const struct ike_sa *a = lab_sa(lab, A), *b = lab_sa(lab, B);

	assert_true(a->spi_i == b->spi_i && a->spi_r == b->spi_r);
	assert_int_equal(a->n_children, 1);
	assert_int_equal(b->n_children, 1);
	assert_int_equal(ike_child_first(a)->state, CHILD_UP);
	assert_int_equal(ike_child_first(b)->state, CHILD_UP);
	assert_true(
		list_empty(&a->tasks) && !a->task && list_empty(&b->tasks) && !b->task);
	lab_assert_children_match(
		up_by_id(lab, A, child_of(lab, A)), up_by_id(lab, B, child_of(lab, B)));
}

static bool has_delete(struct lab *lab, const struct lab_datagram *d)
{
	struct payload_set set = lab_read(lab, d);

	return payload_set_has(&set, PAYLOAD_DELETE);
}

static uint16_t error_in(struct lab *lab, const struct lab_datagram *d)
{
	struct payload_set set = lab_read(lab, d);

	return ike_notify_error(&set);
}

static struct nonce nonce_in(struct lab *lab, const struct lab_datagram *d)
{
	struct payload_set set = lab_read(lab, d);
	struct reader body = payload_set_first(&set, PAYLOAD_NONCE)->body;
	struct nonce n;

	nonce_set(&n, rd_rest(&body));
	return n;
}

/* ---- 2.8.1 */

/*	A                                  B
 *	req1: N(REKEY_SA), SA, Ni1  --> <--  req2: N(REKEY_SA), SA, Ni2
 *	resp2: SA, Nr1              --> <--  resp1: SA, Nr2
 *	the side whose SA has the lowest nonce deletes that; the other one the old SA
 */
static void both_rekey_the_child(void **state)
{
	unsigned lost[2] = {0, 0};

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct lab *lab = lab_ready(seed);
		struct nonce n[4];

		rekey_child(lab, A);
		rekey_child(lab, B);
		lab_run(lab, 1);
		assert_int_equal(lab->n_log, 4);
		for (unsigned i = 0; i < 4; i++)
			n[i] = nonce_in(lab, &lab->log[i]);
		lab_run(lab, 1);
		/* three each: the old one and two new ones, all received on */
		for (int s = A; s <= B; s++) {
			assert_int_equal(lab->side[s].n_up, 3);
			assert_int_equal(lab->side[s].n_down, 0);
		}
		/* log: req1 of A, req2 of B, then each side's response to the other's */
		unsigned low = 0;
		for (unsigned i = 1; i < 4; i++)
			if (nonce_cmp(&n[i], &n[low]) < 0)
				low = i;
		enum lab_side_name answerer = lab->log[low].from;
		enum lab_side_name loser = low < 2 ? answerer : (answerer == A ? B : A);
		lost[loser]++;
		enum lab_side_name winner = loser == A ? B : A;
		assert_true(last_up(lab, loser)->receive_only);
		assert_false(last_up(lab, winner)->receive_only);
		assert_true(last_up(lab, winner)->initiator);
		lab_run(lab, 2000);
		assert_one(lab);
		assert_int_equal(child_of(lab, winner), last_up(lab, winner)->id);
		for (int s = A; s <= B; s++) {
			assert_int_equal(lab->side[s].n_down, 2);
			assert_int_equal(lab->side[s].down[0].why, IKE_CLOSE_REPLACED);
			assert_int_equal(lab->side[s].down[1].why, IKE_CLOSE_REPLACED);
			assert_int_equal(lab->side[s].n_refused, 0);
		}
		/* two Deletes, each of one SA, and their answers */
		assert_int_equal(lab->n_log, 8);
		lab_free(lab);
	}
	assert_true(lost[A] > 0 && lost[B] > 0);
}

/* What one side asks to be made. */
static struct lab_fate lose_creations(struct lab *lab, const struct lab_datagram *d)
{
	const struct loss *l = lab->filter_ctx;
	bool asks = d->bytes[18] == CREATE_CHILD_SA && (d->bytes[19] & 0x20) == 0;

	return (struct lab_fate){.copies = !(l->on && asks && d->from == l->of), .ms = 1};
}

/*	A                                  B
 *	req1  --> lost
 *	                            <--  req2: N(REKEY_SA), SA, Ni2
 *	resp2: SA, Nr1  -->
 *	                            <--  req3: D(old)                      a second later
 *	resp3: D(old)  -->
 *	req1 again  -->
 *	                            <--  resp1: N(CHILD_SA_NOT_FOUND)      ignored
 *
 * Again before that second is over, it is N(TEMPORARY_FAILURE): the old one is on its way out.
 */
static void one_side_does_not_notice(void **state)
{
	static const struct {
		uint64_t lost_ms;
		uint16_t error;
	} cases[] = {{1500, N_CHILD_SA_NOT_FOUND}, {1, N_TEMPORARY_FAILURE}};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct lab *lab = lab_ready(30);
		struct loss loss = {i % 2 ? A : B, true};
		enum lab_side_name late = loss.of, other = late == A ? B : A;
		unsigned answer = 0;

		lab->filter = lose_creations;
		lab->filter_ctx = &loss;
		rekey_child(lab, late);
		rekey_child(lab, other);
		lab_run(lab, cases[i / 2].lost_ms);
		loss.on = false;
		lab_run(lab, 8000);
		for (unsigned k = 0; k < lab->n_log; k++)
			if (lab->log[k].from == other && error_in(lab, &lab->log[k]) != 0)
				answer = error_in(lab, &lab->log[k]);
		assert_int_equal(answer, cases[i / 2].error);
		assert_one(lab);
		assert_int_equal(lab->side[late].n_down, 1);
		assert_int_equal(lab->side[late].down[0].why, IKE_CLOSE_REPLACED);
		assert_int_equal(lab->side[late].n_up, 2);
		assert_int_equal(lab->side[late].n_refused, 0);
		lab_free(lab);
	}
}

/* The peer's answer is lost, and comes when the peer has long noticed. */
static void the_answer_of_a_collision_comes_late(void **state)
{
	(void)state;
	for (uint64_t seed = 40; seed < 60; seed++) {
		struct lab *lab = lab_ready(seed);
		struct loss loss = {seed % 2 ? A : B, false};

		lab->filter = lose;
		lab->filter_ctx = &loss;
		rekey_child(lab, A);
		rekey_child(lab, B);
		loss.on = true; /* the requests are on their way; one answer is not */
		lab_run(lab, 300);
		loss.on = false;
		lab_run(lab, 90000);
		assert_one(lab);
		lab_free(lab);
	}
}

/* ---- 2.25.1 */

/*	A                       B
 *	N(REKEY_SA)  --> <--  D(ESP)
 *	D(ESP)       --> <--  N(TEMPORARY_FAILURE)     A does not ask again
 */
static void rekeying_against_deleting_a_child(void **state)
{
	(void)state;
	for (int who = A; who <= B; who++) {
		struct lab *lab = lab_ready(60);
		enum lab_side_name other = who == A ? B : A;

		create_child(lab, A);
		lab_run(lab, 10);
		lab->n_log = 0;
		rekey_child(lab, (enum lab_side_name)who);
		delete_child(lab, other);
		lab_run(lab, 1);
		assert_int_equal(lab->n_log, 4);
		/* the requests stand first; each is answered */
		for (unsigned i = 2; i < 4; i++) {
			if (lab->log[i].from == other)
				assert_int_equal(
					error_in(lab, &lab->log[i]), N_TEMPORARY_FAILURE);
			else
				assert_true(has_delete(lab, &lab->log[i]));
		}
		lab_run(lab, 5000);
		assert_int_equal(lab->n_log, 4);
		assert_int_equal(lab->side[who].n_down, 1);
		assert_int_equal(lab->side[who].down[0].why, IKE_CLOSE_DELETED_BY_PEER);
		assert_int_equal(lab->side[other].down[0].why, IKE_CLOSE_DELETED_BY_US);
		assert_int_equal(lab->side[who].n_refused, 0);
		assert_one(lab);
		lab_free(lab);
	}
}

/*	A                  B
 *	D(ESP)  --> <--  D(ESP)
 *	{}      --> <--  {}             RFC 7296 1.4.1: no Delete in the answers
 */
static void both_delete_the_child(void **state)
{
	struct lab *lab = lab_ready(61);

	(void)state;
	create_child(lab, A);
	lab_run(lab, 10);
	lab->n_log = 0;
	delete_child(lab, A);
	delete_child(lab, B);
	lab_run(lab, 10);
	assert_int_equal(lab->n_log, 4);
	assert_false(has_delete(lab, &lab->log[2]));
	assert_false(has_delete(lab, &lab->log[3]));
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_down, 1);
		assert_int_equal(lab->side[s].down[0].why, IKE_CLOSE_DELETED_BY_US);
	}
	assert_one(lab);
	lab_free(lab);
}

/* Deleted by ourselves while our own request to rekey it is out: both go. */
static void we_delete_what_we_rekey(void **state)
{
	struct lab *lab = lab_ready(62);

	(void)state;
	create_child(lab, A);
	lab_run(lab, 10);
	rekey_child(lab, A);
	delete_child(lab, A);
	lab_run(lab, 1000);
	assert_int_equal(lab->side[A].n_up, 2); /* the new one was not even shown */
	assert_int_equal(lab->side[A].n_down, 1);
	assert_int_equal(lab->side[A].down[0].why, IKE_CLOSE_DELETED_BY_US);
	assert_one(lab);
	lab_free(lab);
}

static struct lab_fate lose_deletes_of_a(struct lab *lab, const struct lab_datagram *d)
{
	const bool *on = lab->filter_ctx;

	return (struct lab_fate){
		.copies = !(*on && d->from == A && d->bytes[18] == INFORMATIONAL),
		.ms = 1};
}

/*	A                               B
 *	N(REKEY_SA), SA, ..     -->          the old one is deleted here meanwhile
 *	                             <--  SA, ..
 *	D(new)             lost -->
 *	                             <--  N(REKEY_SA) of the new one
 *	N(TEMPORARY_FAILURE)    -->
 *	D(new)                  -->          RFC 7296 2.25.1: B asks for none in its place
 */
static void what_is_given_back_is_there_until_its_delete(void **state)
{
	struct lab *lab = lab_ready(63);
	bool lost = true;

	(void)state;
	create_child(lab, A);
	/* the one request of B's that A has answered */
	assert_int_equal(
		ike_probe(engine(lab, B), lab->now_ms, lab_sa(lab, B)->id), IKE_OK);
	lab_run(lab, 10);
	lab->filter = lose_deletes_of_a;
	lab->filter_ctx = &lost;
	rekey_child(lab, A);
	delete_child(lab, A);
	lab_run(lab, 1);
	uint32_t made = last_up(lab, B)->id;
	assert_int_equal(ike_rekey_child(engine(lab, B), lab->now_ms, made), IKE_OK);
	for (unsigned i = 0; i < 60 && !lab_counters(lab, A).said_temporary_failure; i++)
		lab_run(lab, 200);
	assert_int_equal(lab->side[A].n_up, 2); /* not shown */
	assert_true(lab_counters(lab, A).said_temporary_failure >= 1);
	assert_int_equal(lab_counters(lab, A).said_child_not_found, 0);
	lost = false;
	lab_run(lab, 10000);
	assert_int_equal(lab->side[B].n_up - lab->side[B].n_down, 1);
	assert_one(lab);
	lab_free(lab);
}

/*	A                       B
 *	             <--  {}
 *	{}           -->              B may not have A's answer to its only request
 *	N(REKEY_SA)  -->
 *	             <--  SA, Nr ...  A does not want it any more
 *	D(old)       -->
 *	D(new)       -->              of which B has told: there is nothing to wait for
 */
static void what_we_made_ourselves_is_given_back_at_once(void **state)
{
	struct lab *lab = lab_ready(63);

	(void)state;
	create_child(lab, A);
	lab_run(lab, 10);
	assert_int_equal(
		ike_probe(engine(lab, B), lab->now_ms, lab_sa(lab, B)->id), IKE_OK);
	lab_run(lab, 10);
	rekey_child(lab, A);
	delete_child(lab, A);
	lab_run(lab, 10);
	assert_int_equal(lab->side[B].n_up, 3);
	assert_int_equal(lab->side[B].n_down, 2);
	assert_one(lab);
	lab_free(lab);
}

/*	A                       B
 *	SA, Ni, KE   --> <--  N(REKEY_SA), or SA, Ni, TSi, TSr, or D(ESP)
 *	                 <--  N(TEMPORARY_FAILURE)
 *	N(TEMPORARY_FAILURE), or D(ESP)  -->
 */
static void rekeying_the_ike_sa_against_a_child(
	void (*what)(struct lab *, enum lab_side_name), uint64_t seed, bool deletes)
{
	for (int who = A; who <= B; who++) {
		struct lab *lab = lab_ready(seed);
		enum lab_side_name other = who == A ? B : A;
		uint16_t expect;

		create_child(lab, A);
		lab_run(lab, 10);
		lab->n_log = 0;
		rekey_ike(lab, (enum lab_side_name)who);
		what(lab, other);
		lab_run(lab, 1);
		assert_int_equal(lab->n_log, 4);
		for (unsigned i = 2; i < 4; i++) {
			expect = N_TEMPORARY_FAILURE;
			if (deletes && lab->log[i].from == (enum lab_side_name)who) {
				assert_true(has_delete(lab, &lab->log[i]));
				expect = 0;
			}
			assert_int_equal(error_in(lab, &lab->log[i]), expect);
		}
		lab_run(lab, 400); /* MUST NOT immediately retry */
		assert_int_equal(lab->n_log, 4);
		lab_run(lab, 60000);
		assert_int_equal(lab->side[A].n_rekeyed, 1);
		assert_int_equal(lab->side[B].n_rekeyed, 1);
		assert_int_equal(lab->side[A].n_refused + lab->side[B].n_refused, 0);
		assert_int_equal(lab_sa(lab, A)->n_children, lab_sa(lab, B)->n_children);
		assert_int_equal(lab_sa(lab, A)->n_children, what == create_child ? 3
							     : deletes            ? 1
										  : 2);
		assert_int_equal(lab_count(lab, A), 1);
		lab_free(lab);
	}
}

static void rekeying_the_ike_sa_against_children(void **state)
{
	(void)state;
	rekeying_the_ike_sa_against_a_child(rekey_child, 70, false);
	rekeying_the_ike_sa_against_a_child(create_child, 71, false);
	rekeying_the_ike_sa_against_a_child(delete_child, 72, true);
}

/* ---- 2.8.2 */

/*	A                               B
 *	req1: SA, Ni1, KE  --> <--  req2: SA, Ni2, KE
 *	resp2: SA, Nr1, KE --> <--  resp1: SA, Nr2, KE
 *	one deletes the new SA with the lowest nonce, the other one the old SA
 */
static void both_rekey_the_ike_sa(void **state)
{
	unsigned lost[2] = {0, 0};

	(void)state;
	for (uint64_t seed = 80; seed < 100; seed++) {
		struct lab *lab = lab_ready(seed);
		struct nonce n[4];

		rekey_ike(lab, A);
		rekey_ike(lab, B);
		lab_run(lab, 1);
		assert_int_equal(lab->n_log, 4);
		unsigned low = 0;
		for (unsigned i = 0; i < 4; i++) {
			n[i] = nonce_in(lab, &lab->log[i]);
			if (nonce_cmp(&n[i], &n[low]) < 0)
				low = i;
		}
		enum lab_side_name answerer = lab->log[low].from;
		enum lab_side_name loser = low < 2 ? answerer : (answerer == A ? B : A);
		lost[loser]++;
		lab_run(lab, 30000);
		assert_one(lab);
		for (int s = A; s <= B; s++) {
			assert_int_equal(lab->side[s].n_rekeyed, 1);
			assert_int_equal(
				lab->side[s].rekeyed[0].sa.initiator, s != (int)loser);
			/* only the old one was ever shown */
			assert_int_equal(lab->side[s].n_closed, 1);
			assert_int_equal(lab->side[s].n_down, 0);
		}
		lab_free(lab);
	}
	assert_true(lost[A] > 0 && lost[B] > 0);
}

/*	A                               B
 *	req1  --> lost
 *	                        <--  req2: SA, Ni2, KE
 *	resp2: SA, Nr1, KE -->
 *	                        <--  req3: D(old)
 *	resp3: {}  -->                       A forgets its own request
 */
static void one_side_does_not_notice_the_other_ike_sa(void **state)
{
	(void)state;
	for (int late = A; late <= B; late++) {
		struct lab *lab = lab_ready(110);
		struct loss loss = {(enum lab_side_name)late, true};
		enum lab_side_name other = late == A ? B : A;

		lab->filter = lose;
		lab->filter_ctx = &loss;
		rekey_ike(lab, (enum lab_side_name)late);
		loss.on = false;
		rekey_ike(lab, other);
		lab_run(lab, 50);
		for (int s = A; s <= B; s++) {
			assert_int_equal(lab->side[s].n_rekeyed, 1);
			assert_int_equal(
				lab->side[s].rekeyed[0].sa.initiator, s == (int)other);
			assert_int_equal(
				lab->side[s].closed[0].why.close, IKE_CLOSE_REPLACED);
		}
		unsigned log = lab->n_log;
		lab_run(lab, 30000);
		assert_int_equal(lab->n_log, log); /* nothing is sent again */
		assert_one(lab);
		lab_free(lab);
	}
}

static struct lab_fate lose_answers_of_a(struct lab *lab, const struct lab_datagram *d)
{
	bool answer = d->bytes[18] == CREATE_CHILD_SA && (d->bytes[19] & 0x20);

	(void)lab;
	return (struct lab_fate){.copies = !(answer && d->from == A), .ms = 1};
}

/*	A                               B
 *	req1: SA, Ni1, KE  --> <--  req2: SA, Ni2, KE
 *	resp2 --> lost         <--  resp1: SA, Nr2, KE
 *	D(old)  -->                          B cannot ask for resp2 any more
 *	                       <--  {}
 *	D(what req2 has made)  -->           ten seconds later: B has not deleted it
 */
static void a_loser_that_its_maker_never_sees_is_deleted(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (uint64_t seed = 112; seed < 124; seed++) {
		struct lab *lab = lab_ready(seed);

		lab->filter = lose_answers_of_a;
		rekey_ike(lab, A);
		rekey_ike(lab, B);
		lab_run(lab, 100);
		assert_int_equal(lab->side[A].n_rekeyed, 1);
		if (!lab->side[A].rekeyed[0].sa.initiator) { /* B's SA has won */
			lab_free(lab);
			continue;
		}
		seen++;
		assert_int_equal(lab_count(lab, A), 2);
		assert_int_equal(lab_count(lab, B), 1);
		lab_run(lab, 9000);
		assert_int_equal(lab_count(lab, A), 2);
		lab_run(lab, 4000);
		assert_one(lab);
		lab_free(lab);
	}
	assert_true(seen > 0);
}

/*	A                               B
 *	req1  --> late
 *	                        <--  req2: SA, Ni2, KE
 *	resp2: SA, Nr1, KE -->
 *	                  lost  <--  req3: D(old)
 *	req1  -->
 *	                        <--  resp1: N(TEMPORARY_FAILURE), the SA is being closed
 */
static void a_request_for_an_ike_sa_that_is_rekeyed(void **state)
{
	struct lab *lab = lab_ready(111);
	struct loss loss = {A, true};

	(void)state;
	lab->filter = lose;
	lab->filter_ctx = &loss;
	rekey_ike(lab, A);
	struct lab_datagram late = *lab_last(lab);
	loss.on = false;
	rekey_ike(lab, B);
	lab_run(lab, 2); /* B has its new SA, and sends the Delete of the old one */
	assert_int_equal(lab->side[B].n_rekeyed, 1);
	loss = (struct loss){B, true}; /* which is lost */
	lab->n_queue = 0;
	lab_inject(lab, A, &lab->side[A].conn.path, span_of(late.bytes, late.len));
	lab_run(lab, 1);
	assert_int_equal(error_in(lab, lab_last(lab)), N_TEMPORARY_FAILURE);
	loss.on = false;
	lab_run(lab, 30000);
	assert_one(lab);
	assert_int_equal(lab->side[A].n_refused, 0);
	lab_free(lab);
}

/* ---- 2.25.2 */

/*	A                        B
 *	SA, Ni, KE  --> <--  D(IKE)
 *	{}          --> <--  N(TEMPORARY_FAILURE)
 */
static void rekeying_against_deleting_the_ike_sa(void **state)
{
	(void)state;
	for (int who = A; who <= B; who++) {
		struct lab *lab = lab_ready(120);
		enum lab_side_name other = who == A ? B : A;

		rekey_ike(lab, (enum lab_side_name)who);
		assert_int_equal(ike_delete(engine(lab, other), lab->now_ms,
					 ike_of(lab, other), 2000, 1),
			IKE_OK);
		lab_run(lab, 30000);
		assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
		assert_int_equal(
			lab->side[who].closed[0].why.close, IKE_CLOSE_DELETED_BY_PEER);
		assert_int_equal(lab->side[who].n_down, 1);
		assert_int_equal(lab->side[who].n_rekeyed, 0);
		lab_free(lab);
	}
}

/* In the middle of a collision one side wants no more of it. */
static void deleting_while_both_rekey_the_ike_sa(void **state)
{
	(void)state;
	for (uint64_t seed = 130; seed < 150; seed++)
		for (uint64_t ms = 0; ms < 5; ms++) {
			struct lab *lab = lab_ready(seed);

			rekey_ike(lab, A);
			rekey_ike(lab, B);
			lab_run(lab, ms);
			assert_int_equal(ike_delete(engine(lab, A), lab->now_ms,
						 ike_of(lab, A), 2000, 1),
				IKE_OK);
			lab_run(lab, 200000);
			assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
			for (int s = A; s <= B; s++)
				assert_int_equal(lab->side[s].n_down, lab->side[s].n_up);
			lab_free(lab);
		}
}

/* The peer's new one is there, ours not yet; both are deleted, and then forgotten one after
 * the other, as when the address goes. Nothing of the first is looked for then. */
static void what_is_deleted_together_is_forgotten_one_by_one(void **state)
{
	struct lab *lab = lab_ready(151);

	(void)state;
	uint32_t old = ike_of(lab, A);
	rekey_ike(lab, A);
	rekey_ike(lab, B);
	while (!ike_sa_by_id(engine(lab, A), old)->rival)
		lab_run(lab, 1);
	uint32_t rival = ike_sa_by_id(engine(lab, A), old)->rival->id;
	assert_int_equal(ike_delete(engine(lab, A), lab->now_ms, old, 2000, 1), IKE_OK);
	assert_null(ike_sa_by_id(engine(lab, A), rival)->predecessor);
	assert_int_equal(ike_forget(engine(lab, A), lab->now_ms, old), IKE_OK);
	assert_int_equal(ike_forget(engine(lab, A), lab->now_ms, rival), IKE_OK);
	assert_int_equal(lab_count(lab, A), 0);
	lab_free(lab);
}

/* Two vipsec nodes want the same further child: one of the two stays. */
static void both_make_the_same_further_child(void **state)
{
	struct lab *lab = lab_ready(160);

	(void)state;
	create_child(lab, A);
	create_child(lab, B);
	lab_run(lab, 2000);
	assert_int_equal(lab_sa(lab, A)->n_children, 2);
	assert_int_equal(lab_sa(lab, B)->n_children, 2);
	assert_int_equal(lab->side[A].n_up, 3);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_rekey_the_child),
		cmocka_unit_test(one_side_does_not_notice),
		cmocka_unit_test(the_answer_of_a_collision_comes_late),
		cmocka_unit_test(rekeying_against_deleting_a_child),
		cmocka_unit_test(both_delete_the_child),
		cmocka_unit_test(we_delete_what_we_rekey),
		cmocka_unit_test(what_we_made_ourselves_is_given_back_at_once),
		cmocka_unit_test(what_is_given_back_is_there_until_its_delete),
		cmocka_unit_test(rekeying_the_ike_sa_against_children),
		cmocka_unit_test(both_rekey_the_ike_sa),
		cmocka_unit_test(one_side_does_not_notice_the_other_ike_sa),
		cmocka_unit_test(a_loser_that_its_maker_never_sees_is_deleted),
		cmocka_unit_test(a_request_for_an_ike_sa_that_is_rekeyed),
		cmocka_unit_test(rekeying_against_deleting_the_ike_sa),
		cmocka_unit_test(deleting_while_both_rekey_the_ike_sa),
		cmocka_unit_test(what_is_deleted_together_is_forgotten_one_by_one),
		cmocka_unit_test(both_make_the_same_further_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
