/* node/same.c - is this still the same rule? Decides whose SAs survive a reload.
 *
 * A rule is the same when its number, name, authentication, proposal and selectors are:
 * then nothing that its SAs were made from has changed. Names of secrets do not matter,
 * their octets do. Of certificates it is the identity's name that matters: one that was
 * renewed, or CAs that were added, are for SAs to come.
 */
#include "node/same.h"

static bool same_auth(const struct config_auth *a, const struct config_auth *b)
{
	return a->remote_any == b->remote_any && a->own == b->own && a->peer == b->peer &&
	       strcmp(a->identity_name, b->identity_name) == 0 &&
	       strcmp(a->trust_name, b->trust_name) == 0 &&
	       identity_equal(&a->remote_pattern, &b->remote_pattern) &&
	       identity_equal(&a->local_id, &b->local_id) &&
	       identity_equal(&a->remote_id, &b->remote_id) &&
	       secret_equal(secret_span(&a->psk), secret_span(&b->psk));
}

static bool same_proposal(
	const struct config_proposal *a, const struct config_proposal *b)
{
	if (a->n_ike != b->n_ike || a->n_esp != b->n_esp ||
		a->lifetime_ike_ms != b->lifetime_ike_ms ||
		a->lifetime_child_ms != b->lifetime_child_ms ||
		a->reauth_ms != b->reauth_ms || a->rekey_bytes != b->rekey_bytes ||
		a->rekey_packets != b->rekey_packets)
		return false;
	for (unsigned i = 0; i < a->n_ike; i++)
		if (a->ike[i].encr != b->ike[i].encr || a->ike[i].prf != b->ike[i].prf ||
			a->ike[i].ke != b->ike[i].ke ||
			memcmp(a->ike[i].more, b->ike[i].more, CONFIG_MORE_MAX) != 0)
			return false;
	for (unsigned i = 0; i < a->n_esp; i++)
		if (a->esp[i].encr != b->esp[i].encr || a->esp[i].ah != b->esp[i].ah)
			return false;
	return true;
}

static bool same_entry(const struct spd_entry *a, const struct spd_entry *b)
{
	return ts_equal(&a->local, &b->local) && ts_equal(&a->remote, &b->remote) &&
	       a->action == b->action && a->mirrored == b->mirrored &&
	       a->mode == b->mode && addr_equal(&a->tunnel_to, &b->tunnel_to) &&
	       memcmp(&a->tags, &b->tags, sizeof(a->tags)) == 0 && a->rule == b->rule;
}

bool same_spd(const struct spd *a, const struct spd *b)
{
	if (!a || !b)
		return a == b;
	if (spd_count(a) != spd_count(b))
		return false;
	for (size_t i = 0; i < spd_count(a); i++)
		if (!same_entry(spd_at(a, i), spd_at(b, i)))
			return false;
	return true;
}

static bool same_ppk(const struct config_ppk *a, const struct config_ppk *b)
{
	return strcmp(a->id, b->id) == 0 && a->required == b->required &&
	       secret_equal(secret_span(&a->key), secret_span(&b->key));
}

static bool same_redirect(const struct config_rule *a, const struct config_rule *b)
{
	if (a->n_redirect != b->n_redirect)
		return false;
	for (unsigned i = 0; i < a->n_redirect; i++)
		if (!addr_equal(&a->redirect[i].addr, &b->redirect[i].addr) ||
			a->redirect[i].bits != b->redirect[i].bits)
			return false;
	return true;
}

static bool same_words(const struct config *a, const struct config *b, uint32_t rule)
{
	const struct config_rule *x, *y;

	if (rule >= a->n_rules || rule >= b->n_rules)
		return false;
	x = &a->rules[rule];
	y = &b->rules[rule];
	if (strcmp(x->name, y->name) != 0 || x->n_auths != y->n_auths ||
		x->pfs != y->pfs || strcmp(x->tunnel_name, y->tunnel_name) != 0 ||
		x->childless != y->childless || !same_ppk(&x->ppk, &y->ppk) ||
		!same_redirect(x, y) ||
		!same_proposal(&a->proposals[x->proposal], &b->proposals[y->proposal]))
		return false;
	for (unsigned i = 0; i < x->n_auths; i++)
		if (!same_auth(&x->auths[i], &y->auths[i]))
			return false;
	return a->cluster.backend == b->cluster.backend &&
	       a->dataplane.encap == b->dataplane.encap;
}

/* The n-th entry of the rule itself, without what stands around it. */
static const struct spd_entry *own_entry(const struct rule_use *use, size_t nth)
{
	for (size_t i = 0; i < spd_count(use->spd); i++)
		if (spd_at(use->spd, i)->rule == use->rule && nth-- == 0)
			return spd_at(use->spd, i);
	return NULL;
}

static bool same_selectors(const struct rule_use *x, const struct rule_use *y)
{
	for (size_t i = 0;; i++) {
		const struct spd_entry *a = own_entry(x, i), *b = own_entry(y, i);
		if (!a || !b)
			return a == b;
		if (!same_entry(a, b))
			return false;
	}
}

bool same_rule(const struct config *a, const struct scope *sa, const struct config *b,
	const struct scope *sb, uint32_t rule)
{
	const struct rule_use *x = scope_use(sa, rule), *y = scope_use(sb, rule);

	return x && y && same_words(a, b, rule) && same_selectors(x, y);
}
