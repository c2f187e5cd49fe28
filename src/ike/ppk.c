/* ike/ppk.c - keys that a quantum computer cannot find, mixed into those of IKE (RFC 8784).
 *
 *	initiator                                  responder
 *	SA, KE, Ni, N(USE_PPK)                -->
 *	                                      <--  SA, KE, Nr, N(USE_PPK)
 *	SK{IDi, AUTH, ..., N(PPK_IDENTITY),
 *	   [N(NO_PPK_AUTH)]}                  -->
 *	                                      <--  SK{IDr, AUTH, ..., [N(PPK_IDENTITY)]}
 *
 * AUTH is made with the mixed keys; NO_PPK_AUTH, where our rule can do without, with those
 * before. Both are at hand until the initial exchanges are over: each way in which a caller
 * may be known can have another PPK, or none. A rekeyed SA inherits what its SK_d has.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/auth_payload.h"

enum { PPK_ID_FIXED = 2, PPK_ID_WIRE_MAX = 1 + IKE_PPK_MAX, SCRATCH = 4096 };

struct ike_ppk_plain { /* the keys without it */
	struct secret d, pi, pr;
};

void ike_ppk_forget(struct ike_sa *sa)
{
	if (!sa->plain)
		return;
	secret_wipe(&sa->plain->d);
	secret_wipe(&sa->plain->pi);
	secret_wipe(&sa->plain->pr);
	free(sa->plain);
	sa->plain = NULL;
}

static void unmix(struct ike_sa *sa)
{
	if (!sa->plain)
		return;
	sa->sk_d = sa->plain->d;
	sa->sk_pi = sa->plain->pi;
	sa->sk_pr = sa->plain->pr;
	sa->ppk = false;
}

static void mix_one(const struct ike_sa *sa, const struct ike_ppk *p, struct secret *key)
{
	uint8_t mixed[PRF_OUT_MAX];
	size_t len = prf_len(sa->suite.prf);
	enum crypto_err err = prf_plus(
		sa->suite.prf, span_of(p->key, p->len), secret_span(key), mixed, len);
	bool fits = err == CRYPTO_OK && secret_set(key, span_of(mixed, len));

	assert(fits); /* an HMAC fails for want of memory alone */
	wipe(mixed, sizeof(mixed));
}

/* RFC 8784 3: SK_d = prf+ (PPK, SK_d'), and so on. */
static void mix(struct ike_sa *sa, const struct ike_ppk *p)
{
	if (!sa->plain) {
		sa->plain = mem_new(1, sizeof(*sa->plain));
		sa->plain->d = sa->sk_d;
		sa->plain->pi = sa->sk_pi;
		sa->plain->pr = sa->sk_pr;
	}
	unmix(sa);
	mix_one(sa, p, &sa->sk_d);
	mix_one(sa, p, &sa->sk_pi);
	mix_one(sa, p, &sa->sk_pr);
	sa->ppk = true;
}

/* ---- IKE_SA_INIT */

void ike_ppk_offer(struct message *m, const struct ike_conn *c)
{
	if (c->ppk.len > 0) /* RFC 8784 3: whether it is mandatory or not */
		ike_notify_write(m, N_USE_PPK, span_of(NULL, 0));
}

bool ike_ppk_offered(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	sa->use_ppk = sa->conn->ppk.len > 0 && ike_notify_find(&x->in, N_USE_PPK, NULL);
	return sa->use_ppk || !sa->conn->ppk.required;
}

void ike_ppk_answer(struct exchange *x, struct message *m)
{
	x->sa->use_ppk = x->answer.ppk && ike_notify_find(&x->in, N_USE_PPK, NULL);
	if (x->sa->use_ppk)
		ike_notify_write(m, N_USE_PPK, span_of(NULL, 0));
}

/* ---- IKE_AUTH, initiator */

static struct span wire_id(const struct ike_ppk *p, uint8_t out[PPK_ID_WIRE_MAX])
{
	out[0] = PPK_ID_FIXED;
	memcpy(out + 1, p->id, p->id_len);
	return span_of(out, 1u + p->id_len);
}

/* What an AUTH payload would hold: it is written, and read again. */
static bool write_plain_proof(
	struct message *m, struct ike_sa *sa, struct span id, const char **why)
{
	uint8_t store[SCRATCH];
	struct ike_header h = ike_header_for(sa, IKE_AUTH, false, 1), again;
	struct message scratch = message_begin(store, sizeof(store), &h);
	struct reader payloads;
	struct payload p;
	struct wire_auth auth;

	if (!ike_proof_write_auth(&scratch, sa, id, why))
		return false;
	if (ike_header_read(message_finish(&scratch), &again, &payloads) != WIRE_OK ||
		payload_next(&payloads, again.next_payload, &p) != WIRE_OK ||
		auth_payload_read(p.body, &auth) != WIRE_OK) {
		*why = "its proof without the PPK is too long";
		return false;
	}
	ike_notify_write(m, N_NO_PPK_AUTH, auth.data);
	return true;
}

bool ike_ppk_write_auth(
	struct message *m, struct ike_sa *sa, struct span id, const char **why)
{
	const struct ike_ppk *p = &sa->conn->ppk;
	uint8_t store[PPK_ID_WIRE_MAX];

	if (!sa->use_ppk)
		return ike_proof_write_auth(m, sa, id, why);
	/* RFC 8784 3: the initiator MUST include it if it can do without a PPK. */
	if (!p->required && !write_plain_proof(m, sa, id, why))
		return false;
	mix(sa, p);
	ike_notify_write(m, N_PPK_IDENTITY, wire_id(p, store));
	return ike_proof_write_auth(m, sa, id, why);
}

/* False: the peer does without a PPK, and our rule does not. */
bool ike_ppk_confirmed(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	if (!sa->use_ppk || ike_notify_find(&x->in, N_PPK_IDENTITY, NULL))
		return true;
	unmix(sa);
	return !sa->conn->ppk.required;
}

/* ---- IKE_AUTH, responder */

static bool is_named(const struct exchange *x, const struct ike_ppk *p)
{
	uint8_t store[PPK_ID_WIRE_MAX];
	struct span id;

	return p->len > 0 && ike_notify_find(&x->in, N_PPK_IDENTITY, &id) &&
	       span_equal(id, wire_id(p, store));
}

/* RFC 8784 3, table 1. NULL: *auth is the proof that this way has to believe. */
const char *ike_ppk_choose(
	struct exchange *x, const struct ike_conn *c, struct wire_auth *auth)
{
	unmix(x->sa);
	if (x->sa->use_ppk && is_named(x, &c->ppk)) {
		mix(x->sa, &c->ppk);
		return NULL;
	}
	if (c->ppk.required)
		return "does not use the PPK that our rule requires: compare the PPK and "
		       "its id on both sides";
	if (!x->sa->use_ppk)
		return NULL;
	if (!ike_notify_find(&x->in, N_PPK_IDENTITY, NULL) ||
		!ike_notify_find(&x->in, N_NO_PPK_AUTH, &auth->data))
		return "requires a PPK that is not ours for it: compare the PPK's id on "
		       "both sides";
	return NULL;
}

void ike_ppk_confirm(struct exchange *x)
{
	if (x->sa->ppk)
		ike_reply_notify(x, N_PPK_IDENTITY, span_of(NULL, 0));
}
