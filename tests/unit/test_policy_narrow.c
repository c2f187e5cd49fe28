/* What a responder keeps of the peer's traffic selectors (RFC 7296 2.9). */
#include "unit.h"

#include "base/iana.h"
#include "policy/policy.h"

static struct ts selector(const char *prefix, uint8_t proto, uint16_t lo, uint16_t hi)
{
	struct prefix p;

	assert_true(prefix_parse(prefix, &p));
	struct ts t = ts_prefix(&p);
	t.proto = proto;
	t.port_lo = lo;
	t.port_hi = hi;
	return t;
}

static struct ts whole(const char *prefix)
{
	return selector(prefix, IP_ANY, 0, UINT16_MAX);
}

static struct ts tcp_port(const char *prefix, uint16_t port)
{
	return selector(prefix, IP_TCP, port, port);
}

static struct ts tcp(const char *prefix)
{
	return selector(prefix, IP_TCP, 0, UINT16_MAX);
}

static void add(struct spd *s, struct ts local, struct ts remote,
	enum policy_action action, enum policy_mode mode, uint32_t rule)
{
	struct spd_entry e = {
		.local = local,
		.remote = remote,
		.action = action,
		.mode = mode,
		.mirrored = true,
		.rule = rule,
		.binding = rule,
	};
	assert_int_equal(spd_add(s, &e), POLICY_OK);
}

static struct spd *sealed(struct spd *s)
{
	const struct spd_entry *a, *b;

	assert_int_equal(spd_seal(s, &a, &b), POLICY_OK);
	return s;
}

static struct ts_list list_of(unsigned n, const struct ts *items)
{
	struct ts_list l = {.n = 0};

	for (unsigned i = 0; i < n; i++)
		assert_true(ts_list_add(&l, &items[i]));
	return l;
}
#define LIST(...)                                                       \
	list_of(sizeof((struct ts[]){__VA_ARGS__}) / sizeof(struct ts), \
		(struct ts[]){__VA_ARGS__})

static void assert_list(const struct ts_list *got, struct ts_list want)
{
	assert_true(ts_list_equal(got, &want));
}

/* Mail ports protected for one network, everything else of the VIP in another rule. */
static struct spd *two_rules(void)
{
	struct spd *s = spd_new();

	add(s, tcp_port("192.0.2.10", 110), tcp("198.51.100.0/24"), POLICY_NEGOTIATE,
		POLICY_TRANSPORT, 1);
	add(s, tcp_port("192.0.2.10", 143), tcp("198.51.100.0/24"), POLICY_NEGOTIATE,
		POLICY_TRANSPORT, 1);
	add(s, whole("192.0.2.10"), whole("0.0.0.0/0"), POLICY_NEGOTIATE,
		POLICY_TRANSPORT, 2);
	return sealed(s);
}

static void a_proposal_inside_a_rule_is_kept_as_it_is(void **state)
{
	(void)state;
	struct spd *s = two_rules();
	struct ts_list ours = LIST(tcp_port("192.0.2.10", 143));
	struct ts_list theirs = LIST(tcp("198.51.100.20"));
	struct ts_list o, t;

	const struct spd_entry *e =
		spd_narrow(s, POLICY_TRANSPORT, &ours, &theirs, &o, &t);
	assert_int_equal(e->rule, 1);
	assert_list(&o, ours);
	assert_list(&t, theirs);
	spd_free(s);
}

static void a_wide_proposal_is_narrowed_to_all_pairs_of_the_rule(void **state)
{
	(void)state;
	struct spd *s = spd_new();

	add(s, tcp_port("192.0.2.10", 110), tcp("198.51.100.0/24"), POLICY_NEGOTIATE,
		POLICY_TRANSPORT, 1);
	add(s, tcp_port("192.0.2.10", 143), tcp("198.51.100.0/24"), POLICY_NEGOTIATE,
		POLICY_TRANSPORT, 1);
	sealed(s);

	struct ts_list ours = LIST(whole("192.0.2.10"));
	struct ts_list theirs = LIST(whole("198.51.100.20"));
	struct ts_list o, t;

	assert_non_null(spd_narrow(s, POLICY_TRANSPORT, &ours, &theirs, &o, &t));
	assert_list(&o, LIST(tcp_port("192.0.2.10", 110), tcp_port("192.0.2.10", 143)));
	assert_list(&t, LIST(tcp("198.51.100.20")));
	spd_free(s);
}

static void the_first_pair_decides_which_rule(void **state)
{
	(void)state;
	struct spd *s = two_rules();
	/* the packet that made the peer call, then all it would like */
	struct ts_list ours = LIST(tcp_port("192.0.2.10", 143), whole("192.0.2.10"));
	struct ts_list theirs = LIST(
		selector("198.51.100.20", IP_TCP, 40000, 40000), whole("198.51.100.20"));
	struct ts_list o, t;

	const struct spd_entry *e =
		spd_narrow(s, POLICY_TRANSPORT, &ours, &theirs, &o, &t);
	assert_int_equal(e->rule, 1);
	assert_true(ts_contains(&o.at[0], &ours.at[0]));
	spd_free(s);
}

static void a_first_pair_that_fits_a_wide_rule_is_kept_whole(void **state)
{
	(void)state;
	struct spd *s = two_rules();
	struct ts_list ours = LIST(whole("192.0.2.10"));
	struct ts_list theirs = LIST(whole("198.51.100.20"));
	struct ts_list o, t;

	assert_int_equal(
		spd_narrow(s, POLICY_TRANSPORT, &ours, &theirs, &o, &t)->rule, 2);
	assert_list(&o, ours);
	spd_free(s);
}

static void nothing_in_common_is_unacceptable(void **state)
{
	(void)state;
	struct spd *s = two_rules();
	struct ts_list ours = LIST(whole("192.0.2.99"));
	struct ts_list theirs = LIST(whole("198.51.100.20"));
	struct ts_list none = {.n = 0};
	struct ts_list o, t;

	assert_null(spd_narrow(s, POLICY_TRANSPORT, &ours, &theirs, &o, &t));
	assert_null(spd_narrow(s, POLICY_TRANSPORT, &none, &theirs, &o, &t));
	assert_null(spd_narrow(s, POLICY_TRANSPORT, &ours, &none, &o, &t));
	spd_free(s);
}

static void a_rule_of_the_other_mode_is_no_match(void **state)
{
	(void)state;
	struct spd *s = two_rules();
	struct ts_list ours = LIST(tcp_port("192.0.2.10", 143));
	struct ts_list theirs = LIST(tcp("198.51.100.20"));
	struct ts_list o, t;

	assert_null(spd_narrow(s, POLICY_TUNNEL, &ours, &theirs, &o, &t));
	spd_free(s);
}

static void what_is_blocked_or_permitted_is_not_negotiated(void **state)
{
	(void)state;
	struct spd *s = spd_new();
	struct ts_list ours = LIST(whole("192.0.2.10"));
	struct ts_list o, t;

	add(s, whole("192.0.2.10"), whole("0.0.0.0/0"), POLICY_NEGOTIATE,
		POLICY_TRANSPORT, 1);
	add(s, whole("192.0.2.10"), whole("198.51.100.0/24"), POLICY_BLOCK,
		POLICY_TRANSPORT, 2);
	add(s, whole("192.0.2.10"), whole("203.0.113.7"), POLICY_PERMIT, POLICY_TRANSPORT,
		3);
	sealed(s);

	struct ts_list blocked = LIST(whole("198.51.100.20"));
	struct ts_list in_clear = LIST(whole("203.0.113.7"));
	struct ts_list fine = LIST(whole("203.0.113.8"));
	assert_null(spd_narrow(s, POLICY_TRANSPORT, &ours, &blocked, &o, &t));
	assert_null(spd_narrow(s, POLICY_TRANSPORT, &ours, &in_clear, &o, &t));
	assert_non_null(spd_narrow(s, POLICY_TRANSPORT, &ours, &fine, &o, &t));
	spd_free(s);
}

static void both_families_of_one_rule_share_a_child_sa(void **state)
{
	(void)state;
	struct spd *s = spd_new();

	add(s, whole("192.0.2.10"), whole("0.0.0.0/0"), POLICY_NEGOTIATE, POLICY_TUNNEL,
		1);
	add(s, whole("2001:db8::10"), whole("::/0"), POLICY_NEGOTIATE, POLICY_TUNNEL, 1);
	sealed(s);

	struct ts_list ours = LIST(whole("0.0.0.0/0"), whole("::/0"));
	struct ts_list theirs = LIST(whole("198.51.100.20"), whole("2001:db8:1::20"));
	struct ts_list o, t;

	assert_non_null(spd_narrow(s, POLICY_TUNNEL, &ours, &theirs, &o, &t));
	assert_list(&o, LIST(whole("192.0.2.10"), whole("2001:db8::10")));
	assert_list(&t, LIST(whole("198.51.100.20"), whole("2001:db8:1::20")));
	spd_free(s);
}

static void combinations_outside_the_rule_are_left_out(void **state)
{
	(void)state;
	struct spd *s = spd_new();

	/* one rule: a to b and c to d, but never a to d */
	add(s, whole("10.0.1.0/24"), whole("10.8.1.0/24"), POLICY_NEGOTIATE,
		POLICY_TUNNEL, 1);
	add(s, whole("10.0.2.0/24"), whole("10.8.2.0/24"), POLICY_NEGOTIATE,
		POLICY_TUNNEL, 1);
	sealed(s);

	struct ts_list wide = LIST(whole("0.0.0.0/0"));
	struct ts_list o, t;

	assert_non_null(spd_narrow(s, POLICY_TUNNEL, &wide, &wide, &o, &t));
	assert_list(&o, LIST(whole("10.0.1.0/24")));
	assert_list(&t, LIST(whole("10.8.1.0/24")));
	spd_free(s);
}

static void a_protocol_named_on_one_side_holds_for_both(void **state)
{
	(void)state;
	struct spd *s = two_rules();
	struct ts_list ours = LIST(whole("192.0.2.10"));
	struct ts_list theirs = LIST(selector("198.51.100.20", IP_UDP, 0, UINT16_MAX));
	struct ts_list o, t;

	assert_non_null(spd_narrow(s, POLICY_TRANSPORT, &ours, &theirs, &o, &t));
	assert_int_equal(o.at[0].proto, IP_UDP);
	assert_int_equal(t.at[0].proto, IP_UDP);
	spd_free(s);
}

static const char *const locals[] = {"10.0.0.0/30", "10.0.0.0/31", "10.0.0.1"};
static const char *const remotes[] = {"0.0.0.0/0", "10.8.0.0/16", "10.8.0.1"};

/* One draw a statement: the order of drawing must not be the compiler's choice. */
static void add_random(struct spd *s, const struct entropy *e)
{
	struct ts local = tcp_port(locals[entropy_below(e, 3)], 143);
	struct ts remote = tcp(remotes[entropy_below(e, 3)]);
	enum policy_action action = (enum policy_action)entropy_below(e, 3);

	add(s, local, remote, action, POLICY_TRANSPORT, entropy_below(e, 2));
}

/* Whatever is proposed: a subset of the proposal, and inside the rule chosen. */
static void the_answer_is_a_subset_of_proposal_and_rule(void **state)
{
	(void)state;
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 30);
	unsigned chosen = 0;

	for (unsigned run = 0; run < 3000; run++) {
		struct spd *s = spd_new();
		struct ts_list lists[2] = {{.n = 0}, {.n = 0}}, o, t;
		const struct spd_entry *a, *b;

		for (uint32_t i = 0; i < 1 + entropy_below(&e, 5); i++)
			add_random(s, &e);
		for (unsigned i = 0; i < 1 + entropy_below(&e, 3); i++) {
			struct ts l = whole(locals[entropy_below(&e, 3)]);
			struct ts r = tcp(remotes[entropy_below(&e, 3)]);
			assert_true(ts_list_add(&lists[0], &l));
			assert_true(ts_list_add(&lists[1], &r));
		}
		const struct spd_entry *got =
			spd_seal(s, &a, &b) != POLICY_OK
				? NULL
				: spd_narrow(s, POLICY_TRANSPORT, &lists[0], &lists[1],
					  &o, &t);
		for (unsigned k = 0; got != NULL && k < o.n * t.n; k++) {
			struct ts *l = &o.at[k / t.n], *r = &t.at[k % t.n];
			bool in_rule = false, offered_l = false, offered_r = false;

			for (size_t i = 0; i < spd_count(s); i++)
				in_rule |= spd_at(s, i)->rule == got->rule &&
					   ts_contains(&spd_at(s, i)->local, l) &&
					   ts_contains(&spd_at(s, i)->remote, r);
			for (unsigned i = 0; i < lists[0].n; i++) {
				offered_l |= ts_contains(&lists[0].at[i], l);
				offered_r |= ts_contains(&lists[1].at[i], r);
			}
			assert_true(in_rule && offered_l && offered_r);
		}
		if (got != NULL) {
			assert_true(o.n > 0 && t.n > 0);
			assert_int_equal(got->action, POLICY_NEGOTIATE);
			chosen++;
		}
		spd_free(s);
	}
	assert_true(chosen > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proposal_inside_a_rule_is_kept_as_it_is),
		cmocka_unit_test(a_wide_proposal_is_narrowed_to_all_pairs_of_the_rule),
		cmocka_unit_test(the_first_pair_decides_which_rule),
		cmocka_unit_test(a_first_pair_that_fits_a_wide_rule_is_kept_whole),
		cmocka_unit_test(nothing_in_common_is_unacceptable),
		cmocka_unit_test(a_rule_of_the_other_mode_is_no_match),
		cmocka_unit_test(what_is_blocked_or_permitted_is_not_negotiated),
		cmocka_unit_test(both_families_of_one_rule_share_a_child_sa),
		cmocka_unit_test(combinations_outside_the_rule_are_left_out),
		cmocka_unit_test(a_protocol_named_on_one_side_holds_for_both),
		cmocka_unit_test(the_answer_is_a_subset_of_proposal_and_rule),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
