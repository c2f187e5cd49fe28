/* Whole configurations against what is expected of them: tests/vectors/config/.
 *
 * bad/NAME.conf must be refused with exactly the lines of bad/NAME.out; good/NAME.conf
 * must be accepted with the warnings and the SPDs of good/NAME.out. After a change that
 * is meant, VIPSEC_GOLDEN=write writes the .out files anew, to be read in the diff.
 */
#include "unit.h"

#include "config_files.h"
#include "policy/explain.h"

#include <dirent.h>
#include <stdlib.h>

enum { FILE_TEXT_MAX = 65536, PATH_TEXT_MAX = 512 };

static size_t read_text(const char *path, char *out)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		fail_msg("%s cannot be read", path);
	size_t n = fread(out, 1, FILE_TEXT_MAX - 1, f);
	fclose(f);
	out[n] = '\0';
	return n;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static const char *tags_text(const struct spd_entry *e, char out[64])
{
	const struct policy_tags *t = &e->tags;
	int n = 0;

	out[0] = '\0';
	if (e->action != POLICY_NEGOTIATE)
		return out;
	if (t->mask != 0)
		n = snprintf(out, 64, " mark 0x%x/0x%x", t->mark, t->mask);
	if (t->if_id != 0)
		snprintf(out + n, 64 - (size_t)n, " if-id %u", t->if_id);
	return out;
}

static void add_entry(
	struct reported *r, const struct config *c, const struct spd_entry *e)
{
	char line[600], tags[64], local[TS_TEXT_MAX], remote[TS_TEXT_MAX],
		address[ADDR_TEXT_MAX];
	const char *to = c->rules[e->rule].tunnel_name;

	if (addr_is_set(&e->tunnel_to))
		to = addr_format(&e->tunnel_to, address);
	snprintf(line, sizeof(line), "  %s %s %s: %s%s%s%s%s%s (rule %u, binding %u)",
		ts_format(&e->local, local), e->mirrored ? "<->" : "->",
		ts_format(&e->remote, remote), policy_action_name(e->action),
		e->action == POLICY_NEGOTIATE ? " " : "",
		e->action == POLICY_NEGOTIATE ? policy_mode_name(e->mode) : "",
		to[0] ? " to " : "", to, tags_text(e, tags), e->rule, e->binding);
	keep_line(r, line);
}

static void add_scopes(struct reported *r, const struct config *c)
{
	for (uint16_t scope = 0; scope <= config_host_scope(c); scope++) {
		struct spd *s = config_spd(c, scope);
		char line[100];

		if (s == NULL)
			continue;
		if (scope == config_host_scope(c))
			snprintf(line, sizeof(line), "host");
		else
			snprintf(line, sizeof(line), "vip %s", c->vips[scope].name);
		keep_line(r, line);
		for (size_t i = 0; i < spd_count(s); i++)
			add_entry(r, c, spd_at(s, i));
		spd_free(s);
	}
}

static void compare(const char *folder, const char *name, bool good)
{
	static char text[FILE_TEXT_MAX], want[FILE_TEXT_MAX];
	static struct reported r;
	char path[PATH_TEXT_MAX];
	const char *mode = getenv("VIPSEC_GOLDEN");

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	size_t len = read_text(path, text);
	struct config *c = parse_as(name, span_of(text, len), &r);
	if (c != NULL)
		add_scopes(&r, c);
	if ((c != NULL) != good)
		fail_msg("%s is %s:\n%s", path, good ? "refused" : "accepted", r.text);
	config_free(c);

	snprintf(strrchr(path, '.'), 5, ".out");
	if (mode != NULL && strcmp(mode, "write") == 0)
		write_text(path, r.text);
	read_text(path, want);
	if (strcmp(want, r.text) != 0)
		print_error("%s does not hold what was reported\n", path);
	assert_string_equal(r.text, want);
}

static void compare_folder(const char *folder, bool good, unsigned at_least)
{
	DIR *dir = opendir(folder);
	unsigned seen = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		const char *dot = strrchr(e->d_name, '.');

		if (dot == NULL || strcmp(dot, ".conf") != 0)
			continue;
		compare(folder, e->d_name, good);
		seen++;
	}
	closedir(dir);
	assert_true(seen >= at_least);
}

static void good_configurations_mean_what_is_expected(void **state)
{
	(void)state;
	compare_folder(VECTORS "/good", true, 8);
}

static void bad_configurations_are_refused_with_the_expected_words(void **state)
{
	(void)state;
	compare_folder(VECTORS "/bad", false, 20);
}

/* What the documents show must work: it is what gets copied. */
static void the_examples_are_accepted_without_a_warning(void **state)
{
	(void)state;
	static const char *const examples[] = {EXAMPLES "/vipsec.conf.example",
		EXAMPLES "/examples/cluster.conf", EXAMPLES "/examples/client.conf"};
	static char text[FILE_TEXT_MAX];
	static struct reported r;

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		size_t len = read_text(examples[i], text);
		struct config *c = parse_as(examples[i], span_of(text, len), &r);

		assert_string_equal(r.text, "");
		assert_non_null(c);
		config_free(c);
	}
}

static void the_manuals_examples_are_accepted(void **state)
{
	(void)state;
	static const char begin[] = ".Bd -literal -offset indent\n";
	static char text[FILE_TEXT_MAX];
	static struct reported r;
	unsigned seen = 0;

	read_text(EXAMPLES "/man/vipsec.conf.5", text);
	for (char *at = strstr(text, begin); at != NULL; at = strstr(at, begin)) {
		at += strlen(begin);
		char *end = strstr(at, "\n.Ed");
		assert_non_null(end);
		struct config *c =
			parse_as("manual", span_of(at, (size_t)(end - at)), &r);

		if (c == NULL)
			fail_msg("the manual is wrong: %s", r.text);
		config_free(c);
		seen++;
	}
	assert_int_equal(seen, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_configurations_mean_what_is_expected),
		cmocka_unit_test(bad_configurations_are_refused_with_the_expected_words),
		cmocka_unit_test(the_examples_are_accepted_without_a_warning),
		cmocka_unit_test(the_manuals_examples_are_accepted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
