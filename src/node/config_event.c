/* node/config_event.c - a new configuration; and what was stored, at start.
 *
 * A reload touches only what has changed. A scope is the same when its number and name
 * are; its addresses then keep their lives. A rule is the same when same.c says so; its
 * SAs then go on. Everything else is deleted politely, at once, under the old words, and
 * comes back by its traffic under the new ones. Between the two the new policy already
 * stands, so nothing leaves in clear.
 *
 * Scopes and rules go by number: one that is inserted in the middle renumbers those
 * behind it, and their SAs begin anew.
 */
#include "node/core.h"

#include "base/mem.h"
#include "node/same.h"
#include "wire/reader.h"

#include <stdlib.h>

struct change {
	struct node *n;
	struct config *config;
	struct scope *scopes;
	unsigned n_scopes;
};

/* ---- leaving, under the old words ------------------------------------------------------ */

static void end_scope(struct node *n, struct scope *s)
{
	for (unsigned i = 0; i < s->n_places; i++)
		release_now(n, s, &s->places[i]);
	release_owe(n, s);
	scope_close_gate(n, s);
	if (s->steered)
		effects_add(n->out, FX_POLICY, s->id);
	s->steered = false;
}

static struct scope *counterpart(const struct change *c, const struct scope *old)
{
	if (old->id >= c->n_scopes ||
		c->n->config->cluster.backend != c->config->cluster.backend)
		return NULL;
	struct scope *s = &c->scopes[old->id];
	if (strcmp(s->name, old->name) != 0 || s->is_host != old->is_host)
		return NULL;
	return s->is_host && !s->spd ? NULL : s;
}

/* With all that is left of it. */
static void end_session(struct node *n, struct session *s)
{
	uint32_t ike = s->ike;

	s->end = END_LEAVING;
	if (ike_delete(n->ike, n->now_ms, ike, 0, 1) != IKE_OK || session_by_ike(n, ike))
		session_forget(n, s, END_LEAVING);
}

/* An IKE SA goes on for the rules that stay, under one of their peers. */
static bool hand_over(struct session *s)
{
	list_each(item, &s->children)
	{
		struct peer *p = list_entry(item, struct child_sa, of_session)->peer;
		if (p->ending || s->end != END_NONE)
			continue;
		session_give(s, p);
		return true;
	}
	return false;
}

static void end_peer(struct node *n, struct peer *p)
{
	list_each_safe(item, &p->sessions)
	{
		struct session *s = list_entry(item, struct session, of_peer);
		if (!hand_over(s))
			end_session(n, s);
	}
	while (!list_empty(&p->children)) {
		struct child_sa *c =
			list_entry(p->children.next, struct child_sa, of_peer);
		if (c->session->peer->ending)
			end_session(n, c->session);
		else
			child_withdraw(n, c);
	}
	dial_stop(n, p);
	directory_forget(n, p);
	peer_drop(n, p);
}

static void end_changed_peers(struct change *c)
{
	struct node *n = c->n;

	list_each(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		const struct scope *old = &n->scopes[p->scope];
		const struct scope *new = counterpart(c, old);
		p->ending = !new || !same_rule(n->config, old, c->config, new, p->rule);
	}
	list_each_safe(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		if (p->ending)
			end_peer(n, p);
	}
}

/* ---- moving over ---------------------------------------------------------------------------- */

static void keep_closings(struct scope *new, const struct scope *old)
{
	new->gate_closings = old->gate_closings;
	new->gate_alarm_ms = old->gate_alarm_ms;
	new->gate_stuck = old->gate_stuck;
}

static void move_places(struct node *n, struct scope *old, struct scope *new)
{
	if (new->is_host) {
		struct place *places = new->places;
		new->places = old->places;
		new->n_places = old->n_places;
		old->places = places;
		old->n_places = 0;
	}
	for (unsigned i = 0; i < old->n_places; i++) {
		struct place *p = scope_place(new, &old->places[i].addr);
		if (p)
			*p = old->places[i];
		else
			release_now(n, old, &old->places[i]);
	}
	release_owe(n, old);
	new->gate_open = old->gate_open;
	keep_closings(new, old);
	new->steered = old->steered;
}

static void move_scopes(struct change *c)
{
	struct node *n = c->n;

	for (unsigned i = 0; i < n->n_scopes; i++) {
		struct scope *old = &n->scopes[i], *new = counterpart(c, old);
		if (new) {
			move_places(n, old, new);
		} else {
			end_scope(n, old);
			if (i < c->n_scopes)
				keep_closings(&c->scopes[i], old);
		}
	}
}

/* ---- arriving, under the new words ---------------------------------------------------------- */

static void arrive_host(struct node *n, struct scope *s)
{
	if (!s->spd)
		return;
	if (!s->gate_open) {
		scope_next_activation(n);
		scope_steer(n, s);
		scope_open_gate(n, s);
	}
	for (unsigned i = 0; i < n->n_seen; i++) {
		struct place *p;
		if (!scope_of_addr(n, &n->seen[i].addr, &p))
			(void)scope_add_place(s, &n->seen[i].addr);
	}
}

static void arrive_places(struct node *n, struct scope *s)
{
	for (unsigned i = 0; i < s->n_places; i++) {
		struct place *p = &s->places[i];
		if (p->state == VIP_BOUND && !p->leaving)
			peers_fixed(n, s, p);
		for (unsigned k = 0; p->seen == NODE_ADDR_GONE && k < n->n_seen; k++)
			if (addr_equal(&n->seen[k].addr, &p->addr))
				place_see(n, s, p, n->seen[k].state);
	}
}

/* Closed for an address that has left, and open for the others again. */
static void open_again(struct node *n, struct scope *s)
{
	scope_next_activation(n);
	scope_open_gate(n, s);
}

static void answer_lost_binds(struct node *n)
{
	for (unsigned i = 0; i < n->n_binds; i++)
		node_reply(n, n->binds[i].token, 1,
			"the configuration changed in the meantime: try again");
	n->n_binds = 0;
}

void on_config(struct node *n, struct config *config)
{
	struct change c = {.n = n, .config = config};
	struct config *old = n->config;

	c.n_scopes = config->n_vips + 1;
	c.scopes = mem_new(c.n_scopes, sizeof(*c.scopes));
	for (unsigned i = 0; i < c.n_scopes; i++)
		scope_init(&c.scopes[i], config, (uint16_t)i);
	if (old) {
		answer_lost_binds(n);
		end_changed_peers(&c);
		move_scopes(&c);
	}
	struct scope *gone = n->scopes;
	unsigned n_gone = n->n_scopes;
	n->scopes = c.scopes;
	n->n_scopes = c.n_scopes;
	n->config = config;
	expiry_reset(n);
	lapse_reset(n);
	names_reset(n);
	tuning_refresh(n);
	for (unsigned i = 0; i < n->n_scopes; i++) {
		struct scope *s = &n->scopes[i];
		if (!s->is_host && s->gate_open && !scope_serves(s))
			scope_close_gate(n, s);
		if (s->steered &&
			!(i < n_gone && same_spd(s->spd, gone[i].spd) && s->gate_open))
			scope_steer(n, s);
		if (s->is_host)
			arrive_host(n, s);
		else if (!s->gate_open && scope_serves(s))
			open_again(n, s);
		arrive_places(n, s);
	}
	for (unsigned i = 0; i < n_gone; i++)
		scope_wipe(&gone[i]);
	free(gone);
	config_free(old);
	cluster_hello(n);
	node_tell(n, EVENT_INFO, "config", NULL, NULL, 0, "configuration in force");
}

/* ---- what was stored -------------------------------------------------------------------------- */

static void restore_held(struct node *n, struct span bytes)
{
	struct reader r = rd_over(bytes);

	while (rd_left(&r) > 0 && n->n_held < CLUSTER_CLAIMS_MAX) {
		uint8_t family = rd_u8(&r);
		struct span b = rd_bytes(&r, 16);
		if (!rd_ok(&r) || (family != ADDR_V4 && family != ADDR_V6))
			break;
		n->held[n->n_held++] = addr_from_bytes(b.at, family == ADDR_V4 ? 4 : 16);
	}
}

static void restore_activation(struct node *n, struct span bytes)
{
	struct reader r = rd_over(bytes);
	uint16_t stored = rd_u16(&r);

	if (rd_done(&r) && stored > n->activation)
		n->activation = stored;
}

void on_restore(struct node *n, const char *name, struct span bytes)
{
	if (strcmp(name, "held") == 0) {
		restore_held(n, bytes);
	} else if (strcmp(name, "activation") == 0) {
		restore_activation(n, bytes);
	} else if (strcmp(name, "drains") == 0) {
		drain_restore(n, bytes);
	} else if (strcmp(name, "peers") == 0) {
		enum replica_err err =
			replica_peers_apply(n->directory, bytes, 0, NULL, NULL);
		if (err != REPLICA_OK)
			node_tell(n, EVENT_WARNING, "peers-refused", NULL, NULL, 0,
				"the stored list of peers is damaged: peers must call");
	}
}
