/* esp/nat_heard.c - whose talk a packet is, and under which port it is seen.
 *
 * Obeys RFC 3948 5.2 (clients of one NAT are kept apart); RFC 4787 4.2.1 in how another port
 * is chosen: one of the same range, that nobody can foresee. A port is changed only when
 * another peer's talk has it; within the SA's selectors; and so that the same rules hold.
 */
#include "esp/dp.h"

#include "wire/checksum.h"

#include <assert.h>

enum { PORT_TRIES = 512, PRIVILEGED_MAX = 1023 };

static bool has_ports_in_selectors(const struct talk *talk)
{
	return talk->proto == IP_TCP || talk->proto == IP_UDP;
}

/* ICMP's identifier is no selector. */
static struct flow seen_as(const struct flow *f, const struct talk *talk, uint16_t port)
{
	struct flow seen = *f;

	if (has_ports_in_selectors(talk))
		seen.remote_port = port;
	return seen;
}

/* The answer must go the same way under this port as under the peer's own. */
static bool same_rules(const struct esp_dp *dp, const struct esp_sa *sa,
	const struct flow *f, const struct flow *seen)
{
	const struct spd *spd = dp->scopes[sa->scope].spd;

	return sa_selects(sa, seen) &&
	       spd_lookup(spd, POLICY_IN, f) == spd_lookup(spd, POLICY_IN, seen) &&
	       spd_lookup(spd, POLICY_OUT, f) == spd_lookup(spd, POLICY_OUT, seen);
}

struct port_range {
	uint16_t lo, hi;
};

/* What the selector that has the peer's own port leaves of its range. */
static struct port_range range_of(
	const struct esp_sa *sa, const struct flow *f, const struct talk *talk)
{
	bool privileged = talk->remote_port <= PRIVILEGED_MAX;
	struct port_range r = {privileged ? 1 : PRIVILEGED_MAX + 1,
		privileged ? PRIVILEGED_MAX : UINT16_MAX};

	if (!has_ports_in_selectors(talk))
		return (struct port_range){0, UINT16_MAX};
	for (unsigned i = 0; i < sa->remote_ts.n; i++) {
		const struct ts *t = &sa->remote_ts.at[i];
		if (!ts_matches(t, &f->remote, f->proto, true, f->remote_port))
			continue;
		r.lo = t->port_lo > r.lo ? t->port_lo : r.lo;
		r.hi = t->port_hi < r.hi ? t->port_hi : r.hi;
		break;
	}
	return r;
}

static uint64_t hash_of(
	const struct nat *n, const struct nat_peer *p, const struct talk *talk)
{
	uint8_t store[16];
	struct writer w = wr_over(store, sizeof store);

	wr_u32(&w, p->number);
	wr_u8(&w, talk->proto);
	wr_u16(&w, talk->local_port);
	wr_u16(&w, talk->remote_port);
	return siphash(&n->key, wr_span(&w));
}

/* A port that no talk with the same service is seen under. */
static bool find_port(const struct esp_dp *dp, const struct esp_sa *sa,
	const struct flow *f, const struct talk *talk, uint16_t *out)
{
	struct port_range range = range_of(sa, f, talk);

	if (talk->port_at == 0 || range.lo > range.hi)
		return false;
	uint32_t count = (uint32_t)range.hi - range.lo + 1;
	uint64_t hash = hash_of(&dp->nat, sa->peer, talk);
	uint32_t start = (uint32_t)hash % count;
	/* All of a small range; of a large one, where many ports may be in use side by side,
	 * some from everywhere. */
	uint32_t step =
		count <= PORT_TRIES ? 1 : 1 + (uint32_t)(hash >> 32) % (count - 1);
	for (uint32_t i = 0; i < PORT_TRIES && i < count; i++) {
		uint16_t port =
			(uint16_t)(range.lo + (start + (uint64_t)i * step) % count);
		struct flow seen = seen_as(f, talk, port);
		if (nat_by_seen(&dp->nat, sa->peer->site, talk, port) == NULL &&
			same_rules(dp, sa, f, &seen)) {
			*out = port;
			return true;
		}
	}
	return false;
}

static enum nat_answer learn(struct esp_dp *dp, struct esp_sa *sa, const struct flow *f,
	const struct talk *talk, struct nat_flow **flow)
{
	struct nat *n = &dp->nat;
	uint16_t seen = talk->remote_port;
	struct nat_flow *other = nat_by_seen(n, sa->peer->site, talk, seen);

	if (other != NULL && !find_port(dp, sa, f, talk, &seen)) {
		if (n->now_ms - other->last_ms < NAT_STALE_MS) {
			*flow = other;
			return NAT_TAKEN;
		}
		nat_forget(n, other);
	}
	*flow = nat_remember(n, sa->peer, talk, seen);
	return NAT_KNOWN;
}

/* The rules may have changed since its port was chosen. */
static bool still_fits(const struct esp_dp *dp, const struct esp_sa *sa,
	const struct flow *f, const struct talk *talk, const struct nat_flow *flow)
{
	struct flow seen = seen_as(f, talk, flow->seen_port);

	return flow->seen_port == flow->port || same_rules(dp, sa, f, &seen);
}

enum nat_answer nat_heard(struct esp_dp *dp, struct esp_sa *sa, const struct flow *f,
	const struct talk *talk, struct nat_flow **flow)
{
	struct nat *n = &dp->nat;

	*flow = nat_by_port(n, sa->peer, talk);
	/* An error teaches nothing, and none may speak of another's talk. */
	if (talk->quoted && *flow == NULL) {
		*flow = nat_by_seen(n, sa->peer->site, talk, talk->remote_port);
		return *flow == NULL ? NAT_NONE : NAT_TAKEN;
	}
	if (*flow != NULL && !talk->quoted && !still_fits(dp, sa, f, talk, *flow)) {
		nat_forget(n, *flow);
		*flow = NULL;
	}
	if (*flow == NULL)
		return learn(dp, sa, f, talk, flow);
	nat_touch(n, *flow, talk);
	return NAT_KNOWN;
}

struct nat_peer *nat_meant(const struct nat *n, const struct nat_site *site,
	const struct talk *talk, struct nat_flow **flow)
{
	*flow = talk == NULL ? NULL : nat_by_seen(n, site, talk, talk->remote_port);
	if (*flow != NULL)
		return (*flow)->peer;
	return site->n_peers == 1 ? list_entry(site->peers.next, struct nat_peer, of_site)
				  : NULL;
}

void nat_set_port(uint8_t *packet, const struct ip_packet *ip, const struct talk *talk,
	uint16_t port)
{
	struct writer w = wr_over(packet + talk->port_at, sizeof port);
	struct ip_packet whole = *ip;

	assert(talk->port_at != 0); /* else it has none but its own */
	wr_u16(&w, port);
	/* It is whole by now, in how many parts it may have come. */
	whole.fragment = false;
	l4_checksum_set(packet, &whole);
}
