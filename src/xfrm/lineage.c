/* xfrm/lineage.c - see lineage.h. */
#include "config.h"

#include "xfrm/lineage.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/prf.h"
#include "xfrm/rules.h"

struct lineage {
	uint8_t key[SHA256_LEN];
	uint32_t reqid;
	unsigned holders;
};

struct naming {
	uint16_t scope;
	uint8_t mode, side;
	uint32_t rule;
	struct addr local, remote;
	uint64_t owner;
	uint16_t port;
};

/* Everything about selectors is data without padding that matters: addresses, numbers. */
static void copy_list(const struct ts_list *from, struct ts_list *out)
{
	out->n = from->n;
	for (unsigned i = 0; i < from->n; i++) {
		struct ts *to = &out->at[i];
		to->lo = from->at[i].lo;
		to->hi = from->at[i].hi;
		to->proto = from->at[i].proto;
		to->port_lo = from->at[i].port_lo;
		to->port_hi = from->at[i].port_hi;
	}
}

static void name_it(
	const struct esp_child *sa, enum lineage_side side, uint8_t key[SHA256_LEN])
{
	struct naming n;
	struct ts_list lists[2];

	memset(&n, 0, sizeof(n));
	memset(lists, 0, sizeof(lists));
	n.scope = sa->scope;
	n.rule = sa->rule;
	n.mode = (uint8_t)sa->mode;
	n.side = (uint8_t)side;
	n.local = sa->local.addr;
	n.remote = sa->remote.addr;
	n.owner = sa->owner;
	if (side == LINEAGE_IN && sa->encap)
		n.port = sa->remote.port;
	if (side == LINEAGE_OUT) {
		copy_list(&sa->local_ts, &lists[0]);
		copy_list(&sa->remote_ts, &lists[1]);
	}
	const struct span parts[] = {
		span_of(&n, sizeof(n)), span_of(lists, sizeof(lists))};
	if (sha256(parts, 2, key) != CRYPTO_OK)
		abort();
}

void lineages_init(struct lineages *l, const struct entropy *e)
{
	l->all = map_new(e);
	l->next_reqid = REQID_FIRST;
}

static bool free_one(void *value, void *ctx)
{
	(void)ctx;
	free(value);
	return true;
}

void lineages_wipe(struct lineages *l)
{
	map_each(l->all, free_one, NULL);
	map_free(l->all);
}

uint32_t lineage_take(
	struct lineages *l, const struct esp_child *sa, enum lineage_side side)
{
	uint8_t key[SHA256_LEN];

	name_it(sa, side, key);
	struct lineage *one = map_get(l->all, span_of(key, sizeof(key)));
	if (!one) {
		one = mem_new(1, sizeof(*one));
		memcpy(one->key, key, sizeof(key));
		one->reqid = l->next_reqid;
		l->next_reqid = one->reqid == REQID_LAST ? REQID_FIRST : one->reqid + 1;
		map_put(l->all, span_of(one->key, sizeof(one->key)), one);
	}
	one->holders++;
	return one->reqid;
}

void lineage_drop(struct lineages *l, const struct esp_child *sa, enum lineage_side side)
{
	uint8_t key[SHA256_LEN];

	name_it(sa, side, key);
	struct lineage *one = map_get(l->all, span_of(key, sizeof(key)));
	if (!one || --one->holders > 0)
		return;
	(void)map_take(l->all, span_of(key, sizeof(key)));
	free(one);
}

bool lineage_is_shared(
	const struct lineages *l, const struct esp_child *sa, enum lineage_side side)
{
	uint8_t key[SHA256_LEN];

	name_it(sa, side, key);
	const struct lineage *one = map_get(l->all, span_of(key, sizeof(key)));
	return one && one->holders > 1;
}
