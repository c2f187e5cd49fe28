/* test_xfrm_mending.c - the kernel's SAs are not what they should be: events got lost, somebody
 * has changed or taken away what is ours, a request has failed.
 */
#include "xfrm_lab.h"

#include <errno.h>
#include <poll.h>

#include "os/clock.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"

enum { STRAY = 0x9001, STRANGER = 0x9002 };

static int begin(void **state)
{
	lab_set_up(state);
	lab_give_policy(NULL);
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	lab_add_child(OFFLOAD_NO);
	(void)lab_usage();
	(void)plane_touched(lab_plane);
	return 0;
}

static bool is_touched(void)
{
	struct pollfd fd = {.fd = plane_touched_fd(lab_plane), .events = POLLIN};

	return poll(&fd, 1, 0) == 1 && plane_touched(lab_plane) == PLANE_TOUCHED;
}

/* As the daemon does it when it is told. */
static struct plane_found mend(void)
{
	struct plane_found found;

	assert_true(is_touched());
	plane_mend(lab_plane, &found);
	return found;
}

static void hear(enum event_kind kind)
{
	fake_event(kind);
	lab_no_more(PLANE_REFUSED);
}

/* Not just a little while ago. */
static void look(void)
{
	const uint64_t begun_ms = clock_now_ms();

	while (lab_usage().as_of_ms <= begun_ms)
		continue;
}

static struct fake_sa *incoming(void)
{
	return fake_find_sa(&lab_own, LAB_SPI_IN);
}

static struct fake_sa *outgoing(void)
{
	return fake_find_sa(&lab_peer, LAB_SPI_OUT);
}

static void vanish(struct fake_sa *sa)
{
	assert_non_null(sa);
	*sa = fake.sas[--fake.n_sas];
}

/* ---- what others do, or the kernel ---------------------------------------------------- */

static void what_was_lost_is_made_up_for(void **state)
{
	(void)state;
	fake_add_sa(&lab_peer, STRAY, REQID_FIRST + 5, SELECT_USER);
	fake_add_sa(&lab_peer, STRANGER, REQID_FIRST + 5, 0);
	fake_add_sa(&lab_peer, 0, REQID_ASK, 0);
	hear(EVENT_LOST);
	struct plane_found found = mend();
	assert_int_equal(found.deeds, 0);
	assert_false(found.again);
	assert_null(fake_find_sa(&lab_peer, STRAY));
	assert_non_null(fake_find_sa(&lab_peer, STRANGER));
	assert_int_equal(fake.n_ended, 1); /* so that it is asked for again */
	assert_true(incoming() && outgoing());
	lab_no_more(PLANE_NOTICE);
}

/* Somebody has deleted it, and has one of his own there. */
static void one_with_another_in_its_place_ends(void **state)
{
	(void)state;
	outgoing()->sa.info.saddr.a4 ^= 1;
	hear(EVENT_SAS);
	assert_int_equal(mend().deeds, PLANE_DEED_SAS);
	assert_int_equal(lab_next(PLANE_NOTICE).u.notice.kind, ESP_SEQ_HARD);
	plane_sa_delete(lab_plane, LAB_CHILD);
	assert_true(!incoming() && !outgoing());
}

/* A device takes those that were handed to it with it when it goes down. */
static void one_that_goes_without_a_word_is_missed(void **state)
{
	(void)state;
	vanish(outgoing());
	look();
	assert_int_equal(mend().deeds, PLANE_DEED_SAS);
	assert_int_equal(lab_next(PLANE_NOTICE).u.notice.kind, ESP_SEQ_HARD);
	look(); /* once is enough, however long its child stays */
	lab_no_more(PLANE_NOTICE);
	assert_false(is_touched());
}

static void one_that_is_nobodys_is_seen(void **state)
{
	(void)state;
	fake_add_sa(&lab_peer, STRAY, REQID_FIRST + 5, SELECT_USER);
	look();
	assert_int_equal(mend().deeds, 0);
	assert_null(fake_find_sa(&lab_peer, STRAY));
}

/* It is gone, and that it has come to its end waits to be read: nobody has taken it away. */
static void one_that_has_come_to_its_end_is_not_missed(void **state)
{
	struct kernel_event end = {
		.kind = EVENT_EXPIRE, .sa = {lab_peer, LAB_SPI_OUT, false}, .hard = true};

	(void)state;
	vanish(outgoing());
	fake_say(&end);
	plane_usage_query(lab_plane);
	assert_int_equal(lab_next(PLANE_NOTICE).u.notice.kind, ESP_SEQ_HARD);
	look();
	lab_no_more(PLANE_NOTICE);
	assert_false(is_touched());
}

static void a_soft_limit_is_told(void **state)
{
	struct kernel_event soft = {
		.kind = EVENT_EXPIRE, .sa = {lab_peer, LAB_SPI_OUT, false}};

	(void)state;
	fake_say(&soft);
	assert_int_equal(lab_next(PLANE_NOTICE).u.notice.kind, ESP_SEQ_SOFT);
	assert_non_null(outgoing());
}

/* ---- what the kernel does not do ------------------------------------------------------------ */

/* As long as one half is there the kernel sends with it. */
static void a_gate_is_closed_when_its_sas_are_gone(void **state)
{
	(void)state;
	fake.delete_error = EIO;
	(void)plane_gate_close(lab_plane, LAB_SCOPE);
	lab_expect_words(lab_next(PLANE_TROUBLED).u.trouble.why, "does not delete SAs",
		"Input/output error");
	plane_usage_query(lab_plane);
	lab_no_more(PLANE_GATE_CLOSED);
	uint32_t turn = plane_gate_close(lab_plane, LAB_SCOPE);
	fake.delete_error = 0;
	assert_int_equal(lab_await(PLANE_GATE_CLOSED).u.gate.turn, turn - 1);
	assert_int_equal(lab_next(PLANE_GATE_CLOSED).u.gate.turn, turn);
	assert_null(outgoing());
	assert_non_null(incoming());
}

/* Whether or not its child is still known. */
static void nor_is_one_closed_whose_children_were_deleted(void **state)
{
	struct plane_found found;

	(void)state;
	fake.delete_error = EIO;
	(void)plane_gate_close(lab_plane, LAB_SCOPE);
	plane_sa_delete(lab_plane, LAB_CHILD);
	assert_non_null(outgoing());
	for (int i = 0; i < 2; i++) { /* as long as that is so, it is said */
		plane_mend(lab_plane, &found);
		assert_true(found.again);
		bool said = false;
		for (size_t k = 0; k < found.n; k++)
			said |= found.at[k].scope == LAB_SCOPE;
		assert_true(said);
		lab_no_more(PLANE_GATE_CLOSED);
	}
	fake.delete_error = 0;
	plane_mend(lab_plane, &found);
	lab_next(PLANE_GATE_CLOSED);
	assert_null(outgoing());
}

/* It is open again before the kernel has done as it was told: what it sends with stays. */
static void an_open_gate_is_not_closed_later(void **state)
{
	(void)state;
	fake.delete_error = EIO;
	(void)plane_gate_close(lab_plane, LAB_SCOPE);
	plane_gate_open(lab_plane, LAB_SCOPE, 2);
	fake.delete_error = 0;
	lab_await(PLANE_GATE_CLOSED);
	assert_non_null(outgoing());
}

static void a_half_that_does_not_go_is_deleted_later(void **state)
{
	(void)state;
	fake.delete_error = EIO;
	plane_sa_delete(lab_plane, LAB_CHILD);
	assert_true(incoming() && outgoing());
	struct plane_found found = mend();
	assert_true(found.again);
	fake.delete_error = 0;
	plane_mend(lab_plane, &found);
	assert_false(found.again);
	assert_true(!incoming() && !outgoing());
}

/* A window that begins anew would take again what has been taken. */
static void one_whose_window_is_not_known_does_not_move(void **state)
{
	const struct endpoint there = {.addr = addr_v4(198, 51, 100, 2)};

	(void)state;
	fake.replay_error = EIO;
	plane_sa_move(lab_plane, LAB_CHILD, &there, false);
	assert_int_equal(lab_next(PLANE_REFUSED).u.refused.id, LAB_CHILD);
	assert_int_equal(incoming()->sa.info.saddr.a4, select_addr(&lab_peer).a4);
	plane_sa_delete(lab_plane, LAB_CHILD);
	assert_int_equal(fake.n_sas, 0);
}

#define MENDING_TEST(name) cmocka_unit_test_setup_teardown(name, begin, lab_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MENDING_TEST(what_was_lost_is_made_up_for),
		MENDING_TEST(one_with_another_in_its_place_ends),
		MENDING_TEST(one_that_goes_without_a_word_is_missed),
		MENDING_TEST(one_that_is_nobodys_is_seen),
		MENDING_TEST(one_that_has_come_to_its_end_is_not_missed),
		MENDING_TEST(a_soft_limit_is_told),
		MENDING_TEST(a_gate_is_closed_when_its_sas_are_gone),
		MENDING_TEST(nor_is_one_closed_whose_children_were_deleted),
		MENDING_TEST(an_open_gate_is_not_closed_later),
		MENDING_TEST(a_half_that_does_not_go_is_deleted_later),
		MENDING_TEST(one_whose_window_is_not_known_does_not_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
