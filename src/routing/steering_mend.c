/* routing/steering_mend.c - rules, routes and device as we left them, whatever others do.
 *
 * First the device, since a device that is down has no routes; then the rules that stand
 * always; then each scope. A scope of which a rule is missing is replaced as a whole: at
 * one preference the order counts, and what is added comes last.
 */
#include "config.h"

#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

#include "routing/steer_seen.h"
#include "routing/steer_watch.h"
#include "routing/steering_parts.h"

int steering_fd(const struct steering *s)
{
	return s->watch;
}

/* What the device must carry: never less than it was given at first. */
static uint32_t needed_mtu(const struct steering *s)
{
	uint32_t mtu = DEVICE_MTU_DEFAULT - DEVICE_OVERHEAD;

	for (size_t i = 0; i < SCOPES; i++)
		if (s->scopes[i].spd && s->scopes[i].mtu > mtu)
			mtu = s->scopes[i].mtu;
	return mtu;
}

bool steering_touched(struct steering *s)
{
	const struct territory *ours = steering_territory(s);
	struct steer_watch w = {
		.own_port = nl_socket_get_local_port(s->netlink),
		.ifindex = s->device ? s->device->ifindex : 0,
		.mtu = needed_mtu(s),
		.rules_lo = ours->rules_lo,
		.rules_hi = ours->rules_hi,
		.tables_lo = ours->tables_lo,
		.tables_hi = ours->tables_hi,
	};

	return steer_watch_changed(&w, s->watch);
}

static void fails(struct steering_found *found, uint16_t scope, const char *what, int err)
{
	if (found->why[0] != '\0')
		return; /* the first says enough */
	found->scope = scope;
	snprintf(found->why, sizeof(found->why), "%s: %s", what, nl_geterror(err));
}

static void mend_device(struct steering *s, struct steering_found *found)
{
	uint32_t mtu = needed_mtu(s);
	enum device_state state = device_look(s->device, mtu);

	found->down = state == DEVICE_DOWN || state == DEVICE_GONE;
	found->narrow = state == DEVICE_NARROW;
	if (state != DEVICE_FIT &&
		!device_mend(s->device, mtu, found->why, sizeof(found->why)))
		found->scope = STEERING_NO_SCOPE;
}

struct framing {
	struct steering *steering;
	const struct seen *seen;
	bool missing;
};

static int add_if_missing(void *ctx, const struct rule *r)
{
	struct framing *f = ctx;

	if (seen_has_rule(f->seen, r))
		return 0;
	f->missing = true;
	return netlink_add_rule(f->steering->netlink, r);
}

static void mend_frame(
	struct steering *s, const struct seen *seen, struct steering_found *found)
{
	struct framing f = {.steering = s, .seen = seen};
	struct rule_sink to = {.take = add_if_missing, .ctx = &f};
	int err = steering_frame(s, ADDR_V4, &to);

	if (err == 0 && s->has_v6)
		err = steering_frame(s, ADDR_V6, &to);
	found->rules |= f.missing;
	if (err < 0)
		fails(found, STEERING_NO_SCOPE, "cannot install routing rules", err);
}

static void mend_scope(struct steering *s, uint16_t scope, const struct seen *seen,
	struct steering_found *found)
{
	struct steered next = s->scopes[scope];
	struct steer_table table = steering_table(s, scope, next.generation);
	bool rules = seen_has_rules(seen, &next,
		steering_preference(s, scope, next.generation), table.number);
	bool routes = seen_has_routes(seen, &table, &next);
	int err = 0;

	found->rules |= !rules;
	found->routes |= !routes;
	if (!rules)
		err = steering_replace(s, scope, &next);
	else if (!routes)
		err = steer_table_give(&table, &next);
	if (err == 0)
		s->scopes[scope] = next;
	else
		fails(found, scope, "cannot steer", err);
}

static bool try_waiting(struct steering *s, uint16_t scope, struct steering_found *found)
{
	int err = steering_try_wanted(s, scope);

	if (err < 0)
		fails(found, scope, "cannot steer", err);
	return err == 0;
}

void steering_mend(struct steering *s, struct steering_found *found)
{
	const struct territory *ours = steering_territory(s);
	struct seen seen;

	*found = (struct steering_found){.scope = STEERING_NO_SCOPE};
	if (s->device)
		mend_device(s, found);
	int err = seen_read(&seen, s->netlink, ours->rules_lo, ours->rules_hi,
		ours->tables_lo, ours->tables_hi);
	if (err == 0)
		mend_frame(s, &seen, found);
	else
		fails(found, STEERING_NO_SCOPE, "cannot read the routing rules", err);
	for (uint16_t scope = 0; scope < SCOPES; scope++) {
		if (s->wanted[scope].spd && try_waiting(s, scope, found))
			found->waited = true;
		else if (err == 0 && s->scopes[scope].spd)
			mend_scope(s, scope, &seen, found);
	}
	seen_wipe(&seen);
}
