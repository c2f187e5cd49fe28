/* node/scope.c - scopes and places as data: made from the configuration, found again.
 *
 * FX_POLICY is given for a VIP while one of its addresses is bound, and for the host as
 * long as it has a policy: steering needs the address as a source, so there is nothing
 * useful to install before. What keeps an unbound VIP's traffic out of the clear is the
 * guard, which the daemon builds from the configuration.
 */
#include "node/core.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* One rule, and what is permitted or blocked around it: narrowing must see those, too, so
 * that a more specific one keeps its traffic out of an SA. */
static struct spd *rule_spd(const struct spd *all, uint32_t rule)
{
	const struct spd_entry *a, *b;
	struct spd *s = spd_new();

	for (size_t i = 0; i < spd_count(all); i++) {
		const struct spd_entry *e = spd_at(all, i);
		if (e->rule != rule && e->action == POLICY_NEGOTIATE)
			continue;
		if (spd_add(s, e) != POLICY_OK)
			break;
	}
	/* Part of an SPD that was sealed cannot contradict itself. */
	enum policy_err err = spd_seal(s, &a, &b);
	assert(err == POLICY_OK);
	return s;
}

static void init_uses(struct scope *s)
{
	size_t n = spd_count(s->spd);

	s->uses = n > 0 ? mem_new(n, sizeof(*s->uses)) : NULL;
	for (size_t i = 0; i < n; i++) {
		const struct spd_entry *e = spd_at(s->spd, i);
		if (e->action != POLICY_NEGOTIATE || scope_use(s, e->rule))
			continue;
		s->uses[s->n_uses++] = (struct rule_use){
			.rule = e->rule, .spd = rule_spd(s->spd, e->rule)};
	}
}

void scope_init(struct scope *s, const struct config *c, uint16_t id)
{
	*s = (struct scope){.id = id, .is_host = id == config_host_scope(c)};
	s->places = mem_new(
		s->is_host ? HOST_PLACES_MAX : CONFIG_VIP_ADDRS, sizeof(*s->places));
	s->spd = config_spd(c, id);
	if (s->spd)
		init_uses(s);
	s->answer = host_answer_of(c, s);
	if (s->is_host) {
		snprintf(s->name, sizeof(s->name), "host");
		return;
	}
	const struct config_vip *vip = &c->vips[id];
	memcpy(s->name, vip->name, sizeof(s->name));
	s->bind = vip->bind;
	for (unsigned i = 0; i < vip->n_addrs; i++)
		s->places[s->n_places++].addr = vip->addrs[i];
}

void scope_wipe(struct scope *s)
{
	for (unsigned i = 0; i < s->n_uses; i++)
		spd_free(s->uses[i].spd);
	free(s->uses);
	free(s->answer);
	spd_free(s->spd);
	free(s->places);
	*s = (struct scope){0};
}

struct scope *scope_by_name(struct node *n, const char *name)
{
	for (unsigned i = 0; i < n->n_scopes; i++)
		if (strcmp(n->scopes[i].name, name) == 0)
			return &n->scopes[i];
	return NULL;
}

struct place *scope_place(const struct scope *s, const struct addr *addr)
{
	for (unsigned i = 0; i < s->n_places; i++)
		if (addr_equal(&s->places[i].addr, addr))
			return &s->places[i];
	return NULL;
}

struct scope *scope_of_addr(struct node *n, const struct addr *addr, struct place **out)
{
	for (unsigned i = 0; i < n->n_scopes; i++) {
		*out = scope_place(&n->scopes[i], addr);
		if (*out)
			return &n->scopes[i];
	}
	return NULL;
}

struct place *scope_bound_place(
	const struct scope *s, const struct addr *best, uint8_t family)
{
	struct place *p = scope_place(s, best);

	if (p && p->state == VIP_BOUND && p->addr.family == family)
		return p;
	for (unsigned i = 0; i < s->n_places; i++)
		if (s->places[i].state == VIP_BOUND && s->places[i].addr.family == family)
			return &s->places[i];
	return NULL;
}

/* Addresses of which no peer could ever hear. */
static bool never_serves(const struct addr *a)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	if (a->family == ADDR_V4)
		return a->b[0] == 127;
	return memcmp(a->b, loopback6, sizeof(loopback6)) == 0 ||
	       (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
}

static bool place_is_spent(const struct place *p)
{
	return p->state == VIP_ABSENT && !p->leaving && !p->sockets;
}

struct place *scope_add_place(struct scope *s, const struct addr *addr)
{
	assert(s->is_host);
	if (never_serves(addr) || !s->spd)
		return NULL;
	for (unsigned i = 0; i < s->n_places; i++) {
		if (place_is_spent(&s->places[i])) {
			s->places[i] = (struct place){.addr = *addr};
			return &s->places[i];
		}
	}
	if (s->n_places == HOST_PLACES_MAX)
		return NULL;
	struct place *p = &s->places[s->n_places++];
	*p = (struct place){.addr = *addr};
	return p;
}

bool scope_serves(const struct scope *s)
{
	for (unsigned i = 0; i < s->n_places; i++)
		if (place_serves(&s->places[i]))
			return true;
	return false;
}

const struct rule_use *scope_use(const struct scope *s, uint32_t rule)
{
	for (unsigned i = 0; i < s->n_uses; i++)
		if (s->uses[i].rule == rule)
			return &s->uses[i];
	return NULL;
}

void scope_steer(struct node *n, struct scope *s)
{
	struct addr addrs[CONFIG_VIP_ADDRS];
	size_t n_addrs = 0;

	for (unsigned i = 0; !s->is_host && i < s->n_places; i++)
		if (place_serves(&s->places[i]) || s->places[i].leaving)
			addrs[n_addrs++] = s->places[i].addr;
	bool wanted = s->spd && (s->is_host || n_addrs > 0);
	if (!wanted && !s->steered)
		return;
	struct effect *f = effects_add(n->out, FX_POLICY, s->id);
	if (wanted) {
		f->u.policy.spd = spd_dup(s->spd);
		f->u.policy.n_addrs = n_addrs;
		memcpy(f->u.policy.addrs, addrs, n_addrs * sizeof(addrs[0]));
	}
	s->steered = wanted;
}

/* Stored before anything is sealed under it. All SAs of one activation were made after
 * it was stored, so starting again from 1 repeats no IV: an SA lives for hours, and the
 * numbers last for 65535 bindings. */
void scope_next_activation(struct node *n)
{
	uint8_t bytes[2];

	n->activation = n->activation == UINT16_MAX ? 1 : (uint16_t)(n->activation + 1);
	bytes[0] = (uint8_t)(n->activation >> 8);
	bytes[1] = (uint8_t)n->activation;
	node_store(n, "activation", span_of(bytes, sizeof(bytes)));
}
