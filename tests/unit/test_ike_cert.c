/* tests/unit/test_ike_cert.c - IKE_AUTH with certificates (RFC 7296 2.15, 3.6, 3.7; RFC
 * 7427), both sides; what is refused, and what waits for an answer about revocation.
 */
#include "ike_lab.h"
#include "pki_lab.h"

#include "base/iana.h"
#include "wire/cert_payload.h"

struct world {
	struct lab *lab;
	struct pki_node *root, *middle, *of[2];
	struct credential *credential[2];
	struct trust *trust[2];
};

static const char *const names[] = {"DNS:a.example", "DNS:b.example"};
static const char *const ids[] = {"a.example", "b.example"};

static void arm(struct world *w, enum lab_side_name s, struct pki_node *node)
{
	const struct pki_node *chain[] = {w->middle, NULL};
	struct ike_conn *c = &w->lab->side[s].conn;

	credential_free(w->credential[s]);
	pki_free(w->of[s]);
	w->of[s] = node;
	w->credential[s] = pki_credential(node, chain);
	c->own = c->peer = IKE_PROOF_CERT;
	c->credential = w->credential[s];
	c->trust = w->trust[s];
	secret_wipe(&c->psk);
}

static struct world world_of(
	const char *kind, enum trust_revocation mode, const struct pki_spec *leaf)
{
	static const struct pki_spec plain;
	struct pki_spec root = {.subject = "CN=Root", .ca = true, .key = kind};
	struct world w = {.lab = lab_new(1), .root = pki_new(&root)};
	struct pki_spec middle = {
		.subject = "CN=Middle", .ca = true, .issuer = w.root, .key = kind};

	w.middle = pki_new(&middle);
	for (int s = A; s <= B; s++) {
		struct pki_spec spec = leaf ? *leaf : plain;
		struct certificate *ca = pki_certificate(w.root);

		spec.key = kind;
		spec.subject = "CN=leaf";
		spec.san = names[s];
		spec.issuer = w.middle;
		w.trust[s] = trust_new(mode);
		assert_true(trust_add_anchor(w.trust[s], ca));
		certificate_free(ca);
		arm(&w, (enum lab_side_name)s, pki_new(&spec));
		struct ike_conn *c = &w.lab->side[s].conn;
		assert_true(identity_parse(ids[s], &c->local_id));
		assert_true(identity_parse(ids[1 - s], &c->remote_id));
	}
	return w;
}

static void world_free(struct world *w)
{
	lab_free(w->lab);
	for (int s = A; s <= B; s++) {
		credential_free(w->credential[s]);
		trust_free(w->trust[s]);
		pki_free(w->of[s]);
	}
	pki_free(w->middle);
	pki_free(w->root);
}

static void assert_up(struct world *w)
{
	if (w->lab->side[A].n_up != 1 || w->lab->side[B].n_up != 1)
		fail_msg("A: %s\nB: %s", w->lab->side[A].notes, w->lab->side[B].notes);
	lab_assert_children_match(&w->lab->side[A].up[0], &w->lab->side[B].up[0]);
}

static void assert_refused_by(struct world *w, enum lab_side_name s, const char *why)
{
	lab_assert_noted(&w->lab->side[s], why);
	assert_int_equal(w->lab->side[A].n_established + w->lab->side[s].n_up, 0);
	assert_int_equal(lab_count(w->lab, A) + lab_count(w->lab, B), 0);
}

/*	A                                              B
 *	SA_INIT {.., N(SIGNATURE_HASH_ALGORITHMS)} -->
 *	     <-- SA_INIT {.., N(SIGNATURE_HASH_ALGORITHMS), CERTREQ}
 *	AUTH {IDi, CERT, CERT, CERTREQ, ..} -->
 *	     <-- AUTH {IDr, CERT, CERT, ..}
 */
static void every_kind_of_key(void **state)
{
	static const char *const kinds[] = {"P-256", "P-384", "RSA:2048", "ED25519"};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct world w = world_of(kinds[i], REVOCATION_IF_AVAILABLE, NULL);

		lab_call(w.lab, A);
		lab_run(w.lab, 100);
		assert_up(&w);
		assert_string_equal(w.lab->side[A].notes, "");
		world_free(&w);
	}
}

static unsigned count_of(const struct payload_set *in, uint8_t type)
{
	const struct payload *p = NULL;
	unsigned n = 0;

	while ((p = payload_set_next(in, type, p)))
		n++;
	return n;
}

static void what_is_on_the_wire(void **state)
{
	struct world w = world_of("ED25519", REVOCATION_OFF, NULL);
	struct payload_set in;
	struct span data;
	struct wire_certreq req;
	struct wire_cert cert;

	(void)state;
	lab_call(w.lab, A);
	lab_run(w.lab, 100);
	assert_int_equal(w.lab->n_log, 4);
	in = lab_read(w.lab, &w.lab->log[0]);
	assert_true(ike_notify_find(&in, N_SIGNATURE_HASH_ALGORITHMS, &data));
	assert_int_equal(data.len, 8);
	assert_int_equal(count_of(&in, PAYLOAD_CERTREQ), 0);
	in = lab_read(w.lab, &w.lab->log[1]);
	assert_true(ike_notify_find(&in, N_SIGNATURE_HASH_ALGORITHMS, NULL));
	assert_int_equal(count_of(&in, PAYLOAD_CERTREQ), 1);
	in = lab_read(w.lab, &w.lab->log[2]);
	assert_int_equal(count_of(&in, PAYLOAD_CERT), 2);
	assert_int_equal(
		certreq_payload_read(payload_set_first(&in, PAYLOAD_CERTREQ)->body, &req),
		WIRE_OK);
	assert_int_equal(req.hashes.len, SHA1_LEN);
	in = lab_read(w.lab, &w.lab->log[3]);
	assert_int_equal(count_of(&in, PAYLOAD_CERT), 2);
	/* RFC 7296 3.6: the signer's own comes first. */
	assert_int_equal(
		cert_payload_read(payload_set_first(&in, PAYLOAD_CERT)->body, &cert),
		WIRE_OK);
	unit_assert_span_equal(cert.data, pki_der(w.of[B]));
	world_free(&w);
}

/* A peer with a pre-shared key sees none of it. */
static void nothing_of_it_with_a_key(void **state)
{
	struct lab *lab = lab_new(2);

	(void)state;
	lab_up(lab);
	for (unsigned i = 0; i < 4; i++) {
		struct payload_set in = lab_read(lab, &lab->log[i]);
		assert_false(ike_notify_find(&in, N_SIGNATURE_HASH_ALGORITHMS, NULL));
		assert_int_equal(count_of(&in, PAYLOAD_CERT), 0);
		assert_int_equal(count_of(&in, PAYLOAD_CERTREQ), 0);
	}
	lab_free(lab);
}

static void a_key_here_a_certificate_there(void **state)
{
	struct world w = world_of("P-256", REVOCATION_OFF, NULL);
	struct ike_conn *a = &w.lab->side[A].conn, *b = &w.lab->side[B].conn;

	(void)state;
	a->own = IKE_PROOF_PSK;
	b->peer = IKE_PROOF_PSK;
	lab_set_psk(&w.lab->side[A], "half of it");
	lab_set_psk(&w.lab->side[B], "half of it");
	lab_call(w.lab, A);
	lab_run(w.lab, 100);
	assert_up(&w);
	world_free(&w);
}

/* RFC 8784 3: what is signed is made with the mixed keys, and NO_PPK_AUTH is a signature. */
static void with_a_postquantum_key(void **state)
{
	static const char *const kinds[] = {"P-256", "RSA:2048", "ED25519"};

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct world w = world_of(kinds[i % 3], REVOCATION_OFF, NULL);
		bool same = i < 9;

		for (int s = A; s <= B; s++) {
			struct ike_ppk *p = &w.lab->side[s].conn.ppk;

			*p = (struct ike_ppk){.len = 32, .id_len = 1};
			p->required = same && (i / 3 == 2 || (int)(i / 3) == s);
			p->id[0] = same ? 'q' : (uint8_t)('q' + s);
			memset(p->key, 'k', p->len);
		}
		lab_call(w.lab, A);
		lab_run(w.lab, 100);
		assert_up(&w);
		for (int s = A; s <= B; s++)
			assert_int_equal(w.lab->side[s].established[0].ppk, same);
		world_free(&w);
	}
}

/* The certificate is good, and the key of quantum times is another one. */
static void with_another_postquantum_key(void **state)
{
	struct world w = world_of("P-256", REVOCATION_OFF, NULL);

	(void)state;
	for (int s = A; s <= B; s++) {
		struct ike_ppk *p = &w.lab->side[s].conn.ppk;

		*p = (struct ike_ppk){.len = 32, .id_len = 1, .required = true};
		p->id[0] = 'q';
		memset(p->key, s == A ? 'a' : 'b', p->len);
	}
	lab_call(w.lab, A);
	lab_run(w.lab, 3000);
	assert_refused_by(&w, B, "wrong key: its signature was not made with the key");
	world_free(&w);
}

/* Both engines hand out what the peer proved itself with, and an heir inherits it. */
static void the_chain_is_handed_out(void **state)
{
	struct world w = world_of("P-256", REVOCATION_OFF, NULL);
	const int64_t until_s =
		certificate_not_after_s(credential_at(w.credential[B], 0));

	(void)state;
	lab_call(w.lab, A);
	lab_run(w.lab, 100);
	assert_up(&w);
	uint32_t id = w.lab->side[A].established[0].id;
	assert_int_equal(ike_rekey(w.lab->side[A].engine, w.lab->now_ms, id), IKE_OK);
	lab_run(w.lab, 100);
	assert_int_equal(w.lab->side[A].n_rekeyed, 1);
	for (int s = A; s <= B; s++) {
		const struct chain *c = lab_sa(w.lab, (enum lab_side_name)s)->chain;

		assert_non_null(c);
		assert_int_equal(chain_until_s(c), until_s);
	}
	world_free(&w);
}

/* ---- what is refused, by the one and by the other */

static struct pki_node *leaf_of(
	struct world *w, enum lab_side_name s, const struct pki_spec *like)
{
	struct pki_spec spec = *like;

	spec.subject = "CN=leaf";
	spec.san = spec.san ? spec.san : names[s];
	spec.issuer = spec.issuer ? spec.issuer : w->middle;
	return pki_new(&spec);
}

static void refused_whoever_calls(const struct pki_spec *like, const char *why)
{
	for (int s = A; s <= B; s++) {
		struct world w = world_of("P-256", REVOCATION_OFF, NULL);

		arm(&w, B, leaf_of(&w, B, like)); /* B shows it, A judges it */
		lab_call(w.lab, s == A ? A : B);
		lab_run(w.lab, 3000);
		lab_assert_noted(&w.lab->side[A], why);
		lab_assert_noted(&w.lab->side[B], "AUTHENTICATION_FAILED");
		assert_int_equal(w.lab->side[A].n_established, 0);
		assert_int_equal(lab_count(w.lab, A), 0);
		assert_int_equal(lab_count(w.lab, B), 0);
		world_free(&w);
	}
}

static void an_expired_one(void **state)
{
	const struct pki_spec like = {.until_s = PKI_NOW - 3600};

	(void)state;
	refused_whoever_calls(&like, "expired: its certificate (CN=leaf)");
}

static void one_for_somebody_else(void **state)
{
	const struct pki_spec like = {.san = "DNS:mallory.example"};

	(void)state;
	refused_whoever_calls(&like, "wrong name: its certificate (CN=leaf)");
}

static void one_of_another_ca(void **state)
{
	struct pki_spec root = {.subject = "CN=Other", .ca = true};
	struct pki_node *other = pki_new(&root);
	const struct pki_spec like = {.issuer = other};

	(void)state;
	refused_whoever_calls(&like, "wrong CA");
	pki_free(other);
}

/* Chain and name are good; what was signed is not what was said. */
static void a_signature_of_something_else(void **state)
{
	struct world w = world_of("P-256", REVOCATION_OFF, NULL);

	(void)state;
	lab_call(w.lab, A);
	lab_run(w.lab, 2); /* A's IKE_AUTH is on the wire */
	lab_sa(w.lab, A)->init_response.at[60] ^= 1;
	lab_run(w.lab, 3000);
	assert_refused_by(&w, A, "wrong key: its signature was not made with the key");
	world_free(&w);
}

static void a_key_is_no_certificate(void **state)
{
	struct world w = world_of("P-256", REVOCATION_OFF, NULL);

	(void)state;
	w.lab->side[A].conn.own = IKE_PROOF_PSK;
	lab_set_psk(&w.lab->side[A], "a guess");
	lab_call(w.lab, A);
	lab_run(w.lab, 3000);
	assert_refused_by(&w, B, "our rule wants a certificate");
	world_free(&w);
}

static void without_a_clock_nobody_is_believed(void **state)
{
	struct world w = world_of("P-256", REVOCATION_OFF, NULL);

	(void)state;
	ike_set_wall(w.lab->side[B].engine, 0);
	lab_call(w.lab, A);
	lab_run(w.lab, 3000);
	assert_refused_by(&w, B, "the time is not known here");
	world_free(&w);
}

/* ---- strict, and the answer is not there yet */

static const struct pki_spec asks = {.crl_url = "http://ca.example/crl"};

static struct world strict_world(enum lab_side_name judge)
{
	struct world w = world_of("P-256", REVOCATION_OFF, &asks);
	struct span crl = pki_crl(w.root, NULL, PKI_NOW - 60, PKI_NOW + PKI_DAY);

	trust_set_revocation(w.trust[judge], REVOCATION_STRICT);
	assert_int_equal(trust_add_crls(w.trust[judge], crl), 1);
	pki_octets_free(crl);
	return w;
}

static void fetched(struct world *w, enum lab_side_name s, struct span answer)
{
	struct lab_side *side = &w->lab->side[s];

	assert_true(side->n_wishes > 0);
	assert_string_equal(side->wish.url, asks.crl_url);
	uint32_t id = revocations_begin(side->revocations, &side->wish, PKI_NOW);
	assert_true(revocations_learn(side->revocations, id, answer, PKI_NOW));
	ike_fetched(side->engine, w->lab->now_ms);
}

/*	A                      B
 *	AUTH -->                  asks for a CRL; as if nothing had come
 *	AUTH --> (the same)       the CRL is there
 *	     <-- AUTH
 */
static void the_responder_waits_without_a_word(void **state)
{
	struct world w = strict_world(B);
	struct span crl = pki_crl(w.middle, NULL, PKI_NOW - 60, PKI_NOW + PKI_DAY);

	(void)state;
	lab_call(w.lab, A);
	lab_run(w.lab, 100);
	assert_int_equal(w.lab->side[A].n_up, 0);
	assert_int_equal(w.lab->n_log, 3); /* not answered */
	assert_string_equal(w.lab->side[B].notes, "");
	fetched(&w, B, crl);
	lab_run(w.lab, 1000); /* A asks again by itself */
	assert_up(&w);
	pki_octets_free(crl);
	world_free(&w);
}

/*	A                      B
 *	AUTH -->
 *	     <-- AUTH             A asks for a CRL; as if nothing had come
 *	AUTH --> (at once, when the CRL is there)
 *	     <-- AUTH
 */
static void the_initiator_asks_again_at_once(void **state)
{
	struct world w = strict_world(A);
	struct span crl = pki_crl(w.middle, NULL, PKI_NOW - 60, PKI_NOW + PKI_DAY);

	(void)state;
	lab_call(w.lab, A);
	lab_run(w.lab, 50);
	assert_int_equal(w.lab->side[A].n_established, 0);
	assert_int_equal(w.lab->side[A].n_closed, 0);
	fetched(&w, A, crl);
	lab_run(w.lab, 5);
	assert_up(&w);
	pki_octets_free(crl);
	world_free(&w);
}

static void what_was_fetched_may_say_revoked(void **state)
{
	for (int s = A; s <= B; s++) {
		struct world w = strict_world((enum lab_side_name)s);
		struct span crl =
			pki_crl(w.middle, w.of[1 - s], PKI_NOW - 60, PKI_NOW + PKI_DAY);

		(void)state;
		lab_call(w.lab, A);
		lab_run(w.lab, 50);
		fetched(&w, (enum lab_side_name)s, crl);
		lab_run(w.lab, 3000);
		lab_assert_noted(&w.lab->side[s], "revoked: its certificate (CN=leaf)");
		assert_int_equal(w.lab->side[s].n_established, 0);
		pki_octets_free(crl);
		world_free(&w);
	}
}

static void nobody_can_say(void **state)
{
	struct world w = strict_world(B);

	(void)state;
	lab_call(w.lab, A);
	lab_run(w.lab, 100);
	fetched(&w, B, span_of(NULL, 0));
	lab_run(w.lab, 3000);
	assert_refused_by(&w, B, "cannot be reached");
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_key),
		cmocka_unit_test(what_is_on_the_wire),
		cmocka_unit_test(nothing_of_it_with_a_key),
		cmocka_unit_test(a_key_here_a_certificate_there),
		cmocka_unit_test(with_a_postquantum_key),
		cmocka_unit_test(with_another_postquantum_key),
		cmocka_unit_test(the_chain_is_handed_out),
		cmocka_unit_test(an_expired_one),
		cmocka_unit_test(one_for_somebody_else),
		cmocka_unit_test(one_of_another_ca),
		cmocka_unit_test(a_signature_of_something_else),
		cmocka_unit_test(a_key_is_no_certificate),
		cmocka_unit_test(without_a_clock_nobody_is_believed),
		cmocka_unit_test(the_responder_waits_without_a_word),
		cmocka_unit_test(the_initiator_asks_again_at_once),
		cmocka_unit_test(what_was_fetched_may_say_revoked),
		cmocka_unit_test(nobody_can_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
