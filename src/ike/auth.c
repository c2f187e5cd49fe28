/* ike/auth.c - IKE_AUTH, both sides (RFC 7296 1.2, 2.9, 2.15, 2.17,
 * 2.21.2, 2.23.1, 3.5).
 *
 *	initiator                                       responder
 *	SK{IDi, [CERT..], [N(INITIAL_CONTACT)],
 *	   [CERTREQ], [IDr], AUTH, SA, TSi, TSr,
 *	   [N(TRANSPORT)]}                        -->
 *	                                          <--  SK{IDr, [CERT..], AUTH, SA, TSi,
 *	                                                  TSr, [N(TRANSPORT)]}
 *	                                      or  <--  SK{IDr, [CERT..], AUTH, N(error)}:
 *	                                               no child
 *	                                      or  <--  SK{N(error)}
 *	or, without a child (RFC 6023 3, 5):
 *	SK{IDi, .., AUTH}                     -->
 *	                                          <--  SK{IDr, .., AUTH}
 *
 * An IKE SA whose child was refused is of no use here: RFC 7296 2.21.2 lets it stand, we
 * end it politely once the peer has been told. Payloads for configuration, MOBIKE and the
 * like are ignored. How somebody proves who he is: auth_proof.c.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ike/suites.h"
#include "wire/auth_payload.h"
#include "wire/ts_payload.h"

enum { CANDIDATES_MAX = 64 };

/* The first child has no key exchange of its own. */
static void complete(struct child *child, const struct esp_choice *choice)
{
	static const struct secret none;
	struct ike_seed seed;

	ike_seed_begin(&seed, &none, &child->sa->nonce_i, &child->sa->nonce_r);
	ike_child_complete(child, choice, &seed);
}

static struct reader body_of(const struct exchange *x, uint8_t type)
{
	return payload_set_first(&x->in, type)->body;
}

/* The body of an ID payload is what AUTH signs, reserved octets included. */
static struct span id_octets(const struct exchange *x, uint8_t type)
{
	struct reader body = body_of(x, type);

	return rd_rest(&body);
}

/* Type 0 is reserved on the wire, and means "any" with us: it would match every rule. */
static bool read_id(const struct exchange *x, uint8_t type, struct identity *out)
{
	return id_payload_read(body_of(x, type), out) == WIRE_OK && !identity_is_any(out);
}

static struct span write_id(
	struct message *m, uint8_t type, const struct identity *id, uint8_t *store)
{
	struct writer w = wr_over(store, ID_PAYLOAD_MAX);

	id_payload_write(&w, id);
	assert(wr_ok(&w));
	wr_bytes(message_payload(m, type), wr_span(&w));
	return wr_span(&w);
}

static void write_selectors(
	struct message *m, const struct ts_list *tsi, const struct ts_list *tsr)
{
	ts_payload_write(message_payload(m, PAYLOAD_TSI), tsi);
	ts_payload_write(message_payload(m, PAYLOAD_TSR), tsr);
}

/* ---- initiator: the request */

/* closed() comes with the next tick. */
static void cannot_call(
	struct ike_engine *e, struct ike_sa *sa, enum ike_why why, const char *text)
{
	uint16_t notify =
		why == IKE_WHY_AUTH ? N_AUTHENTICATION_FAILED : N_NO_PROPOSAL_CHOSEN;

	ike_note(e, &sa->path, sa->id, "%s: not called: %s", ike_notify_name(notify),
		text);
	ike_fail(sa, IKE_CLOSE_WE_REFUSED, why, notify);
	sa->expire_ms = e->now_ms;
}

static void ask_child(struct ike_engine *e, struct ike_sa *sa, struct message *m)
{
	const struct ike_conn *c = sa->conn;
	struct child *child = ike_child_new(e, sa, c, true);
	struct wire_sa offer = {.n = 0};

	if (c->mode == POLICY_TRANSPORT)
		ike_notify_write(m, N_USE_TRANSPORT_MODE, span_of(NULL, 0));
	ike_suites_offer_esp(&child->proposals, child->is.spi_in, true, &offer);
	sa_payload_write(message_payload(m, PAYLOAD_SA), &offer);
	write_selectors(m, &c->local_ts, &c->remote_ts);
}

void ike_auth_ask(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_conn *c = sa->conn;
	uint8_t store[ID_PAYLOAD_MAX];
	const char *why;

	if (!ike_natd_lets_pass(sa, &c->proposals)) {
		cannot_call(e, sa, IKE_WHY_NAT, IKE_NATD_STOPS_AH);
		return;
	}
	struct message m = ike_request_begin(e, sa, IKE_AUTH);
	struct span idi = write_id(&m, PAYLOAD_IDI, &c->local_id, store);
	ike_cert_write(&m, c);
	if (ike_crossing_may_contact(e, sa))
		ike_notify_write(&m, N_INITIAL_CONTACT, span_of(NULL, 0));
	ike_standing_write(&m, sa);
	ike_cert_request(&m, c);
	if (!c->remote_any && !identity_is_any(&c->remote_id))
		id_payload_write(message_payload(&m, PAYLOAD_IDR), &c->remote_id);
	if (!ike_ppk_write_auth(&m, sa, idi, &why)) {
		cannot_call(e, sa, IKE_WHY_AUTH, why);
		return;
	}
	sa->childless = c->childless == IKE_CHILDLESS_FORCE;
	if (!sa->childless)
		ask_child(e, sa, &m);
	ike_mobike_offer(&m, c);
	ike_request_send(e, sa, &m, IKE_AUTH, c->urgent);
}

/* ---- initiator: the response */

/* The child, and with it this SA, cannot be; the peer must forget both. */
static enum ike_verdict refuse(
	struct exchange *x, enum ike_why why, uint16_t notify, const char *text)
{
	ike_note(x->e, x->from, x->sa->id, "%s", text);
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, why, notify);
	return VERDICT_DELETE;
}

static bool is_by_key(const struct wire_auth *auth)
{
	return auth->method == AUTH_SHARED_KEY_MIC;
}

static enum ike_belief doubt(char text[IKE_DOUBT_MAX], const char *why)
{
	snprintf(text, IKE_DOUBT_MAX, "%s", why);
	return DOUBTED;
}

static bool is_who_we_called(const struct ike_conn *c, const struct identity *idr)
{
	if (c->remote_any)
		return identity_is_any(&c->remote_pattern) ||
		       identity_fits(&c->remote_pattern, idr);
	return identity_matches(&c->remote_id, idr) || dn_equal(&c->remote_id, idr);
}

/* Is the peer who we called? text: what to tell the operator if not. */
static enum ike_belief believe(struct exchange *x, char text[IKE_DOUBT_MAX])
{
	struct ike_sa *sa = x->sa;
	struct wire_auth auth;
	struct identity idr;
	char id[IDENTITY_TEXT_MAX];

	if (!read_id(x, PAYLOAD_IDR, &idr) ||
		auth_payload_read(body_of(x, PAYLOAD_AUTH), &auth) != WIRE_OK)
		return doubt(text,
			"INVALID_SYNTAX: the peer's identity or proof is malformed");
	if (!is_who_we_called(sa->conn, &idr)) {
		snprintf(text, IKE_DOUBT_MAX,
			"AUTHENTICATION_FAILED: wrong name: the peer has another "
			"identity "
			"than configured, %s: compare our remote-id with its own "
			"identity",
			identity_format(&idr, id));
		return DOUBTED;
	}
	char what[IKE_DOUBT_MAX];
	if (!ike_ppk_confirmed(x))
		return doubt(text,
			"AUTHENTICATION_FAILED: the peer does not know the PPK that our "
			"rule requires: compare the PPK's id on both sides");
	enum ike_belief belief = ike_proof_check(
		x, sa->conn, &auth, id_octets(x, PAYLOAD_IDR), &idr, what);
	if (belief == DOUBTED && sa->conn->peer == IKE_PROOF_PSK && is_by_key(&auth))
		return doubt(text,
			"AUTHENTICATION_FAILED: the peer's pre-shared key differs from "
			"ours: compare the secrets on both sides");
	if (belief == DOUBTED)
		snprintf(text, IKE_DOUBT_MAX, "AUTHENTICATION_FAILED: the peer %.700s",
			what);
	if (belief == BELIEVED) {
		sa->conn->remote_id = idr;
		sa->conn->ppk_used = sa->ppk;
		ike_pair_join(x->e, sa);
	}
	return belief;
}

static enum ike_verdict disbelieve(
	struct exchange *x, enum ike_belief belief, const char *text)
{
	if (belief == UNDECIDED) {
		ike_retransmit_resume(x);
		return VERDICT_LATER;
	}
	x->sa->auth_failed = true;
	return refuse(x, IKE_WHY_AUTH, N_AUTHENTICATION_FAILED, text);
}

enum ike_verdict ike_on_auth_response(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct child *child = ike_child_first(sa);
	char text[IKE_DOUBT_MAX];
	enum ike_belief belief = believe(x, text);
	bool transport = ike_notify_find(&x->in, N_USE_TRANSPORT_MODE, NULL);
	struct wire_sa answer;
	struct esp_choice choice;
	struct ts_list tsi, tsr;

	if (belief != BELIEVED)
		return disbelieve(x, belief, text);
	if (!child) /* RFC 6023 3: MUST NOT */
		return refuse(x, IKE_WHY_SYNTAX, 0,
			"the peer answers with a child SA that was not asked for");
	/* RFC 7296 1.3.1: the responder may decline transport mode; we do not accept. */
	if (transport != (sa->conn->mode == POLICY_TRANSPORT))
		return refuse(x, IKE_WHY_MODE, 0,
			transport ? "the peer answers with transport mode, the rule has "
				    "tunnel mode: make both sides the same"
				  : "the peer answers with tunnel mode, the rule has "
				    "transport mode: make both sides the same");
	if (sa_payload_read(body_of(x, PAYLOAD_SA), &answer) != WIRE_OK ||
		!ike_suites_accept_esp(&child->proposals, &answer, true, &choice))
		return refuse(x, IKE_WHY_PROPOSAL, N_NO_PROPOSAL_CHOSEN,
			"the peer chose an ESP or AH proposal that we have not made");
	if (ts_payload_read(body_of(x, PAYLOAD_TSI), &tsi) != WIRE_OK ||
		ts_payload_read(body_of(x, PAYLOAD_TSR), &tsr) != WIRE_OK ||
		!ike_selectors_take(child, &tsi, &tsr))
		return refuse(x, IKE_WHY_SELECTORS, N_TS_UNACCEPTABLE,
			"the peer's traffic selectors are not within those asked for");
	ike_mobike_agree(x);
	complete(child, &choice);
	ike_keys_forget_init(sa);
	return VERDICT_THEN;
}

/* Its first child is asked for at once, with a key exchange of its own where there is PFS. */
enum ike_verdict ike_on_auth_response_childless(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	char text[IKE_DOUBT_MAX];
	enum ike_belief belief = believe(x, text);

	if (belief != BELIEVED)
		return disbelieve(x, belief, text);
	if (!sa->childless)
		return refuse(x, IKE_WHY_SYNTAX, 0,
			"the peer answers without the child SA that was asked for");
	ike_mobike_agree(x);
	ike_keys_forget_init(sa);
	struct child *first = ike_child_new(x->e, sa, sa->conn, true);
	(void)ike_task_add(x->e, sa, TASK_CREATE_CHILD, first->is.id);
	return VERDICT_THEN;
}

/* RFC 5685 6: MUST be believed first. */
enum ike_verdict ike_on_auth_redirected(struct exchange *x)
{
	char text[IKE_DOUBT_MAX];
	enum ike_belief belief = believe(x, text);

	if (belief != BELIEVED)
		return disbelieve(x, belief, text);
	ike_redirect_on_auth(x);
	return VERDICT_DELETE;
}

static void note_refusal(struct exchange *x, uint16_t error)
{
	ike_note(x->e, x->from, x->sa->id, "%s: the peer refuses: %s",
		ike_notify_name(error), ike_notify_advice(error));
}

enum ike_verdict ike_on_auth_child_refused(struct exchange *x)
{
	char text[IKE_DOUBT_MAX];
	enum ike_belief belief = believe(x, text);
	uint16_t error = ike_notify_error(&x->in);

	if (belief != BELIEVED)
		return disbelieve(x, belief, text);
	note_refusal(x, error);
	ike_fail(x->sa, IKE_CLOSE_REFUSED, ike_notify_why(error), error);
	return VERDICT_DELETE;
}

/* Not authenticated, but from whoever holds the keys of IKE_SA_INIT: RFC 7296 2.21.2 asks
 * for caution, and there is nothing that we could still do on this SA. */
enum ike_verdict ike_on_auth_refusal(struct exchange *x)
{
	uint16_t error = ike_notify_error(&x->in);

	note_refusal(x, error);
	ike_fail(x->sa, IKE_CLOSE_REFUSED, ike_notify_why(error), error);
	return VERDICT_THEN;
}

/* ---- responder */

struct auth_request {
	struct identity idi, idr; /* idr.type ID_ANY: none was sent */
	struct wire_auth auth;
	struct wire_sa offer;
	struct ts_list tsi, tsr;
	bool transport;
};

static bool read_proof(struct exchange *x, struct auth_request *q)
{
	q->idr = (struct identity){.type = ID_ANY};
	if (payload_set_has(&x->in, PAYLOAD_IDR) && !read_id(x, PAYLOAD_IDR, &q->idr))
		return false;
	return read_id(x, PAYLOAD_IDI, &q->idi) &&
	       auth_payload_read(body_of(x, PAYLOAD_AUTH), &q->auth) == WIRE_OK;
}

static bool read_child(struct exchange *x, struct auth_request *q)
{
	q->transport = ike_notify_find(&x->in, N_USE_TRANSPORT_MODE, NULL);
	return sa_payload_read(body_of(x, PAYLOAD_SA), &q->offer) == WIRE_OK &&
	       ts_payload_read(body_of(x, PAYLOAD_TSI), &q->tsi) == WIRE_OK &&
	       ts_payload_read(body_of(x, PAYLOAD_TSR), &q->tsr) == WIRE_OK;
}

/* Nobody is believed: one answer, whatever the reason (RFC 7296 2.21.2). */
static enum ike_verdict fail_auth(struct exchange *x, const char *text)
{
	char id[IDENTITY_TEXT_MAX];

	ike_note(x->e, x->from, x->sa->id, "AUTHENTICATION_FAILED: the caller %s %s",
		identity_format(&x->sa->claimed, id), text);
	ike_reply_error(x, N_AUTHENTICATION_FAILED, span_of(NULL, 0));
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_AUTH, N_AUTHENTICATION_FAILED);
	return VERDICT_CLOSE;
}

/* Is the caller believed this way? What came of it with one CA is not asked twice. */
static enum ike_belief try_way(struct exchange *x, const struct auth_request *q,
	const struct ike_conn *c, const struct trust **tried, char text[IKE_DOUBT_MAX])
{
	struct wire_auth auth = q->auth;
	const char *unfit = ike_ppk_choose(x, c, &auth);

	if (unfit)
		return doubt(text, unfit);
	if (c->peer == IKE_PROOF_CERT && c->trust == *tried && c->ppk.len == 0)
		return DOUBTED;
	if (c->peer == IKE_PROOF_CERT)
		*tried = c->trust;
	return ike_proof_check(x, c, &auth, id_octets(x, PAYLOAD_IDI), &q->idi, text);
}

/* Tries each way in which a rule knows the identity: those of the caller's kind say best
 * what is wrong. Believed: sa->conn is the rule's. */
static enum ike_belief find_believer(
	struct exchange *x, const struct auth_request *q, char text[IKE_DOUBT_MAX])
{
	struct ike_host *host = &x->e->host;
	struct ike_conn *c = mem_new(1, sizeof(*c));
	const struct trust *tried = NULL;
	enum ike_belief belief = doubt(text,
		"is not known to any rule here: compare its identity with our remote-id");
	bool said = false;

	for (unsigned n = 0; n < CANDIDATES_MAX && belief == DOUBTED; n++) {
		*c = (struct ike_conn){.rule = 0};
		if (!host->authenticate(host->ctx, x->from, &q->idi, &q->idr, n, c))
			break;
		bool same_kind = is_by_key(&q->auth) == (c->peer == IKE_PROOF_PSK);
		if (said && !same_kind)
			continue;
		belief = try_way(x, q, c, &tried, text);
		said |= same_kind;
	}
	if (belief == BELIEVED) {
		ike_conn_keep(c);
		c->path = *x->from;
		c->remote_id = q->idi;
		c->ppk_used = x->sa->ppk;
		x->sa->conn = c;
		ike_pair_join(x->e, x->sa);
		return belief;
	}
	secret_wipe(&c->psk);
	wipe(c->ppk.key, sizeof(c->ppk.key));
	free(c);
	return belief;
}

/* The caller is believed, its child is not possible. */
static enum ike_verdict refuse_child(
	struct exchange *x, enum ike_why why, uint16_t notify, const char *text)
{
	ike_note(x->e, x->from, x->sa->id, "%s", text);
	ike_reply_notify(x, notify, span_of(NULL, 0));
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, why, notify);
	return VERDICT_DELETE;
}

static enum ike_verdict refuse_selectors(
	struct exchange *x, const struct auth_request *q, enum ike_why why)
{
	char ours[TS_TEXT_MAX], theirs[TS_TEXT_MAX], text[512];

	if (why == IKE_WHY_MODE)
		return refuse_child(x, why, N_TS_UNACCEPTABLE,
			"TS_UNACCEPTABLE: the caller asks for tunnel mode, the rule has "
			"transport mode: make both sides the same");
	snprintf(text, sizeof(text),
		"TS_UNACCEPTABLE: no rule covers what the caller asks for (ours %s, its "
		"%s): "
		"compare the filters on both sides",
		q->tsr.n > 0 ? ts_format(&q->tsr.at[0], ours) : "none",
		q->tsi.n > 0 ? ts_format(&q->tsi.at[0], theirs) : "none");
	return refuse_child(x, why, N_TS_UNACCEPTABLE, text);
}

static enum ike_verdict refuse_proposals(struct exchange *x, const struct child *child)
{
	bool nat = child->proposals.n_esp == 0;

	return refuse_child(x, nat ? IKE_WHY_NAT : IKE_WHY_PROPOSAL, N_NO_PROPOSAL_CHOSEN,
		nat ? "NO_PROPOSAL_CHOSEN: " IKE_NATD_STOPS_AH
		    : "NO_PROPOSAL_CHOSEN: none of the caller's ESP or AH proposals is "
		      "ours: compare the algorithms on both sides");
}

static enum ike_verdict answer_child(struct exchange *x, const struct auth_request *q)
{
	struct ike_sa *sa = x->sa;
	struct wire_sa answer = {.n = 0};
	struct esp_choice choice;

	enum ike_why why =
		ike_selectors_choose(x, sa->conn, &q->tsi, &q->tsr, q->transport);
	if (why != IKE_WHY_NONE)
		return refuse_selectors(x, q, why);
	if (sa->conn->childless == IKE_CHILDLESS_FORCE)
		return refuse_child(x, IKE_WHY_CHILDLESS, N_NO_ADDITIONAL_SAS,
			"NO_ADDITIONAL_SAS: the rule has 'childless force', and the "
			"caller "
			"asks for a child in IKE_AUTH: have its side begin without, or "
			"ours "
			"allow it");
	struct child *child = ike_child_new(x->e, sa, sa->conn, false);
	if (!ike_suites_choose_esp(&child->proposals, &q->offer, KE_NONE, true,
		    child->is.spi_in, &choice, &answer))
		return refuse_proposals(x, child);
	ike_mobike_agree(x);
	complete(child, &choice);
	if (sa->conn->mode == POLICY_TRANSPORT)
		ike_reply_notify(x, N_USE_TRANSPORT_MODE, span_of(NULL, 0));
	sa_payload_write(message_payload(&x->out, PAYLOAD_SA), &answer);
	write_selectors(&x->out, &sa->conn->remote_ts, &sa->conn->local_ts);
	return VERDICT_THEN;
}

static enum ike_verdict refuse_malformed(struct exchange *x, const char *text)
{
	ike_note(x->e, x->from, x->sa->id, "INVALID_SYNTAX: %s", text);
	ike_reply_error(x, N_INVALID_SYNTAX, span_of(NULL, 0));
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, N_INVALID_SYNTAX);
	return VERDICT_CLOSE;
}

/* Before anything is verified; what is not done now may be asked for again. */
static bool may_cost(struct exchange *x)
{
	enum { BY_KEY = 2, BY_CERTIFICATE = 10 }; /* as many key exchanges */

	return !x->sa->stranger ||
	       ike_work_charge(x->e, x->sa,
		       payload_set_has(&x->in, PAYLOAD_CERT) ? BY_CERTIFICATE : BY_KEY);
}

/* The caller's proof, and ours in the answer; the child comes after it. */
static enum ike_verdict prove(struct exchange *x, const struct auth_request *q)
{
	struct ike_sa *sa = x->sa;
	uint8_t store[ID_PAYLOAD_MAX];
	char text[IKE_DOUBT_MAX];
	const char *why;

	if (!may_cost(x))
		return VERDICT_LATER;
	sa->claimed = q->idi;
	enum ike_belief belief = find_believer(x, q, text);
	if (belief == UNDECIDED)
		return VERDICT_LATER;
	if (belief == DOUBTED)
		return fail_auth(x, text);
	struct span idr = write_id(&x->out, PAYLOAD_IDR, &sa->conn->local_id, store);
	ike_cert_write(&x->out, sa->conn);
	if (!ike_proof_write_auth(&x->out, sa, idr, &why))
		return fail_auth(x, why);
	ike_ppk_confirm(x);
	ike_standing_read(x);
	return VERDICT_THEN;
}

enum ike_verdict ike_on_auth_request(struct exchange *x)
{
	struct auth_request q;

	if (!read_proof(x, &q) || !read_child(x, &q))
		return refuse_malformed(x, "the caller's IKE_AUTH is malformed");
	enum ike_verdict verdict = prove(x, &q);
	if (verdict != VERDICT_THEN)
		return verdict;
	verdict = ike_redirect_auth(x) ? VERDICT_DELETE : answer_child(x, &q);
	ike_keys_forget_init(x->sa);
	return verdict;
}

/* RFC 6023 3: MUST be taken by who has offered it; INVALID_SYNTAX from who has not. */
enum ike_verdict ike_on_auth_request_childless(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct auth_request q;

	if (!sa->may_childless)
		return refuse_malformed(x,
			"the caller wants an IKE SA without a child, which a rule here "
			"forbids (childless no)");
	if (!read_proof(x, &q))
		return refuse_malformed(x, "the caller's IKE_AUTH is malformed");
	enum ike_verdict verdict = prove(x, &q);
	if (verdict != VERDICT_THEN)
		return verdict;
	if (ike_redirect_auth(x))
		return VERDICT_DELETE;
	sa->childless = true;
	ike_mobike_agree(x);
	ike_keys_forget_init(sa);
	return VERDICT_THEN;
}

/* RFC 7296 2.16: without AUTH the caller wants EAP, which we do not have. */
enum ike_verdict ike_on_auth_without_proof(struct exchange *x)
{
	if (!read_id(x, PAYLOAD_IDI, &x->sa->claimed))
		x->sa->claimed = (struct identity){.type = ID_ANY};
	(void)fail_auth(x, "wants EAP: give its side 'auth psk' or 'auth cert' for us");
	return VERDICT_THEN;
}
