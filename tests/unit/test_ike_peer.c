/* tests/unit/test_ike_peer.c - where the peer is, and what is left when it is forgotten (RFC 7296 2.11, 2.23). */
#include "ike_seen.h"

#include <stdlib.h>

#include "wire/notify_payload.h"

static void a_peer_behind_a_nat_is_followed(void **state)
{
	struct lab *lab = lab_new(28);

	(void)state;
	lab_put_behind_nat(lab, B);
	lab_call(lab, B);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_moved, 0);
	lab->side[B].mapped = 20000; /* the NAT has forgotten, and maps anew */
	assert_int_equal(
		ike_probe(lab->side[B].engine, lab->now_ms, lab_sa(lab, B)->id), IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_moved, 1);
	assert_int_equal(lab->side[A].moved[0].path.remote.port, IKE_NATT_PORT + 20000);
	assert_int_equal(lab_sa(lab, B)->out.bytes.len, 0); /* and it was answered */
	lab_free(lab);
}

static void a_peer_without_nat_stays_where_it_is(void **state)
{
	struct lab *lab = lab_new(29);

	(void)state;
	lab_up(lab);
	lab->side[A].outside = addr_v4(192, 0, 2, 99);
	lab->side[A].mapped = 5;
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab->side[B].n_moved, 0);
	/* The answer goes to where the request came from (RFC 7296 2.11). */
	assert_int_equal(lab_last(lab)->from, B);
	assert_true(addr_equal(&lab_last(lab)->path.local.addr, &lab->side[A].addr));
	assert_int_equal(lab_sa(lab, B)->path.remote.port, IKE_PORT);
	lab_free(lab);
}

static void the_data_path_moves_a_peer(void **state)
{
	struct lab *lab = lab_new(30);
	struct endpoint there = {.addr = addr_v4(203, 0, 113, 9), .port = 4711};
	struct ike_info info;

	(void)state;
	uint32_t id = lab_up(lab);
	assert_int_equal(ike_move(lab->side[A].engine, id, &there), IKE_OK);
	assert_true(ike_view(lab->side[A].engine, id, &info));
	assert_true(endpoint_equal(&info.path.remote, &there));
	assert_int_equal(ike_move(lab->side[A].engine, id + 9, &there), IKE_NOT_FOUND);
	lab_free(lab);
}

static void another_scope_is_another_world(void **state)
{
	struct lab *lab = lab_new(31);

	(void)state;
	uint32_t id = lab_up(lab);
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab->queue[0].path.scope = 3;
	lab_run(lab, 10);
	assert_int_equal(lab_counters(lab, B).unknown_spi, 1);
	lab_free(lab);
}

static void forgetting_is_silent(void **state)
{
	struct lab *lab = lab_new(32);

	(void)state;
	uint32_t id = lab_up(lab);
	unsigned sent = lab->side[A].n_sent;
	assert_int_equal(ike_forget(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	assert_int_equal(lab->side[A].n_down, 1);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_FORGOTTEN);
	assert_int_equal(lab->side[A].n_sent, sent);
	assert_int_equal(ike_forget(lab->side[A].engine, lab->now_ms, id), IKE_NOT_FOUND);
	ike_forget_scope(lab->side[B].engine, lab->now_ms, 1);
	assert_int_equal(lab_count(lab, B), 1);
	ike_forget_scope(lab->side[B].engine, lab->now_ms, 0);
	assert_true(list_empty(&lab->side[B].engine->sas));
	assert_int_equal(lab->side[B].n_closed, 1);
	lab_free(lab);
}

static void nothing_is_left_of_the_keys(void **state)
{
	struct lab *lab = lab_new(33);

	(void)state;
	lab_up(lab);
	for (int s = A; s <= B; s++) {
		const struct ike_sa *sa = lab_sa(lab, (enum lab_side_name)s);

		assert_int_equal(sa->conn->psk.len, 0);
		assert_int_equal(sa->sk_pi.len + sa->sk_pr.len, 0);
		const struct ike_child *c = &ike_child_first(sa)->is;
		assert_int_equal(c->key_in.len + c->key_out.len, 0);
		assert_null(sa->kex);
		assert_int_equal(sa->init_request.len + sa->init_response.len, 0);
	}
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_behind_a_nat_is_followed),
		cmocka_unit_test(a_peer_without_nat_stays_where_it_is),
		cmocka_unit_test(the_data_path_moves_a_peer),
		cmocka_unit_test(another_scope_is_another_world),
		cmocka_unit_test(forgetting_is_silent),
		cmocka_unit_test(nothing_is_left_of_the_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
