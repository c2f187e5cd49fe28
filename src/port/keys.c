/* port/keys.c - loading private keys, and remembering them. */
#include "port/keys.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/secret.h"
#include "port/files.h"

static struct private_key *read_file(const char *path, char *why, size_t why_cap)
{
	const char *reason = "";
	size_t len;
	char *text = files_read_private(path, &len, why, why_cap);
	struct private_key *k;

	if (!text)
		return NULL;
	k = private_key_read(span_of(text, len), &reason);
	wipe(text, len);
	free(text);
	if (!k)
		snprintf(why, why_cap, "%s", reason);
	return k;
}

static struct private_key *read_any(const char *uri, char *why, size_t why_cap)
{
	const char *reason = "";
	struct private_key *k;

	if (uri[0] == '/')
		return read_file(uri, why, why_cap);
	k = private_key_open(uri, &reason);
	if (!k)
		snprintf(why, why_cap, "%s", reason);
	return k;
}

/* Its place, or a free one; -1: neither. */
static int place_of(const struct keys *keys, const char *uri)
{
	int unused = -1;

	for (int i = 0; i < KEYS_MAX; i++) {
		if (!keys->at[i].uri)
			unused = unused < 0 ? i : unused;
		else if (strcmp(keys->at[i].uri, uri) == 0)
			return i;
	}
	return unused;
}

struct private_key *keys_load(
	struct keys *keys, const char *uri, bool *old, char *why, size_t why_cap)
{
	struct private_key *k = read_any(uri, why, why_cap);
	int i = keys ? place_of(keys, uri) : -1;

	*old = false;
	if (i < 0)
		return k;
	if (!k && keys->at[i].uri) {
		*old = true;
		return private_key_keep(keys->at[i].key);
	}
	if (!k)
		return NULL;
	if (!keys->at[i].uri)
		keys->at[i].uri = mem_text(uri);
	private_key_free(keys->at[i].key);
	keys->at[i].key = private_key_keep(k);
	return k;
}

void keys_forget(struct keys *keys)
{
	for (int i = 0; i < KEYS_MAX; i++) {
		free(keys->at[i].uri);
		private_key_free(keys->at[i].key);
		keys->at[i].uri = NULL;
		keys->at[i].key = NULL;
	}
}
