/* config/hash.c - SHA-256 over the meaning of a configuration.
 *
 * Members of a cluster compare it before one takes over what another has left. Each value
 * is chained into the hash with its length, in a fixed order and byte order: layout,
 * comments and the order of statements in a block make no difference, the names, order
 * and content of objects do. A secret enters as a digest of its own.
 */
#include "config/hash.h"

#include <assert.h>
#include <string.h>

/* digest = SHA-256(digest | length | bytes) */
static void mix(struct config *c, const void *at, size_t len)
{
	uint8_t prefix[8];
	struct span parts[3] = {span_of(c->hash, sizeof(c->hash)),
		span_of(prefix, sizeof(prefix)), span_of(at, len)};

	for (size_t i = 0; i < sizeof(prefix); i++)
		prefix[i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
	enum crypto_err err = sha256(parts, 3, c->hash);
	assert(err == CRYPTO_OK);
}

static void mix_number(struct config *c, uint64_t v)
{
	uint8_t octets[8];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(v >> (56 - 8 * i));
	mix(c, octets, sizeof(octets));
}

static void mix_text(struct config *c, const char *text)
{
	mix(c, text, strlen(text));
}

static void mix_addr(struct config *c, const struct addr *a)
{
	mix_number(c, a->family);
	mix(c, a->b, sizeof(a->b));
}

static void mix_secret(struct config *c, const struct secret *s)
{
	uint8_t digest[SHA256_LEN];
	struct span key = secret_span(s);
	enum crypto_err err = sha256(&key, 1, digest);

	assert(err == CRYPTO_OK);
	mix(c, digest, sizeof(digest));
	wipe(digest, sizeof(digest));
}

static void mix_identity(struct config *c, const struct identity *id)
{
	mix_number(c, id->type);
	mix(c, id->b, id->len);
}

/* ---- objects ------------------------------------------------------------------------ */

static void mix_settings(struct config *c)
{
	mix_text(c, c->cluster.name);
	mix_number(c, c->cluster.backend);
	mix_number(c, c->cluster.takeover);
	mix_number(c, c->cluster.failover_time_ms);
	mix_number(c, c->tuning.nlbs_flags);
	mix_number(c, c->tuning.nlbs_present);
	mix_number(c, c->tuning.idle_timeout_ms);
	mix_number(c, c->tuning.idle_timeout_failover_ms);
	mix_number(c, c->tuning.idle_lifetime_ms);
	mix_number(c, c->tuning.delete_wait_ms);
	mix_number(c, c->tuning.replay_window);
	mix_number(c, c->tuning.mobike);
	mix_number(c, c->tuning.fragment_size);
	mix_number(c, c->tuning.on_exit);
	mix_number(c, c->tuning.resolve_refresh_ms);
	mix_number(c, c->tuning.expiry_warning_ms);
	mix_number(c, c->dataplane.prefer);
	mix_number(c, c->dataplane.fallback);
	mix_number(c, c->dataplane.has_fallback);
	mix_number(c, c->dataplane.encap);
	mix_number(c, c->dataplane.offload);
}

static void mix_tags(struct config *c, const struct policy_tags *t)
{
	mix_number(c, t->mark);
	mix_number(c, t->mask);
	mix_number(c, t->if_id);
}

static void mix_vip(struct config *c, const struct config_vip *v)
{
	mix_text(c, v->name);
	mix_number(c, v->n_addrs);
	for (unsigned i = 0; i < v->n_addrs; i++)
		mix_addr(c, &v->addrs[i]);
	mix_number(c, v->bind);
	mix_addr(c, &v->drain_to[0]);
	mix_addr(c, &v->drain_to[1]);
	mix_tags(c, &v->tags);
	mix_number(c, v->policy);
}

/* Our own certificate is not part of it: a node that has the renewed one already and a
 * node that has not are one cluster. Whom we believe is. */
static void mix_credentials(struct config *c, const struct config_identity *i)
{
	mix_text(c, i->name);
	mix_identity(c, &i->id);
	mix_number(c, i->credential != NULL);
	mix_number(c, i->revocation);
	mix_number(c, i->lapse);
	mix_number(c, i->trust ? trust_count(i->trust) : 0);
	for (size_t k = 0; i->trust && k < trust_count(i->trust); k++) {
		struct span der = certificate_der(trust_at(i->trust, k));

		mix(c, der.at, der.len);
	}
}

static void mix_proposal(struct config *c, const struct config_proposal *p)
{
	mix_text(c, p->name);
	mix_number(c, p->n_ike);
	for (unsigned i = 0; i < p->n_ike; i++) {
		mix_text(c, aead_name(p->ike[i].encr));
		mix_text(c, prf_name(p->ike[i].prf));
		mix_number(c, p->ike[i].ke);
		for (unsigned k = 0; k < CONFIG_MORE_MAX; k++)
			mix_number(c, p->ike[i].more[k]);
	}
	mix_number(c, p->n_esp);
	for (unsigned i = 0; i < p->n_esp; i++) {
		if (p->esp[i].ah)
			mix_text(c, "ah");
		mix_text(c, aead_name(p->esp[i].encr));
	}
	mix_number(c, p->lifetime_ike_ms);
	mix_number(c, p->lifetime_child_ms);
	mix_number(c, p->reauth_ms);
	mix_number(c, p->rekey_bytes);
	mix_number(c, p->rekey_packets);
}

static void mix_side(struct config *c, const struct config_side *s)
{
	mix_number(c, s->kind);
	mix_number(c, s->vip);
	mix_number(c, s->n_prefixes);
	for (unsigned i = 0; i < s->n_prefixes; i++) {
		mix_addr(c, &s->prefixes[i].addr);
		mix_number(c, s->prefixes[i].bits);
	}
	mix_number(c, s->n_ports);
	for (unsigned i = 0; i < s->n_ports; i++) {
		mix_number(c, s->ports[i].lo);
		mix_number(c, s->ports[i].hi);
	}
}

static void mix_filter_list(struct config *c, const struct config_filter_list *l)
{
	mix_text(c, l->name);
	mix_number(c, l->n_filters);
	for (unsigned i = 0; i < l->n_filters; i++) {
		mix_side(c, &l->filters[i].local);
		mix_side(c, &l->filters[i].remote);
		mix_number(c, l->filters[i].proto);
		mix_number(c, l->filters[i].mirrored);
	}
}

static void mix_rule(struct config *c, const struct config_rule *r)
{
	mix_text(c, r->name);
	mix_number(c, r->filter_list);
	mix_number(c, r->action);
	mix_number(c, r->mode);
	mix_addr(c, &r->tunnel_to);
	mix_text(c, r->tunnel_name);
	mix_number(c, r->proposal);
	mix_number(c, r->pfs);
	mix_number(c, r->childless);
	mix_tags(c, &r->tags);
	mix_text(c, r->ppk.id);
	mix_secret(c, &r->ppk.key);
	mix_number(c, r->ppk.required);
	mix_number(c, r->n_redirect);
	for (unsigned i = 0; i < r->n_redirect; i++) {
		mix_addr(c, &r->redirect[i].addr);
		mix_number(c, r->redirect[i].bits);
	}
	mix_number(c, r->n_auths);
	for (unsigned i = 0; i < r->n_auths; i++) {
		mix_text(c, r->auths[i].secret_name);
		mix_secret(c, &r->auths[i].psk);
		mix_identity(c, &r->auths[i].local_id);
		mix_identity(c, &r->auths[i].remote_id);
		mix_number(c, r->auths[i].remote_any);
		mix_number(c, r->auths[i].own);
		mix_number(c, r->auths[i].peer);
		mix_text(c, r->auths[i].identity_name);
		mix_text(c, r->auths[i].trust_name);
		mix_identity(c, &r->auths[i].remote_pattern);
	}
}

static void mix_policy(struct config *c, const struct config_policy *p)
{
	mix_text(c, p->name);
	mix_number(c, p->n_rules);
	for (unsigned i = 0; i < p->n_rules; i++)
		mix_rule(c, &c->rules[p->rules[i]]);
}

void config_hash(struct config *c)
{
	memset(c->hash, 0, sizeof(c->hash));
	mix_text(c, "vipsec configuration 1");
	mix_settings(c);
	mix_number(c, c->n_vips);
	for (unsigned i = 0; i < c->n_vips; i++)
		mix_vip(c, &c->vips[i]);
	mix_number(c, c->n_identities);
	for (unsigned i = 0; i < c->n_identities; i++)
		mix_credentials(c, &c->identities[i]);
	mix_number(c, c->n_proposals);
	for (unsigned i = 0; i < c->n_proposals; i++)
		mix_proposal(c, &c->proposals[i]);
	mix_number(c, c->n_filter_lists);
	for (unsigned i = 0; i < c->n_filter_lists; i++)
		mix_filter_list(c, &c->filter_lists[i]);
	mix_number(c, c->n_policies);
	for (unsigned i = 0; i < c->n_policies; i++)
		mix_policy(c, &c->policies[i]);
	mix_number(c, c->host_policy);
}
