/* tests/sim/check.c - the invariants (docs/TESTING.md lists them by number).
 *
 * 1 and 2 are sets of hashes of what was on the wire. 3 follows from who speaks with a
 * VIP's address, and from the ring as it is. 6 and 8 are looked at a few times a second,
 * 7 at the end. 4 and 5 are seen by the applications, too (traffic.c).
 */
#include "sim/sim.h"

#include "base/iana.h"
#include "wire/ike_header.h"

enum { LOOK_MS = 200, RELEASE_MS = 1000 };
enum { SK_GENERIC_LEN = 4, SK_IV_LEN = 8 };

/* ---- 1, 2: keys, IVs and numbers --------------------------------------------------------- */

static uint64_t seen(struct sim *s, struct hashes *h, uint64_t key, uint64_t value)
{
	return hashes_put(h, s->world.now_ms, key, value);
}

void check_sealed(
	struct sim *s, struct machine *m, const struct esp_packet *e, struct span at_spi)
{
	struct reader r = rd_over(at_spi);
	uint32_t spi = rd_u32(&r), seq = rd_u32(&r);
	uint64_t iv = rd_u64(&r);
	const struct installed *sa = machine_child_of(m, spi, &e->remote);

	if (!rd_ok(&r) || !sa) {
		violation(s, "6: %s seals with an SA that it was not given", m->name);
		return;
	}
	const uint64_t by_iv[] = {sa->key_out, iv}, by_seq[] = {sa->key_out, seq};
	if (!e->ah &&
		seen(s, &s->check.ivs, hash_bytes(1, span_of(by_iv, sizeof(by_iv))), 1))
		violation(s, "1: %s uses a key and an IV twice (ESP)", m->name);
	if (seen(s, &s->check.numbers, hash_bytes(2, span_of(by_seq, sizeof(by_seq))), 1))
		violation(s, "2: %s sends number %u of an SA twice", m->name, seq);
	if (sim_is_node(s, m) && e->scope < VIPS_MAX && s->check.shut[m->index][e->scope])
		violation(s, "3: %s sends through a gate that it was told to close",
			m->name);
}

static void check_sk(struct sim *s, const struct machine *m, const struct packet *p)
{
	struct ike_header h;
	struct reader r;

	if (ike_header_read(span_of(p->bytes, p->len), &h, &r) != WIRE_OK ||
		h.next_payload != PAYLOAD_SK)
		return;
	rd_skip(&r, SK_GENERIC_LEN);
	const uint64_t what[] = {h.spi_i, h.spi_r, h.initiator, rd_u64(&r)};
	uint64_t key = hash_bytes(3, span_of(what, sizeof(what)));
	uint64_t value = hash_bytes(4, span_of(p->bytes, p->len)) | 1;
	uint64_t before = seen(s, &s->check.messages, key, value);
	if (rd_ok(&r) && before != 0 && before != value)
		violation(s, "1: %s uses a key and an IV twice (IKE)", m->name);
}

/* ---- 3: who speaks ------------------------------------------------------------------------ */

static struct voice *voice_of(struct sim *s, const struct addr *a)
{
	for (unsigned i = 0; i < s->check.n_voices; i++)
		if (addr_equal(&s->check.voices[i].addr, a))
			return &s->check.voices[i];
	return NULL;
}

/* Somebody has put the address on a node by hand, and one of the two does not see the
 * other, which is not fenced yet: there is nobody whom the node could ask. When they come
 * together again both may have spoken before they hear of it. */
static bool is_excused(const struct sim *s, const struct voice *v, int me)
{
	const struct resource *r = &s->pm.vips[(v - s->check.voices) / 2];

	return r->strayed_ms > s->world.now_ms &&
	       (r->strayed == me || r->strayed == v->speaks) &&
	       (!bus_sees(s, (unsigned)me, (unsigned)v->speaks) ||
		       !bus_sees(s, (unsigned)v->speaks, (unsigned)me));
}

static void check_voice(struct sim *s, const struct machine *m, const struct packet *p)
{
	struct voice *v = voice_of(s, &p->src.addr);
	int me = (int)m->index;

	if (!v) {
		violation(s, "3: %s sends from an address that is no VIP", m->name);
		return;
	}
	if (!s->bus.ends[me].told_quorate)
		violation(s, "3: %s sends without quorum", m->name);
	if (s->sc.fencing && v->superseded[me])
		violation(s, "3: %s and another send from one VIP by turns", m->name);
	if (v->speaks != NOWHERE && v->speaks != me && !is_excused(s, v, me))
		v->superseded[v->speaks] = true;
	v->speaks = me;
}

void check_bound(struct sim *s, const struct machine *m, const struct addr *a)
{
	struct voice *v = voice_of(s, a);

	if (!v || !sim_is_node(s, m))
		return;
	v->superseded[m->index] = false;
	s->check.not_ours_ms[m->index][(v - s->check.voices) / 2] = s->world.now_ms;
	int *last = &s->check.bound[v - s->check.voices];
	s->counts.bindings++;
	if (*last != NOWHERE && *last != (int)m->index)
		s->counts.takeovers++;
	*last = (int)m->index;
}

void check_gate(struct sim *s, const struct machine *m, uint16_t scope, bool open)
{
	if (scope < VIPS_MAX)
		s->check.shut[m->index][scope] = !open;
	if (!open && sim_is_node(s, m))
		s->counts.mutes++;
}

void check_daemon_new(struct sim *s, const struct machine *m)
{
	memset(s->check.shut[m->index], 0, sizeof(s->check.shut[m->index]));
}

void check_packet(struct sim *s, struct machine *m, const struct packet *p)
{
	world_note(s, m->index, 's', span_of(p->bytes, p->len));
	if (p->kind == WIRE_CLEAR) {
		if (traffic_is_secret(s, span_of(p->bytes, p->len)))
			violation(s, "4: %s sends protected traffic in clear", m->name);
		return;
	}
	if (sim_is_node(s, m))
		check_voice(s, m, p);
	if (p->kind == WIRE_IKE)
		check_sk(s, m, p);
}

/* ---- 6, 8: what is left behind -------------------------------------------------------------- */

struct tally {
	unsigned scope, n;
	const char *state; /* of one of them */
};

static bool count_ike(const struct ike_info *i, void *ctx)
{
	struct tally *t = ctx;

	if (i->path.scope == t->scope) {
		t->n++;
		t->state = i->state;
	}
	return true;
}

static bool is_ours(const struct sim *s, const struct machine *m, unsigned vip)
{
	const struct addr four = vip_addr(vip, false), six = vip_addr(vip, true);

	return s->bus.ends[m->index].told_quorate &&
	       (machine_has_addr(m, &four, false) || machine_has_addr(m, &six, false));
}

static void look_at_vip(struct sim *s, struct machine *m, unsigned vip)
{
	uint64_t *since = &s->check.not_ours_ms[m->index][vip];
	uint64_t allowed = RELEASE_MS + 2 * s->sc.order_delay_ms;
	struct tally t = {.scope = vip};

	if (!machine_serves(m) || is_ours(s, m, vip)) {
		*since = s->world.now_ms;
		return;
	}
	if (*since + allowed >= s->world.now_ms)
		return;
	node_each_ike(m->node, count_ike, &t);
	size_t children = esp_dp_count_scope(m->dp, (uint16_t)vip);
	if (children > 0 || t.n > 0)
		violation(s,
			"6: %s keeps %zu child and %u IKE SAs (%s) of %s, not its own",
			m->name, children, t.n, t.n ? t.state : "none", pm_vip_name(vip));
}

static void on_look(struct sim *s, struct action *a)
{
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		for (unsigned v = 0; v < s->sc.n_vips; v++)
			look_at_vip(s, &s->machines[i], v);
	world_at(s, world_later(&s->world, LOOK_MS), *a);
}

/* ---- begin and end ------------------------------------------------------------------------------ */

void check_init(struct sim *s)
{
	struct check *c = &s->check;

	for (unsigned v = 0; v < s->sc.n_vips; v++)
		for (unsigned six = 0; six < 2; six++) {
			c->bound[c->n_voices] = NOWHERE;
			c->voices[c->n_voices++] = (struct voice){
				.addr = vip_addr(v, six), .speaks = NOWHERE};
		}
	world_at(s, world_later(&s->world, LOOK_MS), (struct action){.run = on_look});
}

void check_free(struct sim *s)
{
	hashes_free(&s->check.ivs);
	hashes_free(&s->check.numbers);
	hashes_free(&s->check.messages);
}
