/* tests/sim/traffic.c - questions and answers.
 *
 * A question carries its number; the table here knows what it was, so that nothing on the
 * way can lie about it. Each peer asks some ten times a second in ESP, less often in
 * clear. Somebody else sends, in clear and in a peer's name, what only ESP may carry.
 */
#include "sim/sim.h"

#include "base/mem.h"
#include "wire/reader.h"
#include "wire/writer.h"

#include <assert.h>
#include <stdlib.h>

enum { MARK = 0x73696d75, APPS_FIRST = 1024, DATA_MIN = 10, DATA_MAX = 200 };
enum { LARGE_MIN = 520, LARGE_MAX = 1360, LARGE_IN_10000 = 300 };
enum {
	ASK_MIN_MS = 30,
	ASK_MAX_MS = 190,
	OPEN_IN_10000 = 1000,
	SPOOF_IN_10000 = 200,
	CROWD_SLOWER = 8
};

void traffic_free(struct sim *s)
{
	free(s->traffic.apps);
}

static void apps_grow(struct traffic *t)
{
	size_t cap = t->cap ? 2 * t->cap : APPS_FIRST;
	struct app *more = mem_new(cap, sizeof(*more));

	if (t->n > 0)
		memcpy(more, t->apps, t->n * sizeof(*more));
	free(t->apps);
	t->apps = more;
	t->cap = cap;
}

void traffic_forget(struct sim *s, size_t kept)
{
	s->traffic.apps = mem_new(kept, sizeof(struct app));
	s->traffic.cap = kept;
	s->traffic.forgets = true;
}

static uint32_t new_app(struct sim *s, unsigned peer, enum app_kind kind)
{
	struct traffic *t = &s->traffic;

	if (t->n == t->cap && !t->forgets)
		apps_grow(t);
	struct app *app = &t->apps[t->n % t->cap];
	if (t->n >= t->cap)
		rekeys_judge(s, app);
	t->n++;
	*app = (struct app){.id = (uint32_t)t->n,
		.sent_ms = s->world.now_ms,
		.peer = (uint8_t)peer,
		.kind = (uint8_t)kind};
	return app->id;
}

static struct app *app_of(struct sim *s, struct span data)
{
	struct reader r = rd_over(data);
	uint32_t mark = rd_u32(&r), id = rd_u32(&r);

	if (!rd_ok(&r) || mark != MARK || id == 0 || id > s->traffic.n)
		return NULL;
	struct app *app = &s->traffic.apps[(id - 1) % s->traffic.cap];
	return app->id == id ? app : NULL;
}

static struct span write_data(uint8_t *at, size_t len, uint32_t id)
{
	struct writer w = wr_over(at, len);

	wr_u32(&w, MARK);
	wr_u32(&w, id);
	while (wr_len(&w) < len)
		wr_u8(&w, (uint8_t)id);
	return wr_span(&w);
}

/* ---- asking -------------------------------------------------------------------------- */

void traffic_fits(struct sim *s, unsigned peer, size_t room)
{
	s->traffic.talks[peer].room = room;
}

static size_t some_len(struct sim *s)
{
	return roll_between(&s->traffic.dice, DATA_MIN, DATA_MAX);
}

/* Some are large, and not to be fragmented; as large as is known to fit. */
static size_t draw_len(struct sim *s, unsigned peer)
{
	struct talk *t = &s->traffic.talks[peer];

	if (!chance(&s->traffic.dice, LARGE_IN_10000))
		return some_len(s);
	size_t len = roll_between(&s->traffic.dice, LARGE_MIN, LARGE_MAX);
	if (t->room != 0 && len > t->room) {
		len = t->room;
		t->room = 0; /* the next one tries again */
	}
	return len;
}

static uint16_t draw_port(struct sim *s, enum app_kind kind)
{
	if (kind == APP_OPEN)
		return OPEN_PORT;
	return s->sc.further && chance(&s->traffic.dice, 5000) ? MORE_PORT : APP_PORT;
}

static void ask(struct sim *s, unsigned peer, enum app_kind kind)
{
	const struct addr vip = vip_addr(s->sc.vip_of[peer], peer_is_v6(&s->sc, peer));
	const struct endpoint src = {peer_addr(&s->sc, peer), CLIENT_PORT};
	const struct endpoint dst = {vip, draw_port(s, kind)};
	uint8_t room[LARGE_MAX];
	size_t len = kind == APP_OPEN ? some_len(s) : draw_len(s, peer);
	uint32_t id = new_app(s, peer, kind);
	struct span data = write_data(room, len, id);
	struct app *app = app_of(s, data);

	app->port = dst.port == MORE_PORT;
	app->large = len > DATA_MAX;
	if (kind == APP_OPEN)
		s->counts.clear_sent++;
	else
		s->counts.app_sent++;
	if (kind == APP_SECURED)
		trace(s, "    peer%u asks %u of port %u", peer, id, dst.port);
	machine_app_send(s, sim_peer(s, peer), &src, &dst, data);
}

/* From nowhere, past every check of the sender's machine. */
static void spoof(struct sim *s, unsigned peer)
{
	const struct addr vip = vip_addr(s->sc.vip_of[peer], peer_is_v6(&s->sc, peer));
	const struct endpoint a = {peer_addr(&s->sc, peer), CLIENT_PORT};
	const struct endpoint b = {vip, APP_PORT};
	bool to_peer = chance(&s->traffic.dice, 5000);
	uint8_t room[DATA_MAX];
	struct span data = write_data(room, some_len(s), new_app(s, peer, APP_SPOOF));
	struct machine *m = to_peer ? sim_peer(s, peer) : pm_home(s, s->sc.vip_of[peer]);

	if (!m)
		return;
	struct packet *p = packet_new(WIRE_CLEAR, data);
	p->src = to_peer ? b : a;
	p->dst = to_peer ? a : b;
	s->counts.spoofs_tried++;
	machine_receive(s, m, p);
	free(p);
}

static void on_ask(struct sim *s, struct action *a)
{
	struct traffic *t = &s->traffic;

	bool hushed = t->talks[a->who].hushed_ms > s->world.now_ms;

	if (!hushed)
		ask(s, a->who, APP_SECURED);
	if (!hushed && chance(&t->dice, OPEN_IN_10000))
		ask(s, a->who, APP_OPEN);
	if (chance(&t->dice, SPOOF_IN_10000))
		spoof(s, a->who);
	uint64_t in = roll_between(&t->dice, ASK_MIN_MS, ASK_MAX_MS);
	world_at(s, world_later(&s->world, s->sc.crowd ? in * CROWD_SLOWER : in), *a);
}

uint64_t traffic_longest_pause_ms(const struct sim *s)
{
	return s->sc.crowd ? ASK_MAX_MS * CROWD_SLOWER : ASK_MAX_MS;
}

void traffic_init(struct sim *s)
{
	stream_init(&s->traffic.dice, s->world.seed, 3);
	for (unsigned i = 0; i < s->sc.n_peers; i++)
		world_at(s, world_later(&s->world, 1000 + roll(&s->traffic.dice, 500)),
			(struct action){.run = on_ask, .who = i});
}

void traffic_mark(struct sim *s)
{
	s->traffic.mark_ms = s->world.now_ms;
	for (unsigned i = 0; i < s->sc.n_peers; i++)
		s->traffic.talks[i].back_ms = 0;
}

/* ---- what arrives ------------------------------------------------------------------------ */

bool traffic_is_secret(struct sim *s, struct span data)
{
	const struct app *app = app_of(s, data);

	return app && app->kind != APP_OPEN;
}

static void answered(struct sim *s, struct app *app)
{
	struct talk *t = &s->traffic.talks[app->peer];
	uint64_t now = s->world.now_ms;

	if (app->kind == APP_OPEN) {
		s->counts.clear_answered++;
		return;
	}
	s->counts.app_answered++;
	rekeys_answered(s, app->peer, app->port, app->sent_ms);
	t->answered_ms = now;
	if (app->sent_ms > t->last_ms)
		t->last_ms = app->sent_ms;
	if (t->back_ms == 0 && s->traffic.mark_ms != 0 &&
		app->sent_ms >= s->traffic.mark_ms)
		t->back_ms = now;
}

void traffic_arrived(struct sim *s, struct machine *m, const struct endpoint *src,
	const struct endpoint *dst, struct span data, bool secured)
{
	struct app *app = app_of(s, data);
	bool is_node = sim_is_node(s, m);

	if (!app) {
		violation(s, "%s: an application got what nobody sent", m->name);
		return;
	}
	bool *seen = is_node ? &app->asked : &app->answered;
	if (app->kind == APP_SECURED)
		trace(s, "    %s gets %ld", m->name, (long)(app - s->traffic.apps) + 1);
	if (!secured && app->kind != APP_OPEN)
		violation(s, "4: %s took protected traffic in clear (%s)", m->name,
			app->kind == APP_SPOOF ? "forged" : "leaked");
	if (secured && *seen)
		violation(s, "5: %s got one packet twice out of ESP", m->name);
	if (!is_node && (m != sim_peer(s, app->peer) || dst->port != CLIENT_PORT))
		violation(s, "13: %s gets at port %u what is for peer%u", m->name,
			dst->port, app->peer);
	if (!is_node && !*seen)
		answered(s, app);
	*seen = true;
	if (is_node)
		machine_app_send(s, m, dst, src, data);
}
