/* tests/fuzz/world.c - see world.h. */
#include "fuzz/world.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "unit/pki_lab.h"

/* ---- certificates, made once: the same octets in each run */

enum { CERT_A, CERT_B, CERT_OF_ANOTHER_CA, CERTS };
enum { CAS = 2 };

static struct pki_node *cas[CAS], *leaves[CERTS];
static struct credential *credentials[CERTS];

static const char *const names[] = {"a.example", "b.example", "b.example"};

static void make_certificates(void)
{
	static const char *const ca_keys[] = {"ED25519:1", "ED25519:2"};
	static const char *const keys[] = {"ED25519:3", "ED25519:4", "ED25519:5"};
	static const char *const sans[] = {
		"DNS:a.example", "DNS:b.example", "DNS:b.example"};
	const struct pki_node *none[] = {NULL};

	for (int i = 0; i < CAS && !cas[i]; i++)
		cas[i] = pki_new(&(struct pki_spec){
			.key = ca_keys[i], .subject = "CN=Root", .ca = true});
	for (int i = 0; i < CERTS && !leaves[i]; i++) {
		leaves[i] = pki_new(&(struct pki_spec){.key = keys[i],
			.subject = "CN=leaf",
			.san = sans[i],
			.issuer = cas[i == CERT_OF_ANOTHER_CA],
			.crl_url = "http://ca.example/crl"});
		credentials[i] = pki_credential(leaves[i], none);
	}
}

static void certify(struct world_end *end, unsigned number)
{
	const struct world *w = end->world;
	bool wrong = number == 1 && (w->more & WORLD_WRONG_CERT);
	struct ike_conn *c = &end->conn;

	make_certificates();
	struct certificate *ca = pki_certificate(cas[0]);
	end->trust = trust_new(
		w->more & WORLD_STRICT ? REVOCATION_STRICT : REVOCATION_IF_AVAILABLE);
	bool ok = trust_add_anchor(end->trust, ca) &&
		  identity_parse(names[number], &c->local_id) &&
		  identity_parse(names[1 - number], &c->remote_id);
	assert(ok);
	certificate_free(ca);
	c->own = c->peer = IKE_PROOF_CERT;
	c->credential = credentials[wrong ? CERT_OF_ANOTHER_CA : number];
	c->trust = end->trust;
	secret_wipe(&c->psk);
}

/* ---- the host of an end */

static bool on_accept(void *ctx, const struct ike_path *path, struct ike_answer *out)
{
	const struct world_end *end = ctx;

	(void)path;
	*out = (struct ike_answer){.proposals = end->conn.proposals,
		.force_encap = end->conn.force_encap,
		.childless = end->conn.childless != IKE_CHILDLESS_NO,
		.redirect = end->conn.redirect,

		.ppk = end->conn.ppk.len > 0,
		.signatures = end->trust != NULL};
	if (end->trust)
		out->ca_len = trust_request(end->trust, out->ca, sizeof(out->ca));
	return true;
}

static bool on_is_friend(void *ctx, const struct ike_path *path)
{
	const struct world_end *end = ctx;

	return (end->world->options & WORLD_FRIENDS) != 0 &&
	       addr_equal(&path->remote.addr, &end->conn.path.remote.addr);
}

static bool on_authenticate(void *ctx, const struct ike_path *path,
	const struct identity *idi, const struct identity *idr, unsigned n,
	struct ike_conn *out)
{
	const struct world_end *end = ctx;

	(void)path;
	(void)idr;
	*out = end->conn;
	return n == 0 && (end->trust || idi->len == addr_len(&end->conn.path.local.addr));
}

/* Anybody may move, if it is to where only strangers are. */
static bool on_may_move(void *ctx, uint32_t rule, const struct ike_path *to)
{
	(void)ctx;
	(void)rule;
	return to->remote.addr.b[0] == 203;
}

static void on_fetch(void *ctx, const struct fetch_wish *wish)
{
	struct world_end *end = ctx;

	end->wish = *wish;
	end->wishes = true;
}

static bool on_narrow(void *ctx, struct ike_conn *conn, enum policy_mode asked,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	const struct world_end *end = ctx;

	conn->mode = end->conn.mode;
	conn->local_ts = *ours;
	conn->remote_ts = *theirs;
	return asked == end->conn.mode && ours->n > 0 && theirs->n > 0;
}

static bool on_redirect(void *ctx, const struct ike_path *path, struct addr *to)
{
	const struct world_end *end = ctx;

	(void)path;
	*to = addr_v4(192, 0, 2, 99);
	return end->away;
}

static const char *on_may_redirect(
	void *ctx, const struct ike_info *sa, const struct ike_gateway *to)
{
	(void)ctx;
	assert(sa->id != 0 && strlen(to->name) < sizeof(to->name));
	assert((to->name[0] != '\0') != addr_is_set(&to->addr));
	return to->name[0] || to->addr.family == ADDR_V6 ? "not there" : NULL;
}

static void on_redirected(
	void *ctx, const struct ike_info *sa, const struct ike_gateway *to)
{
	(void)ctx;
	assert(sa->id != 0 && addr_is_set(&to->addr));
}

static void on_sent_away(void *ctx, const struct ike_path *path)
{
	const struct world_end *end = ctx;

	(void)path;
	assert(end->away);
}

static uint32_t on_new_spi(void *ctx, bool asked)
{
	struct world_end *end = ctx;

	(void)asked;
	return end->next_spi++;
}

static void on_send(void *ctx, const struct ike_path *path, struct span datagram)
{
	const struct world_end *end = ctx;
	struct world *w = end->world;

	if (w->n == WIRE_MAX || datagram.len > WIRE_DATAGRAM)
		return;
	struct world_datagram *d = &w->wire[w->n++];
	d->from = (uint8_t)(end - w->end);
	d->path = *path;
	d->len = datagram.len;
	memcpy(d->at, datagram.at, datagram.len);
}

static void on_info(void *ctx, const struct ike_info *sa)
{
	(void)ctx;
	assert(sa->id != 0);
}

static void on_child_up(void *ctx, const struct ike_child *child)
{
	struct world_end *end = ctx;

	assert(child->key_in.len > 0 && child->key_out.len > 0);
	assert(child->local_ts.n > 0 && child->remote_ts.n > 0);
	assert(child->spi_out > 255 && child->spi_in > 255);
	end->up++;
}

static void on_child_down(void *ctx, uint32_t ike, uint32_t child, enum ike_close why)
{
	struct world_end *end = ctx;

	(void)why;
	assert(ike != 0 && child != 0);
	assert(++end->down <= end->up);
}

static void on_child_refused(
	void *ctx, uint32_t ike, uint32_t child, const struct ike_failure *why)
{
	(void)ctx;
	(void)child;
	(void)why;
	assert(ike != 0);
}

static void on_rekeyed(void *ctx, uint32_t old_ike, const struct ike_info *sa)
{
	(void)ctx;
	assert(sa->id != old_ike);
}

static void on_closed(void *ctx, const struct ike_info *sa, const struct ike_failure *why)
{
	(void)ctx;
	(void)why;
	assert(sa->n_children == 0);
}

static void on_note(
	void *ctx, const struct ike_path *path, uint32_t ike, const char *text)
{
	(void)ctx;
	(void)path;
	(void)ike;
	assert(!strchr(text, '\n'));
}

/* ---- setting up */

/* In front of the others: the same with an additional key exchange (RFC 9370). */
static void add_more(struct ike_proposals *p)
{
	static const struct ike_more more = {.ke = {0, KE_ECP_256}};

	memmove(&p->ike[1], &p->ike[0], p->n_ike * sizeof(p->ike[0]));
	p->n_ike++;
	p->ike[0].more = more;
	p->pfs[p->n_pfs] = p->pfs[0];
	p->pfs_more[0] = more;
	p->n_pfs++;
}

static void agree(struct world_end *end, uint8_t options)
{
	struct ike_conn *c = &end->conn;
	struct ike_proposals *p = &c->proposals;

	c->rule = 1;
	c->give_up_ms = 10000;
	c->mode = options & WORLD_TUNNEL ? POLICY_TUNNEL : POLICY_TRANSPORT;
	c->force_encap = (options & WORLD_ENCAP) != 0;
	c->mobike = (options & WORLD_TUNNEL) != 0;
	c->redirect = true;
	c->childless = IKE_CHILDLESS_ALLOW;
	if ((options & WORLD_FRIENDS) && (options & WORLD_SUITES))
		c->childless = IKE_CHILDLESS_FORCE;
	p->master_pfs = (options & WORLD_MASTER) != 0;
	p->ike[p->n_ike++] = (struct ike_suite){
		.encr = AEAD_AES128_GCM16, .prf = PRF_SHA256, .ke = KE_CURVE25519};
	p->esp[p->n_esp++] = AEAD_AES128_GCM16;
	if (options & WORLD_SUITES) {
		p->ike[p->n_ike++] = (struct ike_suite){.encr = AEAD_CHACHA20_POLY1305,
			.prf = PRF_SHA384,
			.ke = KE_ECP_256};
		p->esp[p->n_esp++] = AEAD_CHACHA20_POLY1305;
		p->esn = true;
	}
	if (end->world->more & WORLD_CBC) {
		p->ike[0].encr = AEAD_AES256_SHA512;
		p->esp[0] = AEAD_AES128_SHA256;
	}
	if (options & WORLD_PFS)
		p->pfs[p->n_pfs++] = KE_CURVE25519;
	if ((options & WORLD_PFS) && (options & WORLD_SUITES))
		add_more(p);
	if (!secret_set(&c->psk, span_text("a key that the fuzzer knows, too")))
		abort();
}

/* RFC 8784 */
static void add_ppk(struct world_end *end, unsigned number)
{
	struct ike_ppk *p = &end->conn.ppk;
	unsigned more = end->world->more;

	p->len = p->id_len = 32;
	memset(p->key, number == 1 && (more & WORLD_WRONG_PPK) ? 7 : 8, p->len);
	memset(p->id, 'p', p->id_len);
	p->required = number == 0 && (more & WORLD_PPK_REQUIRED);
}

static void set_up(struct world *w, unsigned number)
{
	struct world_end *end = &w->end[number];
	struct ike_host host = {.ctx = end,
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
		.established = on_info,
		.child_up = on_child_up,
		.child_down = on_child_down,
		.child_refused = on_child_refused,
		.rekeyed = on_rekeyed,
		.closed = on_closed,
		.moved = on_info,
		.may_move = on_may_move,
		.fetch = on_fetch,
		.note = on_note};
	struct addr us = addr_v4(192, 0, 2, (uint8_t)(1 + number));
	struct addr them = addr_v4(192, 0, 2, (uint8_t)(2 - number));

	if (w->more & WORLD_V6)
		us.family = them.family = ADDR_V6;

	end->world = w;
	end->limits = (struct ike_limits){.half_open = 64,
		.half_open_per_addr = 8,
		.cookie_above = 16,
		.established = 64,
		.children = 16,
		.creates = 50,
		.creates_per_second = 2};
	if (w->options & WORLD_TIGHT)
		end->limits = (struct ike_limits){.half_open = 3,
			.half_open_per_addr = 1,
			.cookie_above = 1,
			.established = 4,
			.children = 2,
			.creates = 4,
			.creates_per_second = 1};
	struct ike_params params = {.entropy = entropy_seeded(&end->seed, 1 + number),
		.limits = end->limits,
		.member = (uint8_t)(1 + number),
		.revocations = end->revocations = revocations_new()};
	end->engine = ike_new(&params, &host);
	ike_set_wall(end->engine, PKI_NOW);
	if (w->options & WORLD_FRAGMENTS)
		ike_set_fragment_size(end->engine, IKE_FRAGMENT_SIZE_MIN);
	end->next_spi = 0x1000U * (1 + number);
	end->conn.path.local = (struct endpoint){us, IKE_PORT};
	end->conn.path.remote = (struct endpoint){them, IKE_PORT};
	end->conn.local_id = identity_from_addr(&us);
	end->conn.remote_id = identity_from_addr(&them);
	end->conn.local_ts = (struct ts_list){.n = 1, .at = {ts_host(&us)}};
	end->conn.remote_ts = (struct ts_list){.n = 1, .at = {ts_host(&them)}};
	agree(end, w->options);
	if (w->more & WORLD_CERT)
		certify(end, number);
	if (w->more & WORLD_PPK)
		add_ppk(end, number);
}

struct world *world_new(uint8_t options, uint8_t more)
{
	struct world *w = mem_new(1, sizeof(*w));

	w->now_ms = 1000;
	w->options = options;
	w->more = more;
	set_up(w, 0);
	set_up(w, 1);
	return w;
}

void world_free(struct world *w)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ike_engine *e = w->end[i].engine;

		ike_forget_scope(e, w->now_ms, 0);
		world_check(w, i);
		assert(w->end[i].up == w->end[i].down);
		assert(list_empty(&e->sas) && ike_count_half_open(e) == 0);
		assert(ike_next_due_ms(e) == IKE_NEVER);
		ike_free(e);
		trust_free(w->end[i].trust);
		revocations_free(w->end[i].revocations);
	}
	free(w);
}

/* ---- what must hold */

/* By rows of the table, as many as one call may take. */
static bool may_become(enum ike_state from, enum ike_state to, unsigned rows)
{
	size_t n;
	const struct ike_rule *rule = ike_rules(&n);

	/* Any SA may be forgotten, or its deadline may come. */
	if (from == to || to == STATE_GONE)
		return true;
	for (size_t i = 0; rows > 0 && i < n; i++) {
		const enum ike_state then = rule[i].then, before = ike_state_before(then);

		if (rule[i].state == from && then != from &&
			(may_become(then, to, rows - 1) ||
				(before != then && may_become(before, to, rows - 1))))
			return true;
	}
	return false;
}

static void check_state(struct world_end *end, const struct ike_sa *sa)
{
	enum ike_state *was = &end->seen[sa->id % SEEN_MAX].state;
	uint32_t *id = &end->seen[sa->id % SEEN_MAX].id;

	/* One that is new is called, answered, or the heir of another. */
	if (*id != sa->id)
		*was = sa->state == STATE_UP || sa->state == STATE_DELETING
			       ? sa->state
			       : STATE_LARVAL;
	assert(may_become(*was, sa->state, 3));
	*id = sa->id;
	*was = sa->state;
}

void world_check(struct world *w, unsigned number)
{
	struct world_end *end = &w->end[number];
	const struct ike_engine *e = end->engine;
	unsigned half_open = 0, up = 0, gone = 0, callers = 0;

	list_each(item, &e->sas)
	{
		const struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		check_state(end, sa);
		half_open += ike_is_half_open(sa);
		up += sa->state == STATE_UP;
		gone += sa->state == STATE_GONE;
		callers += sa->origin != NULL;
		/* While both ends rekey at once each child may have a twin. */
		assert(sa->n_children <= 2 * end->limits.children + 2);
		assert(sa->timer != 0 || sa->state == STATE_UP);
	}
	assert(half_open == ike_count_half_open(e));
	assert(half_open <= 2 * end->limits.half_open);
	assert(up == e->n_established);
	assert(gone <= end->limits.half_open);
	for (int i = 0; i < IKE_SHARES; i++)
		assert(e->pieces[i] <= e->pieces_max[i]);
	assert(map_count(e->by_origin) <= callers);
}

struct ike_sa *world_sa_of(struct world *w, unsigned end, struct span datagram)
{
	const struct ike_engine *e = w->end[end].engine;
	struct ike_header h;
	struct reader payloads;

	if (ike_header_read(datagram, &h, &payloads) != WIRE_OK)
		return NULL;
	struct ike_sa *sa = ike_sa_by_spi(e, h.spi_i);
	return sa ? sa : ike_sa_by_spi(e, h.spi_r);
}

struct ike_sa *world_last_sa(struct world *w, unsigned end)
{
	const struct list *l = &w->end[end].engine->sas;

	return list_empty(l) ? NULL : list_entry(l->prev, struct ike_sa, all);
}

/* ---- what may happen */

void world_call(struct world *w, unsigned by)
{
	enum { CALLS_MAX = 6 };
	struct world_end *end = &w->end[by];

	if (end->calls++ < CALLS_MAX)
		ike_initiate(end->engine, w->now_ms, &end->conn);
	world_check(w, by);
}

/* In memory of its own size, so that a sanitizer sees an octet read too far. */
static void receive(struct world *w, unsigned to, const struct ike_path *seen,
	const uint8_t *at, size_t len)
{
	uint8_t *exact = mem_new(1, len > 0 ? len : 1);

	memcpy(exact, at, len);
	ike_receive(w->end[to].engine, ++w->now_ms, seen, span_of(exact, len));
	free(exact);
	world_check(w, to);
}

void world_lose(struct world *w, unsigned n)
{
	if (n >= w->n)
		return;
	memmove(&w->wire[n], &w->wire[n + 1], (w->n - n - 1) * sizeof(w->wire[0]));
	w->n--;
}

void world_repeat(struct world *w, unsigned n)
{
	if (n < w->n && w->n < WIRE_MAX)
		w->wire[w->n++] = w->wire[n];
}

void world_from(struct world *w, unsigned n, uint8_t host)
{
	struct endpoint *from = &w->wire[n].path.local;

	if (n >= w->n)
		return;
	if (!(w->more & WORLD_V6))
		from->addr = addr_v4(203, 0, 113, host);
	else
		from->addr.b[0] = 203;
	from->port = (uint16_t)(4500 + host % 4);
}

void world_put(struct world *w, const struct world_datagram *like, struct span bytes)
{
	if (w->n == WIRE_MAX || bytes.len > WIRE_DATAGRAM)
		return;
	struct world_datagram *d = &w->wire[w->n];
	d->from = like->from;
	d->path = like->path;
	d->len = bytes.len;
	memcpy(d->at, bytes.at, bytes.len);
	w->n++;
}

void world_fetched(struct world *w, unsigned number)
{
	struct world_end *end = &w->end[number];

	if (!end->trust)
		return;
	uint32_t id = end->wishes
			      ? revocations_begin(end->revocations, &end->wish, PKI_NOW)
			      : 0;
	struct span crl = pki_crl(cas[0], NULL, PKI_NOW - PKI_DAY, PKI_NOW + PKI_DAY);

	if (id != 0)
		(void)revocations_learn(end->revocations, id, crl, PKI_NOW);
	pki_octets_free(crl);
	ike_fetched(end->engine, w->now_ms);
	world_check(w, number);
}

void world_deliver(struct world *w, unsigned n)
{
	static struct world_datagram d;

	if (n >= w->n)
		return;
	d = w->wire[n];
	world_lose(w, n);
	struct ike_path seen = d.path;
	seen.local = d.path.remote;
	seen.remote = d.path.local;
	receive(w, 1U - d.from, &seen, d.at, d.len);
}

void world_stranger(struct world *w, unsigned to, uint8_t host, struct span datagram)
{
	struct ike_path seen = w->end[to].conn.path;
	unsigned up = w->end[to].up, down = w->end[to].down;
	size_t established = w->end[to].engine->n_established;

	if (host != 0)
		seen.remote.addr = addr_v4(203, 0, 113, host);
	receive(w, to, &seen, datagram.at, datagram.len);
	assert(w->end[to].up == up && w->end[to].down == down);
	assert(w->end[to].engine->n_established == established);
}

void world_wait(struct world *w, uint64_t ms)
{
	enum { TICKS_MAX = 200 };
	uint64_t until = w->now_ms + ms;

	for (unsigned i = 0; i < TICKS_MAX; i++) {
		uint64_t a = ike_next_due_ms(w->end[0].engine);
		uint64_t b = ike_next_due_ms(w->end[1].engine);
		unsigned first = a <= b ? 0 : 1;
		uint64_t due = first == 0 ? a : b;

		if (due > until)
			break;
		if (due > w->now_ms)
			w->now_ms = due;
		ike_tick(w->end[first].engine, w->now_ms);
		world_check(w, first);
		/* Nothing that is due stays due. */
		assert(ike_next_due_ms(w->end[first].engine) > w->now_ms);
	}
	if (w->now_ms < until)
		w->now_ms = until;
}
