/* tests/unit/test_ike_rekey.c - further children, and rekeying, one thing at a time (RFC 7296
 * 1.3, 2.8, 2.9.2, 2.17, 2.25).
 */
#include "ike_lab.h"

#include "wire/notify_payload.h"

static struct ike_engine *engine(struct lab *lab, enum lab_side_name s)
{
	return lab->side[s].engine;
}

static uint32_t first_child(struct lab *lab, enum lab_side_name s)
{
	return ike_child_first(lab_sa(lab, s))->is.id;
}

static void set_pfs(struct lab_side *side, uint16_t first, uint16_t second, bool required)
{
	struct ike_proposals *p = &side->conn.proposals;

	p->pfs[0] = first;
	p->pfs[1] = second;
	p->n_pfs = second != KE_NONE ? 2 : 1;
	p->pfs_required = required;
}

static uint16_t error_in(struct lab *lab, const struct lab_datagram *d)
{
	struct payload_set set = lab_read(lab, d);

	return ike_notify_error(&set);
}

/* ---- further children */

/*	A                                B
 *	SA, Ni, TSi, TSr, N(T)  -->
 *	                        <--  SA, Nr, TSi, TSr, N(T)
 */
static void either_side_makes_a_further_child(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(1);
		struct lab_side *us = &lab->side[by], *peer = &lab->side[1 - by];
		uint32_t child;

		lab_up(lab);
		uint32_t ike = lab_sa(lab, (enum lab_side_name)by)->id;
		assert_int_equal(
			ike_create_child(us->engine, lab->now_ms, ike, &us->conn, &child),
			IKE_OK);
		assert_int_equal(us->n_up, 1);
		lab_run(lab, 1); /* it has answered: it receives already */
		assert_int_equal(peer->n_up, 2);
		assert_int_equal(us->n_up, 1);
		lab_run(lab, 1);
		assert_int_equal(us->n_up, 2);
		assert_int_equal(us->up[1].id, child);
		assert_int_equal(us->up[1].ike, ike);
		assert_int_equal(us->up[1].replaces, 0);
		assert_true(us->up[1].initiator);
		lab_assert_children_match(&us->up[1], &peer->up[1]);
		assert_memory_not_equal(
			us->up[1].key_in.b, us->up[0].key_in.b, us->up[0].key_in.len);
		assert_int_equal(lab_sa(lab, A)->n_known, 2);
		lab_free(lab);
	}
}

/* RFC 7296 2.17: KEYMAT = prf+(SK_d, Ni | Nr), the initiator's sending keys first. */
static void keys_of_a_further_child(void **state)
{
	struct lab *lab = lab_new(2);
	uint8_t nonces[2 * IKE_NONCE_OURS], keymat[40];
	uint32_t child;

	(void)state;
	uint32_t ike = lab_up(lab);
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 10);
	for (unsigned i = 0; i < 2; i++) {
		struct payload_set set = lab_read(lab, &lab->log[4 + i]);
		struct reader body = payload_set_first(&set, PAYLOAD_NONCE)->body;
		struct span nonce = rd_rest(&body);

		assert_int_equal(nonce.len, IKE_NONCE_OURS);
		memcpy(nonces + i * IKE_NONCE_OURS, nonce.at, nonce.len);
	}
	assert_int_equal(prf_plus(PRF_SHA256, secret_span(&lab_sa(lab, A)->sk_d),
				 span_of(nonces, sizeof(nonces)), keymat, sizeof(keymat)),
		CRYPTO_OK);
	unit_assert_span_equal(
		secret_span(&lab->side[A].up[1].key_out), span_of(keymat, 20));
	unit_assert_span_equal(
		secret_span(&lab->side[B].up[1].key_out), span_of(keymat + 20, 20));
	lab_free(lab);
}

static void children_are_asked_for_one_by_one(void **state)
{
	struct lab *lab = lab_new(3);
	uint32_t child[5];

	(void)state;
	uint32_t ike = lab_up(lab);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
					 &lab->side[A].conn, &child[i]),
			IKE_OK);
	assert_int_equal(lab->n_log, 5); /* a window of one */
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_up, 6);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(lab->side[A].up[1 + i].id, child[i]);
	/* The one that is deleted leaves the others, and the IKE SA, alone. */
	assert_int_equal(ike_delete_child(engine(lab, A), lab->now_ms, child[2]), IKE_OK);
	lab_run(lab, 20000);
	assert_int_equal(lab->side[A].n_down, 1);
	assert_int_equal(lab->side[A].down[0].why, IKE_CLOSE_DELETED_BY_US);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab->side[B].down[0].child, lab->side[B].up[3].id);
	assert_int_equal(lab->side[B].down[0].why, IKE_CLOSE_DELETED_BY_PEER);
	assert_int_equal(lab->side[A].n_closed, 0);
	lab_free(lab);
}

static void refused(struct lab *lab, uint16_t notify, enum ike_why why)
{
	uint32_t child;

	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, lab_sa(lab, A)->id,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].child, child);
	assert_int_equal(lab->side[A].refused[0].why.close, IKE_CLOSE_REFUSED);
	assert_int_equal(lab->side[A].refused[0].why.notify, notify);
	assert_int_equal(lab->side[A].refused[0].why.why, why);
	/* RFC 7296 1.3.1: the IKE SA and its child stay. */
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_up, 1);
		assert_int_equal(lab->side[s].n_down + lab->side[s].n_closed, 0);
		assert_int_equal(lab_sa(lab, (enum lab_side_name)s)->n_children, 1);
	}
	lab_free(lab);
}

static void further_children_that_are_refused(void **state)
{
	struct ts other =
		ts_host(&(struct addr){.family = ADDR_V4, .b = {192, 0, 2, 99}});
	struct lab *lab = lab_new(4);

	(void)state;
	lab_up(lab);
	lab->side[A].conn.proposals.esp[0] = AEAD_CHACHA20_POLY1305;
	refused(lab, N_NO_PROPOSAL_CHOSEN, IKE_WHY_PROPOSAL);

	lab = lab_new(5);
	lab_set_mode(&lab->side[A], POLICY_TUNNEL);
	lab_set_mode(&lab->side[B], POLICY_TUNNEL);
	lab_up(lab);
	lab->side[A].conn.local_ts.at[0] = other;
	refused(lab, N_TS_UNACCEPTABLE, IKE_WHY_SELECTORS);

	lab = lab_new(6);
	lab->side[B].conn.proposals.master_pfs = true;
	lab_up(lab);
	refused(lab, N_NO_ADDITIONAL_SAS, IKE_WHY_BUSY);

	lab = lab_new(7);
	set_pfs(&lab->side[B], KE_CURVE25519, KE_NONE, true);
	lab_up(lab);
	refused(lab, N_NO_PROPOSAL_CHOSEN, IKE_WHY_PROPOSAL);
}

/* RFC 7296 1.3.1: the peer has it already, so it is deleted. */
static void an_answer_that_we_cannot_take_is_given_back(void **state)
{
	struct lab *lab = lab_new(8);
	uint32_t child;

	(void)state;
	lab_set_mode(&lab->side[A], POLICY_TUNNEL);
	lab_set_mode(&lab->side[B], POLICY_TUNNEL);
	uint32_t ike = lab_up(lab);
	lab_set_mode(&lab->side[A], POLICY_TRANSPORT); /* B answers with tunnel mode */
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].why.close, IKE_CLOSE_WE_REFUSED);
	assert_int_equal(lab->side[A].refused[0].why.why, IKE_WHY_MODE);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->side[B].n_up, 2);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab->side[B].down[0].child, lab->side[B].up[1].id);
	lab_free(lab);
}

static void no_more_children_than_the_limit(void **state)
{
	static const struct ike_limits limits = {.half_open = 10,
		.half_open_per_addr = 10,
		.cookie_above = 10,
		.established = 10,
		.children = 3,
		.creates = 100,
		.creates_per_second = 1};
	struct lab *lab = lab_new_limited(9, &limits);
	uint32_t child;

	(void)state;
	uint32_t ike = lab_up(lab);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
					 &lab->side[A].conn, &child),
			IKE_OK);
		lab_run(lab, 10);
	}
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_NOT_ALLOWED);
	engine(lab, A)->limits.children = 64;
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].refused[0].why.notify, N_NO_ADDITIONAL_SAS);
	/* and rekeying one of them is possible as ever */
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_up, 4);
	lab_free(lab);
}

/* ---- rekeying a child */

static void assert_rekeyed(struct lab *lab, enum lab_side_name by)
{
	const struct lab_side *us = &lab->side[by], *peer = &lab->side[1 - (int)by];

	assert_int_equal(us->n_up, 2);
	assert_int_equal(peer->n_up, 2);
	assert_int_equal(us->up[1].replaces, us->up[0].id);
	assert_int_equal(peer->up[1].replaces, peer->up[0].id);
	assert_true(us->up[1].initiator);
	lab_assert_children_match(&us->up[1], &peer->up[1]);
	assert_true(ts_list_equal(&us->up[1].local_ts, &us->up[0].local_ts));
	assert_true(ts_list_equal(&us->up[1].remote_ts, &us->up[0].remote_ts));
	assert_true(ts_list_equal(&peer->up[1].remote_ts, &peer->up[0].remote_ts));
	assert_int_equal(peer->up[1].rule, peer->up[0].rule);
	assert_memory_not_equal(
		us->up[1].key_in.b, us->up[0].key_in.b, us->up[0].key_in.len);
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_down, 1);
		assert_int_equal(lab->side[s].down[0].child, lab->side[s].up[0].id);
		assert_int_equal(lab->side[s].down[0].why, IKE_CLOSE_REPLACED);
		assert_int_equal(lab->side[s].n_closed, 0);
		assert_int_equal(lab_sa(lab, (enum lab_side_name)s)->n_children, 1);
	}
}

/*	A                                          B
 *	N(REKEY_SA), SA, Ni, TSi, TSr, N(T)  -->
 *	                                     <--  SA, Nr, TSi, TSr, N(T)
 *	a second later, since packets may be under way on it: D(old)  -->
 *	                                     <--  D(old)
 */
static void either_side_rekeys_a_child(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(10);
		struct lab_side *peer = &lab->side[1 - by];

		lab_up(lab);
		/* B has to know that A has its answer to IKE_AUTH. */
		assert_int_equal(
			ike_probe(engine(lab, A), lab->now_ms, lab_sa(lab, A)->id),
			IKE_OK);
		lab_run(lab, 10);
		assert_int_equal(ike_rekey_child(lab->side[by].engine, lab->now_ms,
					 first_child(lab, (enum lab_side_name)by)),
			IKE_OK);
		lab_run(lab, 1);
		assert_int_equal(peer->n_up, 2); /* before its response arrives */
		assert_int_equal(peer->n_down, 0);
		lab_run(lab, 1);
		assert_int_equal(lab->side[by].n_up, 2);
		assert_int_equal(lab->side[by].n_down, 0); /* still received on */
		lab_run(lab, 990);
		assert_int_equal(peer->n_down, 0);
		lab_run(lab, 20);
		assert_rekeyed(lab, (enum lab_side_name)by);
		lab_free(lab);
	}
}

static void the_request_names_the_child_by_our_spi(void **state)
{
	struct lab *lab = lab_new(11);
	uint8_t protocol;
	uint32_t spi;

	(void)state;
	lab_up(lab);
	uint32_t in = lab->side[A].up[0].spi_in;
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	struct payload_set set = lab_read(lab, lab_last(lab));
	assert_true(ike_notify_find_child(&set, N_REKEY_SA, &protocol, &spi));
	assert_int_equal(spi, in);
	assert_int_equal(protocol, PROTO_ESP);
	assert_true(ike_notify_find(&set, N_USE_TRANSPORT_MODE, NULL));
	assert_false(payload_set_has(&set, PAYLOAD_KE));
	lab_free(lab);
}

static struct lab_fate lose_from_b(struct lab *lab, const struct lab_datagram *d)
{
	unsigned *left = lab->filter_ctx;

	return (struct lab_fate){
		.copies = !(d->from == B && *left > 0 && (*left)--), .ms = 1};
}

static void a_lost_answer_makes_no_second_child(void **state)
{
	struct lab *lab = lab_new(12);
	unsigned lose = 3;

	(void)state;
	lab_up(lab);
	lab->filter = lose_from_b;
	lab->filter_ctx = &lose;
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 10000);
	assert_rekeyed(lab, A);
	lab_free(lab);
}

static void rekeying_twice_is_rekeying_once(void **state)
{
	struct lab *lab = lab_new(13);

	(void)state;
	lab_up(lab);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
			IKE_OK);
	lab_run(lab, 1500);
	assert_rekeyed(lab, A);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, 4711), IKE_NOT_FOUND);
	lab_free(lab);
}

static void with_a_key_exchange_of_its_own(void **state)
{
	static const struct {
		uint16_t a[2], b[2];
		bool required;
		uint16_t used;
		unsigned messages; /* of A */
	} cases[] = {
		{{KE_CURVE25519}, {KE_CURVE25519}, true, KE_CURVE25519, 1},
		{{KE_CURVE25519, KE_ECP_256}, {KE_ECP_256}, true, KE_ECP_256, 2},
		{{KE_MODP_2048, KE_ECP_256}, {KE_ECP_256, KE_MODP_2048}, true,
			KE_MODP_2048, 1},
		{{KE_CURVE25519}, {KE_NONE}, false, KE_NONE, 1},
		{{KE_NONE}, {KE_CURVE25519}, false, KE_NONE, 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab *lab = lab_new(14);

		if (cases[i].a[0] != KE_NONE)
			set_pfs(&lab->side[A], cases[i].a[0], cases[i].a[1],
				cases[i].required);
		if (cases[i].b[0] != KE_NONE)
			set_pfs(&lab->side[B], cases[i].b[0], cases[i].b[1],
				cases[i].required);
		lab_up(lab);
		assert_int_equal(lab->side[A].up[0].pfs, KE_NONE);
		assert_int_equal(
			ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
			IKE_OK);
		lab_run(lab, 1500);
		assert_rekeyed(lab, A);
		assert_int_equal(lab->side[A].up[1].pfs, cases[i].used);
		assert_int_equal(lab->side[B].up[1].pfs, cases[i].used);
		assert_int_equal(lab->side[A].n_sent, 2 + cases[i].messages + 1);
		lab_free(lab);
	}
}

static void rekeying_that_is_refused_leaves_the_child(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct lab *lab = lab_new(15);
		static const uint16_t notify[] = {
			N_NO_PROPOSAL_CHOSEN, N_TS_UNACCEPTABLE, N_NO_ADDITIONAL_SAS};

		if (how == 0)
			set_pfs(&lab->side[B], KE_CURVE25519, KE_NONE, true);
		lab->side[B].conn.proposals.master_pfs = how == 2;
		lab_up(lab);
		if (how == 1) /* fewer selectors than there are */
			ike_child_first(lab_sa(lab, A))->is.local_ts.at[0].proto = IP_TCP;
		assert_int_equal(
			ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
			IKE_OK);
		lab_run(lab, 100);
		assert_int_equal(lab->side[A].n_refused, 1);
		assert_int_equal(lab->side[A].refused[0].child, lab->side[A].up[0].id);
		assert_int_equal(lab->side[A].refused[0].why.notify, notify[how]);
		assert_int_equal(lab->side[A].n_down + lab->side[B].n_down, 0);
		assert_int_equal(lab_sa(lab, A)->n_children, 1);
		assert_int_equal(lab_sa(lab, B)->n_children, 1);
		lab_free(lab);
	}
}

static void a_master_key_with_one_child_only(void **state)
{
	struct lab *lab = lab_new(16);
	uint32_t child;

	(void)state;
	lab->side[A].conn.proposals.master_pfs = true;
	uint32_t ike = lab_up(lab);
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_NOT_ALLOWED);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_NOT_ALLOWED);
	assert_int_equal(lab->n_log, 4);
	lab_free(lab);
}

/*	A                        B
 *	N(REKEY_SA), ...  -->            B does not have it any more
 *	                  <--  N(CHILD_SA_NOT_FOUND, SPI)
 *	SA, Ni, ...       -->            from scratch
 */
static void a_child_that_the_peer_has_lost(void **state)
{
	struct lab *lab = lab_new(17);
	struct wire_notify n;

	(void)state;
	lab_up(lab);
	struct child *lost = ike_child_first(lab_sa(lab, B));
	uint32_t spi = lost->is.spi_out;
	ike_child_down(engine(lab, B), lost, IKE_CLOSE_DELETED_BY_US);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 1);
	struct payload_set set = lab_read(lab, lab_last(lab));
	assert_int_equal(
		notify_payload_read(payload_set_first(&set, PAYLOAD_NOTIFY)->body, &n),
		WIRE_OK);
	assert_int_equal(n.type, N_CHILD_SA_NOT_FOUND);
	assert_int_equal(n.protocol, PROTO_ESP);
	const uint8_t octets[] = {0, 0, (uint8_t)(spi >> 8), (uint8_t)spi};
	unit_assert_span_equal(n.spi, span_of(octets, sizeof(octets)));
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_down, 1);
	assert_int_equal(lab->side[A].n_up, 2);
	assert_int_equal(lab->side[A].up[1].replaces, 0);
	lab_assert_children_match(&lab->side[A].up[1], &lab->side[B].up[1]);
	lab_free(lab);
}

/* RFC 7296 2.25: not at once, and after several minutes of it the SA is closed. */
static void a_peer_that_is_always_busy(void **state)
{
	struct lab *lab = lab_new(18);

	(void)state;
	lab_up(lab);
	rate_init(&lab_sa(lab, B)->creates, 0, 0, lab->now_ms);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 500);
	assert_int_equal(lab->n_log, 4 + 2);
	assert_int_equal(error_in(lab, lab_last(lab)), N_TEMPORARY_FAILURE);
	lab_run(lab, 1000);
	assert_int_equal(lab->n_log, 4 + 2 + 2);
	lab_run(lab, 170000);
	assert_int_equal(lab->side[A].n_closed, 0);
	assert_in_range(lab->n_log, 4 + 2 * 7, 4 + 2 * 14);
	lab_run(lab, 60000);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REFUSED);
	assert_int_equal(lab->side[A].closed[0].why.notify, N_TEMPORARY_FAILURE);
	assert_int_equal(lab->side[B].n_closed, 1);
	lab_free(lab);
}

static void a_peer_that_was_busy_for_a_while(void **state)
{
	struct lab *lab = lab_new(19);

	(void)state;
	lab_up(lab);
	rate_init(&lab_sa(lab, B)->creates, 0, 0, lab->now_ms);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 10000);
	rate_init(&lab_sa(lab, B)->creates, 100, 100, lab->now_ms);
	lab_run(lab, 30000);
	assert_rekeyed(lab, A);
	lab_free(lab);
}

/*	A                        B
 *	N(REKEY_SA), ...  -->
 *	                  <--  SA, Nr, ...
 *	{}                -->            and no Delete of the old one
 *	                  <--  {}
 *	                  ..   60 s
 *	                  <--  D(old)
 */
static void an_old_child_is_not_kept_for_ever(void **state)
{
	struct lab *lab = lab_new(20);

	(void)state;
	uint32_t ike = lab_up(lab);
	uint32_t old = first_child(lab, A);
	assert_int_equal(ike_rekey_child(engine(lab, A), lab->now_ms, old), IKE_OK);
	lab_run(lab, 1);
	engine(lab, A)->now_ms = lab->now_ms;
	ike_child_deleting(ike_child_by_id(engine(lab, A), old), IKE_CLOSE_REPLACED);
	lab->queue[0].at_ms = UINT64_MAX - 1; /* the answer: A does as if it had come */
	lab->n_queue = 0;
	ike_retransmit_stop(lab_sa(lab, A));
	ike_task_done(engine(lab, A), lab_sa(lab, A));
	assert_int_equal(ike_probe(engine(lab, A), lab->now_ms, ike), IKE_OK);
	lab_run(lab, 59000);
	assert_int_equal(lab->side[B].n_down, 0);
	lab_run(lab, 2000);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab->side[B].down[0].child, lab->side[B].up[0].id);
	assert_int_equal(lab->side[B].down[0].why, IKE_CLOSE_REPLACED);
	lab_free(lab);
}

/* What B was asked for in IKE_AUTH, it does not yet know to have come; the answer about
 * rekeying it shows that, and the Delete need not wait. */
static void the_first_child_is_rekeyed_by_its_responder(void **state)
{
	struct lab *lab = lab_new(21);

	(void)state;
	lab_up(lab);
	assert_int_equal(
		ike_rekey_child(engine(lab, B), lab->now_ms, first_child(lab, B)),
		IKE_OK);
	lab_run(lab, 10500);
	assert_rekeyed(lab, B);
	lab_free(lab);
}

/* ---- rekeying the IKE SA */

static void assert_ike_rekeyed(struct lab *lab, enum lab_side_name by, uint32_t old)
{
	const struct ike_sa *a = lab_sa(lab, A), *b = lab_sa(lab, B);

	for (int s = A; s <= B; s++) {
		const struct lab_side *side = &lab->side[s];

		assert_int_equal(side->n_rekeyed, 1);
		assert_int_equal(side->rekeyed[0].old, old);
		assert_int_equal(side->rekeyed[0].sa.n_children, 1);
		assert_true(side->rekeyed[0].sa.established);
		assert_int_equal(side->rekeyed[0].sa.initiator, s == (int)by);
		assert_int_equal(side->n_closed, 1);
		assert_int_equal(side->closed[0].info.id, old);
		assert_int_equal(side->closed[0].info.n_children, 0);
		assert_int_equal(side->closed[0].why.close, IKE_CLOSE_REPLACED);
		assert_int_equal(side->n_up, 1);
		assert_int_equal(side->n_down, 0);
		assert_int_equal(side->n_established, 1);
		assert_int_equal(lab_count(lab, (enum lab_side_name)s), 1);
	}
	assert_true(a->spi_i == b->spi_i && a->spi_r == b->spi_r);
	assert_int_equal(ike_child_first(a)->is.ike, a->id);
	unit_assert_span_equal(secret_span(&a->sk_d), secret_span(&b->sk_d));
}

/*	A                            B
 *	SA, Ni, KEi       -->
 *	                  <--  SA, Nr, KEr
 *	old: D(IKE)       -->
 *	                  <--  {}
 *	new, ID 0: {}     -->
 *	                  <--  new, ID 0: {}
 */
static void either_side_rekeys_the_ike_sa(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(30);
		struct secret old_d;

		uint32_t old = lab_up(lab);
		old_d = lab_sa(lab, A)->sk_d;
		uint64_t old_spi = lab_sa(lab, A)->spi_i;
		assert_int_equal(
			ike_rekey(lab->side[by].engine, lab->now_ms, old), IKE_OK);
		lab_run(lab, 1);
		assert_int_equal(lab->side[1 - by].n_rekeyed, 1); /* before the answer */
		lab_run(lab, 20000); /* those that linger go, too */
		assert_ike_rekeyed(lab, (enum lab_side_name)by, old);
		assert_true(lab_sa(lab, A)->spi_i != old_spi);
		assert_memory_not_equal(lab_sa(lab, A)->sk_d.b, old_d.b, old_d.len);
		for (int s = A; s <= B; s++) {
			struct ike_sa *sa = lab_sa(lab, (enum lab_side_name)s);

			assert_int_equal(sa->next_out, 0); /* RFC 7296 1.3.2 */
			assert_int_equal(
				ike_probe(lab->side[s].engine, lab->now_ms, sa->id),
				IKE_OK);
			lab_run(lab, 10);
			assert_int_equal(sa->out.bytes.len, 0);
			assert_int_equal(sa->next_out, 1);
		}
		lab_free(lab);
	}
}

static void the_new_ike_sa_does_all_that_the_old_one_did(void **state)
{
	struct lab *lab = lab_new(31);
	uint32_t child;

	(void)state;
	uint32_t old = lab_up(lab);
	assert_int_equal(ike_rekey(engine(lab, B), lab->now_ms, old), IKE_OK);
	/* waits for its turn, and goes along */
	assert_int_equal(ike_create_child(engine(lab, B), lab->now_ms, old,
				 &lab->side[B].conn, &child),
		IKE_OK);
	lab_run(lab, 5000);
	uint32_t ike = lab->side[B].rekeyed[0].sa.id;
	assert_int_equal(lab->side[B].up[1].id, child);
	assert_int_equal(lab->side[B].up[1].ike, ike);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 5000);
	assert_int_equal(lab->side[A].n_up, 3);
	assert_int_equal(ike_delete(engine(lab, A), lab->now_ms,
				 lab->side[A].rekeyed[0].sa.id, 150, 1),
		IKE_OK);
	lab_run(lab, 20000);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	assert_int_equal(lab->side[A].n_down, lab->side[A].n_up);
	assert_int_equal(lab->side[B].n_down, lab->side[B].n_up);
	lab_free(lab);
}

/* What both use for the IKE SA is tried first: one request, and not two. */
static void the_ike_sa_s_group_is_the_first_guess(void **state)
{
	struct lab *lab = lab_new(35);

	(void)state;
	set_pfs(&lab->side[A], KE_ECP_256, KE_CURVE25519, true);
	set_pfs(&lab->side[B], KE_CURVE25519, KE_NONE, true);
	lab_up(lab);
	uint32_t before = lab_sa(lab, A)->next_out;
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 5000);
	assert_int_equal(lab->side[A].up[1].pfs, KE_CURVE25519);
	assert_int_equal(lab_sa(lab, A)->next_out, before + 2); /* and the Delete */
	lab_free(lab);
}

/* As if so many exchanges had been: requests of A. */
static void use_up(struct lab *lab, uint32_t next)
{
	lab_sa(lab, A)->next_out = lab_sa(lab, B)->next_in = next;
}

static void probe_from_a(struct lab *lab, uint32_t ike)
{
	assert_int_equal(ike_probe(engine(lab, A), lab->now_ms, ike), IKE_OK);
	lab_run(lab, 3000);
}

/* RFC 7296 2.2: long before the last message ID a new IKE SA begins with 0. */
static void message_ids_that_end_lead_to_rekeying(void **state)
{
	struct lab *lab = lab_new(47);

	(void)state;
	uint32_t old = lab_up(lab);
	use_up(lab, 0xeffffffe);
	probe_from_a(lab, old);
	assert_int_equal(lab->side[A].n_rekeyed, 0);
	probe_from_a(lab, old);
	assert_ike_rekeyed(lab, A, old);
	assert_int_equal(lab->side[B].n_rekeyed, 1);
	assert_int_equal(lab_sa(lab, A)->next_out, 0);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 2);
	assert_int_equal(lab->side[A].n_down + lab->side[B].n_down, 0);
	lab_free(lab);
}

/* A peer that will not: the SA ends while there are numbers for its Delete. */
static void an_sa_without_message_ids_is_closed(void **state)
{
	struct lab *lab = lab_new(48);

	(void)state;
	uint32_t old = lab_up(lab);
	lab_sa(lab, A)->ids_renewed = lab_sa(lab, B)->ids_renewed = true; /* in vain */
	use_up(lab, 0xfffffefe);
	probe_from_a(lab, old);
	assert_int_equal(lab->side[A].n_closed, 0);
	probe_from_a(lab, old);
	lab_assert_noted(&lab->side[A], "message IDs are used up");
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_WE_REFUSED);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	lab_free(lab);
}

/* The last one would be followed by those that have been. */
static void the_last_message_id_is_not_taken(void **state)
{
	struct lab *lab = lab_new(49);

	(void)state;
	lab_up(lab);
	lab_sa(lab, A)->ids_renewed = true;
	lab_sa(lab, B)->next_in = UINT32_MAX;
	unsigned sent = lab->side[B].n_sent;
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, UINT32_MAX);
	lab_send_crafted(lab, A, &m);
	lab->filter = lab_drop_all;
	lab_run(lab, 1);
	assert_int_equal(lab_sa(lab, B)->next_in, UINT32_MAX);
	assert_true(lab->side[B].n_sent <= sent + 1); /* B's Delete, no answer */
	assert_int_equal(lab_counters(lab, B).wrong_message_id, 1);
	lab_free(lab);
}

static void another_group_and_prf_for_the_new_ike_sa(void **state)
{
	struct lab *lab = lab_new(32);

	(void)state;
	uint32_t old = lab_up(lab);
	struct ike_proposals *a = &lab_sa(lab, A)->conn->proposals;
	struct ike_proposals *b = &lab_sa(lab, B)->conn->proposals;
	a->ike[1] = b->ike[0] = (struct ike_suite){
		.encr = AEAD_AES256_GCM16, .prf = PRF_SHA384, .ke = KE_ECP_256};
	a->n_ike = 2; /* the first guess is wrong: INVALID_KE_PAYLOAD */
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	lab_run(lab, 20000);
	assert_ike_rekeyed(lab, A, old);
	assert_int_equal(lab_sa(lab, A)->suite.prf, PRF_SHA384);
	/* and once more, from the new PRF */
	uint32_t next = lab->side[A].rekeyed[0].sa.id;
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, next), IKE_OK);
	lab_run(lab, 20000);
	assert_int_equal(lab->side[B].n_rekeyed, 2);
	unit_assert_span_equal(
		secret_span(&lab_sa(lab, A)->sk_d), secret_span(&lab_sa(lab, B)->sk_d));
	lab_free(lab);
}

/* Others do not agree on whose PRF expands the keys: it stays, whoever asks, and whatever
 * either side would like better. */
static void the_prf_stays_with_other_makes(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(34);
		uint32_t old = lab_up(lab);

		for (int s = A; s <= B; s++) {
			struct ike_sa *sa = lab_sa(lab, (enum lab_side_name)s);
			struct ike_proposals *p = &sa->conn->proposals;

			p->ike[1] = p->ike[0];
			p->ike[0].prf = PRF_SHA384;
			p->n_ike = 2;
			sa->peer_is_vipsec = s == by; /* who asks offers all */
		}
		assert_int_equal(
			ike_rekey(lab->side[by].engine, lab->now_ms, old), IKE_OK);
		lab_run(lab, 20000);
		assert_ike_rekeyed(lab, (enum lab_side_name)by, old);
		assert_int_equal(lab_sa(lab, A)->suite.prf, PRF_SHA256);
		lab_free(lab);
	}
}

static void rekeying_the_ike_sa_that_is_refused(void **state)
{
	struct lab *lab = lab_new(33);

	(void)state;
	uint32_t old = lab_up(lab);
	lab_sa(lab, B)->conn->proposals.ike[0].prf = PRF_SHA384;
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].child, 0);
	assert_int_equal(lab->side[A].refused[0].why.notify, N_NO_PROPOSAL_CHOSEN);
	assert_int_equal(lab->side[A].n_rekeyed + lab->side[A].n_closed, 0);
	lab_free(lab);
}

/* Our Delete waits for the answer; the answer makes an SA that nobody wants. */
static void the_end_overtakes_rekeying(void **state)
{
	struct lab *lab = lab_new(34);

	(void)state;
	uint32_t old = lab_up(lab);
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	assert_int_equal(ike_delete(engine(lab, A), lab->now_ms, old, 2000, 1), IKE_OK);
	lab_run(lab, 30000);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_down, 1);
		assert_int_equal(
			ike_next_due_ms(engine(lab, (enum lab_side_name)s)), IKE_NEVER);
	}
	lab_free(lab);
}

static void behind_a_nat(void **state)
{
	struct lab *lab = lab_new(35);

	(void)state;
	lab_put_behind_nat(lab, B);
	lab_call(lab, B);
	lab_run(lab, 20);
	uint32_t old = lab_sa(lab, A)->id;
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	lab_run(lab, 20);
	lab->side[B].mapped = 20000;
	uint32_t ike = lab->side[B].rekeyed[0].sa.id;
	assert_int_equal(ike_probe(engine(lab, B), lab->now_ms, ike), IKE_OK);
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_moved, 1);
	assert_int_equal(lab->side[A].moved[0].id, lab->side[A].rekeyed[0].sa.id);
	for (int by = A; by <= B; by++) {
		assert_int_equal(ike_rekey_child(lab->side[by].engine, lab->now_ms,
					 first_child(lab, (enum lab_side_name)by)),
			IKE_OK);
		lab_run(lab, 2000);
	}
	assert_int_equal(lab->side[A].n_up, 3);
	assert_true(lab->side[A].up[2].encap && lab->side[A].up[2].nat_remote);
	assert_int_equal(lab->side[A].up[2].path.remote.port, IKE_NATT_PORT + 20000);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_side_makes_a_further_child),
		cmocka_unit_test(keys_of_a_further_child),
		cmocka_unit_test(children_are_asked_for_one_by_one),
		cmocka_unit_test(further_children_that_are_refused),
		cmocka_unit_test(an_answer_that_we_cannot_take_is_given_back),
		cmocka_unit_test(no_more_children_than_the_limit),
		cmocka_unit_test(either_side_rekeys_a_child),
		cmocka_unit_test(the_request_names_the_child_by_our_spi),
		cmocka_unit_test(a_lost_answer_makes_no_second_child),
		cmocka_unit_test(rekeying_twice_is_rekeying_once),
		cmocka_unit_test(with_a_key_exchange_of_its_own),
		cmocka_unit_test(rekeying_that_is_refused_leaves_the_child),
		cmocka_unit_test(a_master_key_with_one_child_only),
		cmocka_unit_test(a_child_that_the_peer_has_lost),
		cmocka_unit_test(a_peer_that_is_always_busy),
		cmocka_unit_test(a_peer_that_was_busy_for_a_while),
		cmocka_unit_test(an_old_child_is_not_kept_for_ever),
		cmocka_unit_test(the_first_child_is_rekeyed_by_its_responder),
		cmocka_unit_test(either_side_rekeys_the_ike_sa),
		cmocka_unit_test(the_new_ike_sa_does_all_that_the_old_one_did),
		cmocka_unit_test(the_ike_sa_s_group_is_the_first_guess),
		cmocka_unit_test(message_ids_that_end_lead_to_rekeying),
		cmocka_unit_test(an_sa_without_message_ids_is_closed),
		cmocka_unit_test(the_last_message_id_is_not_taken),
		cmocka_unit_test(another_group_and_prf_for_the_new_ike_sa),
		cmocka_unit_test(the_prf_stays_with_other_makes),
		cmocka_unit_test(rekeying_the_ike_sa_that_is_refused),
		cmocka_unit_test(the_end_overtakes_rekeying),
		cmocka_unit_test(behind_a_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
