/* ike/redirect.c - a peer is sent to another gateway (RFC 5685), both sides.
 *
 *	peer                                        we, or the other way round
 *	IKE_SA_INIT .., N(REDIRECT_SUPPORTED) -->
 *	                                      <--   N(REDIRECT, gateway, Ni): no SA
 *	or
 *	IKE_AUTH SK{IDi, AUTH, SA, ..}        -->
 *	                                      <--   SK{IDr, AUTH, N(REDIRECT, gateway)}: no child
 *	or, while the SA stands
 *	                                      <--   SK{N(REDIRECT, gateway)}
 *	SK{}                                  -->
 *	and then
 *	IKE_SA_INIT .., N(REDIRECTED_FROM, us)  --> gateway
 *
 * The first of these is a stranger's word, since nothing in IKE_SA_INIT is proved; the host
 * says where a rule lets itself be sent to, and what may not be is asked for again without
 * REDIRECT_SUPPORTED, so that the gateway has to serve us. So nobody who redirects can keep a
 * peer from its SA who could not do so anyway.
 *
 * Only who answered may send away who called (10). After a takeover it is a cluster that has
 * called, so between two vipsec nodes who answers can say REDIRECT_SUPPORTED, too.
 *
 * Leaves to the host: whom to send where, and what to do when sent.
 */
#include "ike/sa.h"

#include "wire/redirect.h"

static void write_gateway(
	struct message *m, uint16_t type, const struct addr *a, struct span nonce)
{
	uint8_t store[2 + 16 + IKE_NONCE_MAX];
	struct writer w = wr_over(store, sizeof(store));
	struct wire_redirect r = redirect_to(a);

	r.nonce = nonce;
	redirect_write(&w, &r);
	ike_notify_write(m, type, wr_span(&w));
}

/* ---- who can be sent away ---------------------------------------------------------- */

/* RFC 5685 3: REDIRECTED_FROM says REDIRECT_SUPPORTED, too. */
void ike_redirect_offer(struct message *m, const struct ike_conn *c)
{
	if (c->redirect && addr_is_set(&c->redirected_from))
		write_gateway(
			m, N_REDIRECTED_FROM, &c->redirected_from, span_of(NULL, 0));
	else if (c->redirect)
		ike_notify_write(m, N_REDIRECT_SUPPORTED, span_of(NULL, 0));
}

/* The answer to IKE_SA_INIT. */
void ike_redirect_answer(struct exchange *x, struct message *m)
{
	struct ike_sa *sa = x->sa;

	sa->redirectable = sa->peer_is_vipsec && x->answer.redirect;
	if (sa->redirectable)
		ike_notify_write(m, N_REDIRECT_SUPPORTED, span_of(NULL, 0));
}

static bool is_offered(const struct exchange *x)
{
	return ike_notify_find(&x->in, N_REDIRECT_SUPPORTED, NULL) ||
	       ike_notify_find(&x->in, N_REDIRECTED_FROM, NULL);
}

static struct addr origin(const struct exchange *x)
{
	struct wire_redirect from = {.type = 0};
	struct span data;

	if (ike_notify_find(&x->in, N_REDIRECTED_FROM, &data) &&
		redirect_read(data, &from) != WIRE_OK)
		from = (struct wire_redirect){.type = 0};
	return from.addr;
}

void ike_redirect_read(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	sa->came_from = origin(x);
	sa->peer_redirects = is_offered(x) && (!sa->initiator || sa->peer_is_vipsec);
	if (sa->initiator)
		sa->redirectable = sa->conn->redirect;
}

/* ---- sending away ------------------------------------------------------------------- */

/* Not back to where it was sent here from: two may be drained to each other. */
static bool goes_elsewhere(
	const struct exchange *x, const struct addr *from, struct addr *to)
{
	const struct ike_host *host = &x->e->host;

	return host->redirect && host->redirect(host->ctx, x->from, to) &&
	       !addr_equal(to, &x->from->local.addr) && !addr_equal(to, from);
}

static void count(struct exchange *x)
{
	x->e->counters.redirected++;
	x->e->host.sent_away(x->e->host.ctx, x->from);
}

bool ike_redirect_init(struct exchange *x, struct span nonce)
{
	uint8_t store[2 + 16 + IKE_NONCE_MAX];
	struct writer w = wr_over(store, sizeof(store));
	const struct addr from = origin(x);
	struct addr to;

	if (!is_offered(x) || !goes_elsewhere(x, &from, &to))
		return false;
	struct wire_redirect r = redirect_to(&to);
	r.nonce = nonce;
	redirect_write(&w, &r);
	count(x);
	ike_answer_stateless(x, N_REDIRECT, wr_span(&w));
	return true;
}

/* RFC 5685 6: both have proved themselves; there will be no child. */
bool ike_redirect_auth(struct exchange *x)
{
	struct addr to;

	if (!x->sa->peer_redirects || !goes_elsewhere(x, &x->sa->came_from, &to))
		return false;
	count(x);
	write_gateway(&x->out, N_REDIRECT, &to, span_of(NULL, 0));
	ike_fail(x->sa, IKE_CLOSE_REDIRECTED, IKE_WHY_NONE, 0);
	return true;
}

enum ike_err ike_redirect(
	struct ike_engine *e, uint64_t now_ms, uint32_t id, const struct addr *to)
{
	struct ike_sa *sa = ike_sa_by_id(e, id);

	e->now_ms = now_ms;
	if (!sa)
		return IKE_NOT_FOUND;
	if (sa->state != STATE_UP)
		return IKE_NOT_READY;
	if (!sa->peer_redirects || addr_equal(&sa->came_from, to))
		return IKE_NOT_ALLOWED;
	struct task *t = ike_task_add(e, sa, TASK_REDIRECT, 0);
	t->to = *to;
	ike_task_next(e, sa);
	return IKE_OK;
}

enum task_begun ike_begin_redirect(
	struct ike_engine *e, struct ike_sa *sa, struct task *t)
{
	struct message m = ike_request_begin(e, sa, INFORMATIONAL);

	/* RFC 5685 5: MUST NOT have nonce data. */
	write_gateway(&m, N_REDIRECT, &t->to, span_of(NULL, 0));
	ike_request_send(e, sa, &m, INFORMATIONAL, false);
	e->counters.redirected++;
	return TASK_BEGUN;
}

/* ---- being sent away ------------------------------------------------------------------ */

static void gateway_of(const struct wire_redirect *r, struct ike_gateway *out)
{
	*out = (struct ike_gateway){.addr = r->addr};
	if (r->name.len > 0)
		memcpy(out->name, r->name.at, r->name.len);
}

/* NULL: we go. */
static const char *why_not(const struct exchange *x, const struct ike_gateway *to)
{
	const struct ike_host *host = &x->e->host;
	struct ike_info info;

	ike_sa_info(x->sa, &info);
	if (!host->may_redirect)
		return "nobody here is";
	return host->may_redirect(host->ctx, &info, to);
}

static const char *gateway_text(const struct ike_gateway *to, char out[ADDR_TEXT_MAX])
{
	return to->name[0] ? to->name : addr_format(&to->addr, out);
}

/* The host hears of it, if it agrees. */
static bool follow(struct exchange *x, const struct wire_redirect *r)
{
	struct ike_gateway to;
	struct ike_info info;
	char text[ADDR_TEXT_MAX];

	gateway_of(r, &to);
	const char *why = why_not(x, &to);
	if (why) {
		ike_note(x->e, x->from, x->sa->id, "redirected to %s, and not gone: %s",
			gateway_text(&to, text), why);
		return false;
	}
	ike_sa_info(x->sa, &info);
	x->e->host.redirected(x->e->host.ctx, &info, &to);
	return true;
}

enum ike_redirected ike_redirect_on_init(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct wire_redirect r;
	struct span data;

	if (!ike_notify_find(&x->in, N_REDIRECT, &data))
		return REDIRECT_NONE;
	/* RFC 5685 3: MUST be our nonce, else it is as if nothing had come. */
	if (!sa->conn->redirect || redirect_read(data, &r) != WIRE_OK ||
		!span_equal(r.nonce, nonce_span(&sa->nonce_i))) {
		x->e->counters.malformed++;
		return REDIRECT_FORGED;
	}
	if (!follow(x, &r)) {
		sa->conn->redirect = false;
		return REDIRECT_REFUSED;
	}
	ike_retransmit_stop(sa);
	ike_fail(sa, IKE_CLOSE_REDIRECTED, IKE_WHY_NONE, 0);
	return REDIRECT_FOLLOWED;
}

static bool read_plain(const struct exchange *x, struct wire_redirect *out)
{
	struct span data;

	return ike_notify_find(&x->in, N_REDIRECT, &data) &&
	       redirect_read(data, out) == WIRE_OK && out->nonce.len == 0;
}

void ike_redirect_on_auth(struct exchange *x)
{
	struct wire_redirect r;

	if (x->sa->redirectable && read_plain(x, &r) && follow(x, &r))
		ike_fail(x->sa, IKE_CLOSE_REDIRECTED, IKE_WHY_NONE, 0);
	else
		ike_fail(x->sa, IKE_CLOSE_REFUSED, IKE_WHY_REDIRECT, 0);
}

void ike_redirect_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct wire_redirect r;

	if (sa->redirectable && sa->state == STATE_UP && !sa->replaced &&
		read_plain(x, &r))
		(void)follow(x, &r);
}
