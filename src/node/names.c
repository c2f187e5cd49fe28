/* node/names.c - names that rules find their peers by (`mode tunnel to NAME`): what DNS says
 * of them, and when to ask again.
 *
 * The core asks nobody: FX_RESOLVE leaves, NODE_RESOLVED comes back, always. An answer is good
 * for its TTL, within bounds; what fails is asked for again after pauses that grow, and what
 * was known before goes on.
 *
 * Leaves to others: whom to call where (aim.c); names that a peer sends us to (gateway.c).
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LEAST_MS = 30000, /* an answer is good for so long, whatever its TTL */
	AGAIN_FIRST_MS = 1000, /* doubles */
	AGAIN_LAST_MS = 60000,
	HURRY_MS = 5000, /* nobody answers where it was */
	JITTER = 10
};

/* ---- the table: the names of the rules in force ------------------------------------- */

static struct name *find(struct name *names, unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(names[i].text, text) == 0)
			return &names[i];
	return NULL;
}

struct name *name_of(const struct node *n, uint32_t rule)
{
	const char *text = n->config->rules[rule].tunnel_name;

	return text[0] ? find(n->names, n->n_names, text) : NULL;
}

static void add(struct node *n, struct name *names, unsigned *count, uint32_t rule)
{
	const char *text = n->config->rules[rule].tunnel_name;
	const struct name *old = find(n->names, n->n_names, text);

	if (text[0] == '\0' || find(names, *count, text))
		return;
	struct name *to = &names[(*count)++];
	if (old)
		*to = *old;
	else
		to->due_ms = n->now_ms;
	snprintf(to->text, sizeof(to->text), "%s", text);
}

void names_reset(struct node *n)
{
	struct name *names = mem_new(n->config->n_rules + 1, sizeof(*names));
	unsigned count = 0;

	for (unsigned i = 0; i < n->n_scopes; i++)
		for (unsigned k = 0; k < n->scopes[i].n_uses; k++)
			add(n, names, &count, n->scopes[i].uses[k].rule);
	free(n->names);
	n->names = names;
	n->n_names = count;
}

bool name_has(const struct name *name, const struct addr *a)
{
	for (unsigned i = 0; i < name->n; i++)
		if (addr_equal(&name->addrs[i], a))
			return true;
	return false;
}

void name_hurry(struct node *n, struct name *name)
{
	if (name->ask == 0 && name->known_ms + HURRY_MS < n->now_ms)
		name->due_ms = n->now_ms;
}

/* ---- another answer ------------------------------------------------------------------------- */

/* Nobody, everybody, this host: an answer of that kind is wrong, or a trap. */
static bool is_usable(struct node *n, const struct addr *a)
{
	static const struct addr broadcast = {ADDR_V4, {255, 255, 255, 255}};
	static const struct addr loopback = {ADDR_V6, {[15] = 1}};
	const struct addr nobody = {.family = a->family};
	struct place *p;

	if (!addr_is_set(a) || addr_is_multicast(a) || addr_equal(a, &nobody) ||
		addr_equal(a, &broadcast) || addr_equal(a, &loopback) ||
		(a->family == ADDR_V4 && (a->b[0] == 127 || a->b[0] == 0)) ||
		(a->family == ADDR_V6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80))
		return false;
	for (unsigned i = 0; i < n->n_seen; i++)
		if (addr_equal(&n->seen[i].addr, a))
			return false;
	const struct scope *s = scope_of_addr(n, a, &p);
	return !s || s->is_host;
}

static void insert(struct name *to, const struct addr *a)
{
	unsigned at = 0;

	while (at < to->n && addr_cmp(&to->addrs[at], a) < 0)
		at++;
	if (to->n == NAME_ADDRS || (at < to->n && addr_equal(&to->addrs[at], a)))
		return;
	for (unsigned i = to->n++; i > at; i--)
		to->addrs[i] = to->addrs[i - 1];
	to->addrs[at] = *a;
}

static void tell_addresses(struct node *n, const struct name *name)
{
	char list[NAME_ADDRS * (ADDR_TEXT_MAX + 2)] = "", one[ADDR_TEXT_MAX];
	size_t len = 0;

	for (unsigned i = 0; i < name->n && len < 160; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
			i ? ", " : "", addr_format(&name->addrs[i], one));
	node_tell(n, EVENT_NOTICE, "name", NULL, NULL, 0, "%.100s is at %s", name->text,
		list);
}

static uint64_t within(uint64_t ms, uint64_t least, uint64_t most)
{
	least = least < most ? least : most;
	return ms < least ? least : ms > most ? most : ms;
}

static void take(
	struct node *n, struct name *name, const struct name *got, uint32_t ttl_s)
{
	uint64_t ms =
		within((uint64_t)ttl_s * 1000, LEAST_MS, n->tuning.resolve_refresh_ms);
	bool changed = name->n != got->n;

	for (unsigned i = 0; i < got->n && !changed; i++)
		changed = !addr_equal(&name->addrs[i], &got->addrs[i]);
	memcpy(name->addrs, got->addrs, sizeof(name->addrs));
	name->n = got->n;
	name->known_ms = n->now_ms;
	name->due_ms = n->now_ms + entropy_jitter(&n->entropy, ms, JITTER);
	if (changed)
		name->changed_ms = n->now_ms;
	if (changed || name->failures > 0)
		tell_addresses(n, name);
	name->failures = 0;
	name->why[0] = '\0';
	aim_follow(n, name);
}

static void fail(struct node *n, struct name *name, const char *why)
{
	uint64_t ms = AGAIN_FIRST_MS;
	bool same = strcmp(name->why, why) == 0;

	for (unsigned i = 0; i < name->failures && ms < AGAIN_LAST_MS; i++)
		ms *= 2;
	ms = within(ms, AGAIN_FIRST_MS, AGAIN_LAST_MS);
	name->failures++;
	name->due_ms = n->now_ms + entropy_jitter(&n->entropy, ms, JITTER);
	snprintf(name->why, sizeof(name->why), "%s", why);
	if (!same)
		node_tell(n, EVENT_WARNING, "name", NULL, NULL, 0,
			"%.100s is not resolved: %s; %s", name->text, name->why,
			name->n > 0 ? "what was known of it goes on"
				    : "its rules call nobody until it is");
}

static struct name *asked(struct node *n, uint32_t id)
{
	for (unsigned i = 0; i < n->n_names && id != 0; i++)
		if (n->names[i].ask == id)
			return &n->names[i];
	return NULL;
}

void on_resolved(struct node *n, const struct node_event *ev)
{
	struct name *name = asked(n, ev->u.resolved.id), got = {.n = 0};
	char text[ADDR_TEXT_MAX], why[NAME_WHY_MAX];

	for (size_t i = 0; i < ev->u.resolved.n; i++)
		if (is_usable(n, &ev->u.resolved.addrs[i]))
			insert(&got, &ev->u.resolved.addrs[i]);
	snprintf(why, sizeof(why), "%s",
		ev->u.resolved.why && ev->u.resolved.why[0] ? ev->u.resolved.why
							    : "it has no address");
	if (ev->u.resolved.n > 0)
		snprintf(why, sizeof(why), "%s cannot be a peer's address",
			addr_format(&ev->u.resolved.addrs[0], text));
	if (name)
		name->ask = 0;
	if (name && got.n > 0)
		take(n, name, &got, ev->u.resolved.ttl_s);
	else if (name)
		fail(n, name, why);
	else
		gateway_resolved(n, ev->u.resolved.id, &got, why);
}

/* ---- asking ------------------------------------------------------------------------------------ */

uint32_t name_ask(struct node *n, const char name[HOSTNAME_MAX])
{
	if (++n->last_ask == 0)
		n->last_ask = 1;
	struct effect *f = effects_add(n->out, FX_RESOLVE, 0);
	f->u.resolve.id = n->last_ask;
	memcpy(f->u.resolve.name, name, sizeof(f->u.resolve.name));
	return n->last_ask;
}

void names_settle(struct node *n)
{
	for (unsigned i = 0; i < n->n_names && !n->closing; i++) {
		struct name *name = &n->names[i];

		if (name->ask == 0 && name->due_ms <= n->now_ms)
			name->ask = name_ask(n, name->text);
	}
}

uint64_t names_due_ms(const struct node *n)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < n->n_names && !n->closing; i++)
		if (n->names[i].ask == 0 && n->names[i].due_ms < due)
			due = n->names[i].due_ms;
	return due;
}

void node_each_name(
	const struct node *n, bool (*each)(const struct name_view *, void *), void *ctx)
{
	for (unsigned i = 0; i < n->n_names; i++) {
		const struct name *name = &n->names[i];
		struct name_view v = {.n_addrs = name->n,
			.known_ms = name->known_ms,
			.asking = name->ask != 0,
			.next_ms = name->due_ms,
			.failures = name->failures};

		memcpy(v.name, name->text, sizeof(v.name));
		memcpy(v.addrs, name->addrs, sizeof(v.addrs));
		memcpy(v.why, name->why, sizeof(v.why));
		if (!each(&v, ctx))
			return;
	}
}
