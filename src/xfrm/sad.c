/* xfrm/sad.c - RFC 4301 4.4.2 with the kernel's SAD. */
#include "config.h"

#include "xfrm/sad.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "xfrm/halves.h"
#include "xfrm/sending.h"

/* ---- the table ---------------------------------------------------------------------------- */

static struct request_name name_of(const struct addr *daddr, uint32_t spi, bool ah)
{
	struct request_name n;

	memset(&n, 0, sizeof(n)); /* it is a key */
	n.daddr = *daddr;
	n.spi = spi;
	n.ah = ah;
	return n;
}

struct request_name sad_name_in(const struct esp_child *sa)
{
	return name_of(&sa->local.addr, sa->spi_in, sa->ah);
}

struct request_name sad_name_out(const struct esp_child *sa)
{
	return name_of(&sa->remote.addr, sa->spi_out, sa->ah);
}

static struct sad_child *by_name(const struct map *m, const struct request_name *name)
{
	struct request_name n = name_of(&name->daddr, name->spi, name->ah);

	return map_get(m, span_of(&n, sizeof(n)));
}

void sad_init(struct sad *cs, const struct entropy *e, struct request_line *line,
	struct claims *claims)
{
	list_init(&cs->all);
	list_init(&cs->strays);
	cs->by_id = map_new(e);
	cs->by_name_in = map_new(e);
	cs->by_name_out = map_new(e);
	lineages_init(&cs->lineages, e);
	cs->line = line;
	cs->claims = claims;
}

struct sad_child *sad_find(const struct sad *cs, uint32_t id)
{
	return map_get(cs->by_id, span_of(&id, sizeof(id)));
}

struct sad_child *sad_by_name_in(const struct sad *cs, const struct request_name *in)
{
	return by_name(cs->by_name_in, in);
}

struct sad_child *sad_by_name_out(const struct sad *cs, const struct request_name *out)
{
	return by_name(cs->by_name_out, out);
}

static void enlist_out(struct sad *cs, struct sad_child *c)
{
	struct request_name n = sad_name_out(&c->sa);

	map_put(cs->by_name_out, span_of(&n, sizeof(n)), c);
}

static void forget_out(struct sad *cs, struct sad_child *c)
{
	struct request_name n = sad_name_out(&c->sa);

	if (map_get(cs->by_name_out, span_of(&n, sizeof(n))) == c)
		(void)map_take(cs->by_name_out, span_of(&n, sizeof(n)));
}

static void enlist(struct sad *cs, struct sad_child *c)
{
	struct request_name in = sad_name_in(&c->sa);

	list_add(&cs->all, &c->link);
	map_put(cs->by_id, span_of(&c->sa.id, sizeof(c->sa.id)), c);
	map_put(cs->by_name_in, span_of(&in, sizeof(in)), c);
	enlist_out(cs, c);
}

static void take_reqids(struct sad *cs, struct sad_child *c)
{
	c->reqid_out = lineage_take(&cs->lineages, &c->sa, LINEAGE_OUT);
	c->reqid_in = lineage_take(&cs->lineages, &c->sa, LINEAGE_IN);
}

static void drop_reqids(struct sad *cs, const struct sad_child *c)
{
	lineage_drop(&cs->lineages, &c->sa, LINEAGE_OUT);
	lineage_drop(&cs->lineages, &c->sa, LINEAGE_IN);
}

static void forget(struct sad *cs, struct sad_child *c)
{
	struct request_name in = sad_name_in(&c->sa);

	(void)map_take(cs->by_id, span_of(&c->sa.id, sizeof(c->sa.id)));
	(void)map_take(cs->by_name_in, span_of(&in, sizeof(in)));
	forget_out(cs, c);
	list_del(&c->link);
	drop_reqids(cs, c);
	esp_child_wipe(&c->sa);
	free(c);
}

/* ---- orders ------------------------------------------------------------------------------------ */

/* Two peers behind one NAT, in transport mode, look alike to the kernel: what is for one would
 * go to the other (RFC 3948 5.2). */
static bool is_taken(const struct sad *cs, const struct esp_child *sa)
{
	if (sa->owner == 0)
		return false;
	list_each(item, &cs->all)
	{
		const struct esp_child *other =
			&list_entry(item, struct sad_child, link)->sa;
		if (other->scope == sa->scope && other->owner != 0 &&
			other->owner != sa->owner &&
			addr_equal(&other->remote.addr, &sa->remote.addr))
			return true;
	}
	return false;
}

int sad_add(struct sad *cs, const struct sad_scope *s, const struct esp_child *sa,
	uint64_t now_ms)
{
	if (!s->spd)
		return ENODEV;
	/* The name of an outgoing one is the peer's choice, and may be that of another's. */
	const struct request_name in = sad_name_in(sa), out = sad_name_out(sa);
	if (sad_find(cs, sa->id) || sad_by_name_in(cs, &in))
		return EEXIST;
	if (sad_by_name_out(cs, &out))
		return ENOTUNIQ;
	if (is_taken(cs, sa))
		return EADDRINUSE;
	struct sad_child *c = mem_new(1, sizeof(*c));
	c->sa = *sa;
	take_reqids(cs, c);
	c->active = sa->outbound_ready;
	c->turn = c->active ? ++cs->turns : 0;
	c->usage.id = sa->id;
	c->since_ms = now_ms;
	if (list_empty(&cs->all))
		cs->looked_ms = now_ms;
	claimant_init(&c->policies, sa->scope);
	enlist(cs, c);
	int err = halves_put_in(cs, c, NULL);
	if (err == 0)
		err = sending_go_on(cs, s, c);
	if (err != 0)
		sad_delete(cs, s, sa->id);
	return err;
}

int sad_activate(struct sad *cs, const struct sad_scope *s, uint32_t id)
{
	struct sad_child *c = sad_find(cs, id);

	if (!c || !s->spd)
		return ENODEV;
	c->active = true;
	c->turn = ++cs->turns;
	return sending_go_on(cs, s, c);
}

struct stray {
	struct list link;
	uint16_t scope;
	struct request_name name;
};

static void end_stray(struct stray *s)
{
	list_del(&s->link);
	free(s);
}

/* Another child may have its name by now: then it is gone. */
static int try_stray(struct sad *cs, const struct stray *s)
{
	const struct sad_child *c = sad_by_name_out(cs, &s->name);

	return c && c->out_there ? 0 : halves_delete(cs, &s->name);
}

int sad_end_strays(struct sad *cs, uint16_t scope)
{
	int error = 0;

	list_each_safe(item, &cs->strays)
	{
		struct stray *s = list_entry(item, struct stray, link);
		if (scope != SCOPE_MAX && s->scope != scope)
			continue;
		int err = try_stray(cs, s);
		if (err == 0)
			end_stray(s);
		else
			error = err;
	}
	return error;
}

/* The kernel may send with it, though its child is gone. */
static void note_stray(struct sad *cs, const struct sad_child *c)
{
	struct stray *s = mem_new(1, sizeof(*s));

	s->scope = c->sa.scope;
	s->name = sad_name_out(&c->sa);
	list_add(&cs->strays, &s->link);
	cs->amiss = true;
}

static void remove_child(struct sad *cs, struct sad_child *c)
{
	const struct request_name out = sad_name_out(&c->sa);

	if (c->out_there && halves_delete(cs, &out) != 0)
		note_stray(cs, c);
	if (halves_take_in(cs, c, NULL) != 0)
		cs->amiss = true;
	claims_drop(cs->claims, &c->policies);
	forget(cs, c);
}

void sad_delete(struct sad *cs, const struct sad_scope *s, uint32_t id)
{
	struct sad_child *c = sad_find(cs, id);

	if (!c)
		return;
	uint32_t reqid_out = c->reqid_out;
	bool leaves_others = lineage_is_shared(&cs->lineages, &c->sa, LINEAGE_OUT);
	bool sent = c->out_there;
	remove_child(cs, c);
	if (leaves_others)
		sending_pass_on(cs, s, reqid_out, sent);
}

/* The kernel names an SA by its destination, so a peer that is elsewhere has new ones, with
 * the old numbers. */
int sad_move(struct sad *cs, const struct sad_scope *s, uint32_t id,
	const struct endpoint *remote, bool encap)
{
	struct sad_child *c = sad_find(cs, id);
	struct request_replay replay;

	if (!c || !c->in_there || !s->spd)
		return ENODEV;
	const struct request_name out = name_of(&remote->addr, c->sa.spi_out, c->sa.ah);
	struct sad_child *other = sad_by_name_out(cs, &out);
	if (other && other != c)
		return ENOTUNIQ;
	int err = halves_take_out(cs, c);
	if (err == 0)
		err = halves_take_in(cs, c, &replay);
	if (err != 0)
		return err;
	drop_reqids(cs, c);
	forget_out(cs, c);
	c->sa.remote = *remote;
	c->sa.encap = encap;
	enlist_out(cs, c);
	take_reqids(cs, c);
	err = halves_put_in(cs, c, &replay);
	return err == 0 ? sending_go_on(cs, s, c) : err;
}

/* A new half in the old one's place: the kernel's limits count from its beginning. */
int sad_send_behind(
	struct sad *cs, const struct sad_scope *s, uint32_t id, uint64_t seq_out)
{
	struct sad_child *c = sad_find(cs, id);

	if (!c)
		return ENOENT;
	int err = halves_take_out(cs, c);
	if (err != 0)
		return err;
	if (c->seq_out < seq_out)
		c->seq_out = seq_out;
	return sending_go_on(cs, s, c);
}

int sad_gate_close(struct sad *cs, uint16_t scope)
{
	int error = sad_end_strays(cs, scope);

	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		int err = c->sa.scope == scope ? halves_take_out(cs, c) : 0;
		error = err != 0 ? err : error;
	}
	return error;
}

/* Those that send first: a policy without its SA would ask for one. */
void sad_gate_open(struct sad *cs, uint16_t scope, const struct sad_scope *s,
	void (*refused)(const struct sad_child *c, int err, void *ctx), void *ctx)
{
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope != scope || sending_is_replaced(cs, c))
			continue;
		int err = sending_go_on(cs, s, c);
		if (err != 0)
			refused(c, err, ctx);
	}
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope == scope && sending_is_replaced(cs, c))
			(void)halves_claim(cs, s, c); /* claims_failed() tells */
	}
}

void sad_rules(struct sad *cs, uint16_t scope, const struct sad_scope *s)
{
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope == scope)
			(void)halves_claim(cs, s, c); /* claims_failed() tells */
	}
}

void sad_drop_scope(struct sad *cs, uint16_t scope)
{
	list_each_safe(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (c->sa.scope == scope)
			remove_child(cs, c);
	}
}

void sad_wipe(struct sad *cs, bool keep)
{
	list_each_safe(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (keep)
			forget(cs, c);
		else
			remove_child(cs, c);
	}
	list_each_safe(item, &cs->strays) end_stray(list_entry(item, struct stray, link));
	map_free(cs->by_id);
	map_free(cs->by_name_in);
	map_free(cs->by_name_out);
	lineages_wipe(&cs->lineages);
}
