/* node/dial.c - when and how a peer is called.
 *
 * Three reasons to call: packets wait, its SA was lost, somebody ordered it. Giving up is
 * never final: while a reason stands, the call is repeated with growing, jittered pauses.
 * A reason ends: traffic after a minute without any, loss after a day, an order by `down`;
 * a polite Delete ends all of them until there is traffic again.
 *
 * Calls are paced: at most IN_FLIGHT_MAX that are younger than a second, so that silent
 * peers do not hold up the others. Who waits is called in the order of the queue
 * (takeover.c queues the busiest first); of several rules with one peer the first is called
 * alone (sibling.c).
 *
 * Leaves to others: retransmission within a call (ike/).
 */
#include "node/core.h"

#include "base/duration.h"

#include <stdio.h>

enum {
	YOUNG_MS = 1000,
	PAUSE_FIRST_MS = 500, /* nobody answered; doubles */
	PAUSE_LAST_MS = 15000,
	REFUSED_FIRST_MS = 2000, /* the peer said no; doubles */
	REFUSED_LAST_MS = 300000,
	SOON_MS = 1000,
	FIRST_CHILD_MS = 1000,
	JITTER = 20,
	TRAFFIC_LASTS_MS = 60000,
	LOST_LASTS_MS = 24 * 3600 * 1000
};

static struct span id_span(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

/* ---- one call ------------------------------------------------------------------------- */

/* Of a child's own key exchange: the groups that are good enough for the IKE SA. */
static void add_group(struct ike_proposals *out, const struct ike_suite *s)
{
	for (unsigned i = 0; i < out->n_pfs; i++)
		if (out->pfs[i] == s->ke &&
			memcmp(&out->pfs_more[i], &s->more, sizeof(s->more)) == 0)
			return;
	if (out->n_pfs == IKE_GROUPS_MAX)
		return;
	out->pfs_more[out->n_pfs] = s->more;
	out->pfs[out->n_pfs++] = s->ke;
}

static struct ike_suite suite_of(const struct config_ike_suite *s)
{
	struct ike_suite out = {.encr = s->encr, .prf = s->prf, .ke = s->ke};

	_Static_assert(sizeof(s->more) == sizeof(out.more), "additional key exchanges");
	memcpy(&out.more, s->more, sizeof(out.more));
	return out;
}

void proposals_of(const struct config *c, uint32_t rule, struct ike_proposals *out)
{
	const struct config_proposal *p = &c->proposals[c->rules[rule].proposal];

	*out = (struct ike_proposals){.esn = true};
	for (unsigned i = 0; i < p->n_ike && i < IKE_SUITES_MAX; i++)
		out->ike[out->n_ike++] = suite_of(&p->ike[i]);
	for (unsigned i = 0; i < p->n_esp && i < IKE_CIPHERS_MAX; i++) {
		out->ah[out->n_esp] = p->esp[i].ah;
		out->esp[out->n_esp++] = p->esp[i].encr;
	}
	out->pfs_required = c->rules[rule].pfs == PFS_YES;
	out->master_pfs = c->rules[rule].pfs == PFS_MASTER;
	for (unsigned i = 0; c->rules[rule].pfs != PFS_NO && i < out->n_ike; i++)
		add_group(out, &out->ike[i]);
}

void ppk_of(const struct config *c, uint32_t rule, struct ike_ppk *out)
{
	const struct config_ppk *p = &c->rules[rule].ppk;

	_Static_assert(CONFIG_PPK_MAX <= IKE_PPK_MAX, "a PPK fits");
	*out = (struct ike_ppk){
		.len = (uint8_t)p->key.len,
		.id_len = (uint8_t)strlen(p->id),
		.required = p->required,
	};
	memcpy(out->key, p->key.b, p->key.len);
	memcpy(out->id, p->id, out->id_len);
}

enum ike_childless childless_of(const struct config *c, uint32_t rule)
{
	static const enum ike_childless words[] = {
		[CHILDLESS_ALLOW] = IKE_CHILDLESS_ALLOW,
		[CHILDLESS_NO] = IKE_CHILDLESS_NO,
		[CHILDLESS_FORCE] = IKE_CHILDLESS_FORCE,
	};

	return words[c->rules[rule].childless];
}

/* INITIAL_CONTACT is per identity pair, over all addresses: a peer whose SA may live on
 * another member, with another address of this VIP, must not be told to drop it. */
bool contact_elsewhere(const struct node *n, const struct scope *s)
{
	for (unsigned i = 0; !s->is_host && i < s->n_places; i++) {
		uint8_t owner = claims_owner(&n->claims, &s->places[i].addr);
		if (owner != 0 && owner != n->params.member)
			return true;
	}
	return false;
}

static void conn_of(const struct node *n, const struct peer *p, struct ike_conn *c)
{
	const struct scope *s = &n->scopes[p->scope];
	const struct config_auth *a = auth_of(n, p);

	*c = (struct ike_conn){.path.scope = p->scope, .rule = p->rule};
	c->path.natt = p->natt;
	c->path.local.addr = p->local;
	c->path.local.port = p->natt ? IKE_NATT_PORT : IKE_PORT;
	c->path.remote = p->remote;
	c->local_id = sibling_local_id(n, p);
	c->remote_id = sibling_remote_id(n, p);
	c->remote_any = a->remote_any && p->remote_id.type == ID_ANY;
	way_of_auth(a, c);
	ppk_of(n->config, p->rule, &c->ppk);
	c->auth = p->auth % n->config->rules[p->rule].n_auths;
	proposals_of(n->config, p->rule, &c->proposals);
	c->mode = p->mode;
	c->childless = childless_of(n->config, p->rule);
	c->local_ts = p->local_ts;
	c->remote_ts = p->remote_ts;
	c->force_encap = n->config->dataplane.encap == ENCAP_FORCE;
	c->mobike = n->config->tuning.mobike;
	c->redirect = redirect_offers(n, p);
	c->redirected_from = p->sent_from;
	c->nlbs = cluster_says_nlbs(n, s);
	c->no_contact = contact_elsewhere(n, s);
	c->urgent = p->urgent;
	c->give_up_ms = CALL_GIVE_UP_MS;
}

static void unqueue(struct node *n, struct peer *p)
{
	list_del(&p->waits);
	dues_remove(&n->backoff, &p->due);
	p->next_try_ms = 0;
}

/* Nobody has missed it for a day, nothing is sent to it any more, it has moved, or no
 * rule wants it. */
static void forget(struct node *n, struct peer *p)
{
	dial_rest(n, p);
	directory_forget(n, p);
}

void dial_asks(struct node *n, struct peer *p, uint32_t ike, uint32_t child)
{
	p->ask = child;
	p->ask_ike = ike;
	map_put(n->by_ask, id_span(&p->ask), p);
	list_add(&n->calls, &p->waits);
}

/* A further child of an IKE SA that stands. False: there is none for it. */
static bool ask(struct node *n, struct peer *p, const struct ike_conn *c)
{
	struct session *s =
		p->alone || (p->want & WANT_RENEW) ? NULL : sibling_session(n, p);
	uint32_t child;

	if (!s || sibling_has_child_in(p, s) ||
		ike_create_child(n->ike, n->now_ms, s->ike, c, &child) != IKE_OK)
		return false;
	dial_asks(n, p, s->ike, child);
	idle_touch(n, s); /* an IKE SA without a child is not looked at by itself */
	return true;
}

static void forget_ask(struct node *n, struct peer *p)
{
	if (p->ask == 0)
		return;
	map_take(n->by_ask, id_span(&p->ask));
	list_del(&p->waits);
	p->ask = p->ask_ike = 0;
}

void asks_follow(struct node *n, uint32_t old_ike, uint32_t ike)
{
	list_each(item, &n->calls)
	{
		struct peer *p = list_entry(item, struct peer, waits);
		if (p->ask_ike == old_ike)
			p->ask_ike = ike;
	}
}

void asks_fail(struct node *n, uint32_t ike)
{
	static const struct ike_failure ended = {.close = IKE_CLOSE_TIMEOUT};

	list_each_safe(item, &n->calls)
	{
		struct peer *p = list_entry(item, struct peer, waits);
		if (p->ask == 0 || p->ask_ike != ike)
			continue;
		forget_ask(n, p);
		dial_failed(n, p, &ended);
	}
}

static void call(struct node *n, struct peer *p)
{
	struct ike_conn c;

	if (!peer_renew_selectors(n, p)) {
		snprintf(p->reason, sizeof(p->reason), "%s",
			"the rule does not cover its address");
		forget(n, p);
		return;
	}
	conn_of(n, p, &c);
	unqueue(n, p);
	p->followed = false;
	p->called_ms = n->now_ms;
	bool asked = ask(n, p, &c), moves = p->want & WANT_MOVE;
	p->want &= ~(unsigned)WANT_MOVE;
	/* If it cannot be moved, it goes with its IKE SA, and is called then. */
	if (asked || (moves && peer_child(p))) {
		secret_wipe(&c.psk);
		return;
	}
	p->call = ike_initiate(n->ike, n->now_ms, &c);
	secret_wipe(&c.psk);
	map_put(n->calls_by_ike, id_span(&p->call), p);
	list_add(&n->calls, &p->waits);
}

void dial_stop(struct node *n, struct peer *p)
{
	uint32_t ike = p->call;

	forget_ask(n, p);
	unqueue(n, p);
	gateway_forget(p);
	p->call = 0;
	if (ike == 0)
		return;
	map_take(n->calls_by_ike, id_span(&ike));
	enum ike_err err = ike_forget(n->ike, n->now_ms, ike);
	(void)err; /* it may have ended by itself in this very step */
}

/* ---- reasons ----------------------------------------------------------------------------- */

static void drop_stale_reasons(const struct node *n, struct peer *p)
{
	if (p->traffic_ms + TRAFFIC_LASTS_MS <= n->now_ms)
		p->want &= ~(unsigned)WANT_TRAFFIC;
	if (p->lost_ms + LOST_LASTS_MS <= n->now_ms)
		p->want &= ~(unsigned)WANT_LOST;
}

void dial_now(struct node *n, struct peer *p)
{
	unqueue(n, p);
	list_add(&n->queue, &p->waits);
}

void dial_want(struct node *n, struct peer *p, unsigned why)
{
	if (why & WANT_TRAFFIC)
		p->traffic_ms = n->now_ms;
	if ((why & WANT_LOST) && !(p->want & WANT_LOST))
		p->lost_ms = n->now_ms;
	bool fresh = p->want == 0 || (why & WANT_ORDER);
	p->want |= why;
	if (p->call != 0 || p->ask != 0 || peer_child(p))
		return;
	if (!peer_callable(p)) {
		snprintf(p->reason, sizeof(p->reason), "%s",
			p->behind ? "behind NAT, its port is not known: it must call"
				  : "no address known: it must call");
		return;
	}
	bool queued = p->next_try_ms == 0 && !list_empty(&p->waits);
	if (!queued && (fresh || p->next_try_ms == 0))
		dial_now(n, p);
}

void dial_want_soon(struct node *n, struct peer *p, unsigned why)
{
	dial_want(n, p, why);
	if (p->call != 0 || p->ask != 0 || list_empty(&p->waits))
		return;
	unqueue(n, p);
	p->next_try_ms = n->now_ms + entropy_jitter(&n->entropy, SOON_MS, JITTER);
	dues_set(&n->backoff, &p->due, p->next_try_ms);
}

void dial_renew(struct node *n, struct peer *p)
{
	if (p->call != 0 || p->ask != 0 || (p->want & WANT_RENEW) || !peer_callable(p))
		return;
	p->want |= WANT_RENEW;
	dial_now(n, p);
}

void dial_move(struct node *n, struct peer *p)
{
	if (p->call != 0 || p->ask != 0 || (p->want & WANT_MOVE))
		return;
	p->want |= WANT_MOVE;
	dial_now(n, p);
}

void dial_rest(struct node *n, struct peer *p)
{
	p->want = 0;
	p->urgent = p->followed = false;
	p->tries = 0;
	if (p->call == 0 &&
		p->ask == 0) /* a call under way is not cut off: we may be in it */
		unqueue(n, p);
}

void dial_succeeded(struct node *n, struct peer *p)
{
	p->want = 0;
	p->tries = 0;
	p->urgent = p->followed = false;
	p->reason[0] = '\0';
	p->alone = false;
	if (p->call == 0 && p->ask == 0)
		unqueue(n, p);
}

static void call_at(struct node *n, struct peer *p, uint64_t ms)
{
	unqueue(n, p);
	p->next_try_ms = ms;
	dues_set(&n->backoff, &p->due, ms);
}

static uint64_t grown(uint64_t first, unsigned times, uint64_t last)
{
	while (times-- > 0 && first < last)
		first *= 2;
	return first < last ? first : last;
}

uint64_t dial_longest_pause_ms(unsigned tries)
{
	uint64_t ms = grown(PAUSE_FIRST_MS, tries, PAUSE_LAST_MS);

	return ms + ms * JITTER / 100;
}

static const char *why_text(const struct ike_failure *f)
{
	static const char *const texts[] = {
		[IKE_WHY_NONE] = "the peer refuses without a reason",
		[IKE_WHY_PROPOSAL] = "no common proposal: compare the proposals of both "
				     "sides",
		[IKE_WHY_AUTH] = "authentication failed: compare keys, certificates and "
				 "identities of both sides",
		[IKE_WHY_SELECTORS] =
			"no matching selectors: compare the filters of both "
			"sides",
		[IKE_WHY_MODE] = "transport here, tunnel there: compare the modes",
		[IKE_WHY_SYNTAX] = "the peer found our message malformed, or we its",
		[IKE_WHY_BUSY] = "the peer is busy",
		[IKE_WHY_CHILDLESS] =
			"childless force here, and the peer does not allow it: "
			"compare the two sides",
		[IKE_WHY_NAT] = "a NAT is on the way, and AH, all that the proposal has, "
				"cannot pass it",
		[IKE_WHY_REDIRECT] =
			"the peer sends us to another gateway, where the rule "
			"does not let us go",
		[IKE_WHY_OTHER] = "the peer refuses for a reason of its own",
	};

	switch (f->close) {
	case IKE_CLOSE_TIMEOUT:
		return "no answer: is the peer up, and UDP 500 and 4500 open between?";
	case IKE_CLOSE_REPLACED:
		return "the peer's own call came first, and its SA is gone again";
	case IKE_CLOSE_DELETED_BY_PEER:
		return "the peer deleted the IKE SA before it carried anything";
	case IKE_CLOSE_DELETED_BY_US:
	case IKE_CLOSE_FORGOTTEN:
		return "given up here before it was complete";
	case IKE_CLOSE_REDIRECTED:
		return "the peer sends us to another gateway";
	case IKE_CLOSE_REFUSED:
	case IKE_CLOSE_WE_REFUSED:
		break;
	}
	return texts[f->why];
}

static void tell_failure(
	struct node *n, struct peer *p, const struct ike_failure *why, uint64_t ms)
{
	char notify[32] = "", pause[DURATION_TEXT_MAX], again[SAID_TEXT_MAX];

	snprintf(p->reason, sizeof(p->reason), "%s", why_text(why));
	if (!node_may_say(n, &p->tell, p->scope, &p->remote.addr, p->reason, again))
		return;
	if (why->notify != 0)
		snprintf(notify, sizeof(notify), " (notify %u)", why->notify);
	node_tell(n, EVENT_WARNING, "peer-failed", &n->scopes[p->scope], &p->remote, 0,
		"rule %s: %s%s; %s%s%s", n->config->rules[p->rule].name, p->reason,
		notify, p->want ? "again in " : "waiting for traffic",
		p->want ? duration_format(ms - ms % 100, pause) : "", again);
}

static bool is_refusal(const struct ike_failure *why)
{
	return why->close == IKE_CLOSE_REFUSED || why->close == IKE_CLOSE_WE_REFUSED;
}

static uint64_t pause_of(struct node *n, const struct peer *p, bool refused)
{
	uint64_t ms = refused ? grown(REFUSED_FIRST_MS, p->tries, REFUSED_LAST_MS)
			      : grown(PAUSE_FIRST_MS, p->tries, PAUSE_LAST_MS);

	return entropy_jitter(&n->entropy, ms, JITTER);
}

static bool next_method(const struct node *n, struct peer *p)
{
	unsigned methods = n->config->rules[p->rule].n_auths;

	p->auth = methods > 0 ? (p->auth + 1) % methods : 0;
	return p->auth != 0;
}

void dial_failed(struct node *n, struct peer *p, const struct ike_failure *why)
{
	p->want &= ~(unsigned)(WANT_RENEW |
			       WANT_MOVE); /* the old one's end will have it begun anew */
	if (p->call != 0 || p->ask != 0 || peer_child(p))
		return;
	redirect_failed(n, p);
	/* While we called here, it came back from another port: nobody failed. */
	if (peer_is_elsewhere(p)) {
		forget(n, p);
		return;
	}
	/* What was once agreed on may not be what the peer has now. */
	if (is_refusal(why) && why->why == IKE_WHY_SELECTORS)
		(void)peer_reset_selectors(n, p);
	drop_stale_reasons(n, p);
	uint64_t ms = pause_of(n, p, is_refusal(why));
	p->tries++;
	/* The next method of the rule, at once; then, after a pause, the first again. */
	if (is_refusal(why) && why->why == IKE_WHY_AUTH && next_method(n, p))
		ms = 0;
	/* It has to serve us, then. */
	if (why->why == IKE_WHY_REDIRECT && p->serve_until_ms <= n->now_ms) {
		p->serve_until_ms = n->now_ms + SERVE_MS;
		ms = 0;
	}
	tell_failure(n, p, why, ms);
	if (p->want != 0)
		call_at(n, p, n->now_ms + ms);
}

/* ---- the queue --------------------------------------------------------------------------- */

static void wake_backoff(struct node *n)
{
	while (dues_first_ms(&n->backoff) <= n->now_ms) {
		struct peer *p = due_entry(dues_first(&n->backoff), struct peer, due);
		drop_stale_reasons(n, p);
		if (p->want != 0)
			dial_now(n, p);
		else
			forget(n, p);
	}
}

/* Calls are listed oldest first, so the young ones stand at the end. */
static unsigned in_flight(const struct node *n, uint64_t *oldest_ms)
{
	unsigned count = 0;

	for (struct list *at = n->calls.prev; at != &n->calls; at = at->prev) {
		const struct peer *p = list_entry(at, struct peer, waits);
		if (p->called_ms + YOUNG_MS <= n->now_ms)
			break;
		*oldest_ms = p->called_ms;
		if (++count == IN_FLIGHT_MAX)
			break;
	}
	return count;
}

/* Who is sent to a name is called when it is known where that is. */
static bool may_call(const struct node *n, const struct peer *p)
{
	const struct place *at = scope_place(&n->scopes[p->scope], &p->local);

	return (!gateway_awaited(p) || peer_child(p)) && at && at->state == VIP_BOUND &&
	       !at->leaving && !n->closing;
}

/* Who has begun without a child is about to ask for it: both would make one. */
uint64_t dial_first_child_ms(const struct node *n, const struct peer *p)
{
	struct ike_info info;

	list_each(item, &p->sessions)
	{
		const struct session *s = list_entry(item, struct session, of_peer);
		uint64_t until_ms = s->since_ms + FIRST_CHILD_MS;
		if (!s->initiator && list_empty(&s->children) && until_ms > n->now_ms &&
			ike_view(n->ike, s->ike, &info) && info.childless)
			return until_ms;
	}
	return 0;
}

void dial_settle(struct node *n)
{
	uint64_t oldest_ms;

	wake_backoff(n);
	if (list_empty(&n->queue))
		return;
	unsigned count = in_flight(n, &oldest_ms);
	while (!list_empty(&n->queue) && count < IN_FLIGHT_MAX) {
		struct peer *p = list_entry(n->queue.next, struct peer, waits);
		list_del(&p->waits);
		if (!aim_at(n, p)) {
			snprintf(p->reason, sizeof(p->reason), "%s",
				"none of the addresses of its name can be called from "
				"here");
			forget(n, p);
			continue;
		}
		if (!may_call(n, p) ||
			(peer_child(p) && !(p->want & (WANT_RENEW | WANT_MOVE))))
			continue;
		if (peer_is_elsewhere(p)) {
			forget(n, p);
			continue;
		}
		uint64_t wait_ms = sibling_wait_ms(n, p);
		if (wait_ms == 0)
			wait_ms = dial_first_child_ms(n, p);
		if (wait_ms != 0) {
			p->followed = true;
			call_at(n, p, wait_ms);
			continue;
		}
		call(n, p);
		count++;
	}
}

uint64_t dial_due_ms(const struct node *n)
{
	uint64_t oldest_ms = n->now_ms, due = dues_first_ms(&n->backoff);

	if (!list_empty(&n->queue) && in_flight(n, &oldest_ms) >= IN_FLIGHT_MAX &&
		oldest_ms + YOUNG_MS < due)
		due = oldest_ms + YOUNG_MS;
	return due;
}
