/* node/drain.c - a VIP is drained: its peers are sent to another gateway (RFC 5685).
 *
 * `vipsec drain` is about the VIP and not about a node: what was said travels in the group,
 * lies on every member's disk, and holds until `vipsec undrain`, wherever the VIP is. Of
 * several words the one with the highest version holds; members that come together say
 * each other theirs.
 *
 * Who calls a drained VIP is sent on, in IKE_SA_INIT or, if that was before, in IKE_AUTH. Who
 * has an IKE SA is asked to go, at most RATE of them a second, once each; whether and when
 * he goes is his own affair. Who cannot be sent is served as before, and nobody's SA is
 * deleted for it: that is what `vipsec down` is for.
 *
 * Leaves to others: what is said on the wire (ike/redirect.c), being sent (redirect.c).
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { BURST = 10, RATE = 50, AGAIN_MS = 100, TARGETS_TEXT_MAX = 2 * ADDR_TEXT_MAX + 8 };

/* ---- what was said -------------------------------------------------------------------- */

static const struct drain *look_up(const struct node *n, const char *vip)
{
	for (unsigned i = 0; i < SCOPE_MAX; i++)
		if (strcmp(n->drains[i].words.vip, vip) == 0)
			return &n->drains[i];
	return NULL;
}

static struct drain *find(struct node *n, const char *vip)
{
	const struct drain *d = look_up(n, vip);

	return d ? &n->drains[d - n->drains] : NULL;
}

/* A free place, or that of a VIP that the configuration has no more. */
static struct drain *place_for(struct node *n, const char *vip)
{
	struct drain *d = find(n, vip);

	if (!d)
		d = find(n, "");
	for (unsigned i = 0; !d && i < SCOPE_MAX; i++)
		if (!scope_by_name(n, n->drains[i].words.vip))
			d = &n->drains[i];
	return d;
}

const struct drain *drain_of(const struct node *n, const struct scope *s)
{
	const struct drain *d = s->is_host ? NULL : look_up(n, s->name);

	return d && d->words.on ? d : NULL;
}

bool drain_target(
	const struct node *n, const struct scope *s, uint8_t family, struct addr *to)
{
	const struct drain *d = drain_of(n, s);

	if (d)
		*to = d->words.to[family == ADDR_V6];
	return d && addr_is_set(to);
}

static void store(struct node *n)
{
	uint8_t *bytes = mem_new(SCOPE_MAX, CLUSTER_DRAIN_MAX);
	struct writer w = wr_over(bytes, (size_t)SCOPE_MAX * CLUSTER_DRAIN_MAX);

	for (unsigned i = 0; i < SCOPE_MAX; i++)
		if (n->drains[i].words.vip[0])
			drain_words_write(&w, &n->drains[i].words);
	node_store(n, "drains", wr_span(&w));
	free(bytes);
}

void drain_restore(struct node *n, struct span bytes)
{
	struct reader r = rd_over(bytes);
	struct drain_words words;

	for (unsigned i = 0; i < SCOPE_MAX && rd_left(&r) > 0; i++) {
		if (!drain_words_read(&r, &words) || find(n, words.vip)) {
			node_tell(n, EVENT_WARNING, "drains-refused", NULL, NULL, 0,
				"what was stored of drained VIPs is damaged: look at "
				"vipsec show vip, and drain again");
			return;
		}
		n->drains[i] = (struct drain){.words = words, .since_ms = n->now_ms};
	}
	drain_look(n);
}

static const char *targets_text(const struct drain_words *d, char out[TARGETS_TEXT_MAX])
{
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
	bool v4 = addr_is_set(&d->to[0]), v6 = addr_is_set(&d->to[1]);

	snprintf(out, TARGETS_TEXT_MAX, "%s%s%s", v4 ? addr_format(&d->to[0], a) : "",
		v4 && v6 ? " and " : "", v6 ? addr_format(&d->to[1], b) : "");
	return out;
}

/* Everybody may be told anew. */
static void forget_told(struct node *n, const struct scope *s)
{
	list_each(item, &n->sessions)
	{
		struct session *one = list_entry(item, struct session, link);
		if (one->peer->scope == s->id)
			one->told = false;
	}
	drain_look(n);
}

static bool apply(struct node *n, const struct drain_words *words)
{
	struct drain *d = place_for(n, words->vip);
	struct scope *s = scope_by_name(n, words->vip);
	char text[TARGETS_TEXT_MAX];

	if (!d)
		return false;
	bool was = d->words.on;
	*d = (struct drain){.words = *words, .since_ms = n->now_ms};
	store(n);
	if (!s)
		return true;
	forget_told(n, s);
	if (words->on)
		node_tell(n, EVENT_NOTICE, "drained", s, NULL, 0,
			"peers that can be sent on are sent to %s",
			targets_text(words, text));
	else if (was)
		node_tell(n, EVENT_NOTICE, "undrained", s, NULL, 0,
			"peers are served here again");
	return true;
}

/* ---- the group ------------------------------------------------------------------------------ */

/* By version, which is the first that differs of one VIP's. Which of two of one version
 * holds, said on both sides of a split, does not matter, but all must agree on it. */
static int compare(const struct drain_words *a, const struct drain_words *b)
{
	uint8_t x[CLUSTER_DRAIN_MAX] = {0}, y[CLUSTER_DRAIN_MAX] = {0};
	struct writer wx = wr_over(x, sizeof(x)), wy = wr_over(y, sizeof(y));

	drain_words_write(&wx, a);
	drain_words_write(&wy, b);
	return memcmp(x, y, sizeof(x));
}

void drain_hear(struct node *n, const struct drain_words *words)
{
	const struct drain *d = find(n, words->vip);

	if ((!d || compare(words, &d->words) > 0) && !apply(n, words) &&
		rate_allow(&n->strangers, n->now_ms))
		node_tell(n, EVENT_ERROR, "drains-refused", NULL, NULL, 0,
			"more VIPs are drained than there can be");
}

void drain_tell_all(struct node *n)
{
	for (unsigned i = 0; i < SCOPE_MAX; i++)
		if (n->drains[i].words.vip[0])
			cluster_drain(n, &n->drains[i].words);
}

/* ---- an operator's words ----------------------------------------------------------------------- */

static bool take_target(struct drain_words *w, const char *text, size_t len)
{
	char one[ADDR_TEXT_MAX];
	struct addr a;

	if (len >= sizeof(one))
		return false;
	memcpy(one, text, len);
	one[len] = '\0';
	if (!addr_parse(one, &a) || addr_is_set(&w->to[a.family == ADDR_V6]))
		return false;
	w->to[a.family == ADDR_V6] = a;
	return true;
}

/* "ADDRESS", or two with a comma between, one of each family. */
static bool take_targets(struct drain_words *w, const char *text)
{
	const char *comma = strchr(text, ',');
	size_t len = comma ? (size_t)(comma - text) : strlen(text);

	return take_target(w, text, len) &&
	       (!comma || take_target(w, comma + 1, strlen(comma + 1)));
}

/* Is there an address of the VIP whose peers could go there, and is it not its own? */
static bool serves(const struct scope *s, const struct drain_words *w)
{
	bool some = false;

	for (unsigned i = 0; i < s->n_places; i++) {
		const struct addr *a = &s->places[i].addr;
		if (addr_equal(a, &w->to[0]) || addr_equal(a, &w->to[1]))
			return false;
		some |= addr_is_set(&w->to[a->family == ADDR_V6]);
	}
	return some;
}

static struct scope *scope_for(struct node *n, const struct node_event *ev)
{
	struct scope *s = scope_by_name(n, ev->u.command.vip);

	if (s && !s->is_host)
		return s;
	node_reply(n, ev->u.command.token, 1, "no such VIP: %s", ev->u.command.vip);
	return NULL;
}

static struct drain_words words_after(const struct node *n, const struct scope *s)
{
	const struct drain *d = look_up(n, s->name);
	struct drain_words w = {.version = d ? d->words.version + 1 : 1};

	snprintf(w.vip, sizeof(w.vip), "%s", s->name);
	return w;
}

static bool say(struct node *n, const struct node_event *ev, const struct drain_words *w)
{
	if (!apply(n, w)) {
		node_reply(n, ev->u.command.token, 1, "too many VIPs are drained");
		return false;
	}
	cluster_drain(n, w);
	return true;
}

void on_drain(struct node *n, const struct node_event *ev)
{
	struct scope *s = scope_for(n, ev);
	const char *value = ev->u.command.value;
	char text[TARGETS_TEXT_MAX];

	if (!s)
		return;
	struct drain_words w = words_after(n, s);
	w.on = true;
	if (!value) {
		memcpy(w.to, n->config->vips[s->id].drain_to, sizeof(w.to));
		if (!addr_is_set(&w.to[0]) && !addr_is_set(&w.to[1])) {
			node_reply(n, ev->u.command.token, 1,
				"drain %s to where? The configuration has no drain-to "
				"for it",
				s->name);
			return;
		}
	} else if (!take_targets(&w, value)) {
		node_reply(n, ev->u.command.token, 1,
			"%.80s is not an address, nor one of each family with a comma "
			"between",
			value);
		return;
	}
	if (!serves(s, &w)) {
		node_reply(n, ev->u.command.token, 1,
			"%s is no other place for a peer of %s: an address of its own, "
			"or of a family that it has not got",
			targets_text(&w, text), s->name);
		return;
	}
	if (say(n, ev, &w))
		node_reply(n, ev->u.command.token, 0, "%s is drained to %s", s->name,
			targets_text(&w, text));
}

void on_undrain(struct node *n, const struct node_event *ev)
{
	struct scope *s = scope_for(n, ev);

	if (!s)
		return;
	if (!drain_of(n, s)) {
		node_reply(n, ev->u.command.token, 0, "%s is not drained", s->name);
		return;
	}
	struct drain_words w = words_after(n, s);
	if (say(n, ev, &w))
		node_reply(
			n, ev->u.command.token, 0, "%s is not drained any more", s->name);
}

/* ---- telling ----------------------------------------------------------------------------------- */

void drain_look(struct node *n)
{
	n->drain_due_ms = n->now_ms;
}

static bool is_to_be_told(const struct node *n, const struct session *s, struct addr *to)
{
	const struct peer *p = s->peer;
	struct ike_info info;

	return !s->told && s->end == END_NONE &&
	       drain_target(n, &n->scopes[p->scope], p->local.family, to) &&
	       ike_view(n->ike, s->ike, &info) && info.established && !info.replaced &&
	       info.redirectable;
}

static void ask_to_go(struct node *n, struct session *s, const struct addr *to)
{
	struct drain *d = find(n, n->scopes[s->peer->scope].name);

	s->told = true;
	if (ike_redirect(n->ike, n->now_ms, s->ike, to) == IKE_OK)
		d->told++;
}

void drain_settle(struct node *n)
{
	struct addr to;

	if (n->drain_due_ms > n->now_ms)
		return;
	n->drain_due_ms = UINT64_MAX;
	list_each(item, &n->sessions)
	{
		struct session *s = list_entry(item, struct session, link);
		if (!is_to_be_told(n, s, &to))
			continue;
		if (!rate_allow(&n->drain_rate, n->now_ms)) {
			n->drain_due_ms = n->now_ms + AGAIN_MS;
			return;
		}
		ask_to_go(n, s, &to);
	}
}

void drain_turned(struct node *n, const struct scope *s)
{
	struct drain *d = find(n, s->name);

	if (d)
		d->turned++;
}

void drain_left(struct node *n, const struct session *s)
{
	const struct scope *scope = &n->scopes[s->peer->scope];
	struct drain *d = find(n, scope->name);

	if (s->told && d && d->words.on)
		d->gone++;
}

void drain_init(struct node *n)
{
	n->drain_due_ms = UINT64_MAX;
	rate_init(&n->drain_rate, BURST, RATE, 0);
}
