/* The small values of base/: durations, rates, secrets, entropy, lists. */
#include "unit.h"

#include "base/hostname.h"
#include "base/duration.h"
#include "base/list.h"
#include "base/rate.h"
#include "base/secret.h"

static void duration_reads_its_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} rows[] = {{"0s", 0}, {"150ms", 150}, {"5m", 300000}, {"1h30m", 5400000},
		{"1d1ms", 86400001}, {"3650d", 315360000000}, {"90s", 90000}};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(duration_parse(rows[i].text, &ms));
		assert_true(ms == rows[i].ms);
	}
}

static void malformed_duration_is_refused(void **state)
{
	static const char *const texts[] = {"", "5", "m", "5 m", "5m ", "-5m", "1.5h",
		"5M", "5m5m", "5s5m", "5ms5s", "5x", "3651d", "99999999999999999999999ms",
		"5sm", "3650d1ms", "1m30"};
	uint64_t ms = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(duration_parse(texts[i], &ms));
	assert_true(ms == 7);
}

static void duration_text_is_the_shortest_that_reads_back(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = {{0, "0s"}, {150, "150ms"}, {300000, "5m"}, {90000, "90s"},
		{60000, "1m"}, {86400001, "1d1ms"}, {5400000, "90m"}, {3600000, "1h"}};
	struct seeded_entropy store;
	struct entropy e = unit_entropy(&store);
	char out[DURATION_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(duration_format(rows[i].ms, out), rows[i].text);
	for (int i = 0; i < 10000; i++) {
		uint64_t ms = entropy_u64(&e) % 315360000001U, back;
		assert_true(duration_parse(duration_format(ms, out), &back));
		assert_true(back == ms);
	}
	duration_format(UINT64_MAX, out);
}

static void bucket_empties_and_refills(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 2, 1, 1000);
	assert_true(rate_allow(&r, 1000) && rate_allow(&r, 1000));
	assert_false(rate_allow(&r, 1999));
	assert_true(rate_allow(&r, 2000));
	assert_false(rate_allow(&r, 2000));
	assert_true(rate_allow(&r, UINT64_MAX) && rate_allow(&r, UINT64_MAX));
	assert_false(rate_allow(&r, UINT64_MAX));
	assert_true(r.refused == 3);
}

/* What is done anyway may cost more than there is: the rest is forgiven. */
static void a_bucket_is_charged(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 10, 5, 0);
	assert_true(rate_has(&r, 10, 0) && rate_has(&r, 10, 0));
	assert_false(rate_has(&r, 11, 0));
	rate_charge(&r, 7, 0);
	assert_true(rate_has(&r, 3, 0));
	assert_false(rate_has(&r, 4, 199));
	assert_true(rate_has(&r, 4, 200));
	rate_charge(&r, 1000, 200);
	assert_false(rate_has(&r, 1, 399));
	assert_true(rate_has(&r, 1, 400));
	assert_true(r.refused == 0);
}

static void slow_rates_and_odd_clocks_do_no_harm(void **state)
{
	struct rate never, r;

	(void)state;
	rate_init(&never, 1, 0, 0);
	assert_true(rate_allow(&never, 0));
	assert_false(rate_allow(&never, UINT64_MAX));
	rate_init(&r, 1, 1, 5000);
	assert_true(rate_allow(&r, 5000));
	assert_false(rate_allow(&r, 10)); /* a clock that went back brings nothing */
	for (uint64_t now = 5001; now < 6000; now++)
		assert_false(rate_allow(&r, now));
	assert_true(rate_allow(&r, 6000));
}

static void secret_keeps_and_forgets(void **state)
{
	static uint8_t big[SECRET_MAX + 1];
	struct secret s;

	(void)state;
	assert_true(secret_set(&s, span_text("key")));
	assert_true(secret_equal(secret_span(&s), span_text("key")));
	assert_false(secret_equal(secret_span(&s), span_text("kez")));
	assert_false(secret_equal(secret_span(&s), span_text("ke")));
	secret_wipe(&s);
	assert_int_equal(s.len, 0);
	assert_int_equal(s.b[0] | s.b[1] | s.b[2], 0);
	assert_true(secret_set(&s, span_of(big, SECRET_MAX)));
	assert_false(secret_set(&s, span_of(big, SECRET_MAX + 1)));
	assert_int_equal(s.len, 0);
}

static void one_seed_gives_one_stream(void **state)
{
	struct seeded_entropy sa, sb;
	struct entropy a = entropy_seeded(&sa, 42), b = entropy_seeded(&sb, 42);
	struct entropy other = entropy_seeded(&(struct seeded_entropy){0}, 43);

	(void)state;
	uint64_t first = entropy_u64(&a);
	assert_true(first == entropy_u64(&b));
	assert_true(first != entropy_u64(&other));
	assert_true(first != entropy_u64(&a));
}

static void below_reaches_all_and_only_its_range(void **state)
{
	struct seeded_entropy store;
	struct entropy e = unit_entropy(&store);
	unsigned seen[7] = {0};

	(void)state;
	for (int i = 0; i < 7000; i++)
		seen[entropy_below(&e, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 800, 1200);
	assert_int_equal(entropy_below(&e, 1), 0);
}

static void jitter_stays_in_its_band(void **state)
{
	struct seeded_entropy store;
	struct entropy e = unit_entropy(&store);
	uint64_t lowest = UINT64_MAX, highest = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint64_t v = entropy_jitter(&e, 1000, 10);
		lowest = v < lowest ? v : lowest;
		highest = v > highest ? v : highest;
	}
	assert_in_range(lowest, 900, 910);
	assert_in_range(highest, 1090, 1100);
	assert_true(entropy_jitter(&e, 5, 10) == 5);
	assert_true(entropy_jitter(&e, 1000, 0) == 1000);
}

static void list_survives_removal_while_walked(void **state)
{
	struct row {
		int v;
		struct list at;
	} rows[3] = {{.v = 1}, {.v = 2}, {.v = 3}};
	struct list head;
	int sum = 0;

	(void)state;
	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_add(&head, &rows[i].at);
	list_each_safe(item, &head)
	{
		sum += list_entry(item, struct row, at)->v;
		list_del(item);
	}
	assert_int_equal(sum, 6);
	assert_true(list_empty(&head));
	list_del(&rows[0].at);
}

static void names_of_hosts(void **state)
{
	static const char *const good[] = {"gw", "gw.example.net", "GW.Example.NET.",
		"a-1.b", "1a", "4.example", "xn--bcher-kva.example"};
	static const char *const bad[] = {"", ".", "a..b", ".a", "a.b..", "-a", "a-",
		"a_b.c", "192.0.2.1", "192.0.2.300", "a b", "1.2", "12", "*.example",
		"user@host", "2001:db8::1", "a.b-.c"};
	char out[HOSTNAME_MAX], text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(hostname_parse(good[i], out));
	assert_true(hostname_parse("GW.Example.NET.", out));
	assert_string_equal(out, "gw.example.net");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(hostname_parse(bad[i], out));
	assert_string_equal(out, "gw.example.net"); /* untouched */
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	assert_true(hostname_parse(text, out));
	text[63] = 'a';
	text[64] = '\0';
	assert_false(hostname_parse(text, out)); /* a label of 64 */
	for (size_t i = 0; i < 300; i++)
		text[i] = i % 2 ? '.' : 'a';
	text[253] = '\0';
	assert_true(hostname_parse(text, out));
	text[253] = '.';
	text[255] = '\0';
	assert_false(hostname_parse(text, out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(duration_reads_its_units),
		cmocka_unit_test(malformed_duration_is_refused),
		cmocka_unit_test(duration_text_is_the_shortest_that_reads_back),
		cmocka_unit_test(bucket_empties_and_refills),
		cmocka_unit_test(a_bucket_is_charged),
		cmocka_unit_test(slow_rates_and_odd_clocks_do_no_harm),
		cmocka_unit_test(secret_keeps_and_forgets),
		cmocka_unit_test(one_seed_gives_one_stream),
		cmocka_unit_test(below_reaches_all_and_only_its_range),
		cmocka_unit_test(jitter_stays_in_its_band),
		cmocka_unit_test(list_survives_removal_while_walked),
		cmocka_unit_test(names_of_hosts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
