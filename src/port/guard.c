/* port/guard.c - the guard's table into the kernel and its counters back (libnftables).
 *
 * A context is made for each call: they are rare, and what one holds in its caches would
 * be stale by the next. What the rules say is guard_text.c's business.
 */
#include "config.h"

#include "port/guard.h"

#include <assert.h>
#include <inttypes.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "port/guard_text.h"

/* 0 when the command was carried out. The output, or the complaint, goes to *out
 * (free with free()). flags: NFT_CTX_OUTPUT_... */
static int run_with(const char *command, unsigned flags, char **out)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!nft) {
		*out = mem_text("no memory for libnftables");
		return -1;
	}
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	nft_ctx_output_set_flags(nft, flags);
	int rc = nft_run_cmd_from_buffer(nft, command);
	*out = mem_text(
		rc == 0 ? nft_ctx_get_output_buffer(nft) : nft_ctx_get_error_buffer(nft));
	nft_ctx_free(nft);
	return rc;
}

static int run(const char *command, char **out)
{
	return run_with(command, 0, out);
}

/* The first line of nft's complaint is the one that names the trouble. */
static bool run_and_say(const char *command, char *why, size_t why_cap)
{
	char *said;
	int rc = run(command, &said);

	if (rc != 0)
		snprintf(why, why_cap,
			"nftables refused the guard's table (CAP_NET_ADMIN and nf_tables "
			"in "
			"the kernel are needed): %.*s",
			(int)strcspn(said, "\n"), said);
	free(said);
	return rc == 0;
}

static char *text_with(const struct guard_rules *rules, const struct guard_counts *counts)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert(out != NULL);
	guard_write(out, rules, counts);
	fclose(out);
	assert(text != NULL);
	return text;
}

bool guard_apply(const struct guard_rules *rules, char *why, size_t why_cap)
{
	struct guard_counts *counts = mem_new(SCOPE_MAX + 1, sizeof(*counts));

	guard_read_counts(counts, SCOPE_MAX + 1);
	char *text = text_with(rules, counts);
	bool ok = run_and_say(text, why, why_cap);
	free(text);
	free(counts);
	return ok;
}

char *guard_text(const struct guard_rules *rules)
{
	static const struct guard_counts zero[SCOPE_MAX + 1];

	return text_with(rules, zero);
}

bool guard_remove(char *why, size_t why_cap)
{
	return run_and_say("add table inet " GUARD_TABLE "\n"
			   "delete table inet " GUARD_TABLE "\n",
		why, why_cap);
}

bool guard_present(void)
{
	char *said;
	int rc = run("list counters table inet " GUARD_TABLE, &said);

	free(said);
	return rc == 0;
}

static char *list(const char *command, unsigned flags)
{
	char *said;

	if (run_with(command, flags, &said) == 0)
		return said;
	free(said);
	return NULL;
}

char *guard_ruleset_json(void)
{
	return list("list ruleset", NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_STATELESS);
}

char *guard_listing(void)
{
	return list("list table inet " GUARD_TABLE, NFT_CTX_OUTPUT_STATELESS);
}

static uint64_t *field_of(struct guard_counts *c, const char *name)
{
	if (strcmp(name, "clear_in") == 0)
		return &c->clear_in;
	if (strcmp(name, "clear_out") == 0)
		return &c->clear_out;
	if (strcmp(name, "blocked_in") == 0)
		return &c->blocked_in;
	return strcmp(name, "blocked_out") == 0 ? &c->blocked_out : NULL;
}

/* "counter clear_in_3 {" and, on the line below, "packets 17 bytes 1020". */
static void read_counter(const char *at, struct guard_counts *out, size_t n)
{
	char name[32];
	uint64_t packets;

	if (sscanf(at, "counter %31[a-z_0-9] { packets %" SCNu64, name, &packets) != 2)
		return;
	char *number = strrchr(name, '_');
	if (!number)
		return;
	*number++ = '\0';
	unsigned long scope = strtoul(number, NULL, 10);
	if (scope >= n)
		return;
	uint64_t *field = field_of(&out[scope], name);
	if (field)
		*field = packets;
}

bool guard_read_counts(struct guard_counts *out, size_t n)
{
	char *said;
	int rc = run("list counters table inet " GUARD_TABLE, &said);

	memset(out, 0, n * sizeof(*out));
	for (const char *at = said; rc == 0 && (at = strstr(at, "counter ")) != NULL;
		at++)
		read_counter(at, out, n);
	free(said);
	return rc == 0;
}
