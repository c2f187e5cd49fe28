/* A data path that does not take an SA: the peer is told, and IKE begins anew, in time. */
#include "node_conf.h"
#include "node_lab.h"

enum { SERVER, CLIENT };

static struct lab *both(void)
{
	struct lab *l = lab_new();

	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	return l;
}

/* The client has packets all the time: it calls whenever it has no SA. */
static void traffic(struct lab *l, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 20) {
		if (l->node[CLIENT].n_child == 0)
			lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
		lab_run(l, 20);
	}
}

static void the_peer_is_told_and_called_again(void **state)
{
	struct lab *l = both();

	(void)state;
	l->node[SERVER].refuses = true;
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 4);
	l->node[SERVER].refuses = false;
	lab_run(l, 1000);
	assert_int_equal(lab_count(l, SERVER, "event child-refused"), 1);
	assert_int_equal(
		lab_count(l, SERVER, "rule \"mail\": the data path does not"), 1);
	assert_int_equal(lab_count(l, CLIENT, "the peer deleted it"), 1);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(lab_peer(l, SERVER).state, PEER_UP);
	assert_string_equal(lab_peer(l, SERVER).reason, "");
	lab_free(l);
}

/* Neither side's eagerness makes it a loop: 0, 2, 4, 8, 16, 32 s lie between. */
static void a_lasting_reason_is_no_loop(void **state)
{
	struct lab *l = both();

	(void)state;
	l->node[SERVER].refuses = true;
	traffic(l, 60000);
	assert_in_range(lab_count(l, SERVER, "event child-refused"), 5, 7);
	assert_in_range(lab_count(l, SERVER, "sa-add"), 5, 7);
	assert_int_equal(lab_peer(l, SERVER).state, PEER_BACKOFF);
	assert_non_null(strstr(lab_peer(l, SERVER).reason, "no memory"));
	lab_free(l);
}

static void one_that_was_taken_ends_the_row(void **state)
{
	struct lab *l = both();
	unsigned before;

	(void)state;
	l->node[SERVER].refuses = true;
	traffic(l, 20000);
	l->node[SERVER].refuses = false;
	traffic(l, 60000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	before = lab_count(l, SERVER, "sa-add");
	l->node[SERVER].refuses = true;
	lab_command(l, CLIENT, NODE_DOWN, NULL);
	traffic(l, 100);
	assert_true(lab_count(l, SERVER, "sa-add") >= before + 2); /* again at once */
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peer_is_told_and_called_again),
		cmocka_unit_test(a_lasting_reason_is_no_loop),
		cmocka_unit_test(one_that_was_taken_ends_the_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
