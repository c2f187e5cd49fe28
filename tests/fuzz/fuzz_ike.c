/* tests/fuzz/fuzz_ike.c - ike_receive(), from strangers and from a peer that has the keys.
 *
 * The first octet says how far a handshake between two engines has come and which of them
 * is the target. Then come messages: kind (1), first payload (1), length (2), octets.
 * Those in clear go to the target as they are; the others are sealed by the other engine
 * with a header that fits. "Edited" is what the other engine itself is about to send, with
 * octets changed before it is sealed: AUTH does not sign proposals and selectors, so this
 * reaches what lies behind a good proof. "Asked" is a call that makes an engine ask for a
 * child, for new keys or for a Delete, and "carried" gives what is on its way, so that what
 * is edited may be any message of any CREATE_CHILD_SA, and of two that cross. A message in
 * clear must not touch an SA that is up.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ike/sa.h"
#include "wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES_MAX = 16, DATAGRAM_MAX = 4096, QUEUE = 4 };
enum {
	KIND_SEALED = 1,
	KIND_RESPONSE = 2,
	KIND_EXCHANGE_SHIFT = 2,
	KIND_WRONG_ID = 32,
	KIND_EDITED = 64,
	KIND_ASKED = 128 /* what, in the octet of the first payload */
};
enum { ASKED_OF_PEER = 1, ASKED_WHAT_SHIFT = 1, ASKED_CARRY = 16 };

struct end {
	struct ike_engine *engine;
	struct seeded_entropy seed;
	struct ike_conn conn;
	uint32_t next_spi;
	unsigned up, down, closed;
	/* what it has sent and nobody has received */
	uint8_t sent[QUEUE][DATAGRAM_MAX];
	size_t len[QUEUE];
	struct ike_path path[QUEUE];
	unsigned n;
};

static bool on_accept(void *ctx, const struct ike_path *path, struct ike_answer *out)
{
	const struct end *end = ctx;

	(void)path;
	*out = (struct ike_answer){.proposals = end->conn.proposals};
	return true;
}

static bool on_is_friend(void *ctx, const struct ike_path *path)
{
	(void)ctx;
	(void)path;
	return false;
}

static bool on_authenticate(void *ctx, const struct ike_path *path,
	const struct identity *idi, const struct identity *idr, unsigned n,
	struct ike_conn *out)
{
	const struct end *end = ctx;

	(void)path;
	(void)idr;
	*out = end->conn;
	return n == 0 && idi->len == 4;
}

static bool on_narrow(void *ctx, struct ike_conn *conn, enum policy_mode asked,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	(void)ctx;
	conn->mode = asked;
	conn->local_ts = *ours;
	conn->remote_ts = *theirs;
	return ours->n > 0 && theirs->n > 0;
}

static uint32_t on_new_spi(void *ctx, bool asked)
{
	struct end *end = ctx;

	(void)asked;
	return end->next_spi++;
}

static void on_send(void *ctx, const struct ike_path *path, struct span datagram)
{
	struct end *end = ctx;

	assert(datagram.len <= DATAGRAM_MAX);
	if (end->n == QUEUE)
		return;
	memcpy(end->sent[end->n], datagram.at, datagram.len);
	end->path[end->n] = *path;
	end->len[end->n++] = datagram.len;
}

static void on_info(void *ctx, const struct ike_info *sa)
{
	(void)ctx;
	assert(sa->id != 0);
}

static void on_child_up(void *ctx, const struct ike_child *child)
{
	struct end *end = ctx;

	assert(child->key_in.len == aead_keymat_len(child->alg));
	assert(child->local_ts.n > 0 && child->remote_ts.n > 0);
	assert(child->spi_out > 255);
	end->up++;
}

static void on_child_down(void *ctx, uint32_t ike, uint32_t child, enum ike_close why)
{
	struct end *end = ctx;

	(void)ike;
	(void)child;
	(void)why;
	end->down++;
	assert(end->down <= end->up);
}

static void on_child_refused(
	void *ctx, uint32_t ike, uint32_t child, const struct ike_failure *why)
{
	(void)ctx;
	assert(ike != 0);
	(void)child;
	(void)why;
}

static void on_rekeyed(void *ctx, uint32_t old_ike, const struct ike_info *sa)
{
	(void)ctx;
	assert(sa->id != old_ike && sa->established);
}

static void on_closed(void *ctx, const struct ike_info *sa, const struct ike_failure *why)
{
	struct end *end = ctx;

	(void)why;
	assert(sa->n_children == 0);
	end->closed++;
}

static bool on_may_move(void *ctx, uint32_t rule, const struct ike_path *to)
{
	(void)ctx;
	(void)rule;
	return to->remote.port != 0;
}

static void on_note(
	void *ctx, const struct ike_path *path, uint32_t ike, const char *text)
{
	(void)ctx;
	(void)path;
	(void)ike;
	assert(!strchr(text, '\n'));
}

static void set_up(struct end *end, uint8_t name)
{
	struct ike_host host = {.ctx = end,
		.accept = on_accept,
		.is_friend = on_is_friend,
		.authenticate = on_authenticate,
		.narrow = on_narrow,
		.new_spi = on_new_spi,
		.send = on_send,
		.established = on_info,
		.child_up = on_child_up,
		.child_down = on_child_down,
		.child_refused = on_child_refused,
		.rekeyed = on_rekeyed,
		.closed = on_closed,
		.moved = on_info,
		.note = on_note,
		.may_move = on_may_move};
	struct ike_params params = {
		.entropy = entropy_seeded(&end->seed, name), .member = name};
	struct addr us = addr_v4(192, 0, 2, name), them = addr_v4(192, 0, 2, 3 - name);

	end->engine = ike_new(&params, &host);
	end->next_spi = 0x1000U * name;
	end->conn.path.local = (struct endpoint){us, IKE_PORT};
	end->conn.path.remote = (struct endpoint){them, IKE_PORT};
	end->conn.local_id = identity_from_addr(&us);
	end->conn.remote_id = identity_from_addr(&them);
	end->conn.local_ts = (struct ts_list){.n = 1, .at = {ts_host(&us)}};
	end->conn.remote_ts = (struct ts_list){.n = 1, .at = {ts_host(&them)}};
	end->conn.proposals = (struct ike_proposals){
		.ike = {{.encr = AEAD_AES128_GCM16,
				.prf = PRF_SHA256,
				.ke = KE_CURVE25519},
			{.encr = AEAD_AES256_GCM16, .prf = PRF_SHA384, .ke = KE_ECP_256}},
		.esp = {AEAD_AES128_GCM16},
		.n_ike = 2,
		.n_esp = 1,
		.pfs = {KE_CURVE25519, KE_ECP_256},
		.n_pfs = 2,
		.esn = true};
	if (!secret_set(&end->conn.psk, span_text("fuzz")))
		abort();
}

static struct ike_path mirrored(const struct ike_path *p)
{
	struct ike_path m = *p;

	m.local = p->remote;
	m.remote = p->local;
	return m;
}

/* Gives what one end has sent to the other. */
static void carry(struct end *from, struct end *to, uint64_t now_ms)
{
	unsigned n = from->n;

	from->n = 0;
	for (unsigned i = 0; i < n; i++) {
		struct ike_path seen = mirrored(&from->path[i]);

		ike_receive(
			to->engine, now_ms, &seen, span_of(from->sent[i], from->len[i]));
	}
}

static struct ike_sa *last_sa(const struct end *end)
{
	const struct list *l = &end->engine->sas;

	return list_empty(l) ? NULL : list_entry(l->prev, struct ike_sa, all);
}

/* The header that fits, for what the peer would say next. */
static struct ike_header fitting_header(
	const struct end *target, const struct ike_sa *sa, uint8_t kind)
{
	const struct ike_sa *there = last_sa(target);
	bool response = (kind & KIND_RESPONSE) != 0;
	uint8_t exchange = (uint8_t)(IKE_SA_INIT + (kind >> KIND_EXCHANGE_SHIFT & 7));
	uint32_t id = response ? there->out.message_id : there->next_in;
	struct ike_header h = ike_header_for(sa, exchange, response, id);

	h.message_id += (kind & KIND_WRONG_ID) != 0;
	return h;
}

/* The chain is the fuzzer's own: payload headers and all. */
static void give_sealed(struct end *target, struct end *peer, uint8_t kind, uint8_t first,
	struct span bytes, uint64_t now_ms)
{
	static uint8_t out[DATAGRAM_MAX];
	struct ike_sa *sa = last_sa(peer);

	if (!sa || !sa->seal || !last_sa(target))
		return;
	struct ike_header h = fitting_header(target, sa, kind);
	struct message m = message_begin(out, sizeof(out), &h);
	message_encrypt(&m);
	wr_fill_u8(&m.w, m.sk_at, first);
	wr_bytes(&m.w, bytes);
	struct ike_path seen = mirrored(&sa->path);
	ike_receive(target->engine, now_ms, &seen, ike_sk_seal(sa, &m));
}

static void ask(struct end *of, unsigned what, uint64_t now_ms)
{
	struct ike_sa *sa = last_sa(of);
	struct child *c = sa ? ike_child_first(sa) : NULL;
	uint32_t child = c ? c->is.id : 0, fresh;
	enum ike_err err = IKE_OK;

	if (!sa)
		return;
	switch (what % 6) {
	case 0:
		err = ike_create_child(of->engine, now_ms, sa->id, &of->conn, &fresh);
		break;
	case 1:
		err = ike_rekey_child(of->engine, now_ms, child);
		break;
	case 2:
		err = ike_rekey(of->engine, now_ms, sa->id);
		break;
	case 3:
		err = ike_delete_child(of->engine, now_ms, child);
		break;
	case 4:
		err = ike_delete(of->engine, now_ms, sa->id, 1000, 1);
		break;
	default:
		ike_tick(of->engine, now_ms + 2000);
		break;
	}
	(void)err; /* not up: nothing happens */
}

/* The SA that a datagram belongs to, at the end that gets it. */
static struct ike_sa *sa_of(const struct end *end, struct span datagram)
{
	struct ike_header h;
	struct reader payloads;

	if (ike_header_read(datagram, &h, &payloads) != WIRE_OK)
		return NULL;
	return ike_sa_by_spi(end->engine, h.initiator ? h.spi_r : h.spi_i);
}

static struct ike_sa *sa_that_sent(const struct end *end, struct span datagram)
{
	struct ike_header h;
	struct reader payloads;

	if (ike_header_read(datagram, &h, &payloads) != WIRE_OK)
		return NULL;
	return ike_sa_by_spi(end->engine, h.initiator ? h.spi_i : h.spi_r);
}

/* Where the plaintext of a message that an engine has sealed is, opened in place. */
static bool unseal(
	struct ike_sa *reader, uint8_t *datagram, size_t len, struct sk_sealed *out)
{
	struct span bytes = span_of(datagram, len);
	struct ike_header h;
	struct payload_set set;
	struct reader payloads;

	if (ike_header_read(bytes, &h, &payloads) != WIRE_OK ||
		payload_set_read(payloads, h.next_payload, &set) != WIRE_OK ||
		!payload_set_has(&set, PAYLOAD_SK) ||
		sk_payload_read(bytes, payload_set_first(&set, PAYLOAD_SK), out) !=
			WIRE_OK)
		return false;
	uint8_t *text = datagram + (out->sealed.at - datagram);
	return aead_open(reader->open, out->iv, out->aad, out->sealed, text) == CRYPTO_OK;
}

/* edits: (offset (2), octet (1))*, over the text inside the SK payload. */
static void give_edited(
	struct end *target, struct end *peer, struct span edits, uint64_t now_ms)
{
	struct span bytes = span_of(peer->sent[0], peer->n > 0 ? peer->len[0] : 0);
	struct ike_sa *from = sa_that_sent(peer, bytes), *to = sa_of(target, bytes);
	struct reader r = rd_over(edits);
	struct sk_sealed sk;

	if (peer->n == 0 || !from || !from->seal || !to || !to->open ||
		!unseal(to, peer->sent[0], peer->len[0], &sk))
		return;
	uint8_t *text = peer->sent[0] + (sk.sealed.at - peer->sent[0]);
	size_t len = sk.sealed.len - SK_TAG_LEN;
	while (rd_left(&r) >= 3) {
		size_t at = rd_u16(&r) % len;

		text[at] = rd_u8(&r);
	}
	/* The IV of the first sealing: nobody but this target ever sees either. */
	if (aead_seal(from->seal, sk.iv, sk.aad, span_of(text, len), text) != CRYPTO_OK)
		abort();
	struct ike_path seen = mirrored(&peer->path[0]);
	ike_receive(target->engine, now_ms, &seen, span_of(peer->sent[0], peer->len[0]));
	peer->n = 0;
}

static void give_clear(struct end *target, struct span bytes, uint64_t now)
{
	struct ike_sa *sa = last_sa(target);
	unsigned up = target->up, down = target->down;
	bool was_up = sa && sa->state == STATE_UP;

	ike_receive(target->engine, now, &target->conn.path, bytes);
	assert(target->up == up && target->down == down);
	assert(!was_up || sa->state == STATE_UP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = rd_over(span_of(data, size));
	struct end *a = mem_new(1, sizeof(*a)), *b = mem_new(1, sizeof(*b));
	uint8_t stage = rd_u8(&r);
	struct end *target = stage & 0x80 ? a : b, *peer = stage & 0x80 ? b : a;
	uint64_t now = 1000;

	set_up(a, 1);
	set_up(b, 2);
	ike_initiate(a->engine, now, &a->conn);
	for (unsigned i = 0; i < (stage & 7); i++)
		carry(i % 2 ? b : a, i % 2 ? a : b, ++now);
	for (unsigned i = 0; i < MESSAGES_MAX && rd_left(&r) > 0; i++) {
		uint8_t kind = rd_u8(&r), first = rd_u8(&r);
		size_t len = rd_u16(&r);
		struct span bytes = rd_bytes(&r, len < rd_left(&r) ? len : rd_left(&r));

		if (!rd_ok(&r) || bytes.len > DATAGRAM_MAX - 100)
			break;
		if (kind & KIND_ASKED) {
			ask(first & ASKED_OF_PEER ? peer : target,
				first >> ASKED_WHAT_SHIFT & 7, ++now);
			if (first & ASKED_CARRY) {
				carry(target, peer, ++now);
				carry(peer, target, ++now);
			}
		} else if (kind & KIND_EDITED)
			give_edited(target, peer, bytes, ++now);
		else if (kind & KIND_SEALED)
			give_sealed(target, peer, kind, first, bytes, ++now);
		else
			give_clear(target, bytes, ++now);
	}
	ike_tick(a->engine, now + 100000);
	ike_tick(b->engine, now + 100000);
	ike_free(a->engine);
	ike_free(b->engine);
	free(a);
	free(b);
	return 0;
}
