/* node/expiry.c - our own certificates end one day: said beforehand, and when it is so.
 *
 * Looked at each hour; told when it has changed, and once a day while it lasts. What
 * `status` and the agent's monitor show of it is the daemon's to compute.
 */
#include "node/core.h"

enum { LOOK_MS = 3600 * 1000, SAY_AGAIN_MS = 24 * 3600 * 1000, DAY_S = 24 * 3600 };
enum expiry { EXPIRY_FAR, EXPIRY_NEAR, EXPIRY_PAST };

void expiry_reset(struct node *n)
{
	memset(n->expiry_state, 0, sizeof(n->expiry_state));
	n->expiry_due_ms = n->now_ms;
}

static enum expiry judge(const struct node *n, const struct certificate *c)
{
	int64_t left_s = certificate_not_after_s(c) - n->wall_s;

	if (left_s < 0)
		return EXPIRY_PAST;
	return left_s < (int64_t)(n->tuning.expiry_warning_ms / 1000) ? EXPIRY_NEAR
								      : EXPIRY_FAR;
}

static void say(struct node *n, const struct config_identity *i,
	const struct certificate *c, enum expiry state)
{
	char name[CERT_TEXT_MAX], date[CERT_DATE_MAX];
	int64_t until_s = certificate_not_after_s(c);

	certificate_subject(c, name);
	certificate_date(until_s, date);
	if (state == EXPIRY_PAST)
		node_tell(n, EVENT_ERROR, "certificate", NULL, NULL, 0,
			"identity %s: the certificate %.120s has expired, on %s: no peer "
			"believes it; renew it and reload",
			i->name, name, date);
	else
		node_tell(n, EVENT_WARNING, "certificate", NULL, NULL, 0,
			"identity %s: the certificate %.120s expires on %s, in %lld "
			"days: "
			"renew it and reload",
			i->name, name, date, (long long)((until_s - n->wall_s) / DAY_S));
}

static void look_at(struct node *n, unsigned k)
{
	const struct config_identity *i = &n->config->identities[k];
	const struct certificate *c =
		i->credential ? credential_at(i->credential, 0) : NULL;
	enum expiry state = c ? judge(n, c) : EXPIRY_FAR;
	bool changed = state != n->expiry_state[k];

	n->expiry_state[k] = (uint8_t)state;
	if (state == EXPIRY_FAR ||
		(!changed && n->now_ms - n->expiry_told_ms[k] < SAY_AGAIN_MS))
		return;
	n->expiry_told_ms[k] = n->now_ms;
	say(n, i, c, state);
}

uint64_t expiry_due_ms(const struct node *n)
{
	bool any = n->config && n->config->n_identities > 0 && n->wall_s != 0;

	return any ? n->expiry_due_ms : UINT64_MAX;
}

void expiry_settle(struct node *n)
{
	if (expiry_due_ms(n) > n->now_ms)
		return;
	n->expiry_due_ms = n->now_ms + LOOK_MS;
	for (unsigned k = 0; k < n->config->n_identities; k++)
		look_at(n, k);
}
