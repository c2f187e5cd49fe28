/* ike/keys.c - SKEYSEED and what follows from it, KEYMAT and AUTH (RFC 7296 2.13 to 2.15,
 * 2.17, 2.18; RFC 9370 2.2.2, 2.2.4; RFC 5282 7.1: with an AEAD cipher there is no SK_a).
 *
 * Every intermediate value is wiped. Leaves the primitives to crypto/.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

/* An HMAC fails for want of memory alone: as with mem_new(), there is no going on. */
static void require(enum crypto_err err)
{
	assert(err == CRYPTO_OK);
}

static void put_u64(uint8_t *at, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		at[i] = (uint8_t)v;
}

static void set(struct secret *s, const uint8_t **at, size_t len)
{
	bool fits = secret_set(s, span_of(*at, len));

	assert(fits);
	*at += len;
}

/* SK_ai | SK_ar | SK_ei | SK_er as SK_ei | SK_ai and SK_er | SK_ar: as crypto/ wants them. */
static void pair_keys(enum aead_alg alg, const uint8_t *at, uint8_t *i, uint8_t *r)
{
	size_t mac = aead_mac_key_len(alg), encr = aead_keymat_len(alg) - mac;

	memcpy(i + encr, at, mac);
	memcpy(r + encr, at + mac, mac);
	memcpy(i, at + 2 * mac, encr);
	memcpy(r, at + 2 * mac + encr, encr);
}

/* RFC 7296 2.14: cuts SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr. */
static bool take_keys(struct ike_engine *e, struct ike_sa *sa, const uint8_t *at)
{
	size_t prf_octets = prf_len(sa->suite.prf);
	size_t keymat = aead_keymat_len(sa->suite.encr);
	uint8_t store[2 * SECRET_MAX];

	assert(2 * keymat <= sizeof(store));
	set(&sa->sk_d, &at, prf_octets);
	pair_keys(sa->suite.encr, at, store, store + keymat);
	at += 2 * keymat;
	set(&sa->sk_pi, &at, prf_octets);
	set(&sa->sk_pr, &at, prf_octets);

	struct span i = span_of(store, keymat), r = span_of(store + keymat, keymat);
	sa->next_seal = aead_new(sa->suite.encr, sa->initiator ? i : r);
	sa->next_open = aead_new(sa->suite.encr, sa->initiator ? r : i);
	ike_keylog(e, sa, i, r);
	wipe(store, sizeof(store));
	return sa->next_seal && sa->next_open;
}

/* RFC 7296 2.14: everything from SKEYSEED, with the SA's own PRF, nonces and SPIs. */
static bool expand(struct ike_engine *e, struct ike_sa *sa, struct span skeyseed)
{
	uint8_t seed[2 * IKE_NONCE_MAX + 2 * IKE_SPI_LEN];
	uint8_t keys[3 * PRF_OUT_MAX + 2 * SECRET_MAX];
	size_t n = nonce_join(&sa->nonce_i, &sa->nonce_r, seed);
	size_t len = 3 * prf_len(sa->suite.prf) + 2 * aead_keymat_len(sa->suite.encr);

	assert(len <= sizeof(keys));
	put_u64(seed + n, sa->spi_i);
	put_u64(seed + n + IKE_SPI_LEN, sa->spi_r);
	require(prf_plus(
		sa->suite.prf, skeyseed, span_of(seed, n + 2 * IKE_SPI_LEN), keys, len));
	bool ok = take_keys(e, sa, keys);
	wipe(keys, sizeof(keys));
	return ok;
}

void ike_keys_turn(struct ike_sa *sa)
{
	if (!sa->next_seal && !sa->next_open)
		return;
	aead_free(sa->seal);
	aead_free(sa->open);
	sa->seal = sa->next_seal;
	sa->open = sa->next_open;
	sa->next_seal = sa->next_open = NULL;
}

/* From a key and what goes with it. */
static bool expand_from(struct ike_engine *e, struct ike_sa *sa, struct span key,
	const struct span *parts, size_t n)
{
	uint8_t skeyseed[PRF_OUT_MAX];

	require(prf(sa->suite.prf, key, parts, n, skeyseed));
	bool ok = expand(e, sa, span_of(skeyseed, prf_len(sa->suite.prf)));
	wipe(skeyseed, sizeof(skeyseed));
	return ok;
}

bool ike_keys_derive(struct ike_engine *e, struct ike_sa *sa, const struct secret *shared)
{
	uint8_t nonces[2 * IKE_NONCE_MAX];
	size_t n = nonce_join(&sa->nonce_i, &sa->nonce_r, nonces);
	struct span g_ir = secret_span(shared);

	bool ok = expand_from(e, sa, span_of(nonces, n), &g_ir, 1);
	ike_keys_turn(sa);
	return ok;
}

/* RFC 9370 2.2.2: SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr). */
void ike_keys_add(struct ike_engine *e, struct ike_sa *sa, const struct secret *shared)
{
	uint8_t nonces[2 * IKE_NONCE_MAX];
	size_t n = nonce_join(&sa->nonce_i, &sa->nonce_r, nonces);
	const struct span parts[] = {secret_span(shared), span_of(nonces, n)};
	struct secret sk_d = sa->sk_d;

	bool ok = expand_from(e, sa, secret_span(&sk_d), parts, 2);
	secret_wipe(&sk_d);
	assert(ok); /* fails for want of memory alone */
}

/* RFC 7296 2.18, RFC 9370 2.2.4: the exchange belongs to the old SA, and so does the PRF. */
bool ike_keys_rekey(struct ike_engine *e, const struct ike_sa *old, struct ike_sa *heir,
	const struct ike_seed *seed)
{
	uint8_t skeyseed[PRF_OUT_MAX];
	struct span octets = ike_seed_span(seed);

	require(prf(old->suite.prf, secret_span(&old->sk_d), &octets, 1, skeyseed));
	bool ok = expand(e, heir, span_of(skeyseed, prf_len(old->suite.prf)));
	ike_keys_turn(heir);
	wipe(skeyseed, sizeof(skeyseed));
	secret_wipe(&heir->sk_pi); /* nobody proves anything again */
	secret_wipe(&heir->sk_pr);
	return ok;
}

/* RFC 7296 2.15. The signed octets are the signer's first message, the other's nonce, a MAC
 * over the signer's identity, and RFC 9242 3.3.2 what came in between. */
void ike_keys_signed(const struct ike_sa *sa, bool of_initiator, struct span id,
	uint8_t store[PRF_OUT_MAX], struct span parts[IKE_SIGNED_PARTS])
{
	const struct secret *sk_p = of_initiator ? &sa->sk_pi : &sa->sk_pr;

	require(prf(sa->suite.prf, secret_span(sk_p), &id, 1, store));
	parts[0] = octets_span(of_initiator ? &sa->init_request : &sa->init_response);
	parts[1] = nonce_span(of_initiator ? &sa->nonce_r : &sa->nonce_i);
	parts[2] = span_of(store, prf_len(sa->suite.prf));
	parts[3] = ike_intermediate_signed(sa);
}

void ike_keys_auth(const struct ike_sa *sa, bool of_initiator, struct span id,
	const struct secret *psk, uint8_t out[PRF_OUT_MAX])
{
	enum prf_alg alg = sa->suite.prf;
	uint8_t maced_id[PRF_OUT_MAX], key[PRF_OUT_MAX];
	struct span parts[IKE_SIGNED_PARTS];
	struct span pad = span_text("Key Pad for IKEv2");

	ike_keys_signed(sa, of_initiator, id, maced_id, parts);
	require(prf(alg, secret_span(psk), &pad, 1, key));
	require(prf(alg, span_of(key, prf_len(alg)), parts, IKE_SIGNED_PARTS, out));
	wipe(key, sizeof(key));
	wipe(maced_id, sizeof(maced_id));
}

/* RFC 7296 2.17, RFC 9370 2.2.4: first the keys of the data that the initiator of the
 * exchange sends. */
void ike_keys_child(
	const struct ike_sa *sa, struct ike_child *child, const struct ike_seed *seed)
{
	uint8_t keymat[2 * SECRET_MAX];
	size_t len = aead_keymat_len(child->alg);
	const uint8_t *at = keymat;

	assert(len > 0 && 2 * len <= sizeof(keymat));
	require(prf_plus(sa->suite.prf, secret_span(&sa->sk_d), ike_seed_span(seed),
		keymat, 2 * len));
	set(child->initiator ? &child->key_out : &child->key_in, &at, len);
	set(child->initiator ? &child->key_in : &child->key_out, &at, len);
	wipe(keymat, sizeof(keymat));
}

/* What only the initial exchanges need (RFC 7296 2.12). SK_d stays, for further children. */
void ike_keys_forget_init(struct ike_sa *sa)
{
	kex_free(sa->kex);
	sa->kex = NULL;
	octets_free(&sa->init_request);
	octets_free(&sa->init_response);
	octets_free(&sa->cookie);
	secret_wipe(&sa->sk_pi);
	secret_wipe(&sa->sk_pr);
	ike_ppk_forget(sa);
	ike_intermediate_forget(sa);
	if (!sa->conn)
		return;
	secret_wipe(&sa->conn->psk);
	wipe(sa->conn->ppk.key, sizeof(sa->conn->ppk.key));
	credential_free(sa->conn->credential);
	sa->conn->credential = NULL;
}
