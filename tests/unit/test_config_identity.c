/* tests/unit/test_config_identity.c - identities and `auth cert`: what is wrong with a file
 * is said with the place of the word that named it.
 */
#include "unit.h"

#include "base/iana.h"
#include "config_files.h"
#include "pki_lab.h"

static struct pki_node *ca, *good, *late, *other;

static const struct pki_node *node_of(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	if (strncmp(name, "ca", 2) == 0)
		return ca;
	if (strncmp(name, "late", 4) == 0)
		return late;
	return strncmp(name, "other", 5) == 0 ? other : good;
}

static bool fake_each(void *ctx, const char *path,
	void (*take)(void *to, const char *file, struct span bytes), void *to, char *why,
	size_t why_cap)
{
	(void)ctx;
	if (strstr(path, "missing")) {
		snprintf(why, why_cap, "No such file or directory");
		return false;
	}
	take(to, path,
		strstr(path, "rubbish") ? span_text("rubbish") : pki_der(node_of(path)));
	return true;
}

static struct private_key *fake_key(void *ctx, const char *uri, char *why, size_t why_cap)
{
	(void)ctx;
	if (!strstr(uri, "missing"))
		return pki_key(node_of(uri));
	snprintf(why, why_cap, "No such file or directory");
	return NULL;
}

static struct config *parse_with(const char *text, bool starting, struct reported *r)
{
	const struct config_files files = {.read = fake_read,
		.each = fake_each,
		.key = fake_key,
		.wall_s = PKI_NOW,
		.starting = starting};
	const struct config_report report = {.line = keep_line, .ctx = r};

	*r = (struct reported){.len = 0};
	return config_parse("f", span_text(text), &files, &report);
}

#define REST                                                                        \
	"vip \"v\" { address 192.0.2.10; }\n"                                       \
	"secret \"s\" { psk file \"/keys/s\"; }\n"                                  \
	"filter-action \"a\" { negotiate require; }\n"                              \
	"policy \"p\" { rule \"r\" { match any; action \"a\"; auth " AUTH "; } }\n" \
	"assign policy \"p\" to vip \"v\";\n"
#define AUTH "cert \"i\""

static void refused(const char *text, const char *line)
{
	struct reported r;
	struct config *c = parse_with(text, false, &r);

	if (c || !strstr(r.text, line))
		fail_msg("'%s' is not in '%s'", line, r.text);
	assert_int_equal(r.errors, 1);
}

static void a_good_one(void **state)
{
	struct reported r;
	struct config *c = parse_with(
		"identity \"i\" { cert \"/c/good\"; key \"/c/good\"; ca \"/c/ca\"; "
		"revocation strict; }\n" REST,
		false, &r);
	char id[IDENTITY_TEXT_MAX];

	(void)state;
	if (!c)
		fail_msg("%s", r.text);
	const struct config_auth *a = &c->rules[0].auths[0];
	assert_int_equal(a->own, PROOF_CERT);
	assert_int_equal(a->peer, PROOF_CERT);
	assert_ptr_equal(a->credential, c->identities[0].credential);
	assert_ptr_equal(a->trust, c->identities[0].trust);
	assert_true(a->remote_any);
	assert_string_equal(identity_format(&a->local_id, id), "mail.example");
	assert_int_equal(c->identities[0].revocation, REVOCATION_STRICT);
	assert_int_equal(c->identities[0].lapse, LAPSE_END);
	assert_int_equal(a->lapse, LAPSE_END);
	config_free(c);
}

static void what_becomes_of_sas_whose_proof_has_ended(void **state)
{
	struct reported r;
	struct config *c = parse_with(
		"identity \"i\" { lapse keep; cert \"/c/good\"; key \"/c/good\"; "
		"ca \"/c/ca\"; }\n" REST,
		false, &r);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->rules[0].auths[0].lapse, LAPSE_KEEP);
	config_free(c);
	refused("identity \"i\" { lapse kept; cert \"/c/good\"; key \"/c/good\"; "
		"ca \"/c/ca\"; }\n" REST,
		"f:1:22: error: ");
}

static void files_that_are_wrong(void **state)
{
	(void)state;
	refused("identity \"i\" { cert \"/c/missing\"; key \"/c/good\"; ca \"/c/ca\"; "
		"}\n" REST,
		"f:1:21: error: \"/c/missing\": No such file or directory");
	refused("identity \"i\" { cert \"/c/rubbish\"; key \"/c/good\"; ca \"/c/ca\"; "
		"}\n" REST,
		"f:1:21: error: \"/c/rubbish\": no certificate in PEM or DER in it");
	refused("identity \"i\" { cert \"/c/good\"; key \"/c/missing\"; ca \"/c/ca\"; "
		"}\n" REST,
		"f:1:36: error: \"/c/missing\": No such file or directory");
	refused("identity \"i\" { cert \"/c/good\"; key \"/c/other\"; ca \"/c/ca\"; "
		"}\n" REST,
		"f:1:36: error: \"/c/other\" is not the key of the certificate in "
		"\"/c/good\"");
	refused("identity \"i\" { cert \"/c/late\"; key \"/c/late\"; ca \"/c/ca\"; "
		"}\n" REST,
		"f:1:21: error: \"/c/late\": the certificate has expired, on 2030-03-");
	refused("identity \"i\" { cert \"/c/good\"; key \"/c/good\"; ca \"/c/rubbish\"; "
		"}\n" REST,
		"f:1:50: error: \"/c/rubbish\": no certificate in PEM or DER in it");
	refused("identity \"i\" { cert \"/c/good\"; key \"/c/good\"; ca \"/c/ca\"; crl "
		"\"/c/rubbish\"; }\n" REST,
		"\"/c/rubbish\": no CRL in PEM or DER in it");
}

/* The guard must stand, whatever a certificate has come to. */
static void an_expired_one_does_not_keep_us_from_starting(void **state)
{
	struct reported r;
	struct config *c = parse_with("identity \"i\" { cert \"/c/late\"; key "
				      "\"/c/late\"; ca \"/c/ca\"; }\n" REST,
		true, &r);

	(void)state;
	assert_non_null(c);
	assert_int_equal(r.warnings, 1);
	config_free(c);
}

static void what_does_not_go_together(void **state)
{
	(void)state;
	refused("identity \"i\" { cert \"/c/good\"; ca \"/c/ca\"; }\n" REST,
		"f:1:1: error: identity \"i\" has no key");
	refused("identity \"i\" { cert \"/c/good\"; key \"/c/good\"; }\n" REST,
		"error: identity \"i\" has no ca whose certificates a peer could show");
	refused("identity \"i\" { ca \"/c/ca\"; }\n" REST,
		"error: identity \"i\" has no cert and key to prove ourselves with");
	refused("identity \"i\" { cert \"/c/good\"; key \"/c/good\"; ca \"/c/ca\"; id "
		"\"x.example\"; }\n" REST,
		"the certificate in \"/c/good\" is not for x.example");
	refused("identity \"j\" { cert \"/c/good\"; key \"/c/good\"; ca \"/c/ca\"; "
		"}\n" REST,
		"identity \"i\" is not defined; did you mean \"j\"?");
}

#undef AUTH
#define AUTH                                                                      \
	"cert \"i\" peer psk \"s\" remote-id \"a.example\", psk \"s\" peer cert " \
	"\"i\" remote-id \"*.example\", cert \"i\" remote-id \"CN=peer,O=Example\""

static void ways_and_their_order(void **state)
{
	struct reported r;
	struct config *c = parse_with("identity \"i\" { cert \"/c/good\"; key "
				      "\"/c/good\"; ca \"/c/ca\"; }\n" REST,
		false, &r);

	(void)state;
	if (!c)
		fail_msg("%s", r.text);
	const struct config_rule *rule = &c->rules[0];
	assert_int_equal(rule->n_auths, 3);
	assert_int_equal(rule->auths[0].own, PROOF_CERT);
	assert_int_equal(rule->auths[0].peer, PROOF_PSK);
	assert_true(rule->auths[0].psk.len > 0);
	assert_int_equal(rule->auths[1].own, PROOF_PSK);
	assert_int_equal(rule->auths[1].peer, PROOF_CERT);
	assert_true(rule->auths[1].remote_any);
	assert_int_equal(rule->auths[1].remote_pattern.type, ID_FQDN);
	assert_int_equal(rule->auths[2].remote_id.type, ID_DER_ASN1_DN);
	config_free(c);
}

static int make_pki(void **state)
{
	struct pki_spec root = {.subject = "CN=CA", .ca = true};

	(void)state;
	ca = pki_new(&root);
	struct pki_spec spec = {
		.subject = "CN=x", .san = "DNS:mail.example", .issuer = ca};
	good = pki_new(&spec);
	other = pki_new(&spec);
	spec.until_s = PKI_NOW - 3600;
	late = pki_new(&spec);
	return 0;
}

static int drop_pki(void **state)
{
	(void)state;
	pki_free(ca);
	pki_free(good);
	pki_free(other);
	pki_free(late);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one),
		cmocka_unit_test(what_becomes_of_sas_whose_proof_has_ended),
		cmocka_unit_test(files_that_are_wrong),
		cmocka_unit_test(an_expired_one_does_not_keep_us_from_starting),
		cmocka_unit_test(what_does_not_go_together),
		cmocka_unit_test(ways_and_their_order),
	};
	return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
