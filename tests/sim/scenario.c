/* tests/sim/scenario.c - the shape of a run, and the configuration files in it.
 */
#include "sim/scenario.h"

#include "base/mem.h"
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_MAX = 8192, MANY = 8 };

/* ---- addresses -------------------------------------------------------------------------- */

struct addr vip_addr(unsigned vip, bool v6)
{
	struct addr six = {.family = ADDR_V6, .b = {0x20, 0x01, 0x0d, 0xb8}};

	six.b[15] = (uint8_t)(0x10 + vip);
	return v6 ? six : addr_v4(192, 0, 2, (uint8_t)(10 + vip));
}

struct addr nat_addr(void)
{
	return addr_v4(100, 64, 0, 1);
}

bool peer_is_v6(const struct scenario *sc, unsigned n)
{
	return sc->kind[n] == PEER_TRANSPORT_V6;
}

bool peer_is_behind_nat(const struct scenario *sc, unsigned n)
{
	return sc->kind[n] == PEER_NAT || sc->kind[n] == PEER_SHARED;
}

struct addr peer_addr(const struct scenario *sc, unsigned n)
{
	struct addr six = {.family = ADDR_V6, .b = {0x20, 0x01, 0x0d, 0xb8, 0, 1}};
	uint8_t last = (uint8_t)(21 + n);

	six.b[15] = last;
	switch (sc->kind[n]) {
	case PEER_TRANSPORT_V6:
		return six;
	case PEER_TUNNEL:
		return addr_v4(203, 0, 113, last);
	case PEER_NAT:
	case PEER_SHARED:
		return addr_v4(10, 0, 0, last);
	case PEER_TRANSPORT_V4:
		break;
	}
	return addr_v4(198, 51, 100, last);
}

/* ---- drawing ----------------------------------------------------------------------------- */

static void draw_cluster(struct scenario *sc, struct stream *d)
{
	static const unsigned idle[][2] = {
		{2000, 1000}, {4000, 2000}, {6000, 2000}, {3000, 3000}, {10000, 1000}};
	unsigned pick = roll(d, 5);

	sc->n_nodes = chance(d, 6000) ? 2 : 3;
	sc->n_vips = chance(d, 7500) ? 1 : 2;
	sc->wait = chance(d, 2500);
	sc->nlbs = chance(d, 5000);
	sc->peer_nlbs = chance(d, 3000);
	sc->idle_ms = idle[pick][0];
	sc->idle_failover_ms = idle[pick][1];
	sc->idle_lifetime_ms = chance(d, 1500) ? roll_between(d, 1500, 6000) : 0;
	sc->child_ms = chance(d, 800) ? roll_between(d, 10000, 20000) : 0;
	sc->bind_agent = chance(d, 1000);
	sc->token_ms = roll_between(d, 300, 1200);
	sc->fencing = chance(d, 9200);
	sc->dad_ms = chance(d, 5000) ? 0 : roll_between(d, 200, 1000);
}

static void draw_peers(struct scenario *sc, struct stream *d)
{
	sc->n_peers = chance(d, 1000) ? MANY : 1 + roll(d, 4);
	sc->crowd = chance(d, 50);
	if (sc->crowd)
		sc->n_peers = PEERS_PER_RUN;
	for (unsigned i = 0; i < sc->n_peers; i++) {
		sc->kind[i] =
			sc->crowd ? PEER_NAT : (enum peer_kind)roll(d, PEER_NAT + 1);
		sc->vip_of[i] = i % sc->n_vips;
	}
}

static void draw_net(struct scenario *sc, struct stream *d)
{
	sc->delay_lo_ms = roll(d, 3);
	sc->delay_hi_ms = sc->delay_lo_ms + roll(d, chance(d, 1000) ? 60 : 6);
	sc->loss = chance(d, 4000) ? 0 : roll(d, 600);
	sc->duplicate = chance(d, 4000) ? 0 : roll(d, 300);
	sc->linger = chance(d, 5000) ? 0 : roll(d, 200);
	sc->order_delay_ms = chance(d, 1000) ? roll(d, 20) : roll(d, 4);
}

/* Near to those of the other side, so that both often want it at once. */
static uint64_t near(struct stream *d, uint64_t ms)
{
	return ms == 0 ? 0 : roll_between(d, ms * 85 / 100, ms * 115 / 100);
}

static void draw_ages(const struct scenario *sc, struct stream *d, struct ages *a)
{
	static const char *const pfs[] = {NULL, "no", "yes", "yes"};
	bool steady = sc->rekeys == REKEYS_STEADY;

	*a = (struct ages){.pfs = pfs[roll(d, 4)]};
	if (chance(d, 8000))
		a->child_ms = steady ? roll_between(d, 60000, 100000)
				     : roll_between(d, 5000, 20000);
	if (chance(d, 6000))
		a->ike_ms = steady ? roll_between(d, 70000, 120000)
				   : roll_between(d, 6000, 25000);
	if (chance(d, 3000))
		a->packets = steady ? 1000 + roll(d, 1000) : 80 + roll(d, 300);
	if (chance(d, 2000))
		a->bytes = steady ? 150000 + roll(d, 100000) : 20000 + roll(d, 50000);
	if (chance(d, 2000))
		a->reauth_ms = steady ? roll_between(d, 60000, 120000)
				      : roll_between(d, 18000, 30000);
}

static void draw_peer_ages(struct scenario *sc, struct stream *d, struct ages *a)
{
	const char *pfs = sc->node_ages.pfs;

	if (chance(d, 5000)) {
		*a = sc->node_ages;
		a->child_ms = near(d, a->child_ms);
		a->ike_ms = near(d, a->ike_ms);
	} else {
		draw_ages(sc, d, a);
	}
	/* Where one wants it and the other does not, they never come together. */
	if (pfs && a->pfs)
		a->pfs = pfs;
}

/* From a stream of its own: runs without it are as they were. */
static void draw_rekeys(struct scenario *sc, uint64_t seed, unsigned percent)
{
	struct stream d;

	stream_init(&d, seed, 9);
	if (sc->crowd || !chance(&d, percent * 100))
		return;
	sc->rekeys = chance(&d, 7000) ? REKEYS_BRISK : REKEYS_STEADY;
	sc->further = chance(&d, 5000);
	sc->child_ms = sc->idle_lifetime_ms = 0;
	draw_ages(sc, &d, &sc->node_ages);
	for (unsigned i = 0; i < sc->n_peers; i++)
		draw_peer_ages(sc, &d, &sc->peer_ages[i]);
	if (sc->further && chance(&d, 1000)) {
		sc->node_ages.pfs = "master";
		for (unsigned i = 0; i < sc->n_peers; i++)
			sc->peer_ages[i].pfs = "master";
	}
	if (chance(&d, 4000)) /* a long way: requests cross */
		sc->delay_hi_ms = sc->delay_lo_ms + 20 + roll(&d, 120);
	if (chance(&d, 5000))
		sc->rough = 100 + roll(&d, 1500);
	sc->quiet_ms = sc->rekeys == REKEYS_STEADY ? 250000 : 60000;
}

/* Everybody begins without a child, and asks for it then. */
static void draw_childless(struct scenario *sc, uint64_t seed)
{
	struct stream d;

	stream_init(&d, seed, 10);
	if (!chance(&d, 600))
		return;
	sc->node_ages.childless = true;
	for (unsigned i = 0; i < sc->n_peers; i++)
		sc->peer_ages[i].childless = true;
}

static void draw_drains(struct scenario *sc, uint64_t seed)
{
	struct stream d;

	stream_init(&d, seed, 11);
	sc->drains = chance(&d, 1000);
}

/* Some have two key exchanges, and each of their peers has them or not. */
static void draw_more(struct scenario *sc, uint64_t seed)
{
	struct stream d;

	stream_init(&d, seed, 13);
	if (!chance(&d, 3000))
		return;
	sc->node_ages.more = true;
	for (unsigned i = 0; i < sc->n_peers; i++)
		sc->peer_ages[i].more = chance(&d, 7000);
}

/* AH, or either. Behind a NAT there is only ESP. */
static void draw_protocols(struct scenario *sc, uint64_t seed)
{
	static const char esp_first[] = "esp aes128gcm16; ah sha256; ",
			  ah_first[] = "ah sha256; esp aes128gcm16; ";
	static const char *const wishes[] = {"ah sha256; ", esp_first, ah_first, NULL};
	struct stream d;

	stream_init(&d, seed, 14);
	if (!chance(&d, 2500))
		return;
	sc->node_ages.protocols = chance(&d, 5000) ? esp_first : ah_first;
	for (unsigned i = 0; i < sc->n_peers; i++)
		if (sc->kind[i] != PEER_NAT && sc->kind[i] != PEER_SHARED)
			sc->peer_ages[i].protocols = wishes[roll(&d, 4)];
}

static void shorten(uint64_t *at, uint64_t to)
{
	if (to != 0)
		*at = to;
}

void scenario_shorten(const struct scenario *sc, int peer, struct config *c)
{
	const struct ages *a = peer < 0 ? &sc->node_ages : &sc->peer_ages[peer];

	for (unsigned i = 0; i < c->n_proposals; i++) {
		struct config_proposal *p = &c->proposals[i];
		shorten(&p->lifetime_child_ms, a->child_ms);
		shorten(&p->lifetime_ike_ms, a->ike_ms);
		shorten(&p->reauth_ms, a->reauth_ms);
		shorten(&p->rekey_packets, a->packets);
		shorten(&p->rekey_bytes, a->bytes);
	}
}

/* With dice of its own, so that the other seeds stay as they are. One rule each. */
static void draw_shared(struct scenario *sc, uint64_t seed)
{
	struct stream d;

	stream_init(&d, seed, 12);
	if (!chance(&d, 3000) || sc->further)
		return;
	for (unsigned i = 0; i < sc->n_peers; i++)
		if (sc->kind[i] == PEER_NAT || sc->kind[i] == PEER_TUNNEL)
			sc->kind[i] = PEER_SHARED;
}

void scenario_draw(
	struct scenario *sc, uint64_t seed, enum sabotage sabotage, unsigned rekeys)
{
	struct stream dice;

	stream_init(&dice, seed, 0);
	*sc = (struct scenario){.sabotage = sabotage};
	draw_cluster(sc, &dice);
	draw_peers(sc, &dice);
	draw_net(sc, &dice);
	sc->faults_ms = roll_between(&dice, 6000, 30000);
	sc->quiet_ms = chance(&dice, 500) ? 120000 : 0;
	sc->many_moves = chance(&dice, 200);
	draw_rekeys(sc, seed, rekeys);
	draw_childless(sc, seed);
	draw_drains(sc, seed);
	draw_shared(sc, seed);
	draw_more(sc, seed);
	draw_protocols(sc, seed);
}

void scenario_soak(struct scenario *sc)
{
	enum { MINUTE = 60000, HOUR = 60 * MINUTE };

	*sc = (struct scenario){.rekeys = REKEYS_STEADY,
		.further = true,
		.rough = 200,
		.n_nodes = 2,
		.n_peers = 4,
		.n_vips = 1,
		.kind = {PEER_TRANSPORT_V4, PEER_TRANSPORT_V6, PEER_TUNNEL, PEER_NAT},
		.peer_ages = {{.child_ms = 0},
			{.child_ms = 10 * MINUTE, .ike_ms = HOUR, .pfs = "yes"},
			{.packets = 20000, .reauth_ms = 24 * HOUR},
			{.bytes = 10 * 1000 * 1000, .child_ms = 45 * MINUTE}},
		.idle_ms = 5 * MINUTE,
		.idle_failover_ms = MINUTE,
		.token_ms = 1000,
		.fencing = true,
		.delay_lo_ms = 5,
		.delay_hi_ms = 40,
		.order_delay_ms = 4};
}

/* ---- configuration --------------------------------------------------------------------------- */

struct text {
	char *at;
	size_t len;
};

static void say(struct text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->len += (size_t)vsnprintf(t->at + t->len, TEXT_MAX - t->len, format, args);
	va_end(args);
}

static void say_action(
	struct text *t, const struct ages *ages, const char *name, const char *mode)
{
	say(t, "filter-action \"%s\" { negotiate require; proposal \"fast\"; mode %s; ",
		name, mode);
	if (ages->pfs)
		say(t, "pfs %s; ", ages->pfs);
	if (ages->childless)
		say(t, "childless force; ");
	say(t, "}\n");
}

static void say_head(struct text *t, const struct scenario *sc, const struct ages *ages,
	unsigned nlbs, bool edited)
{
	say(t,
		"tuning { nlbs-flags %u; idle-timeout %llums; "
		"idle-timeout-failover %llums; ",
		nlbs, (unsigned long long)sc->idle_ms,
		(unsigned long long)sc->idle_failover_ms);
	if (sc->idle_lifetime_ms != 0)
		say(t, "idle-lifetime %llums; ",
			(unsigned long long)sc->idle_lifetime_ms);
	say(t, "delete-wait %ums; }\n", edited ? 120 : 150);
	say(t,
		"secret \"lab\" { psk file \"/secret\"; }\n"
		"proposal \"fast\" { ike %saes128gcm16-sha256-x25519; %s",
		ages->more ? "aes128gcm16-sha256-x25519-ke1_ecp256, " : "",
		ages->protocols ? ages->protocols : "esp aes128gcm16; ");
	if (sc->child_ms != 0)
		say(t, "lifetime child %llums; ", (unsigned long long)sc->child_ms);
	say(t, "}\n");
	say_action(t, ages, "transport", "transport");
}

static void say_filters(struct text *t, const char *name, const char *more, int port)
{
	say(t,
		"filter-list \"near %s%s\" {\n"
		"from vip \"%s\" port %d to 198.51.100.0/24 proto udp mirrored;\n"
		"from vip \"%s\" port %d to 2001:db8:1::/64 proto udp mirrored; }\n",
		name, more, name, port, name, port);
	say(t,
		"filter-list \"far %s%s\" {\n"
		"from vip \"%s\" port %d to 203.0.113.0/24 proto udp mirrored;\n"
		"from vip \"%s\" port %d to 10.0.0.0/8 proto udp mirrored; }\n",
		name, more, name, port, name, port);
	say(t,
		"filter-list \"nat %s%s\" "
		"{ from vip \"%s\" port %d to 100.64.0.0/24 proto udp mirrored; }\n",
		name, more, name, port);
}

static void say_vip(struct text *t, const struct scenario *sc, unsigned vip, bool edited)
{
	static const char *const more[] = {"", "-2"};
	static const int ports[] = {APP_PORT, MORE_PORT};
	const char *name = vip == 0 ? "mail" : "web";

	say(t, "vip \"%s\" { address 192.0.2.%u, 2001:db8::%u; bind %s; }\n", name,
		10 + vip, 10 + vip, sc->bind_agent ? "agent" : "address");
	for (unsigned i = 0; i <= sc->further; i++)
		say_filters(t, name, more[i], ports[i]);
	say(t,
		"filter-list \"open %s\" "
		"{ from vip \"%s\" port %d to any proto udp mirrored; }\n",
		name, name, OPEN_PORT);
	if (edited)
		say(t,
			"filter-list \"more %s\" "
			"{ from vip \"%s\" port 9 to any proto udp mirrored; }\n",
			name, name);
	say(t, "policy \"%s\" {\n", name);
	for (unsigned i = 0; i <= sc->further; i++)
		say(t,
			"rule \"near%s\" { match \"near %s%s\"; action \"transport\"; "
			"auth psk \"lab\"; }\n"
			"rule \"far%s\" { match \"far %s%s\"; action \"tunnel\"; "
			"auth psk \"lab\" local-id \"%s.example\" remote-id any; }\n"
			"rule \"nat%s\" { match \"nat %s%s\"; action \"transport\"; "
			"auth psk \"lab\" local-id \"%s.example\" remote-id any; }\n",
			more[i], name, more[i], more[i], name, more[i], name, more[i],
			name, more[i], name);
	if (edited)
		say(t, "rule \"more\" { match \"more %s\"; action permit; }\n", name);
	say(t,
		"rule \"open\" { match \"open %s\"; action permit; }\n"
		"rule \"rest\" { match any; action block; }\n}\n"
		"assign policy \"%s\" to vip \"%s\";\n",
		name, name, name);
}

char *scenario_node_text(const struct scenario *sc, bool edited)
{
	struct text t = {.at = mem_new(1, TEXT_MAX)};

	say(&t, "cluster { name \"sim\"; backend corosync; takeover %s; }\n",
		sc->wait ? "wait" : "reinitiate");
	say_head(&t, sc, &sc->node_ages, sc->nlbs, edited);
	say_action(&t, &sc->node_ages, "tunnel", "tunnel");
	for (unsigned v = 0; v < sc->n_vips; v++)
		say_vip(&t, sc, v, edited);
	return t.at;
}

char *scenario_peer_text(const struct scenario *sc, unsigned n, bool edited)
{
	struct text t = {.at = mem_new(1, TEXT_MAX)};
	bool tunnel = sc->kind[n] == PEER_TUNNEL || sc->kind[n] == PEER_NAT;
	const struct addr vip = vip_addr(sc->vip_of[n], peer_is_v6(sc, n));
	static const char *const names[] = {"app", "app-2"};
	static const int ports[] = {APP_PORT, MORE_PORT};
	char to[ADDR_TEXT_MAX], mode[ADDR_TEXT_MAX + 16];

	addr_format(&vip, to);
	say(&t, "cluster { backend none; }\n");
	snprintf(mode, sizeof(mode), "tunnel to %s", to);
	say_head(&t, sc, &sc->peer_ages[n], sc->peer_nlbs, edited);
	say_action(&t, &sc->peer_ages[n], "tunnel", mode);
	for (unsigned i = 0; i <= sc->further; i++)
		say(&t,
			"filter-list \"%s\" "
			"{ from me to %s port %d proto udp mirrored; }\n",
			names[i], to, ports[i]);
	say(&t, "policy \"host\" {\n");
	for (unsigned i = 0; i <= sc->further; i++) {
		say(&t,
			"rule \"%s\" { match \"%s\"; action \"%s\"; "
			"auth psk \"lab\"",
			names[i], names[i], tunnel ? "tunnel" : "transport");
		if (tunnel || sc->kind[n] == PEER_SHARED)
			say(&t, " local-id \"peer%u.example\" remote-id \"%s.example\"",
				n, sc->vip_of[n] == 0 ? "mail" : "web");
		say(&t, "%s; }\n",
			sc->drains ? "; redirect accept 192.0.2.0/24, 2001:db8::/64"
				   : "");
	}
	say(&t, "}\nassign policy \"host\" to host;\n");
	return t.at;
}
