/* test_ike_offer.c - the shape of what is offered for an IKE SA (RFC 7296 2.7, 3.3): who
 * takes the first proposal that he can use sends no INVALID_KE_PAYLOAD.
 */
#include "ike_lab.h"

#include "config_files.h"
#include "ike/suites.h"

static struct ike_proposals ours;
static struct wire_sa offer;

#define STRONG .encr = AEAD_AES256_GCM16, .prf = PRF_SHA384
#define COMMON .encr = AEAD_AES256_GCM16, .prf = PRF_SHA256
#define OLD .encr = AEAD_AES128_SHA256, .prf = PRF_SHA256

static void offered(const struct ike_suite *suites, unsigned n)
{
	memset(&ours, 0, sizeof(ours));
	memcpy(ours.ike, suites, n * sizeof(*suites));
	ours.n_ike = n;
	offer.n = 0;
	ike_suites_offer(&ours, 0, &offer);
}

static const struct wire_transform *transform(
	const struct wire_proposal *p, uint8_t type, unsigned nth)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i].type == type && nth-- == 0)
			return &p->at[i];
	return NULL;
}

/* The n-th proposal is of this PRF and has these groups, and no others. */
static void assert_proposal(
	unsigned n, uint16_t prf, const uint16_t *groups, unsigned count)
{
	const struct wire_proposal *p = &offer.at[n];

	assert_true(n < offer.n);
	assert_int_equal(p->number, n + 1);
	assert_int_equal(transform(p, TRANSFORM_PRF, 0)->id, prf);
	assert_null(transform(p, TRANSFORM_PRF, 1));
	assert_null(transform(p, TRANSFORM_ENCR, 1));
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(transform(p, TRANSFORM_KE, i)->id, groups[i]);
	assert_null(transform(p, TRANSFORM_KE, count));
}

#define GROUPS(...)                      \
	(const uint16_t[]){__VA_ARGS__}, \
		sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t)

/* A peer as libreswan is: it takes the first proposal that it has something of, and of that
 * the group that stands first in its own list. */
static uint16_t taken_by(uint16_t prf, const uint16_t *likes, unsigned n)
{
	for (unsigned i = 0; i < offer.n; i++) {
		const struct wire_proposal *p = &offer.at[i];

		if (transform(p, TRANSFORM_PRF, 0)->id != prf)
			continue;
		for (unsigned k = 0; k < n; k++)
			for (unsigned g = 0; transform(p, TRANSFORM_KE, g); g++)
				if (transform(p, TRANSFORM_KE, g)->id == likes[k])
					return likes[k];
	}
	return KE_NONE;
}

static void the_first_group_stands_alone_in_front(void **state)
{
	(void)state;
	offered((const struct ike_suite[]){{STRONG, .ke = KE_CURVE25519},
			{COMMON, .ke = KE_CURVE25519}, {STRONG, .ke = KE_ECP_256},
			{COMMON, .ke = KE_ECP_256}, {STRONG, .ke = KE_MODP_2048},
			{COMMON, .ke = KE_MODP_2048}},
		6);
	assert_int_equal(offer.n, 4);
	assert_proposal(0, PRF_HMAC_SHA2_384, GROUPS(KE_CURVE25519));
	assert_proposal(1, PRF_HMAC_SHA2_256, GROUPS(KE_CURVE25519));
	assert_proposal(2, PRF_HMAC_SHA2_384, GROUPS(KE_ECP_256, KE_MODP_2048));
	assert_proposal(3, PRF_HMAC_SHA2_256, GROUPS(KE_ECP_256, KE_MODP_2048));
	/* and so whoever has that group takes it, whatever he likes better */
	assert_int_equal(taken_by(PRF_HMAC_SHA2_256,
				 GROUPS(KE_MODP_2048, KE_ECP_256, KE_CURVE25519)),
		KE_CURVE25519);
	assert_int_equal(taken_by(PRF_HMAC_SHA2_256, GROUPS(KE_MODP_2048, KE_ECP_256)),
		KE_MODP_2048);
}

/* A suite that is liked better than another with the first group is offered before it. */
static void the_order_of_the_configuration_is_kept(void **state)
{
	(void)state;
	offered((const struct ike_suite[]){{STRONG, .ke = KE_ECP_384},
			{STRONG, .ke = KE_ECP_256}, {COMMON, .ke = KE_ECP_384},
			{COMMON, .ke = KE_MODP_2048}},
		4);
	assert_int_equal(offer.n, 3);
	assert_proposal(0, PRF_HMAC_SHA2_384, GROUPS(KE_ECP_384));
	assert_proposal(1, PRF_HMAC_SHA2_384, GROUPS(KE_ECP_256));
	assert_proposal(2, PRF_HMAC_SHA2_256, GROUPS(KE_ECP_384, KE_MODP_2048));
}

static void one_suite_is_one_proposal(void **state)
{
	(void)state;
	offered((const struct ike_suite[]){{STRONG, .ke = KE_ECP_384}}, 1);
	assert_int_equal(offer.n, 1);
	assert_proposal(0, PRF_HMAC_SHA2_384, GROUPS(KE_ECP_384));
	/* written twice it is offered once */
	offered((const struct ike_suite[]){{STRONG, .ke = KE_ECP_384},
			{STRONG, .ke = KE_ECP_384}},
		2);
	assert_int_equal(offer.n, 1);
}

static void put_first_keeps_the_order_of_the_others(void **state)
{
	static const struct ike_suite want[] = {{STRONG, .ke = KE_ECP_256},
		{OLD, .ke = KE_ECP_256}, {STRONG, .ke = KE_CURVE25519},
		{COMMON, .ke = KE_CURVE25519}, {COMMON, .ke = KE_MODP_2048}};

	(void)state;
	offered((const struct ike_suite[]){{STRONG, .ke = KE_CURVE25519},
			{STRONG, .ke = KE_ECP_256}, {COMMON, .ke = KE_CURVE25519},
			{COMMON, .ke = KE_MODP_2048}, {OLD, .ke = KE_ECP_256}},
		5);
	ike_suites_put_first(&ours, KE_ECP_256);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(ours.ike[i].encr, want[i].encr);
		assert_int_equal(ours.ike[i].prf, want[i].prf);
		assert_int_equal(ours.ike[i].ke, want[i].ke);
	}
	ike_suites_put_first(&ours, KE_CURVE448); /* nobody has that */
	assert_int_equal(ours.ike[0].ke, KE_ECP_256);
}

static void builtin(void)
{
	static struct reported r;
	struct config *c =
		parse_as("test", span_text("proposal \"x\" { lifetime ike 4h; }\n"), &r);
	struct ike_suite suites[IKE_SUITES_MAX];

	assert_non_null(c);
	const struct config_proposal *p = &c->proposals[c->n_proposals - 1];
	for (unsigned i = 0; i < p->n_ike; i++)
		suites[i] = (struct ike_suite){
			.encr = p->ike[i].encr, .prf = p->ike[i].prf, .ke = p->ike[i].ke};
	offered(suites, p->n_ike);
	config_free(c);
}

static bool stands_in(const struct wire_proposal *p, const struct ike_suite *s)
{
	struct ike_proposals one = {.n_ike = 1, .ike = {*s}};
	struct wire_sa sa = {.n = 1, .at = {*p}}, answer = {.n = 0};
	struct ike_suite got;

	return ike_suites_choose(&one, &sa, KE_NONE, true, 0, &got, NULL, &answer);
}

/* All of the built-in suites, each in one proposal, and nothing else; and a message that
 * passes where IPv6 passes, 1280 octets: the SA payload is all but 200 of it. */
static void what_is_built_in(void **state)
{
	uint8_t room[2048];
	struct writer w = wr_over(room, sizeof(room));
	unsigned combinations = 0;

	(void)state;
	builtin();
	for (unsigned i = 0; i < ours.n_ike; i++) {
		unsigned in = 0;

		for (unsigned k = 0; k < offer.n; k++)
			in += stands_in(&offer.at[k], &ours.ike[i]);
		assert_int_equal(in, 1);
	}
	for (unsigned k = 0; k < offer.n; k++)
		for (unsigned g = 0; transform(&offer.at[k], TRANSFORM_KE, g); g++)
			combinations++;
	assert_int_equal(combinations, ours.n_ike);
	assert_int_equal(
		taken_by(PRF_HMAC_SHA2_256, GROUPS(KE_MODP_2048, KE_MODP_3072, KE_ECP_256,
						    KE_ECP_384, KE_CURVE25519)),
		ours.ike[0].ke);
	sa_payload_write(&w, &offer);
	assert_true(wr_ok(&w));
	assert_true(wr_len(&w) <= 1280 - 48 - 200);
}

/* More suites than proposals: the least liked are left out. */
static void too_many_are_cut(void **state)
{
	static const enum aead_alg encr[] = {AEAD_AES128_GCM16, AEAD_AES256_GCM16,
		AEAD_CHACHA20_POLY1305, AEAD_AES128_SHA256, AEAD_AES256_SHA256,
		AEAD_AES128_SHA384, AEAD_AES256_SHA384, AEAD_AES128_SHA512,
		AEAD_AES256_SHA512};
	static const enum prf_alg prf[] = {PRF_SHA256, PRF_SHA384, PRF_SHA512};
	struct ike_suite suites[IKE_SUITES_MAX];
	unsigned n = 0;

	(void)state;
	for (unsigned g = 0; g < 2; g++)
		for (unsigned i = 0; i < 27; i++)
			suites[n++] = (struct ike_suite){.encr = encr[i % 9],
				.prf = prf[i / 9],
				.ke = g ? KE_ECP_256 : KE_CURVE25519};
	offered(suites, n);
	assert_int_equal(offer.n, WIRE_PROPOSALS_MAX);
	for (unsigned i = 0; i < offer.n; i++)
		assert_true(stands_in(&offer.at[i], &suites[i]));
}

/* ---- on the wire ----------------------------------------------------------------------- */

static void sa_of_request(struct lab *lab, const struct lab_datagram *d)
{
	struct payload_set set = lab_read(lab, d);

	assert_int_equal(
		sa_payload_read(payload_set_first(&set, PAYLOAD_SA)->body, &offer),
		WIRE_OK);
}

/* RFC 7296 1.2: the same offer in the same order, or a forged INVALID_KE_PAYLOAD chose.
 *
 *	SA, KE(19), Ni    -->
 *	                  <--  N(INVALID_KE_PAYLOAD, 31)
 *	SA, KE(31), Ni    -->
 */
static void another_group_changes_nothing_of_the_offer(void **state)
{
	struct lab *lab = lab_new(9);
	struct ike_proposals *p = &lab->side[A].conn.proposals;
	struct wire_sa first;

	(void)state;
	p->n_ike = 2;
	p->ike[1] = p->ike[0];
	p->ike[0].ke = KE_ECP_256;
	lab_call(lab, A);
	lab_run(lab, 10);
	sa_of_request(lab, &lab->log[0]);
	first = offer;
	sa_of_request(lab, &lab->log[2]);
	assert_int_equal(offer.n, 2);
	for (unsigned i = 0; i < offer.n; i++)
		assert_int_equal(transform(&offer.at[i], TRANSFORM_KE, 0)->id,
			transform(&first.at[i], TRANSFORM_KE, 0)->id);
	assert_int_equal(transform(&offer.at[0], TRANSFORM_KE, 0)->id, KE_ECP_256);
	lab_free(lab);
}

/* In a protected exchange there is nothing to forge: what is in use comes first. */
static void an_ike_sa_is_rekeyed_with_its_group_first(void **state)
{
	struct lab *lab = lab_new(10);
	struct ike_proposals *p = &lab->side[A].conn.proposals;

	(void)state;
	p->n_ike = 2;
	p->ike[1] = p->ike[0];
	p->ike[0].ke = KE_ECP_256;
	uint32_t id = lab_up(lab);
	unsigned before = lab->n_log;
	assert_int_equal(ike_rekey(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab_run(lab, 1);
	sa_of_request(lab, &lab->log[before]);
	assert_int_equal(offer.n, 2);
	assert_int_equal(transform(&offer.at[0], TRANSFORM_KE, 0)->id, KE_CURVE25519);
	assert_int_equal(transform(&offer.at[1], TRANSFORM_KE, 0)->id, KE_ECP_256);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_group_stands_alone_in_front),
		cmocka_unit_test(the_order_of_the_configuration_is_kept),
		cmocka_unit_test(one_suite_is_one_proposal),
		cmocka_unit_test(put_first_keeps_the_order_of_the_others),
		cmocka_unit_test(what_is_built_in),
		cmocka_unit_test(too_many_are_cut),
		cmocka_unit_test(another_group_changes_nothing_of_the_offer),
		cmocka_unit_test(an_ike_sa_is_rekeyed_with_its_group_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
