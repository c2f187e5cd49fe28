/* node/say.c - what has just been said of a peer is not said again for a while.
 *
 * A peer that cannot succeed (another key, no common proposal) tries for as long as it
 * stands; an operator needs its line once a minute, with how often it has happened, and
 * not once a datagram. A fixed table: what strangers invent only displaces.
 */
#include "node/core.h"

#include "base/siphash.h"

#include <stdio.h>
#include <string.h>

enum { SAME_MS = 60000, REMOTE_LEN = 2 + sizeof(struct addr), TEXT_LEN = 240 };

static uint64_t hash_of(uint16_t scope, const struct addr *remote, const char *text)
{
	static const struct siphash_key key = {0}; /* a match costs its maker a line */
	uint8_t bytes[REMOTE_LEN + TEXT_LEN];
	size_t len = strlen(text);

	if (len > TEXT_LEN)
		len = TEXT_LEN;
	memcpy(bytes, &scope, sizeof(scope));
	memcpy(bytes + sizeof(scope), remote, sizeof(*remote));
	memcpy(bytes + REMOTE_LEN, text, len);
	return siphash(&key, span_of(bytes, REMOTE_LEN + len));
}

bool node_may_say(struct node *n, struct rate *rate, uint16_t scope,
	const struct addr *remote, const char *text, char again[SAID_TEXT_MAX])
{
	uint64_t hash = hash_of(scope, remote, text);
	struct said *slot = &n->said[hash % SAID_MAX];
	bool same = slot->told && slot->hash == hash;

	again[0] = '\0';
	if (same && n->now_ms < slot->told_ms + SAME_MS) {
		slot->more++;
		return false;
	}
	if (!rate_allow(rate, n->now_ms))
		return false;
	if (same && slot->more > 0)
		snprintf(again, SAID_TEXT_MAX, " (and %u times since last told)",
			slot->more);
	*slot = (struct said){.told = true, .hash = hash, .told_ms = n->now_ms};
	return true;
}
