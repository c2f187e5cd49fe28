/* routing/steering.c - what is installed for whom, and its replacement without a gap.
 *
 * The rules, in the order of their preference:
 *   14500         packets with our own mark leave the steering (goto 14700)
 *   14501         so do ESP, AH and what comes from ports 500 and 4500: IKE. Not for
 *                 sending (the mark does that) but for rp_filter, which looks up the
 *                 reverse of what arrives and would find the TUN
 *   14510 + ...   each scope's entries (steer_rules.c), two preferences a scope: a new
 *                 generation is complete before the old one goes. What of a VIP no entry
 *                 covers does not reach the host's rules
 *   14700         nothing: where the steering is left
 *
 * and without a TUN only, behind the host's main and default:
 *   45000 + ...   each scope's entries of tunnel mode
 *   45200         nothing: where these are left
 *
 * Each generation has a table of its own too (steer_table.c).
 */
#include "config.h"

#include "routing/steering.h"

#include <errno.h>
#include <netlink/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/iana.h"
#include "base/mem.h"
#include "routing/netlink.h"
#include "routing/steer_rules.h"
#include "routing/steer_watch.h"
#include "routing/steering_parts.h"

/* In front of the host's own rules, and behind its last, which is 32767. */
static const struct territory in_front = {.rules_lo = PREFERENCE_MARK,
	.rules_hi = STEERED_LEAVE,
	.scopes = 14510,
	.tables_lo = 45000,
	.tables_hi = 45000 + GENERATIONS * SCOPES - 1};
static const struct territory behind = {.rules_lo = 45000,
	.rules_hi = STEERED_LAST_LEAVE,
	.scopes = 45000,
	.tables_lo = 45200,
	.tables_hi = 45200 + GENERATIONS * SCOPES - 1};
_Static_assert(14510 + GENERATIONS * SCOPES <= STEERED_LEAVE, "room for all");
_Static_assert(45000 + GENERATIONS * SCOPES <= STEERED_LAST_LEAVE, "room for all");

const struct territory *steering_territory(const struct steering *s)
{
	return s->device ? &in_front : &behind;
}

static uint32_t offset(uint16_t scope, unsigned generation)
{
	return (uint32_t)(GENERATIONS * scope) + generation;
}

uint32_t steering_preference(
	const struct steering *s, uint16_t scope, unsigned generation)
{
	return steering_territory(s)->scopes + offset(scope, generation);
}

static uint32_t table_of(const struct steering *s, uint16_t scope, unsigned generation)
{
	return steering_territory(s)->tables_lo + offset(scope, generation);
}

struct steer_table steering_table(
	const struct steering *s, uint16_t scope, unsigned generation)
{
	return (struct steer_table){
		.netlink = s->netlink,
		.to = netlink_routes(s->netlink),
		.ifindex = s->device ? s->device->ifindex : 0,
		.mark = s->mark,
		.number = table_of(s, scope, generation),
	};
}

/* ---- what stands always --------------------------------------------------------- */

int steering_frame(const struct steering *s, uint8_t family, const struct rule_sink *to)
{
	const struct rule leave = {.family = family,
		.preference = s->device ? STEERED_LEAVE : STEERED_LAST_LEAVE,
		.action = RULE_NOP};
	const struct rule frame[] = {
		{.preference = PREFERENCE_MARK, .action = RULE_GOTO, .mark = s->mark},
		{.preference = PREFERENCE_IKE, .action = RULE_GOTO, .proto = IP_ESP},
		{.preference = PREFERENCE_IKE, .action = RULE_GOTO, .proto = IP_AH},
		{.preference = PREFERENCE_IKE,
			.action = RULE_GOTO,
			.proto = IP_UDP,
			.sport_lo = IKE_PORT,
			.sport_hi = IKE_PORT},
		{.preference = PREFERENCE_IKE,
			.action = RULE_GOTO,
			.proto = IP_UDP,
			.sport_lo = IKE_NATT_PORT,
			.sport_hi = IKE_NATT_PORT},
	};

	int err = to->take(to->ctx, &leave);
	for (size_t i = 0; s->device && i < sizeof(frame) / sizeof(frame[0]) && err >= 0;
		i++) {
		struct rule r = frame[i];
		r.family = family;
		r.target = STEERED_LEAVE;
		err = to->take(to->ctx, &r);
	}
	return err < 0 ? err : 0;
}

static int sweep(struct nl_sock *netlink, const struct territory *t)
{
	int err = netlink_delete_rules(netlink, t->rules_lo, t->rules_hi);

	return err < 0 ? err : netlink_flush_tables(netlink, t->tables_lo, t->tables_hi);
}

void steering_clear(void)
{
	struct nl_sock *netlink = netlink_open();

	if (!netlink)
		return;
	/* What stays leads to a link that has the VIP, and is swept at the next opening. */
	(void)sweep(netlink, &behind);
	netlink_close(netlink);
}

static int install_frame(struct steering *s)
{
	struct rule_sink to = netlink_rules(s->netlink);
	/* It may have been the other way before. */
	int err = sweep(s->netlink, &in_front);

	if (err == 0)
		err = sweep(s->netlink, &behind);
	if (err == 0)
		err = steering_frame(s, ADDR_V4, &to);
	if (err < 0)
		return err;
	/* Without IPv6 in the kernel there is nothing of it to steer. */
	err = steering_frame(s, ADDR_V6, &to);
	s->has_v6 = err == 0;
	return err == -NLE_AF_NOSUPPORT || err == -NLE_OPNOTSUPP ? 0 : err;
}

struct steering *steering_open(
	struct device *device, uint32_t mark, char *why, size_t why_cap)
{
	struct steering *s = mem_new(1, sizeof(*s));

	s->device = device;
	s->mark = mark;
	s->netlink = netlink_open();
	s->watch = s->netlink ? steer_watch_open() : -1;
	if (s->watch < 0) {
		snprintf(why, why_cap, "cannot open a netlink socket: %s",
			strerror(errno));
		if (s->netlink)
			netlink_close(s->netlink);
		free(s);
		return NULL;
	}
	int err = install_frame(s);
	if (err == 0)
		return s;
	snprintf(why, why_cap, "cannot install routing rules: %s", nl_geterror(err));
	steering_close(s, false);
	return NULL;
}

void steering_close(struct steering *s, bool keep)
{
	if (!keep)
		(void)sweep(s->netlink, steering_territory(s));
	for (size_t i = 0; i < SCOPES; i++) {
		spd_free(s->scopes[i].spd);
		spd_free(s->wanted[i].spd);
	}
	close(s->watch);
	netlink_close(s->netlink);
	free(s);
}

/* ---- generations ------------------------------------------------------------------------ */

static void remove_generation(struct steering *s, uint16_t scope, unsigned generation)
{
	uint32_t preference = steering_preference(s, scope, generation);
	uint32_t table = table_of(s, scope, generation);

	netlink_delete_rules(s->netlink, preference, preference);
	netlink_flush_tables(s->netlink, table, table);
}

static int add_generation(struct steering *s, uint16_t scope, const struct steered *sc)
{
	struct steer_table table = steering_table(s, scope, sc->generation);
	struct rule_sink to = netlink_rules(s->netlink);
	int err = steer_table_give(&table, sc);

	if (err == 0)
		err = steer_rules_give(&to, sc,
			steering_preference(s, scope, sc->generation), table.number);
	if (err < 0)
		remove_generation(s, scope, sc->generation);
	return err;
}

/* Where the kernel seals, each SA knows what fits. */
static void measure(const struct steering *s, struct steered *sc)
{
	if (s->device)
		sc->mtu = device_inner_mtu(s->device, sc->addrs, sc->n_addrs);
}

int steering_replace(struct steering *s, uint16_t scope, struct steered *next)
{
	struct steered *now = &s->scopes[scope];

	next->generation = now->spd ? (now->generation + 1) % GENERATIONS : 0;
	measure(s, next);
	int err = add_generation(s, scope, next);
	if (err < 0)
		return err;
	if (now->spd)
		remove_generation(s, scope, now->generation);
	return 0;
}

static void end_scope(struct steering *s, uint16_t scope)
{
	struct steered *now = &s->scopes[scope];

	if (now->spd)
		remove_generation(s, scope, now->generation);
	spd_free(now->spd);
	now->spd = NULL;
}

static void want(struct steering *s, uint16_t scope, const struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	struct steered *w = &s->wanted[scope];

	spd_free(w->spd);
	*w = (struct steered){
		.spd = spd ? spd_dup(spd) : NULL,
		.last = !s->device,
		.n_addrs = n_addrs < STEERED_ADDRS_MAX ? n_addrs : STEERED_ADDRS_MAX,
	};
	if (w->n_addrs > 0)
		memcpy(w->addrs, addrs, w->n_addrs * sizeof(*addrs));
}

int steering_try_wanted(struct steering *s, uint16_t scope)
{
	struct steered *next = &s->wanted[scope];
	int err = steering_replace(s, scope, next);

	if (err < 0)
		return err;
	spd_free(s->scopes[scope].spd);
	s->scopes[scope] = *next;
	next->spd = NULL;
	return 0;
}

bool steering_set(struct steering *s, uint16_t scope, const struct spd *spd,
	const struct addr *addrs, size_t n_addrs, char *why, size_t why_cap)
{
	want(s, scope, spd, addrs, n_addrs);
	if (!spd) {
		end_scope(s, scope);
		return true;
	}
	int err = steering_try_wanted(s, scope);
	if (err < 0)
		snprintf(why, why_cap, "cannot steer: %s", nl_geterror(err));
	return err == 0;
}

/* The kernel takes an IPv4 route away with the address that it names as source, and an
 * address may not have been here when the table was filled. Adding what is there changes
 * nothing. */
void steering_refill(struct steering *s, uint16_t scope)
{
	struct steered *sc = &s->scopes[scope];

	if (!sc->spd || sc->n_addrs == 0 || (sc->last && !steer_rules_lead_any(sc)))
		return;
	measure(s, sc);
	struct steer_table table = steering_table(s, scope, sc->generation);
	if (sc->last && steer_table_link(sc) == 0) {
		(void)netlink_flush_tables(s->netlink, table.number, table.number);
		return;
	}
	/* What fails leaves the table's `prohibit`, or no way: closed, and tried again next
	 * time. */
	int err = steer_table_give(&table, sc);
	(void)err;
}

void steering_refresh(struct steering *s)
{
	for (uint16_t scope = 0; scope < SCOPES; scope++) {
		struct steered next = s->scopes[scope];
		steering_refill(s, scope);
		if (next.spd && next.n_addrs == 0 &&
			steering_replace(s, scope, &next) == 0)
			s->scopes[scope] = next;
	}
}
