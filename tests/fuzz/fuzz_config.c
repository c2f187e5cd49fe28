/* A configuration from anywhere: it is refused with at least one error, or it is accepted
 * and then every scope has its SPD and a second reading means the same.
 */
#include "config/config.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_key(
	void *ctx, const char *path, struct secret *out, char *why, size_t why_cap)
{
	(void)ctx, (void)why, (void)why_cap;
	return secret_set(out, span_text(path));
}

static void count_errors(void *ctx, const char *text)
{
	unsigned *errors = ctx;

	/* the kind follows the place; a name in the text may say anything */
	const char *kind = strstr(text, ": ");

	assert(kind != NULL);
	*errors += strncmp(kind, ": error: ", 9) == 0;
}

static struct config *parse(struct span text, unsigned *errors)
{
	const struct config_files files = {.read = read_key};
	const struct config_report report = {.line = count_errors, .ctx = errors};

	*errors = 0;
	return config_parse("fuzz", text, &files, &report);
}

static void try_scopes(const struct config *c)
{
	for (uint16_t scope = 0; scope <= config_host_scope(c); scope++) {
		struct spd *s = config_spd(c, scope);

		for (size_t i = 0; s != NULL && i < spd_count(s); i++)
			assert(spd_at(s, i)->rule < c->n_rules);
		spd_free(s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned errors;
	struct config *c = parse(span_of(data, size), &errors);

	assert((c == NULL) == (errors > 0));
	if (c == NULL)
		return 0;
	try_scopes(c);

	struct config *again = parse(span_of(data, size), &errors);
	assert(again != NULL);
	assert(memcmp(again->hash, c->hash, sizeof(c->hash)) == 0);
	config_free(again);
	config_free(c);
	return 0;
}
