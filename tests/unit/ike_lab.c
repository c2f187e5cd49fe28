/* tests/unit/ike_lab.c - see ike_lab.h. */
#include "ike_lab.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- the host of a side */

static enum lab_side_name other(enum lab_side_name s)
{
	return s == A ? B : A;
}

static enum lab_side_name name_of(const struct lab_side *s)
{
	return s == &s->lab->side[A] ? A : B;
}

static bool on_accept(void *ctx, const struct ike_path *path, struct ike_answer *out)
{
	struct lab_side *s = ctx;

	(void)path;
	*out = (struct ike_answer){.proposals = s->conn.proposals,
		.force_encap = s->conn.force_encap,
		.nlbs = s->conn.nlbs,
		.ppk = s->conn.ppk.len > 0,
		.signatures =
			s->conn.own == IKE_PROOF_CERT || s->conn.peer == IKE_PROOF_CERT,
		.redirect = s->conn.redirect,
		.childless = s->conn.childless != IKE_CHILDLESS_NO};
	if (s->conn.trust)
		out->ca_len = trust_request(s->conn.trust, out->ca, sizeof(out->ca));
	return s->bound;
}

static bool on_is_friend(void *ctx, const struct ike_path *path)
{
	const struct lab_side *s = ctx;
	const struct addr *peer = &s->lab->side[other(name_of(s))].outside;

	return s->friends || (s->knows_peer && addr_equal(&path->remote.addr, peer));
}

static bool on_authenticate(void *ctx, const struct ike_path *path,
	const struct identity *idi, const struct identity *idr, unsigned n,
	struct ike_conn *out)
{
	const struct lab_side *s = ctx;

	(void)path;
	if (n > 0)
		return false;
	if (!s->conn.remote_any && !identity_equal(&s->conn.remote_id, idi))
		return false;
	if (!identity_is_any(idr) && !identity_equal(&s->conn.local_id, idr))
		return false;
	*out = s->conn;
	out->remote_id = *idi;
	return true;
}

static bool narrow_list(
	const struct ts_list *have, const struct ts_list *asked, struct ts_list *out)
{
	struct ts common;

	out->n = 0;
	for (unsigned i = 0; i < have->n; i++)
		for (unsigned k = 0; k < asked->n; k++)
			if (ts_intersect(&have->at[i], &asked->at[k], &common))
				assert_true(ts_list_add(out, &common));
	return out->n > 0;
}

static bool on_narrow(void *ctx, struct ike_conn *conn, enum policy_mode asked,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	const struct lab_side *s = ctx;

	conn->rule = s->conn.rule;
	conn->mode = s->conn.mode;
	return asked == s->conn.mode &&
	       narrow_list(&s->conn.local_ts, ours, &conn->local_ts) &&
	       narrow_list(&s->conn.remote_ts, theirs, &conn->remote_ts);
}

static bool on_redirect(void *ctx, const struct ike_path *path, struct addr *to)
{
	const struct lab_side *s = ctx;

	(void)path;
	*to = s->away;
	return addr_is_set(to);
}

static void on_sent_away(void *ctx, const struct ike_path *path)
{
	struct lab_side *s = ctx;

	(void)path;
	s->n_sent_away++;
}

static const char *on_may_redirect(
	void *ctx, const struct ike_info *sa, const struct ike_gateway *to)
{
	const struct lab_side *s = ctx;

	(void)sa;
	return to->name[0] ? "names are not resolved" : s->stays;
}

static void on_redirected(
	void *ctx, const struct ike_info *sa, const struct ike_gateway *to)
{
	struct lab_side *s = ctx;

	s->gateway = *to;
	s->gateway_of = sa->id;
	s->n_redirected++;
}

static uint32_t on_new_spi(void *ctx, bool asked)
{
	struct lab_side *s = ctx;

	(void)asked;
	return s->next_spi++;
}

static void on_established(void *ctx, const struct ike_info *sa)
{
	struct lab_side *s = ctx;

	assert_true(s->n_established < LAB_EVENTS);
	s->established[s->n_established++] = *sa;
}

static void on_child_up(void *ctx, const struct ike_child *child)
{
	struct lab_side *s = ctx;

	assert_true(s->n_up < LAB_EVENTS);
	s->up[s->n_up++] = *child;
}

static void on_child_down(void *ctx, uint32_t ike, uint32_t child, enum ike_close why)
{
	struct lab_side *s = ctx;

	assert_true(s->n_down < LAB_EVENTS);
	s->down[s->n_down++] = (struct lab_down){.ike = ike, .child = child, .why = why};
}

static void on_child_refused(
	void *ctx, uint32_t ike, uint32_t child, const struct ike_failure *why)
{
	struct lab_side *s = ctx;

	assert_true(s->n_refused < LAB_EVENTS);
	s->refused[s->n_refused++] =
		(struct lab_refused){.ike = ike, .child = child, .why = *why};
}

static void on_rekeyed(void *ctx, uint32_t old_ike, const struct ike_info *sa)
{
	struct lab_side *s = ctx;

	assert_true(s->n_rekeyed < LAB_EVENTS);
	s->rekeyed[s->n_rekeyed++] = (struct lab_rekeyed){.old = old_ike, .sa = *sa};
}

static void on_closed(void *ctx, const struct ike_info *sa, const struct ike_failure *why)
{
	struct lab_side *s = ctx;

	assert_true(s->n_closed < LAB_EVENTS);
	s->closed[s->n_closed++] = (struct lab_closed){.info = *sa, .why = *why};
}

static void on_moved(void *ctx, const struct ike_info *sa)
{
	struct lab_side *s = ctx;

	assert_true(s->n_moved < LAB_EVENTS);
	s->moved[s->n_moved++] = *sa;
}

static void on_fetch(void *ctx, const struct fetch_wish *wish)
{
	struct lab_side *s = ctx;

	s->wish = *wish;
	s->n_wishes++;
}

static void on_note(
	void *ctx, const struct ike_path *path, uint32_t ike, const char *text)
{
	struct lab_side *s = ctx;
	size_t len = strlen(s->notes);

	(void)path;
	(void)ike;
	assert_null(strchr(text, '\n'));
	snprintf(s->notes + len, sizeof(s->notes) - len, "%s\n", text);
}

/* ---- the network */

/* The path as the sender has it, turned into what the receiver sees. False: nobody is
 * there. */
static bool through_nats(const struct lab_side *from, const struct lab_side *to,
	const struct ike_path *sent, struct ike_path *seen)
{
	*seen = *sent;
	if (!addr_equal(&sent->remote.addr, &to->outside))
		return false;
	seen->remote.addr = from->outside;
	seen->remote.port = (uint16_t)(sent->local.port + from->mapped);
	seen->local.addr = to->addr;
	seen->local.port = (uint16_t)(sent->remote.port - to->mapped);
	seen->natt = seen->local.port == IKE_NATT_PORT;
	return true;
}

static void put(struct lab *lab, const struct lab_datagram *d)
{
	struct lab_fate fate = {.copies = 1, .ms = 1};

	if (lab->n_log < LAB_QUEUE)
		lab->log[lab->n_log++] = *d;
	if (lab->filter)
		fate = lab->filter(lab, d);
	for (unsigned i = 0; i < fate.copies; i++) {
		assert_true(lab->n_queue < LAB_QUEUE);
		lab->queue[lab->n_queue] = *d;
		lab->queue[lab->n_queue++].at_ms = lab->now_ms + fate.ms;
	}
}

void lab_inject(struct lab *lab, enum lab_side_name from, const struct ike_path *path,
	struct span bytes)
{
	static struct lab_datagram d;

	assert_true(bytes.len <= LAB_DATAGRAM);
	d.from = from;
	d.len = bytes.len;
	memcpy(d.bytes, bytes.at, bytes.len);
	if (through_nats(&lab->side[from], &lab->side[other(from)], path, &d.path))
		put(lab, &d);
	else if (lab->elsewhere)
		lab->elsewhere(lab, path, bytes);
}

static void on_send(void *ctx, const struct ike_path *path, struct span datagram)
{
	struct lab_side *s = ctx;

	s->n_sent++;
	lab_inject(s->lab, name_of(s), path, datagram);
}

static unsigned earliest(const struct lab *lab)
{
	unsigned best = 0;

	for (unsigned i = 1; i < lab->n_queue; i++)
		if (lab->queue[i].at_ms < lab->queue[best].at_ms)
			best = i;
	return best;
}

static void deliver(struct lab *lab, unsigned at)
{
	static struct lab_datagram d;

	d = lab->queue[at];
	memmove(&lab->queue[at], &lab->queue[at + 1],
		(lab->n_queue - at - 1) * sizeof(lab->queue[0]));
	lab->n_queue--;
	/* In memory of its own size, so that a sanitizer sees an octet read too far. */
	uint8_t *exact = malloc(d.len > 0 ? d.len : 1);
	assert_non_null(exact);
	memcpy(exact, d.bytes, d.len);
	ike_receive(lab->side[other(d.from)].engine, lab->now_ms, &d.path,
		span_of(exact, d.len));
	free(exact);
}

static bool step(struct lab *lab, uint64_t until)
{
	uint64_t wire = lab->n_queue > 0 ? lab->queue[earliest(lab)].at_ms : IKE_NEVER;
	uint64_t a = ike_next_due_ms(lab->side[A].engine);
	uint64_t b = ike_next_due_ms(lab->side[B].engine);
	uint64_t due = a < b ? a : b;
	uint64_t next = wire < due ? wire : due;

	if (next > until)
		return false;
	if (next > lab->now_ms)
		lab->now_ms = next;
	if (wire <= due)
		deliver(lab, earliest(lab));
	else
		ike_tick(lab->side[a <= b ? A : B].engine, lab->now_ms);
	return true;
}

void lab_run(struct lab *lab, uint64_t ms)
{
	uint64_t until = lab->now_ms + ms;

	while (step(lab, until))
		;
	lab->now_ms = until;
}

/* ---- setting up */

void lab_set_psk(struct lab_side *side, const char *psk)
{
	assert_true(secret_set(&side->conn.psk, span_text(psk)));
}

static void list_of(struct ts_list *l, const struct ts *t)
{
	l->n = 1;
	l->at[0] = *t;
}

void lab_set_mode(struct lab_side *side, enum policy_mode mode)
{
	side->conn.mode = mode;
}

/* Paths and selectors follow from where the two sides sit. */
static void aim(struct lab_side *s, const struct lab_side *peer)
{
	struct ts local = ts_host(&s->addr), remote = ts_host(&peer->outside);

	s->conn.path.local = (struct endpoint){.addr = s->addr, .port = IKE_PORT};
	s->conn.path.remote = (struct endpoint){.addr = peer->outside, .port = IKE_PORT};
	list_of(&s->conn.local_ts, &local);
	list_of(&s->conn.remote_ts, &remote);
}

static void introduce(struct lab *lab)
{
	for (int s = A; s <= B; s++) {
		struct lab_side *side = &lab->side[s];
		struct lab_side *peer = &lab->side[other((enum lab_side_name)s)];

		aim(side, peer);
		side->conn.local_id = identity_from_addr(&side->addr);
		side->conn.remote_id = identity_from_addr(&peer->addr);
	}
}

void lab_use_v6(struct lab *lab)
{
	for (int s = A; s <= B; s++)
		lab->side[s].addr = lab->side[s].outside =
			unit_addr(s == A ? "2001:db8::10" : "2001:db8:1::7");
	introduce(lab);
}

void lab_put_behind_nat(struct lab *lab, enum lab_side_name s)
{
	struct lab_side *side = &lab->side[s];

	side->outside = addr_v4(203, 0, 113, (uint8_t)(1 + s));
	/* A's NAT is static, as in front of a server; B's picks ports. */
	side->mapped = s == A ? 0 : 10000;
	aim(&lab->side[A], &lab->side[B]);
	aim(&lab->side[B], &lab->side[A]);
}

static void init_side(struct lab *lab, enum lab_side_name name, uint64_t seed,
	const struct ike_limits *limits)
{
	struct lab_side *s = &lab->side[name];
	struct ike_host host = {.ctx = s,
		.accept = on_accept,
		.is_friend = on_is_friend,
		.authenticate = on_authenticate,
		.narrow = on_narrow,
		.redirect = on_redirect,
		.sent_away = on_sent_away,
		.may_redirect = on_may_redirect,
		.redirected = on_redirected,
		.new_spi = on_new_spi,
		.send = on_send,
		.established = on_established,
		.child_up = on_child_up,
		.child_down = on_child_down,
		.child_refused = on_child_refused,
		.rekeyed = on_rekeyed,
		.closed = on_closed,
		.moved = on_moved,
		.fetch = on_fetch,
		.note = on_note};
	struct ike_params params = {.entropy = entropy_seeded(&s->seed, seed + name),
		.limits = *limits,
		.member = (uint8_t)(1 + name),
		.revocations = s->revocations = revocations_new()};

	s->lab = lab;
	s->engine = ike_new(&params, &host);
	ike_set_wall(s->engine, LAB_WALL_S);
	s->addr = name == A ? addr_v4(192, 0, 2, 10) : addr_v4(198, 51, 100, 7);
	s->outside = s->addr;
	s->bound = true;
	s->next_spi = 0x1000U * (1U + name);
	s->conn.rule = 7;
	s->conn.mode = POLICY_TRANSPORT;
	s->conn.give_up_ms = 20000;
	s->conn.proposals = (struct ike_proposals){.ike = {{.encr = AEAD_AES128_GCM16,
							   .prf = PRF_SHA256,
							   .ke = KE_CURVE25519}},
		.esp = {AEAD_AES128_GCM16},
		.n_ike = 1,
		.n_esp = 1};
	lab_set_psk(s, "a key that both sides have");
}

struct lab *lab_new_limited(uint64_t seed, const struct ike_limits *limits)
{
	struct lab *lab = mem_new(1, sizeof(*lab));

	lab->now_ms = 1000;
	for (int s = A; s <= B; s++)
		init_side(lab, (enum lab_side_name)s, seed, limits);
	introduce(lab);
	return lab;
}

struct lab *lab_new(uint64_t seed)
{
	static const struct ike_limits defaults;

	return lab_new_limited(seed, &defaults);
}

void lab_free(struct lab *lab)
{
	ike_free(lab->side[A].engine);
	ike_free(lab->side[B].engine);
	revocations_free(lab->side[A].revocations);
	revocations_free(lab->side[B].revocations);
	free(lab);
}

uint32_t lab_call(struct lab *lab, enum lab_side_name s)
{
	return ike_initiate(lab->side[s].engine, lab->now_ms, &lab->side[s].conn);
}

uint32_t lab_up(struct lab *lab)
{
	uint32_t id = lab_call(lab, A);

	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->side[B].n_up, 1);
	return id;
}

struct lab_fate lab_drop_all(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	(void)d;
	return (struct lab_fate){.copies = 0};
}

struct lab_fate lab_drop_from_a(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){.copies = d->from != A, .ms = 1};
}

/* ---- messages that no engine would write */

struct message lab_craft(struct lab *lab, enum lab_side_name s, uint8_t exchange,
	bool response, uint32_t message_id)
{
	struct ike_header h =
		ike_header_for(lab_sa(lab, s), exchange, response, message_id);
	struct message m = message_begin(lab->crafted, sizeof(lab->crafted), &h);

	message_encrypt(&m);
	return m;
}

void lab_send_crafted(struct lab *lab, enum lab_side_name s, struct message *m)
{
	struct ike_sa *sa = lab_sa(lab, s);

	lab_inject(lab, s, &sa->path, ike_sk_seal(sa, m));
}

struct payload_set lab_read(struct lab *lab, const struct lab_datagram *d)
{
	struct span bytes = span_of(d->bytes, d->len);
	struct payload_set set;
	struct ike_header h;
	struct reader payloads;
	struct sk_sealed sealed;

	assert_int_equal(ike_header_read(bytes, &h, &payloads), WIRE_OK);
	assert_int_equal(payload_set_read(payloads, h.next_payload, &set), WIRE_OK);
	if (!payload_set_has(&set, PAYLOAD_SK))
		return set;
	struct ike_sa *sa = ike_sa_by_spi(
		lab->side[other(d->from)].engine, h.initiator ? h.spi_r : h.spi_i);
	assert_non_null(sa);
	assert_int_equal(
		sk_payload_read(bytes, payload_set_first(&set, PAYLOAD_SK), &sealed),
		WIRE_OK);
	enum crypto_err err =
		aead_open(sa->open, sealed.iv, sealed.aad, sealed.sealed, lab->opened);
	if (err != CRYPTO_OK && sa->next_open) /* the first with new keys, on its way */
		err = aead_open(
			sa->next_open, sealed.iv, sealed.aad, sealed.sealed, lab->opened);
	assert_int_equal(err, CRYPTO_OK);
	assert_int_equal(
		sk_payload_strip(
			span_of(lab->opened, sealed.sealed.len - SK_TAG_LEN), &payloads),
		WIRE_OK);
	assert_int_equal(payload_set_read(payloads, sealed.inner, &set), WIRE_OK);
	return set;
}

const struct lab_datagram *lab_last(const struct lab *lab)
{
	assert_true(lab->n_log > 0 && lab->n_log < LAB_QUEUE);
	return &lab->log[lab->n_log - 1];
}

/* ---- looking at it */

struct ike_sa *lab_sa(struct lab *lab, enum lab_side_name s)
{
	struct ike_engine *e = lab->side[s].engine;

	assert_false(list_empty(&e->sas));
	return list_entry(e->sas.prev, struct ike_sa, all);
}

static bool count_one(const struct ike_info *info, void *ctx)
{
	unsigned *n = ctx;

	(void)info;
	++*n;
	return true;
}

unsigned lab_count(const struct lab *lab, enum lab_side_name s)
{
	unsigned n = 0;

	ike_each(lab->side[s].engine, count_one, &n);
	return n;
}

struct ike_counters lab_counters(const struct lab *lab, enum lab_side_name s)
{
	struct ike_counters c;

	ike_counters(lab->side[s].engine, &c);
	return c;
}

void lab_assert_children_match(const struct ike_child *a, const struct ike_child *b)
{
	assert_int_equal(a->spi_in, b->spi_out);
	assert_int_equal(a->spi_out, b->spi_in);
	assert_int_equal(a->alg, b->alg);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->esn, b->esn);
	assert_int_equal(a->encap, b->encap);
	assert_int_not_equal(a->initiator, b->initiator);
	assert_true(a->key_in.len == aead_keymat_len(a->alg));
	unit_assert_span_equal(secret_span(&a->key_in), secret_span(&b->key_out));
	unit_assert_span_equal(secret_span(&a->key_out), secret_span(&b->key_in));
	assert_memory_not_equal(a->key_in.b, a->key_out.b, a->key_in.len);
}

void lab_assert_noted(const struct lab_side *side, const char *text)
{
	if (!strstr(side->notes, text))
		fail_msg("no note says '%s'; notes are:\n%s", text, side->notes);
}
