/* Identities: what the configuration writes and what a hostile peer may send. */
#include "unit.h"

#include "base/iana.h"
#include "base/identity.h"

static void text_gives_the_type(void **state)
{
	static const struct {
		const char *text;
		uint8_t type;
	} rows[] = {
		{"any", ID_ANY},
		{"192.0.2.10", ID_IPV4_ADDR},
		{"2001:db8::10", ID_IPV6_ADDR},
		{"mail.example", ID_FQDN},
		{"user@mail.example", ID_RFC822_ADDR},
		{"@#c0ffee", ID_KEY_ID},
		{"9#3000", ID_DER_ASN1_DN},
	};
	char out[IDENTITY_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct identity id;
		assert_true(identity_parse(rows[i].text, &id));
		assert_int_equal(id.type, rows[i].type);
		assert_string_equal(identity_format(&id, out), rows[i].text);
	}
}

static void malformed_text_is_refused(void **state)
{
	static const char *const texts[] = {"", "a b", "@", "user@", "@mail", "@#",
		"@#c0f", "@#zz", "0#00", "256#00", "#00", "a#00", "1#00", "a@b@c",
		"mail\n"};
	struct identity id;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(identity_parse(texts[i], &id));
}

static void a_name_that_mimics_an_address_is_shown_as_octets(void **state)
{
	struct identity id, back;
	char out[IDENTITY_TEXT_MAX];

	(void)state;
	assert_true(identity_from_bytes(ID_FQDN, span_text("10.0.0.1"), &id));
	assert_string_equal(identity_format(&id, out), "2#31302e302e302e31");
	assert_true(identity_parse(out, &back));
	assert_true(identity_equal(&id, &back));
}

static void control_characters_never_reach_the_text(void **state)
{
	struct identity id;
	char out[IDENTITY_TEXT_MAX];

	(void)state;
	assert_true(identity_from_bytes(ID_FQDN, span_of("a\0b\n", 4), &id));
	assert_string_equal(identity_format(&id, out), "2#6100620a");
}

static void the_longest_identity_fits_its_text(void **state)
{
	uint8_t b[IDENTITY_MAX + 1] = {0};
	struct identity id, back;
	char out[IDENTITY_TEXT_MAX];

	(void)state;
	assert_false(identity_from_bytes(ID_KEY_ID, span_of(b, sizeof(b)), &id));
	assert_true(identity_from_bytes(255, span_of(b, IDENTITY_MAX), &id));
	assert_true(identity_parse(identity_format(&id, out), &back));
	assert_true(identity_equal(&id, &back));
}

static void address_of_the_wrong_length_is_refused(void **state)
{
	uint8_t b[16] = {0};
	struct identity id;

	(void)state;
	assert_false(identity_from_bytes(ID_IPV4_ADDR, span_of(b, 16), &id));
	assert_false(identity_from_bytes(ID_IPV6_ADDR, span_of(b, 4), &id));
	assert_false(identity_from_bytes(ID_FQDN, span_of(b, 0), &id));
	assert_false(identity_from_bytes(ID_ANY, span_of(b, 1), &id));
}

static void type_counts_in_comparison(void **state)
{
	struct identity name, key, any;

	(void)state;
	assert_true(identity_from_bytes(ID_FQDN, span_text("ab"), &name));
	assert_true(identity_from_bytes(ID_KEY_ID, span_text("ab"), &key));
	assert_true(identity_parse("any", &any));
	assert_false(identity_equal(&name, &key));
	assert_true(identity_cmp(&name, &key) < 0);
	assert_true(identity_matches(&any, &key));
	assert_false(identity_matches(&name, &key));
	assert_false(identity_matches(&name, &any));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_gives_the_type),
		cmocka_unit_test(malformed_text_is_refused),
		cmocka_unit_test(a_name_that_mimics_an_address_is_shown_as_octets),
		cmocka_unit_test(control_characters_never_reach_the_text),
		cmocka_unit_test(the_longest_identity_fits_its_text),
		cmocka_unit_test(address_of_the_wrong_length_is_refused),
		cmocka_unit_test(type_counts_in_comparison),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
