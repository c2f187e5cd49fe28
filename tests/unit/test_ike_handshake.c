/* tests/unit/test_ike_handshake.c - IKE_SA_INIT and IKE_AUTH to the end, with every suite,
 * mode and kind of path (RFC 7296 1.2, 2.15, 2.17, 2.23).
 */
#include "ike_lab.h"

static void assert_both_up(struct lab *lab)
{
	assert_int_equal(lab->side[A].n_established, 1);
	assert_int_equal(lab->side[B].n_established, 1);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(lab->side[A].n_closed, 0);
	assert_int_equal(lab->side[B].n_closed, 0);
	lab_assert_children_match(&lab->side[A].up[0], &lab->side[B].up[0]);
}

/*	A                                        B
 *	IKE_SA_INIT  -->
 *	             <--  IKE_SA_INIT
 *	IKE_AUTH     -->
 *	             <--  IKE_AUTH
 */
static void four_messages_bring_both_up(void **state)
{
	struct lab *lab = lab_new(1);

	(void)state;
	uint32_t id = lab_call(lab, A);
	lab_run(lab, 10);
	assert_both_up(lab);
	assert_int_equal(lab->n_log, 4);
	assert_int_equal(lab->side[A].established[0].id, id);
	assert_true(lab->side[A].established[0].initiator);
	assert_false(lab->side[B].established[0].initiator);
	assert_true(lab->side[B].established[0].established);
	assert_string_equal(lab->side[B].established[0].state, "up");
	assert_int_equal(
		lab->side[A].established[0].spi_r, lab->side[B].established[0].spi_r);
	assert_int_equal(lab->side[A].up[0].rule, 7);
	assert_false(lab->side[A].up[0].encap);
	assert_int_equal(lab->side[A].established[0].path.remote.port, IKE_PORT);
	assert_string_equal(lab->side[A].notes, "");
	lab_free(lab);
}

static void either_side_may_call(void **state)
{
	struct lab *lab = lab_new(2);

	(void)state;
	lab_call(lab, B);
	lab_run(lab, 10);
	assert_both_up(lab);
	assert_true(lab->side[B].up[0].initiator);
	lab_free(lab);
}

static void one_suite(
	const struct ike_suite *suite, enum aead_alg esp, enum lab_side_name caller)
{
	struct lab *lab = lab_new(3);

	for (int s = A; s <= B; s++) {
		lab->side[s].conn.proposals.ike[0] = *suite;
		lab->side[s].conn.proposals.esp[0] = esp;
	}
	lab_call(lab, caller);
	lab_run(lab, 10);
	assert_both_up(lab);
	for (int s = A; s <= B; s++) {
		const struct ike_suite *agreed = &lab->side[s].established[0].suite;

		assert_int_equal(agreed->encr, suite->encr);
		assert_int_equal(agreed->prf, suite->prf);
		assert_int_equal(agreed->ke, suite->ke);
	}
	assert_int_equal(lab->side[A].up[0].alg, esp);
	lab_free(lab);
}

static void every_suite_in_both_roles(void **state)
{
	static const enum aead_alg ciphers[] = {
		AEAD_AES128_GCM16, AEAD_AES256_GCM16, AEAD_CHACHA20_POLY1305};
	static const enum prf_alg prfs[] = {PRF_SHA256, PRF_SHA384};
	static const uint16_t groups[] = {KE_CURVE25519, KE_ECP_256, KE_MODP_2048};

	(void)state;
	for (unsigned c = 0; c < 3; c++)
		for (unsigned p = 0; p < 2; p++)
			for (unsigned g = 0; g < 3; g++) {
				struct ike_suite suite = {.encr = ciphers[c],
					.prf = prfs[p],
					.ke = groups[g]};

				one_suite(&suite, ciphers[c], A);
				one_suite(&suite, ciphers[2 - c], B);
			}
}

/* RFC 7296 2.14, 3.14: with integrity keys of their own, in both SAs. */
static void a_cipher_with_separate_integrity(void **state)
{
	static const struct ike_suite suites[] = {
		{.encr = AEAD_AES128_SHA256, .prf = PRF_SHA256, .ke = KE_MODP_3072},
		{.encr = AEAD_AES256_SHA384, .prf = PRF_SHA384, .ke = KE_ECP_384},
		{.encr = AEAD_AES256_SHA512, .prf = PRF_SHA512, .ke = KE_CURVE448},
		{.encr = AEAD_AES256_SHA256, .prf = PRF_SHA512, .ke = KE_ECP_521},
		{.encr = AEAD_AES128_SHA512, .prf = PRF_SHA256, .ke = KE_MODP_4096},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		one_suite(&suites[i], suites[i].encr, A);
		one_suite(&suites[i], AEAD_AES128_GCM16, B);
	}
}

static void the_responders_preference_decides(void **state)
{
	struct lab *lab = lab_new(4);
	struct ike_proposals *a = &lab->side[A].conn.proposals;
	struct ike_proposals *b = &lab->side[B].conn.proposals;

	(void)state;
	a->n_ike = b->n_ike = a->n_esp = b->n_esp = 2;
	a->ike[0] = b->ike[1] = (struct ike_suite){
		.encr = AEAD_AES128_GCM16, .prf = PRF_SHA256, .ke = KE_CURVE25519};
	a->ike[1] = b->ike[0] = (struct ike_suite){
		.encr = AEAD_AES256_GCM16, .prf = PRF_SHA384, .ke = KE_CURVE25519};
	a->esp[0] = b->esp[1] = AEAD_AES128_GCM16;
	a->esp[1] = b->esp[0] = AEAD_CHACHA20_POLY1305;
	lab_up(lab);
	assert_both_up(lab);
	assert_int_equal(lab->side[A].established[0].suite.encr, AEAD_AES256_GCM16);
	assert_int_equal(lab->side[A].up[0].alg, AEAD_CHACHA20_POLY1305);
	lab_free(lab);
}

static void long_sequence_numbers_when_both_want_them(void **state)
{
	(void)state;
	for (int a = 0; a <= 1; a++)
		for (int b = 0; b <= 1; b++) {
			struct lab *lab = lab_new(5);

			lab->side[A].conn.proposals.esn = a;
			lab->side[B].conn.proposals.esn = b;
			lab_up(lab);
			assert_both_up(lab);
			assert_int_equal(lab->side[A].up[0].esn, a && b);
			lab_free(lab);
		}
}

static void tunnel_mode_with_narrowed_selectors(void **state)
{
	struct lab *lab = lab_new(6);
	struct prefix wide, narrow;
	struct ts t;

	(void)state;
	assert_true(prefix_parse("10.0.0.0/8", &wide));
	assert_true(prefix_parse("10.1.0.0/16", &narrow));
	for (int s = A; s <= B; s++)
		lab_set_mode(&lab->side[s], POLICY_TUNNEL);
	lab->side[A].conn.remote_ts.at[0] = ts_prefix(&wide);
	lab->side[B].conn.local_ts.at[0] = ts_prefix(&narrow);
	lab->side[B].conn.remote_ts.at[0] = ts_any(ADDR_V4);
	lab_up(lab);
	assert_both_up(lab);
	t = ts_prefix(&narrow);
	assert_int_equal(lab->side[A].up[0].mode, POLICY_TUNNEL);
	assert_true(ts_equal(&lab->side[A].up[0].remote_ts.at[0], &t));
	assert_true(ts_equal(&lab->side[B].up[0].local_ts.at[0], &t));
	t = ts_host(&lab->side[A].addr);
	assert_true(ts_equal(&lab->side[B].up[0].remote_ts.at[0], &t));
	lab_free(lab);
}

static void transport_mode_asks_for_its_own_addresses_only(void **state)
{
	struct lab *lab = lab_new(7);
	struct ts host;

	(void)state;
	for (int s = A; s <= B; s++) {
		lab->side[s].conn.local_ts.at[0] = ts_any(ADDR_V4);
		lab->side[s].conn.remote_ts.at[0] = ts_any(ADDR_V4);
	}
	lab_up(lab);
	assert_both_up(lab);
	host = ts_host(&lab->side[A].addr);
	assert_true(ts_equal(&lab->side[A].up[0].local_ts.at[0], &host));
	assert_true(ts_equal(&lab->side[B].up[0].remote_ts.at[0], &host));
	lab_free(lab);
}

static void over_ipv6(void **state)
{
	struct lab *lab = lab_new(14);

	(void)state;
	lab_use_v6(lab);
	lab_up(lab);
	assert_both_up(lab);
	assert_int_equal(lab->side[A].up[0].local_ts.at[0].lo.family, ADDR_V6);
	assert_false(lab->side[A].up[0].encap);
	assert_int_equal(lab->side[B].established[0].remote_id.type, ID_IPV6_ADDR);
	lab_free(lab);

	lab = lab_new(14);
	lab_use_v6(lab);
	lab->side[B].conn.force_encap = true;
	lab_up(lab);
	assert_both_up(lab);
	assert_true(lab->side[A].up[0].encap);
	lab_free(lab);
}

/* ---- NAT: RFC 7296 2.23, 2.23.1 */

/* In transport mode both ends have selectors of the addresses that they see. */
static void assert_seen_selectors(const struct lab *lab)
{
	for (int s = A; s <= B; s++) {
		const struct lab_side *side = &lab->side[s], *peer = &lab->side[1 - s];
		struct ts local = ts_host(&side->addr), remote = ts_host(&peer->outside);

		assert_true(ts_equal(&side->up[0].local_ts.at[0], &local));
		assert_true(ts_equal(&side->up[0].remote_ts.at[0], &remote));
	}
}

static void behind_nat(bool nat_a, bool nat_b, enum lab_side_name caller)
{
	struct lab *lab = lab_new(8);

	if (nat_a)
		lab_put_behind_nat(lab, A);
	if (nat_b)
		lab_put_behind_nat(lab, B);
	if (nat_b && caller == A)
		lab->side[B].mapped = 0; /* else nobody could call it */
	lab_call(lab, caller);
	lab_run(lab, 10);
	assert_both_up(lab);
	assert_true(lab->side[A].up[0].encap);
	assert_int_equal(lab->side[A].up[0].nat_local, nat_a);
	assert_int_equal(lab->side[A].up[0].nat_remote, nat_b);
	assert_int_equal(lab->side[B].up[0].nat_local, nat_b);
	assert_int_equal(lab->side[B].up[0].nat_remote, nat_a);
	assert_seen_selectors(lab);
	assert_true(lab->side[A].up[0].path.natt);
	assert_int_equal(lab->side[A].up[0].path.local.port, IKE_NATT_PORT);
	assert_int_equal(
		lab->side[A].up[0].path.remote.port, IKE_NATT_PORT + lab->side[B].mapped);
	assert_int_equal(lab->side[B].up[0].path.local.port, IKE_NATT_PORT);
	lab_free(lab);
}

static void a_nat_is_found_on_either_side_or_both(void **state)
{
	(void)state;
	behind_nat(true, false, A);
	behind_nat(true, false, B);
	behind_nat(false, true, A);
	behind_nat(false, true, B);
	behind_nat(true, true, B);
}

static void forced_encapsulation_by_either_side(void **state)
{
	(void)state;
	for (int s = A; s <= B; s++)
		for (int caller = A; caller <= B; caller++) {
			struct lab *lab = lab_new(9);

			lab->side[s].conn.force_encap = true;
			lab_call(lab, (enum lab_side_name)caller);
			lab_run(lab, 10);
			assert_both_up(lab);
			assert_true(lab->side[A].up[0].encap);
			assert_true(lab->side[A].up[0].path.natt);
			assert_true(lab->side[B].up[0].path.natt);
			assert_seen_selectors(lab);
			lab_free(lab);
		}
}

static void a_call_may_begin_at_port_4500(void **state)
{
	struct lab *lab = lab_new(10);

	(void)state;
	lab_put_behind_nat(lab, B);
	lab->side[A].conn.path.natt = true;
	lab->side[A].conn.path.local.port = IKE_NATT_PORT;
	lab->side[A].conn.path.remote.port = (uint16_t)(IKE_NATT_PORT + 10000);
	lab_up(lab);
	assert_both_up(lab);
	assert_true(lab->side[A].up[0].encap);
	assert_int_equal(lab->side[A].up[0].path.remote.port, IKE_NATT_PORT + 10000);
	lab_free(lab);
}

static void port_4500_without_a_nat_is_not_encapsulated(void **state)
{
	struct lab *lab = lab_new(11);

	(void)state;
	lab->side[A].conn.path.natt = true;
	lab->side[A].conn.path.local.port = IKE_NATT_PORT;
	lab->side[A].conn.path.remote.port = IKE_NATT_PORT;
	lab_up(lab);
	assert_both_up(lab);
	assert_false(lab->side[A].up[0].encap);
	lab_free(lab);
}

/* ---- what the peer says about itself counts once it is authenticated */

static void vendor_ids_are_told_when_established(void **state)
{
	struct lab *lab = lab_new(12);

	(void)state;
	lab->side[A].conn.nlbs = true;
	lab_up(lab);
	assert_true(lab->side[B].established[0].peer_nlbs);
	assert_false(lab->side[A].established[0].peer_nlbs);
	assert_true(lab->side[A].established[0].peer_is_vipsec);
	assert_true(lab->side[B].established[0].peer_is_vipsec);
	lab_assert_noted(&lab->side[B], "Vid-Initial-Contact");
	lab_free(lab);

	lab = lab_new(12);
	lab->side[A].conn.nlbs = true;
	lab_call(lab, B);
	lab_run(lab, 10);
	assert_true(lab->side[B].established[0].peer_nlbs);
	lab_free(lab);
}

static void any_identity_that_has_the_key(void **state)
{
	struct lab *lab = lab_new(13);

	(void)state;
	assert_true(identity_parse("mail.example", &lab->side[A].conn.local_id));
	lab->side[B].conn.remote_any = true;
	lab->side[A].conn.remote_any = true;
	lab_up(lab);
	assert_both_up(lab);
	assert_true(identity_equal(
		&lab->side[B].established[0].remote_id, &lab->side[A].conn.local_id));
	assert_true(identity_equal(
		&lab->side[A].established[0].remote_id, &lab->side[B].conn.local_id));
	lab_free(lab);
}

/* ---- one seed, one run */

static void one_seed_gives_the_same_octets(void **state)
{
	struct lab *first = lab_new(77), *again = lab_new(77), *another = lab_new(78);

	(void)state;
	lab_up(first);
	lab_up(again);
	lab_up(another);
	assert_int_equal(first->n_log, again->n_log);
	for (unsigned i = 0; i < first->n_log; i++)
		unit_assert_span_equal(span_of(first->log[i].bytes, first->log[i].len),
			span_of(again->log[i].bytes, again->log[i].len));
	assert_memory_not_equal(first->log[0].bytes, another->log[0].bytes, 28);
	lab_free(first);
	lab_free(again);
	lab_free(another);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_messages_bring_both_up),
		cmocka_unit_test(either_side_may_call),
		cmocka_unit_test(every_suite_in_both_roles),
		cmocka_unit_test(a_cipher_with_separate_integrity),
		cmocka_unit_test(the_responders_preference_decides),
		cmocka_unit_test(long_sequence_numbers_when_both_want_them),
		cmocka_unit_test(tunnel_mode_with_narrowed_selectors),
		cmocka_unit_test(transport_mode_asks_for_its_own_addresses_only),
		cmocka_unit_test(over_ipv6),
		cmocka_unit_test(a_nat_is_found_on_either_side_or_both),
		cmocka_unit_test(forced_encapsulation_by_either_side),
		cmocka_unit_test(a_call_may_begin_at_port_4500),
		cmocka_unit_test(port_4500_without_a_nat_is_not_encapsulated),
		cmocka_unit_test(vendor_ids_are_told_when_established),
		cmocka_unit_test(any_identity_that_has_the_key),
		cmocka_unit_test(one_seed_gives_the_same_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
