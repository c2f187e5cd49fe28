/* ike/intermediate.c - IKE_INTERMEDIATE, both sides: additional key exchanges between
 * IKE_SA_INIT and IKE_AUTH (RFC 9242 3.1 to 3.4, 5; RFC 9370 2.2.1 to 2.2.3).
 *
 *	initiator                responder
 *	SK{KEi(n)}  -->
 *	            <--  SK{KEr(n)}
 *
 * Their number is agreed in IKE_SA_INIT: one for each additional key exchange of the suite.
 * After each there are new keys (keys.c), and what both have said goes into what IKE_AUTH
 * signs. A caller may use the exchange for something else; such are answered empty, and few.
 * What a rekeyed SA's additional exchanges look like is in followup_ke.c.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/fragment.h"

enum {
	LENGTH_AT = 24, /* in the IKE header */
	OTHERS_MAX = 2, /* RFC 9242 5: not as many as the caller likes */
	MESSAGE_ID_LEN = 4
};

struct ike_intermediate {
	unsigned next; /* from there on suite.more is still to be done */
	unsigned others; /* exchanges without a KE payload */
	/* RFC 9242 3.3.2: IntAuth_i | IntAuth_r | IKE_AUTH_MID, each of its length */
	uint8_t signed_octets[2 * PRF_OUT_MAX + MESSAGE_ID_LEN];
};

void ike_intermediate_offer(struct message *m, const struct ike_proposals *ours)
{
	if (ike_suites_have_more(ours))
		ike_notify_write(m, N_INTERMEDIATE_EXCHANGE_SUPPORTED, span_of(NULL, 0));
}

bool ike_intermediate_agreed(const struct exchange *x, const struct ike_proposals *ours)
{
	return ike_suites_have_more(ours) &&
	       ike_notify_find(&x->in, N_INTERMEDIATE_EXCHANGE_SUPPORTED, NULL);
}

void ike_intermediate_expect(struct ike_sa *sa)
{
	sa->intermediate = mem_new(1, sizeof(*sa->intermediate));
}

bool ike_intermediate_owed(const struct ike_sa *sa)
{
	return sa->intermediate &&
	       ike_more_next(&sa->suite.more, sa->intermediate->next) < IKE_MORE_MAX;
}

void ike_intermediate_forget(struct ike_sa *sa)
{
	free(sa->intermediate);
	sa->intermediate = NULL;
}

/* ---- what IKE_AUTH signs */

static void put_u32(uint8_t *at, size_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		at[i] = (uint8_t)v;
}

/* RFC 9242 3.3.2: the message as it was before encryption and fragmentation: head is the IKE
 * header with that of the encrypted payload, text what was inside. Their lengths are those
 * that they would have without IV, padding and checksum. */
static void sign(struct ike_sa *sa, bool of_initiator, struct span head, struct span text)
{
	size_t len = prf_len(sa->suite.prf), inner = text.len + PAYLOAD_HEADER_LEN;
	const struct secret *key = of_initiator ? &sa->sk_pi : &sa->sk_pr;
	uint8_t *at = sa->intermediate->signed_octets + (of_initiator ? 0 : len);
	uint8_t whole[4], payload[2] = {(uint8_t)(inner >> 8), (uint8_t)inner};
	bool is_first = sa->auth_id == 1;

	put_u32(whole, head.len + text.len);
	const struct span parts[] = {span_of(at, is_first ? 0 : len),
		span_of(head.at, LENGTH_AT), span_of(whole, sizeof(whole)),
		span_of(head.at + IKE_HEADER_LEN,
			head.len - IKE_HEADER_LEN - sizeof(payload)),
		span_of(payload, sizeof(payload)), text};
	enum crypto_err err = prf(sa->suite.prf, secret_span(key), parts,
		sizeof(parts) / sizeof(parts[0]), at);
	assert(err == CRYPTO_OK); /* fails for want of memory alone */
}

static void sign_own(struct ike_sa *sa, struct message *m)
{
	struct span plain = message_plain(m);
	size_t head = IKE_HEADER_LEN + PAYLOAD_HEADER_LEN;
	size_t text = head + ike_sk_shape(sa).iv_len;

	sign(sa, sa->initiator, span_of(plain.at, head),
		span_of(plain.at + text, plain.len - text));
}

/* Both have signed: the exchange is over. */
static void count(struct ike_sa *sa)
{
	sa->auth_id++;
	put_u32(sa->intermediate->signed_octets + 2 * prf_len(sa->suite.prf),
		sa->auth_id);
}

struct span ike_intermediate_signed(const struct ike_sa *sa)
{
	if (!sa->intermediate || sa->auth_id == 1)
		return span_of(NULL, 0);
	return span_of(sa->intermediate->signed_octets,
		2 * prf_len(sa->suite.prf) + MESSAGE_ID_LEN);
}

/* ---- initiator */

/* closed() comes with the next tick. */
static void cannot_ask(struct ike_engine *e, struct ike_sa *sa)
{
	ike_note(e, &sa->path, sa->id, "no key pair for an additional key exchange");
	ike_fail(sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_OTHER, 0);
	sa->expire_ms = e->now_ms;
}

void ike_intermediate_ask(struct ike_engine *e, struct ike_sa *sa)
{
	unsigned i = ike_more_next(&sa->suite.more, sa->intermediate->next);

	kex_free(sa->kex);
	sa->kex = kex_new(sa->suite.more.ke[i], &e->entropy);
	if (!sa->kex) {
		cannot_ask(e, sa);
		return;
	}
	struct wire_ke ke = {.group = kex_group(sa->kex), .public = kex_public(sa->kex)};
	struct message m = ike_request_begin(e, sa, IKE_INTERMEDIATE);
	ke_payload_write(message_payload(&m, PAYLOAD_KE), &ke);
	sign_own(sa, &m);
	ike_request_send(e, sa, &m, IKE_INTERMEDIATE, sa->conn->urgent);
}

static bool read_ke(const struct exchange *x, struct wire_ke *out)
{
	return x->head.len > 0 &&
	       ke_payload_read(payload_set_first(&x->in, PAYLOAD_KE)->body, out) ==
		       WIRE_OK;
}

enum ike_verdict ike_on_intermediate_response(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct secret shared = {0};
	struct wire_ke ke;

	if (!read_ke(x, &ke) || ke.group != kex_group(sa->kex) ||
		kex_derive(sa->kex, ke.public, &shared) != CRYPTO_OK) {
		ike_note(x->e, x->from, sa->id,
			"the peer's answer to an additional key exchange does not fit to "
			"what was asked");
		ike_fail(sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, 0);
		return VERDICT_DELETE;
	}
	sign(sa, false, x->head, x->text);
	count(sa);
	ike_keys_add(x->e, sa, &shared);
	ike_keys_turn(sa); /* the peer has them, too */
	secret_wipe(&shared);
	sa->intermediate->next =
		ike_more_next(&sa->suite.more, sa->intermediate->next) + 1;
	if (ike_intermediate_owed(sa)) {
		ike_intermediate_ask(x->e, sa);
		return VERDICT_MORE;
	}
	ike_auth_ask(x->e, sa);
	return VERDICT_THEN;
}

/* ---- responder */

/* False: not one that was agreed on, or no valid public value. */
static bool exchange_keys(struct exchange *x, struct secret *shared)
{
	struct ike_sa *sa = x->sa;
	struct ike_intermediate *im = sa->intermediate;
	unsigned i = ike_more_next(&sa->suite.more, im->next);
	struct wire_ke ke, answer;
	struct kex *kex;

	if (i == IKE_MORE_MAX || !read_ke(x, &ke) || ke.group != sa->suite.more.ke[i] ||
		kex_answer(ke.group, &x->e->entropy, ke.public, shared, &kex) !=
			CRYPTO_OK)
		return false;
	answer = (struct wire_ke){.group = ke.group, .public = kex_public(kex)};
	ke_payload_write(message_payload(&x->out, PAYLOAD_KE), &answer);
	kex_free(kex);
	im->next = i + 1;
	return true;
}

/* RFC 9242 5: strangers' key exchanges have their share, and no more. */
static bool may_cost(struct exchange *x)
{
	const struct ike_sa *sa = x->sa;
	unsigned i = ike_more_next(&sa->suite.more, sa->intermediate->next);

	return i == IKE_MORE_MAX ||
	       ike_work_charge(x->e, x->sa, kex_work(sa->suite.more.ke[i]));
}

/* RFC 9242 3.3.1: the response is still sealed with the keys from before. */
enum ike_verdict ike_on_intermediate_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct secret shared = {0};

	bool other = !payload_set_has(&x->in, PAYLOAD_KE);

	if (!other && !may_cost(x)) /* it will come again */
		return VERDICT_LATER;
	if (x->head.len == 0 || (other ? sa->intermediate->others++ >= OTHERS_MAX
				       : !exchange_keys(x, &shared)))
		return ike_refuse_malformed(x);
	sign(sa, true, x->head, x->text);
	sign_own(sa, &x->out);
	count(sa);
	if (!other)
		ike_keys_add(x->e, sa, &shared);
	secret_wipe(&shared);
	return ike_intermediate_owed(sa) ? VERDICT_MORE : VERDICT_THEN;
}
