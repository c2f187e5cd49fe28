/* The ordered SPD: which entry wins, what is refused, and that a lookup gives what a
 * walk without any order would give.
 */
#include "unit.h"

#include "base/iana.h"
#include "policy/policy.h"

#include <stdio.h>

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

static struct ts any_port(const char *prefix, uint8_t proto)
{
	return selector(prefix, proto, 0, UINT16_MAX);
}

static struct spd_entry entry(
	struct ts local, struct ts remote, enum policy_action action, uint32_t rule)
{
	struct spd_entry e = {
		.local = local,
		.remote = remote,
		.action = action,
		.mirrored = true,
		.rule = rule,
		.binding = rule,
	};
	snprintf(e.rule_name, sizeof(e.rule_name), "rule-%u", rule);
	return e;
}

static void add(struct spd *s, struct spd_entry e)
{
	assert_int_equal(spd_add(s, &e), POLICY_OK);
}

static void seal(struct spd *s)
{
	const struct spd_entry *a, *b;

	assert_int_equal(spd_seal(s, &a, &b), POLICY_OK);
	assert_null(a);
	assert_null(b);
}

static struct flow tcp_flow(const char *local, uint16_t lport, const char *remote)
{
	return (struct flow){
		.local = unit_addr(local),
		.remote = unit_addr(remote),
		.proto = IP_TCP,
		.ports_known = true,
		.local_port = lport,
		.remote_port = 40000,
	};
}

/* The VIP's typical policy: mail protected, one admin host in clear, the rest blocked. */
static struct spd *mail_spd(void)
{
	struct spd *s = spd_new();
	struct ts vip = any_port("192.0.2.10", IP_ANY);

	add(s, entry(vip, any_port("0.0.0.0/0", IP_ANY), POLICY_BLOCK, 0));
	add(s, entry(selector("192.0.2.10", IP_TCP, 143, 143),
		       any_port("198.51.100.0/24", IP_TCP), POLICY_NEGOTIATE, 1));
	add(s, entry(vip, any_port("198.51.100.7", IP_ANY), POLICY_PERMIT, 2));
	seal(s);
	return s;
}

static void the_most_specific_entry_wins(void **state)
{
	(void)state;
	struct spd *s = mail_spd();
	struct flow peer = tcp_flow("192.0.2.10", 143, "198.51.100.20");
	struct flow admin = tcp_flow("192.0.2.10", 143, "198.51.100.7");
	struct flow other = tcp_flow("192.0.2.10", 25, "198.51.100.20");

	assert_int_equal(spd_lookup(s, POLICY_IN, &peer)->rule, 1);
	assert_int_equal(spd_lookup(s, POLICY_OUT, &admin)->rule, 2);
	assert_int_equal(spd_lookup(s, POLICY_IN, &other)->rule, 0);
	spd_free(s);
}

static void the_most_specific_entry_stands_first(void **state)
{
	(void)state;
	struct spd *s = mail_spd();

	assert_int_equal(spd_count(s), 3);
	assert_int_equal(spd_at(s, 0)->rule, 2);
	assert_int_equal(spd_at(s, 1)->rule, 1);
	assert_int_equal(spd_at(s, 2)->rule, 0);
	spd_free(s);
}

static void what_no_entry_covers_has_no_verdict(void **state)
{
	(void)state;
	struct spd *s = mail_spd();
	struct flow f = tcp_flow("192.0.2.99", 143, "198.51.100.20");

	assert_null(spd_lookup(s, POLICY_OUT, &f));
	spd_free(s);
}

static void an_empty_spd_covers_nothing(void **state)
{
	(void)state;
	struct spd *s = spd_new();
	struct flow f = tcp_flow("192.0.2.10", 143, "198.51.100.20");

	seal(s);
	assert_null(spd_lookup(s, POLICY_OUT, &f));
	spd_free(s);
}

static void one_way_entries_judge_only_what_leaves(void **state)
{
	(void)state;
	struct spd *s = spd_new();
	struct spd_entry e = entry(any_port("192.0.2.10", IP_ANY),
		any_port("0.0.0.0/0", IP_ANY), POLICY_BLOCK, 0);
	struct flow f = tcp_flow("192.0.2.10", 143, "198.51.100.20");

	e.mirrored = false;
	add(s, e);
	seal(s);
	assert_non_null(spd_lookup(s, POLICY_OUT, &f));
	assert_null(spd_lookup(s, POLICY_IN, &f));
	spd_free(s);
}

static void of_overlapping_port_ranges_the_stricter_action_wins(void **state)
{
	(void)state;
	struct spd *s = spd_new();
	struct ts net = any_port("198.51.100.0/24", IP_TCP);
	struct flow f = tcp_flow("192.0.2.10", 160, "198.51.100.20");

	add(s, entry(selector("192.0.2.10", IP_TCP, 100, 200), net, POLICY_PERMIT, 0));
	add(s, entry(selector("192.0.2.10", IP_TCP, 150, 250), net, POLICY_NEGOTIATE, 1));
	seal(s);
	assert_int_equal(spd_lookup(s, POLICY_OUT, &f)->rule, 1);
	spd_free(s);
}

/* ---- refused --------------------------------------------------------------- */

static void assert_contradiction(struct spd_entry first, struct spd_entry second)
{
	struct spd *s = spd_new();
	const struct spd_entry *a, *b;

	add(s, first);
	add(s, entry(any_port("192.0.2.10", IP_ANY), any_port("203.0.113.0/24", IP_ANY),
		       POLICY_PERMIT, 77));
	add(s, second);
	assert_int_equal(spd_seal(s, &a, &b), POLICY_CONTRADICTION);
	assert_true((a->rule == first.rule && b->rule == second.rule) ||
		    (b->rule == first.rule && a->rule == second.rule));
	spd_free(s);
}

static void equal_selectors_with_another_action_contradict(void **state)
{
	(void)state;
	struct ts l = any_port("192.0.2.10", IP_ANY), r = any_port("0.0.0.0/0", IP_ANY);

	assert_contradiction(entry(l, r, POLICY_BLOCK, 1), entry(l, r, POLICY_PERMIT, 2));
}

static void equal_selectors_with_another_authentication_contradict(void **state)
{
	(void)state;
	struct ts l = any_port("192.0.2.10", IP_ANY), r = any_port("0.0.0.0/0", IP_ANY);

	assert_contradiction(
		entry(l, r, POLICY_NEGOTIATE, 1), entry(l, r, POLICY_NEGOTIATE, 2));
}

static void equal_entries_of_one_binding_are_kept_once(void **state)
{
	(void)state;
	struct ts l = any_port("192.0.2.10", IP_ANY), r = any_port("0.0.0.0/0", IP_ANY);
	struct spd *s = spd_new();
	struct spd_entry twin = entry(l, r, POLICY_NEGOTIATE, 2);

	twin.binding = 1;
	add(s, twin);
	add(s, entry(l, r, POLICY_NEGOTIATE, 1));
	seal(s);
	assert_int_equal(spd_count(s), 1);
	assert_int_equal(spd_at(s, 0)->rule, 1);
	spd_free(s);
}

static void two_permits_never_contradict(void **state)
{
	(void)state;
	struct ts l = any_port("192.0.2.10", IP_ANY), r = any_port("0.0.0.0/0", IP_ANY);
	struct spd *s = spd_new();

	add(s, entry(l, r, POLICY_PERMIT, 1));
	add(s, entry(l, r, POLICY_PERMIT, 2));
	seal(s);
	assert_int_equal(spd_count(s), 1);
	spd_free(s);
}

static void the_number_of_entries_is_bounded(void **state)
{
	(void)state;
	struct spd *s = spd_new();
	struct spd_entry e = entry(any_port("192.0.2.10", IP_TCP),
		any_port("0.0.0.0/0", IP_TCP), POLICY_PERMIT, 0);
	enum policy_err err = POLICY_OK;
	unsigned added = 0;

	while (err == POLICY_OK && added < 100000) {
		e.local.port_lo = e.local.port_hi = (uint16_t)added++;
		err = spd_add(s, &e);
	}
	assert_int_equal(err, POLICY_FULL);
	spd_free(s);
}

static void a_copy_outlives_its_original(void **state)
{
	(void)state;
	struct spd *s = mail_spd();
	struct spd *copy = spd_dup(s);
	struct flow f = tcp_flow("192.0.2.10", 143, "198.51.100.20");

	spd_free(s);
	assert_int_equal(spd_count(copy), 3);
	assert_int_equal(spd_lookup(copy, POLICY_OUT, &f)->rule, 1);
	spd_free(copy);
}

/* ---- properties over random SPDs ------------------------------------------- */

/* Few addresses, protocols and ports, so that selectors nest and overlap a lot. */
static struct ts random_ts(const struct entropy *e, bool v6)
{
	struct prefix p = {.addr = {.family = v6 ? ADDR_V6 : ADDR_V4}};
	static const uint8_t bits[] = {0, 8, 30, 31, 32};

	p.addr.b[0] = 10;
	p.addr.b[3] = (uint8_t)entropy_below(e, 4);
	p.bits = bits[entropy_below(e, 5)];
	p.addr = prefix_first(&p);
	return ts_prefix(&p);
}

static void random_ports(const struct entropy *e, struct ts *t)
{
	if (t->proto == IP_ANY || entropy_below(e, 2) == 0)
		return;
	t->port_lo = (uint16_t)entropy_below(e, 8);
	t->port_hi = (uint16_t)(t->port_lo + entropy_below(e, 4));
}

/* One draw a statement: the order of drawing must not be the compiler's choice. */
static struct spd_entry random_entry(const struct entropy *e, uint32_t rule)
{
	static const uint8_t protos[] = {IP_ANY, IP_TCP, IP_UDP};
	bool v6 = entropy_below(e, 4) == 0;
	struct ts local = random_ts(e, v6);
	struct ts remote = random_ts(e, v6);
	enum policy_action action = (enum policy_action)entropy_below(e, 3);
	struct spd_entry en;

	local.proto = remote.proto = protos[entropy_below(e, 3)];
	random_ports(e, &local);
	random_ports(e, &remote);
	en = entry(local, remote, action, rule);
	en.mirrored = entropy_below(e, 4) != 0;
	return en;
}

static struct flow random_flow(const struct entropy *e)
{
	uint8_t family = entropy_below(e, 4) == 0 ? ADDR_V6 : ADDR_V4;
	struct flow f = {.local = {.family = family}, .remote = {.family = family}};

	f.proto = entropy_below(e, 2) ? IP_TCP : IP_UDP;
	f.ports_known = entropy_below(e, 8) != 0;
	f.local_port = (uint16_t)entropy_below(e, 12);
	f.remote_port = (uint16_t)entropy_below(e, 12);
	f.local.b[0] = f.remote.b[0] = 10;
	f.local.b[3] = (uint8_t)entropy_below(e, 4);
	f.remote.b[3] = (uint8_t)entropy_below(e, 4);
	return f;
}

/* No order, no early exit: of all that cover the flow, one that none is more specific
 * than, and of those the strictest. */
static bool naive_lookup(const struct spd_entry *all, size_t n, enum policy_direction d,
	const struct flow *f, enum policy_action *out)
{
	static const int strict[] = {
		[POLICY_PERMIT] = 0, [POLICY_NEGOTIATE] = 1, [POLICY_BLOCK] = 2};
	const struct spd_entry *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct spd_entry *e = &all[i];
		bool covers = ts_matches(&e->local, &f->local, f->proto, f->ports_known,
				      f->local_port) &&
			      ts_matches(&e->remote, &f->remote, f->proto, f->ports_known,
				      f->remote_port);

		if (!covers || (d == POLICY_IN && !e->mirrored))
			continue;
		int c = best == NULL ? -1 : spd_specificity(e, best);
		if (c < 0 || (c == 0 && strict[e->action] > strict[best->action]))
			best = e;
	}
	if (best != NULL)
		*out = best->action;
	return best != NULL;
}

enum { SPDS = 400, ENTRIES = 24, FLOWS = 200 };

static size_t fill(struct spd *s, struct spd_entry *all, const struct entropy *e)
{
	size_t n = 1 + entropy_below(e, ENTRIES);

	for (size_t i = 0; i < n; i++) {
		all[i] = random_entry(e, (uint32_t)i);
		add(s, all[i]);
	}
	return n;
}

static void lookup_equals_a_naive_reference(void **state)
{
	(void)state;
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 20);
	unsigned sealed = 0, hits = 0;

	for (unsigned run = 0; run < SPDS; run++) {
		struct spd_entry all[ENTRIES];
		struct spd *s = spd_new();
		size_t n = fill(s, all, &e);
		const struct spd_entry *a, *b;

		if (spd_seal(s, &a, &b) != POLICY_OK) {
			spd_free(s);
			continue;
		}
		sealed++;
		for (unsigned k = 0; k < FLOWS; k++) {
			struct flow f = random_flow(&e);
			enum policy_direction d = k & 1 ? POLICY_IN : POLICY_OUT;
			enum policy_action want = POLICY_PERMIT;
			bool covered = naive_lookup(all, n, d, &f, &want);
			const struct spd_entry *got = spd_lookup(s, d, &f);

			assert_int_equal(got != NULL, covered);
			if (covered)
				assert_int_equal(got->action, want);
			hits += covered;
		}
		spd_free(s);
	}
	/* the generator must not have gone dull */
	assert_true(sealed > SPDS / 4 && hits > sealed * FLOWS / 4);
}

static void a_contradiction_is_found_exactly_when_there_is_one(void **state)
{
	(void)state;
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 21);
	unsigned refused = 0;

	for (unsigned run = 0; run < 4 * SPDS; run++) {
		struct spd_entry all[ENTRIES];
		struct spd *s = spd_new();
		size_t n = fill(s, all, &e);
		const struct spd_entry *a, *b;
		bool want = false;

		for (size_t k = 0; k < n * n; k++) {
			const struct spd_entry *x = &all[k / n], *y = &all[k % n];

			want |= x->mirrored == y->mirrored &&
				ts_equal(&x->local, &y->local) &&
				ts_equal(&x->remote, &y->remote) &&
				(x->action != y->action ||
					(x->action == POLICY_NEGOTIATE &&
						x->binding != y->binding));
		}
		assert_int_equal(spd_seal(s, &a, &b) == POLICY_CONTRADICTION, want);
		refused += want;
		spd_free(s);
	}
	assert_true(refused > 100 && refused < 4 * SPDS - 100);
}

static void what_lies_inside_another_entry_is_more_specific(void **state)
{
	(void)state;
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 22);
	unsigned nested = 0;

	for (unsigned run = 0; run < 20000; run++) {
		struct spd_entry in = random_entry(&e, 0), out = random_entry(&e, 1);

		if (in.mirrored != out.mirrored || !ts_contains(&out.local, &in.local) ||
			!ts_contains(&out.remote, &in.remote))
			continue;
		nested++;
		bool equal = ts_equal(&in.local, &out.local) &&
			     ts_equal(&in.remote, &out.remote);
		assert_int_equal(spd_specificity(&in, &out) < 0, !equal);
		assert_int_equal(spd_specificity(&out, &in) > 0, !equal);
	}
	assert_true(nested > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_specific_entry_wins),
		cmocka_unit_test(the_most_specific_entry_stands_first),
		cmocka_unit_test(what_no_entry_covers_has_no_verdict),
		cmocka_unit_test(an_empty_spd_covers_nothing),
		cmocka_unit_test(one_way_entries_judge_only_what_leaves),
		cmocka_unit_test(of_overlapping_port_ranges_the_stricter_action_wins),
		cmocka_unit_test(equal_selectors_with_another_action_contradict),
		cmocka_unit_test(equal_selectors_with_another_authentication_contradict),
		cmocka_unit_test(equal_entries_of_one_binding_are_kept_once),
		cmocka_unit_test(two_permits_never_contradict),
		cmocka_unit_test(the_number_of_entries_is_bounded),
		cmocka_unit_test(a_copy_outlives_its_original),
		cmocka_unit_test(lookup_equals_a_naive_reference),
		cmocka_unit_test(a_contradiction_is_found_exactly_when_there_is_one),
		cmocka_unit_test(what_lies_inside_another_entry_is_more_specific),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
