/* tests/sim/flood.c - strangers who knock, so many that cookies are asked for.
 *
 * A request is made once for each flood, by an engine of its own, and sent under many SPIs
 * from many addresses. Nobody proves anything: the callers do not hear the answers. What
 * they leave half open stays for half a minute, so whoever is no friend of the node and
 * calls meanwhile, an honest peer of a node that has never heard of it, must show a cookie.
 */
#include "sim/flood.h"

#include "base/iana.h"
#include "base/mem.h"
#include "sim/sim.h"
#include "wire/ike_header.h"
#include "wire/notify_payload.h"
#include "wire/payload.h"

#include <stdlib.h>

enum { KNOCKS_MIN = 120, KNOCKS_MAX = 300, AT_ONCE = 20, EVERY_MS = 5 };
enum { KNOCK_MAX = 1024, SPI_LEN = 8 };

struct knock {
	struct addr vip;
	size_t len;
	uint8_t bytes[KNOCK_MAX];
};

static void keep(void *ctx, const struct ike_path *path, struct span datagram)
{
	struct knock *k = ctx;

	(void)path;
	if (datagram.len > sizeof(k->bytes))
		return;
	memcpy(k->bytes, datagram.at, datagram.len);
	k->len = datagram.len;
}

static struct addr stranger(unsigned n)
{
	return addr_v4(198, 18, (uint8_t)(n / 250), (uint8_t)(1 + n % 250));
}

/* As a peer of this configuration would ask. */
static void make(struct sim *s, const struct config *c, struct knock *k)
{
	const struct config_proposal *p = &c->proposals[c->rules[0].proposal];
	const struct ike_host host = {.ctx = k, .send = keep};
	struct ike_params params = {.entropy = s->faults.dice.from};
	struct ike_conn conn = {.mode = POLICY_TUNNEL, .remote_any = true};

	conn.path.local = (struct endpoint){stranger(0), IKE_PORT};
	conn.path.remote = (struct endpoint){k->vip, IKE_PORT};
	conn.proposals.ike[0] = (struct ike_suite){
		.encr = p->ike[0].encr, .prf = p->ike[0].prf, .ke = p->ike[0].ke};
	conn.proposals.n_ike = 1;
	const struct ts here = ts_host(&conn.path.local.addr), there = ts_host(&k->vip);
	if (!ts_list_add(&conn.local_ts, &here) || !ts_list_add(&conn.remote_ts, &there))
		return;
	struct ike_engine *e = ike_new(&params, &host);
	ike_initiate(e, s->world.now_ms, &conn);
	ike_free(e);
}

static void knock(struct sim *s, struct machine *m, const struct knock *k, unsigned n)
{
	struct packet *p = packet_new(WIRE_IKE, span_of(k->bytes, k->len));

	for (unsigned i = 0; i < SPI_LEN; i++)
		p->bytes[i] = (uint8_t)(1 + roll(&s->faults.dice, UINT8_MAX));
	p->src = (struct endpoint){stranger(n), IKE_PORT};
	p->dst = (struct endpoint){k->vip, IKE_PORT};
	s->counts.knocks++;
	machine_receive(s, m, p);
	free(p);
}

static void on_knocks(struct sim *s, struct action *a)
{
	const struct knock *k = a->own;

	for (unsigned i = 0; i < s->sc.n_nodes && a->n > 0; i++) {
		struct machine *m = &s->machines[i];
		if (!machine_has_addr(m, &k->vip, true))
			continue;
		for (unsigned j = 0; j < AT_ONCE && a->n > 0; j++)
			knock(s, m, k, --a->n);
		break;
	}
	if (a->n == 0 || s->world.now_ms >= s->faults.until_ms)
		return;
	world_at(s, world_later(&s->world, EVERY_MS), *a);
	a->own = NULL;
}

void flood_begin(struct sim *s, unsigned vip)
{
	struct machine *m = pm_home(s, vip);
	struct action a = {.run = on_knocks};

	if (!m || !m->node || !node_config(m->node))
		return;
	struct knock *k = mem_new(1, sizeof(*k));
	k->vip = vip_addr(vip, false);
	make(s, node_config(m->node), k);
	a.own = k;
	a.n = (unsigned)roll_between(&s->faults.dice, KNOCKS_MIN, KNOCKS_MAX);
	s->counts.floods++;
	trace(s, "%u strangers knock at %s", a.n, pm_vip_name(vip));
	world_at(s, s->world.now_ms, a);
}

void flood_note(struct sim *s, const struct packet *p)
{
	struct ike_header h;
	struct reader chain;
	struct payload first;
	struct wire_notify n;

	if (ike_header_read(span_of(p->bytes, p->len), &h, &chain) != WIRE_OK ||
		h.exchange != IKE_SA_INIT || h.next_payload != PAYLOAD_NOTIFY ||
		payload_next(&chain, h.next_payload, &first) != WIRE_OK ||
		notify_payload_read(first.body, &n) != WIRE_OK || n.type != N_COOKIE)
		return;
	if (h.response)
		s->counts.cookies_asked++;
	else
		s->counts.cookies_shown++;
}
