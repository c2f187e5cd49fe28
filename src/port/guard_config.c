/* port/guard_config.c - the scopes of a configuration, as guard.h wants them. */
#include "port/guard.h"

static bool has_interfaces(const struct spd *spd)
{
	for (size_t i = 0; i < spd_count(spd); i++)
		if (spd_at(spd, i)->tags.if_id != 0)
			return true;
	return false;
}

bool guard_apply_config(
	const struct config *c, const struct guard_rules *like, char *why, size_t why_cap)
{
	struct guard_scope scopes[SCOPE_MAX + 1];
	struct spd *spds[SCOPE_MAX + 1];
	struct guard_rules rules = *like;
	size_t n = 0;

	rules.interfaces = false;
	for (uint16_t s = 0; s <= config_host_scope(c) && n <= SCOPE_MAX; s++, n++) {
		bool host = s == config_host_scope(c);

		spds[n] = config_spd(c, s);
		rules.interfaces |= spds[n] && has_interfaces(spds[n]);
		scopes[n] = (struct guard_scope){
			.scope = s,
			.spd = spds[n],
			.addrs = host ? NULL : c->vips[s].addrs,
			.n_addrs = host ? 0 : c->vips[s].n_addrs,
		};
	}
	rules.scopes = scopes;
	rules.n_scopes = n;
	bool ok = guard_apply(&rules, why, why_cap);
	for (size_t i = 0; i < n; i++)
		spd_free(spds[i]);
	return ok;
}
