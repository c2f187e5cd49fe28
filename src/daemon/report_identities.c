/* daemon/report_identities.c - our certificates as JSON (docs/PROTOCOL.md), and which of
 * them are a problem.
 */
#include "daemon/report.h"

#include <stdio.h>

#include "daemon/values.h"
#include "os/clock.h"

enum { DAY_S = 24 * 3600 };

struct dates {
	int64_t until_s, left_s;
	const char *state; /* "valid", "expiring", "expired" */
};

static struct dates dates_of(const struct daemon *d, const struct certificate *c)
{
	uint64_t warning_ms = node_config(d->node)->tuning.expiry_warning_ms;
	struct dates t = {.until_s = certificate_not_after_s(c)};

	t.left_s = t.until_s - (int64_t)(clock_wall_ms() / 1000);
	t.state = "valid";
	if (t.left_s < (int64_t)(warning_ms / 1000))
		t.state = "expiring";
	if (t.left_s < 0)
		t.state = "expired";
	return t;
}

static json_t *identity_json(const struct daemon *d, const struct config_identity *i)
{
	static const char *const modes[] = {[REVOCATION_OFF] = "off",
		[REVOCATION_IF_AVAILABLE] = "if-available",
		[REVOCATION_STRICT] = "strict"};
	char subject[CERT_TEXT_MAX], issuer[CERT_TEXT_MAX], date[CERT_DATE_MAX];
	json_t *out = json_pack("{s:s,s:o,s:i,s:s}", "name", i->name, "id",
		i->credential ? value_identity(&i->id) : json_null(), "cas",
		i->trust ? (int)trust_count(i->trust) : 0, "revocation",
		modes[i->revocation]);

	if (!i->credential)
		return out;
	const struct certificate *c = credential_at(i->credential, 0);
	struct dates t = dates_of(d, c);
	json_object_set_new(out, "subject", json_string(certificate_subject(c, subject)));
	json_object_set_new(out, "issuer", json_string(certificate_issuer(c, issuer)));
	json_object_set_new(out, "not_after", json_integer(t.until_s));
	json_object_set_new(
		out, "not_after_text", json_string(certificate_date(t.until_s, date)));
	json_object_set_new(out, "state", json_string(t.state));
	return out;
}

json_t *report_identities(struct daemon *d)
{
	const struct config *c = node_config(d->node);
	json_t *out = json_array();

	for (unsigned i = 0; c && i < c->n_identities; i++)
		json_array_append_new(out, identity_json(d, &c->identities[i]));
	return out;
}

/* Not with " - " in it: what stands behind that is what the agent tells. */
static bool problem_of(const struct daemon *d, const char *identity,
	const struct credential *ours, char *out, size_t cap)
{
	char date[CERT_DATE_MAX];

	if (!ours)
		return false;
	struct dates t = dates_of(d, credential_at(ours, 0));
	certificate_date(t.until_s, date);
	if (t.left_s < 0)
		snprintf(out, cap,
			"the certificate of identity %s has expired, on %s: renew it and "
			"reload",
			identity, date);
	else if (t.state[0] == 'e')
		snprintf(out, cap,
			"the certificate of identity %s expires on %s, in %lld days: "
			"renew it and reload",
			identity, date, (long long)(t.left_s / DAY_S));
	return t.state[0] == 'e';
}

void report_identity_problems(struct daemon *d, json_t *list)
{
	const struct config *c = node_config(d->node);
	char text[256];

	for (unsigned i = 0; c && i < c->n_identities; i++)
		if (problem_of(d, c->identities[i].name, c->identities[i].credential,
			    text, sizeof(text)))
			json_array_append_new(list, json_string(text));
}

bool report_identity_trouble(
	const struct daemon *d, uint16_t scope, char *out, size_t cap)
{
	const struct config *c = node_config(d->node);
	uint32_t policy = scope < c->n_vips ? c->vips[scope].policy : c->host_policy;

	for (unsigned i = 0;
		policy != CONFIG_NO_POLICY && i < c->policies[policy].n_rules; i++) {
		const struct config_rule *r = &c->rules[c->policies[policy].rules[i]];

		for (unsigned k = 0; k < r->n_auths; k++)
			if (problem_of(d, r->auths[k].identity_name,
				    r->auths[k].credential, out, cap))
				return true;
	}
	return false;
}
