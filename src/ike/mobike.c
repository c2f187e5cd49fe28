/* ike/mobike.c - a peer that changes its address (RFC 4555).
 *
 *	peer, from another address             we
 *	SK{N(UPDATE_SA_ADDRESSES), [NATD]} -->
 *	                                   <--  SK{[NATD]}
 *	                                   <--  SK{N(COOKIE2)}
 *	SK{N(COOKIE2)}                     -->                  now ESP goes there
 *
 * Only peers move: a virtual IP stays where it is, so we never tell of other addresses of
 * ours. When we began the IKE SA (a takeover), the peer can only say that its addresses have
 * changed; we then send UPDATE_SA_ADDRESSES ourselves, with the cookie in it. IKE follows at
 * once, ESP when the peer has proved that it hears us there (3.7). Tunnel mode only: the
 * selectors of transport mode are the addresses.
 */
#include "ike/sa.h"

#include "wire/notify_payload.h"

enum { COOKIE_MIN = 8, COOKIE_MAX = 64 };

/* ---- agreed on in IKE_AUTH */

void ike_mobike_offer(struct message *m, const struct ike_conn *c)
{
	if (c->mobike && c->mode == POLICY_TUNNEL)
		ike_notify_write(m, N_MOBIKE_SUPPORTED, span_of(NULL, 0));
}

static void read_addresses(const struct exchange *x);

/* RFC 4555 3.2, 3.4. As responder: to be called when conn is final. */
void ike_mobike_agree(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	sa->mobike.on = sa->conn->mobike && sa->conn->mode == POLICY_TUNNEL &&
			ike_notify_find(&x->in, N_MOBIKE_SUPPORTED, NULL);
	sa->mobike.ours = sa->initiator;
	if (!sa->mobike.on)
		return;
	read_addresses(x);
	if (!sa->initiator)
		ike_mobike_offer(&x->out, sa->conn);
}

/* ---- what a message says */

static void add_address(struct ike_mobike *k, const struct wire_notify *n)
{
	size_t len = n->type == N_ADDITIONAL_IP4_ADDRESS ? 4 : 16;

	if (n->data.len == len && k->n_others < IKE_MOBIKE_OTHERS)
		k->others[k->n_others++] = addr_from_bytes(n->data.at, len);
}

/* RFC 4555 3.6: the list is always the whole one. */
static void read_addresses(const struct exchange *x)
{
	const struct payload *p = NULL;

	x->sa->mobike.n_others = 0;
	while ((p = payload_set_next(&x->in, PAYLOAD_NOTIFY, p))) {
		struct wire_notify n;

		if (notify_payload_read(p->body, &n) == WIRE_OK &&
			(n.type == N_ADDITIONAL_IP4_ADDRESS ||
				n.type == N_ADDITIONAL_IP6_ADDRESS))
			add_address(&x->sa->mobike, &n);
	}
}

static bool tells_addresses(const struct exchange *x)
{
	return ike_notify_find(&x->in, N_ADDITIONAL_IP4_ADDRESS, NULL) ||
	       ike_notify_find(&x->in, N_ADDITIONAL_IP6_ADDRESS, NULL) ||
	       ike_notify_find(&x->in, N_NO_ADDITIONAL_ADDRESSES, NULL);
}

static bool has_natd(const struct exchange *x)
{
	return ike_notify_find(&x->in, N_NAT_DETECTION_SOURCE_IP, NULL) &&
	       ike_notify_find(&x->in, N_NAT_DETECTION_DESTINATION_IP, NULL);
}

/* RFC 4555 3.9, 4.2.6: source, destination, their ports, as the peer sent them. */
static bool is_as_sent(const struct exchange *x)
{
	const struct endpoint *src = &x->from->remote, *dst = &x->from->local;
	size_t len = addr_len(&src->addr);
	struct span data;

	if (!ike_notify_find(&x->in, N_NO_NATS_ALLOWED, &data))
		return true;
	struct reader r = rd_over(data);
	struct span s = rd_bytes(&r, len), d = rd_bytes(&r, len);
	uint16_t sport = rd_u16(&r), dport = rd_u16(&r);
	return rd_done(&r) && span_equal(s, span_of(src->addr.b, len)) &&
	       span_equal(d, span_of(dst->addr.b, len)) && sport == src->port &&
	       dport == dst->port;
}

/* ---- the peer is elsewhere */

/* IKE goes there from now on, ESP once the peer is known to hear us. */
static void go_to(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	sa->path = *x->from;
	sa->mobike.moves++;
	if (has_natd(x))
		ike_natd_read(x);
	if (sa->mobike.pending)
		return;
	sa->mobike.pending = true;
	(void)ike_task_add(x->e, sa, TASK_CHECK_PATH, 0);
}

/* Our own address is the virtual one: it does not change. */
static bool may_go_to(struct exchange *x)
{
	const struct ike_host *host = &x->e->host;
	const struct ike_sa *sa = x->sa;

	list_each(item, &sa->children)
	{
		const struct child *c = list_entry(item, struct child, link);

		/* RFC 4302 3.3.3.1.1.1: the addresses are under the ICV, and where the
		 * peer goes there may be a NAT. */
		if (c->is.mode != POLICY_TUNNEL || c->is.ah)
			return false;
	}
	return addr_equal(&sa->path.local.addr, &x->from->local.addr) && host->may_move &&
	       host->may_move(host->ctx, sa->conn->rule, x->from);
}

static void on_update(struct exchange *x)
{
	if (may_go_to(x)) {
		go_to(x);
		return;
	}
	ike_note(x->e, x->from, x->sa->id,
		"UNACCEPTABLE_ADDRESSES: the peer wants to move here, and its rule names "
		"another address, or has transport mode or AH");
	ike_reply_notify(x, N_UNACCEPTABLE_ADDRESSES, span_of(NULL, 0));
}

/* RFC 4555 3.5: we decide, and where the peer speaks from is the best that we know. */
static void on_addresses(struct exchange *x)
{
	struct ike_mobike *k = &x->sa->mobike;

	read_addresses(x);
	if (!k->ours || endpoint_equal(&x->from->remote, &x->sa->path.remote))
		return;
	for (unsigned i = 0; i < k->n_others; i++)
		if (addr_equal(&k->others[i], &x->sa->path.remote.addr))
			return;
	if (may_go_to(x))
		go_to(x);
}

void ike_mobike_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct span cookie;

	/* RFC 4555 3.7, 4.2.5: copied as it is. */
	if (ike_notify_find(&x->in, N_COOKIE2, &cookie) && cookie.len >= COOKIE_MIN &&
		cookie.len <= COOKIE_MAX)
		ike_reply_notify(x, N_COOKIE2, cookie);
	if (!sa->mobike.on || sa->state != STATE_UP)
		return;
	bool update =
		!sa->mobike.ours && ike_notify_find(&x->in, N_UPDATE_SA_ADDRESSES, NULL);
	if ((update || tells_addresses(x)) && !is_as_sent(x)) {
		ike_reply_notify(x, N_UNEXPECTED_NAT_DETECTED, span_of(NULL, 0));
		return;
	}
	if (update)
		on_update(x);
	if (tells_addresses(x))
		on_addresses(x);
	/* RFC 4555 3.8: asked with these, answered with these. */
	if (has_natd(x))
		ike_natd_write(&x->out, sa->spi_i, sa->spi_r, x->from, sa->forced);
}

/* ---- does it hear us there? */

enum task_begun ike_begin_check_path(
	struct ike_engine *e, struct ike_sa *sa, struct task *t)
{
	struct ike_mobike *k = &sa->mobike;

	(void)t;
	if (!k->pending)
		return TASK_POINTLESS;
	entropy_fill(&e->entropy, k->cookie, sizeof(k->cookie));
	k->asked = k->moves;
	struct message m = ike_request_begin(e, sa, INFORMATIONAL);
	if (k->ours) {
		ike_notify_write(&m, N_UPDATE_SA_ADDRESSES, span_of(NULL, 0));
		ike_natd_write(&m, sa->spi_i, sa->spi_r, &sa->path, sa->forced);
	}
	ike_notify_write(&m, N_COOKIE2, span_of(k->cookie, sizeof(k->cookie)));
	ike_request_send(e, sa, &m, INFORMATIONAL, true);
	return TASK_BEGUN;
}

static void move_children(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct ike_info info;

	sa->mobike.pending = false;
	ike_sa_move(sa, &sa->path.remote);
	if (!sa->known)
		return;
	ike_sa_info(sa, &info);
	x->e->host.moved(x->e->host.ctx, &info);
}

/* RFC 4555 3.7: another cookie is the end; an answer to something that has meanwhile gone to
 * several addresses proves none of them. */
enum ike_verdict ike_on_path_checked(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct ike_mobike *k = &sa->mobike;
	struct span cookie;

	if (!ike_notify_find(&x->in, N_COOKIE2, &cookie) ||
		!secret_equal(cookie, span_of(k->cookie, sizeof(k->cookie)))) {
		ike_note(x->e, x->from, sa->id,
			"the peer has moved, and does not prove that it hears us there "
			"(COOKIE2): the IKE SA is closed");
		ike_fail(sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_OTHER, 0);
		return VERDICT_DELETE;
	}
	ike_task_done(x->e, sa);
	if (sa->state != STATE_UP)
		return VERDICT_THEN;
	if (k->asked != k->moves) {
		(void)ike_task_add(x->e, sa, TASK_CHECK_PATH, 0);
		return VERDICT_THEN;
	}
	if (k->ours && has_natd(x))
		ike_natd_read(x);
	if (ike_notify_error(&x->in) == 0)
		move_children(x);
	return VERDICT_THEN;
}

/* The peer may have moved since the heir was made. */
void ike_mobike_inherit(const struct ike_sa *sa, struct ike_sa *heir)
{
	heir->mobike = sa->mobike;
	heir->path = sa->path;
	heir->nat_local = sa->nat_local;
	heir->nat_remote = sa->nat_remote;
}
