/* end.c - see end.h. */
#include "bench/end.h"

#include <assert.h>
#include <stdlib.h>

#include "base/iana.h"
#include "base/mem.h"

enum { RULE = 1, APP_PORT = 7001, PEER_NET = 10 };

/* ---- letters ------------------------------------------------------------------- */

static void grow(struct mail *m)
{
	size_t cap = m->cap == 0 ? 64 : 2 * m->cap;
	struct letter *at = mem_new(cap, sizeof(*at));

	for (size_t i = 0; i < m->n; i++)
		at[i] = m->at[(m->first + i) % m->cap];
	free(m->at);
	*m = (struct mail){.at = at, .n = m->n, .cap = cap};
}

void mail_send(struct mail *m, const struct ike_path *sent, struct span bytes)
{
	if (m->n == m->cap)
		grow(m);
	struct letter *l = &m->at[(m->first + m->n++) % m->cap];
	*l = (struct letter){.path = *sent, .len = bytes.len};
	l->path.local = sent->remote;
	l->path.remote = sent->local;
	l->bytes = mem_new(1, bytes.len);
	memcpy(l->bytes, bytes.at, bytes.len);
}

bool mail_take(struct mail *m, struct letter *out)
{
	if (m->n == 0)
		return false;
	*out = m->at[m->first];
	m->first = (m->first + 1) % m->cap;
	m->n--;
	return true;
}

void mail_free(struct mail *m)
{
	struct letter l;

	while (mail_take(m, &l))
		free(l.bytes);
	free(m->at);
	*m = (struct mail){0};
}

/* ---- what an engine asks and wants ------------------------------------------------ */

static struct ike_conn conn_of(const struct ike_path *path)
{
	struct ike_conn c = {
		.path = *path,
		.rule = RULE,
		.local_id = identity_from_addr(&path->local.addr),
		.remote_id = identity_from_addr(&path->remote.addr),
		.mode = POLICY_TRANSPORT,
		.proposals = {.ike = {{.encr = AEAD_AES128_GCM16,
				      .prf = PRF_SHA256,
				      .ke = KE_CURVE25519}},
			.esp = {AEAD_AES128_GCM16},
			.n_ike = 1,
			.n_esp = 1},
	};
	bool fits = secret_set(&c.psk, span_text(END_PSK));

	assert(fits);
	c.local_ts.at[0] = ts_host(&path->local.addr);
	c.remote_ts.at[0] = ts_host(&path->remote.addr);
	c.local_ts.n = c.remote_ts.n = 1;
	c.local_ts.at[0].proto = c.remote_ts.at[0].proto = IP_UDP;
	/* The server's port is what is protected. */
	struct addr vip = end_vip();
	struct ts *server = addr_equal(&path->local.addr, &vip) ? &c.local_ts.at[0]
								: &c.remote_ts.at[0];
	server->port_lo = server->port_hi = APP_PORT;
	return c;
}

static bool on_accept(void *ctx, const struct ike_path *path, struct ike_answer *out)
{
	(void)ctx;
	*out = (struct ike_answer){.proposals = conn_of(path).proposals};
	return true;
}

static bool on_is_friend(void *ctx, const struct ike_path *path)
{
	(void)ctx;
	return path->remote.addr.b[0] == PEER_NET;
}

static bool on_authenticate(void *ctx, const struct ike_path *path,
	const struct identity *idi, const struct identity *idr, unsigned n,
	struct ike_conn *out)
{
	(void)ctx;
	(void)idr;
	if (n > 0)
		return false;
	*out = conn_of(path);
	return identity_equal(&out->remote_id, idi);
}

static bool on_narrow(void *ctx, struct ike_conn *conn, enum policy_mode asked,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	(void)ctx;
	conn->rule = RULE;
	conn->mode = POLICY_TRANSPORT;
	conn->local_ts = *ours;
	conn->remote_ts = *theirs;
	return asked == POLICY_TRANSPORT;
}

static uint32_t on_new_spi(void *ctx, bool asked)
{
	struct end *e = ctx;

	(void)asked;
	return e->next_spi++;
}

static void on_send(void *ctx, const struct ike_path *path, struct span datagram)
{
	struct end *e = ctx;

	mail_send(&e->out, path, datagram);
}

static void on_child_up(void *ctx, const struct ike_child *child)
{
	struct end *e = ctx;

	e->up++;
	if (e->n_ikes == e->cap_ikes) {
		e->cap_ikes = e->cap_ikes == 0 ? 64 : 2 * e->cap_ikes;
		e->ikes = realloc(e->ikes, e->cap_ikes * sizeof(*e->ikes));
		assert(e->ikes != NULL);
	}
	e->ikes[e->n_ikes++] = child->ike;
}

static void on_child_down(void *ctx, uint32_t ike, uint32_t child, enum ike_close why)
{
	struct end *e = ctx;

	(void)ike;
	(void)child;
	(void)why;
	e->down++;
}

static void on_info(void *ctx, const struct ike_info *sa)
{
	(void)ctx;
	(void)sa;
}

static void on_closed(void *ctx, const struct ike_info *sa, const struct ike_failure *why)
{
	(void)ctx;
	(void)sa;
	(void)why;
}

static void on_note(
	void *ctx, const struct ike_path *path, uint32_t ike, const char *text)
{
	(void)ctx;
	(void)path;
	(void)ike;
	(void)text;
}

/* ---- an end ------------------------------------------------------------------------ */

void end_init(struct end *e, uint8_t member)
{
	struct ike_host host = {.ctx = e,
		.accept = on_accept,
		.is_friend = on_is_friend,
		.authenticate = on_authenticate,
		.narrow = on_narrow,
		.new_spi = on_new_spi,
		.send = on_send,
		.established = on_info,
		.child_up = on_child_up,
		.child_down = on_child_down,
		.closed = on_closed,
		.moved = on_info,
		.note = on_note};

	*e = (struct end){.next_spi = (uint32_t)member << 24 | 0x1000};
	struct ike_params params = {
		.entropy = entropy_seeded(&e->seed, member), .member = member};
	e->engine = ike_new(&params, &host);
}

void end_wipe(struct end *e)
{
	ike_free(e->engine);
	mail_free(&e->out);
	free(e->ikes);
	*e = (struct end){0};
}

struct addr end_peer(unsigned n)
{
	return addr_v4(PEER_NET, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n);
}

struct addr end_vip(void)
{
	return addr_v4(192, 0, 2, 10);
}

struct ike_path end_path(const struct addr *local, const struct addr *remote)
{
	return (struct ike_path){.local = {.addr = *local, .port = IKE_PORT},
		.remote = {.addr = *remote, .port = IKE_PORT}};
}

void end_call(struct end *e, uint64_t now_ms, const struct ike_path *path)
{
	struct ike_conn c = conn_of(path);

	ike_initiate(e->engine, now_ms, &c);
}
