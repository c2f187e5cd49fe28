/* doctor/look_policies.c - the kernel's IPsec policies that are not ours, and what of ours
 * they might take.
 */
#include "doctor/look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/iana.h"
#include "xfrm/foreign.h"
#include "xfrm/rules.h"

/* ---- ours ------------------------------------------------------------------------------ */

/* To be filled. NULL: there is no more room. */
static struct fact_ours *add_ours(struct facts_policies *x)
{
	return x->n_ours < sizeof(x->ours) / sizeof(x->ours[0]) ? &x->ours[x->n_ours++]
								: NULL;
}

static void add_scope(struct facts_policies *x, const struct config *c, uint16_t scope)
{
	struct spd *spd = config_spd(c, scope);

	for (size_t i = 0; spd && i < spd_count(spd); i++) {
		const struct spd_entry *e = spd_at(spd, i);
		struct fact_ours *one =
			e->action == POLICY_NEGOTIATE ? add_ours(x) : NULL;
		if (!one)
			continue;
		*one = (struct fact_ours){.local = e->local,
			.remote = e->remote,
			.priority = rules_priority(scope == config_host_scope(c), i),
			.if_id = e->tags.if_id,
			.mirrored = e->mirrored};
		snprintf(one->what, sizeof(one->what), "rule \"%s\"", e->rule_name);
	}
	spd_free(spd);
}

/* So far in front of a scope's entries xfrm/rules.c has them (test_doctor_policies). */
static uint32_t exempt_priority(bool is_host)
{
	enum { IN_FRONT = 65 };

	return rules_priority(is_host, 0) - IN_FRONT;
}

/* What the rules' own SAs travel in. */
static void add_exempt(struct facts_policies *x, const struct own_address *own,
	uint8_t proto, uint16_t port, const char *word)
{
	struct fact_ours *one = add_ours(x);
	char text[ADDR_TEXT_MAX];

	if (!one)
		return;
	*one = (struct fact_ours){.local = ts_host(&own->addr),
		.remote = ts_any((enum addr_family)own->addr.family),
		.priority = exempt_priority(own->is_host),
		.mirrored = true};
	one->local.proto = one->remote.proto = proto;
	if (port != 0)
		one->local.port_lo = one->local.port_hi = port;
	snprintf(one->what, sizeof(one->what), "%s of %s", word,
		addr_format(&own->addr, text));
}

static void look_ours(const struct patient *p, struct facts_policies *x)
{
	const struct config *c = p->config;

	for (uint16_t s = 0; c && s <= config_host_scope(c); s++)
		add_scope(x, c, s);
	for (size_t i = 0; c && i < p->n_own; i++) {
		add_exempt(x, &p->own[i], IP_UDP, IKE_PORT, "IKE");
		add_exempt(x, &p->own[i], IP_UDP, IKE_NATT_PORT, "IKE");
		add_exempt(x, &p->own[i], IP_ESP, 0, "ESP");
		if (p->wants_ah)
			add_exempt(x, &p->own[i], IP_AH, 0, "AH");
	}
}

/* ---- those of others -------------------------------------------------------------------- */

static void take_policy(const struct request_policy *p, void *ctx)
{
	struct facts_policies *x = ctx;
	struct foreign f;

	if (x->n == FACTS_MAX || !foreign_read(p, &f))
		return;
	struct fact_policy *one = &x->at[x->n++];
	*one = (struct fact_policy){.out = f.out,
		.block = f.block,
		.secures = f.secures,
		.priority = f.priority,
		.if_id = f.if_id,
		.local = f.local,
		.remote = f.remote};
	snprintf(one->text, sizeof(one->text), "%s", f.text);
}

void look_policies(const struct patient *p, struct facts_policies *x)
{
	struct request_line *line = request_open();
	int err = line ? request_policy_each(line, take_policy, x) : errno;

	x->in_kernel = p->in_kernel;
	x->offered = err == 0;
	if (err != 0)
		snprintf(x->why, sizeof(x->why),
			"the kernel's IPsec policies cannot be read: %s", strerror(err));
	request_close(line);
	look_ours(p, x);
}
