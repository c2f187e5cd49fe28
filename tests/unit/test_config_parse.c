/* What a configuration becomes: defaults, values, hash, limits, and the SPD of a scope. */
#include "crypto/kex.h"
#include "unit.h"

#include "base/iana.h"
#include "config_files.h"

#include <stdlib.h>

static struct config *accepted(const char *text)
{
	static struct reported r;
	struct config *c = parse_as("test", span_text(text), &r);

	if (c == NULL)
		fail_msg("refused: %s", r.text);
	return c;
}

/* The report of a text that must be refused; valid until the next call. */
static const char *refused(struct span text)
{
	static struct reported r;

	assert_null(parse_as("test", text, &r));
	assert_true(r.errors > 0);
	return r.text;
}

static void an_empty_file_has_the_documented_defaults(void **state)
{
	(void)state;
	struct config *c = accepted("");

	assert_int_equal(c->cluster.backend, BACKEND_NONE);
	assert_int_equal(c->cluster.takeover, TAKEOVER_REINITIATE);
	assert_false(c->tuning.nlbs_flags);
	assert_true(c->tuning.nlbs_present);
	assert_int_equal(c->tuning.idle_timeout_ms, 300000);
	assert_int_equal(c->tuning.idle_timeout_failover_ms, 60000);
	assert_int_equal(c->tuning.idle_lifetime_ms, 3600000);
	assert_int_equal(c->tuning.delete_wait_ms, 150);
	assert_int_equal(c->tuning.replay_window, 1024);
	assert_int_equal(c->tuning.fragment_size, 1280);
	assert_true(c->tuning.mobike);
	assert_int_equal(c->tuning.on_exit, EXIT_CLOSED);
	assert_int_equal(c->dataplane.prefer, PLANE_USERSPACE);
	assert_int_equal(c->dataplane.encap, ENCAP_AUTO);
	assert_int_equal(c->n_vips, 0);
	assert_int_equal(c->host_policy, CONFIG_NO_POLICY);
	assert_int_equal(config_host_scope(c), 0);
	assert_null(config_spd(c, 0));
	config_free(c);
}

static void additional_key_exchanges_have_their_places(void **state)
{
	(void)state;
	struct config *c = accepted("proposal \"p\" { ike "
				    "aes256gcm16-sha384-x25519-ke3_ecp384-ke1_modp3072, "
				    "aes256gcm16-sha384-x25519; }");
	const struct config_ike_suite *s = c->proposals[1].ike;

	assert_int_equal(c->proposals[1].n_ike, 2);
	assert_int_equal(s[0].ke, KE_CURVE25519);
	assert_int_equal(s[0].more[0], KE_MODP_3072);
	assert_int_equal(s[0].more[1], KE_NONE);
	assert_int_equal(s[0].more[2], KE_ECP_384);
	for (unsigned i = 0; i < CONFIG_MORE_MAX; i++)
		assert_int_equal(s[1].more[i], KE_NONE);
	config_free(c);
}

/* What ML-KEM is asked for depends on the library that this build has. */
static void ml_kem_stands_behind_another(void **state)
{
	(void)state;
	const char *behind = "proposal \"p\" { ike "
			     "aes256gcm16-sha384-x25519-ke1_mlkem768; }";
	const char *alone = "proposal \"p\" { ike aes256gcm16-sha384-mlkem768; }";

	if (!kex_supported(KE_ML_KEM_768)) {
		assert_non_null(strstr(refused(span_text(behind)),
			"1:20: error: key exchange \"mlkem768\": this build's OpenSSL "
			"has "
			"no ML-KEM"));
		return;
	}
	struct config *c = accepted(behind);
	assert_int_equal(c->proposals[1].ike[0].more[0], KE_ML_KEM_768);
	config_free(c);
	assert_non_null(
		strstr(refused(span_text(alone)), "too long for IKE_SA_INIT; write it "
						  "behind another one, as ke1_mlkem768"));
}

static void the_built_in_proposal_begins_with_x25519(void **state)
{
	(void)state;
	struct config *c = accepted("");
	const struct config_proposal *p = &c->proposals[0];
	bool ecp256 = false, modp2048 = false;

	assert_int_equal(c->n_proposals, 1);
	assert_string_equal(p->name, "default");
	assert_int_equal(p->ike[0].ke, KE_CURVE25519);
	assert_int_equal(p->ike[0].encr, AEAD_AES256_GCM16);
	for (unsigned i = 0; i < p->n_ike; i++) {
		ecp256 |= p->ike[i].ke == KE_ECP_256;
		modp2048 |= p->ike[i].ke == KE_MODP_2048;
	}
	assert_true(ecp256 && modp2048);
	assert_int_equal(p->n_esp, 6);
	assert_int_equal(p->lifetime_ike_ms, 4 * 3600000);
	assert_int_equal(p->lifetime_child_ms, 3600000);
	config_free(c);
}

static void settings_are_taken_over(void **state)
{
	(void)state;
	struct config *c = accepted(
		"cluster { name \"web\"; backend corosync; takeover wait; failover-time "
		"3s; }"
		"tuning { nlbs-flags 1; nlbs-present no; idle-timeout 10m;"
		" idle-timeout-failover 30s;"
		" idle-lifetime 2h; delete-wait 0s; replay-window 4096; fragment-size "
		"576; mobike no; on-exit open; }"
		"dataplane { udp-encap force; }"
		"vip \"a\" { address 192.0.2.1, 2001:db8::1; bind agent; }");

	assert_string_equal(c->cluster.name, "web");
	assert_int_equal(c->cluster.backend, BACKEND_COROSYNC);
	assert_int_equal(c->cluster.takeover, TAKEOVER_WAIT);
	assert_int_equal(c->cluster.failover_time_ms, 3000);
	assert_true(c->tuning.nlbs_flags);
	assert_false(c->tuning.nlbs_present);
	assert_int_equal(c->tuning.idle_timeout_ms, 600000);
	assert_int_equal(c->tuning.idle_timeout_failover_ms, 30000);
	assert_int_equal(c->tuning.idle_lifetime_ms, 7200000);
	assert_int_equal(c->tuning.delete_wait_ms, 0);
	assert_int_equal(c->tuning.replay_window, 4096);
	assert_int_equal(c->tuning.fragment_size, 576);
	assert_false(c->tuning.mobike);
	assert_int_equal(c->tuning.on_exit, EXIT_OPEN);
	assert_int_equal(c->dataplane.encap, ENCAP_FORCE);
	assert_int_equal(c->vips[0].n_addrs, 2);
	assert_int_equal(c->vips[0].bind, BIND_AGENT);
	assert_int_equal(c->vips[0].policy, CONFIG_NO_POLICY);
	config_free(c);
}

/* What a reload says of it needs its place. */
static void the_data_plane_has_its_place(void **state)
{
	(void)state;
	struct config *c = accepted("dataplane {\n  offload auto;\n   prefer kernel;\n}\n"
				    "proposal \"p\" {\n  esp aes256gcm16;\n}\n");

	assert_int_equal(c->dataplane.prefer_at.line, 3);
	assert_int_equal(c->dataplane.prefer_at.column, 4);
	assert_int_equal(c->dataplane.offload, OFFLOAD_AUTO);
	assert_int_equal(c->proposals[1].esp_at.line, 6);
	assert_int_equal(c->proposals[0].esp_at.line, 0);
	struct config *other = accepted("dataplane { prefer kernel; offload auto; } "
					"proposal \"p\" { esp aes256gcm16; }");
	assert_memory_equal(c->hash, other->hash, sizeof(c->hash));
	config_free(other);
	config_free(c);
}

static void what_a_rule_says_comes_before_its_vip(void **state)
{
	(void)state;
	struct config *c = accepted(
		"dataplane { prefer kernel; }"
		"vip \"v\" { address 192.0.2.1; output-mark 0x10/0xf0; if-id 7; }"
		"secret \"k\" { psk file \"/keys/one\"; }"
		"filter-action \"vips\" { negotiate require; mode tunnel; }"
		"filter-action \"own\" { negotiate require; mode tunnel; output-mark 0; "
		"if-id 8; }"
		"filter-list \"web\" { from me port 80 to any proto tcp mirrored; }"
		"policy \"p\" {"
		" rule \"own\" { match \"web\"; action \"own\"; auth psk \"k\"; }"
		" rule \"vips\" { match any; action \"vips\"; auth psk \"k\"; } }"
		"assign policy \"p\" to vip \"v\";");
	struct policy_tags own = config_tags(c, 0, 0), vips = config_tags(c, 0, 1),
			   host = config_tags(c, config_host_scope(c), 1);

	assert_int_equal(own.mark, 0);
	assert_int_equal(own.mask, UINT32_MAX);
	assert_int_equal(own.if_id, 8);
	assert_int_equal(vips.mark, 0x10);
	assert_int_equal(vips.mask, 0xf0);
	assert_int_equal(vips.if_id, 7);
	assert_int_equal(host.mask, 0);
	config_free(c);
}

/* ---- rules ---------------------------------------------------------------------- */

static const char rules_text[] =
	"vip \"v\" { address 192.0.2.1; }"
	"secret \"one\" { psk file \"/keys/one\"; } secret \"two\" { psk file "
	"\"/keys/two\"; }"
	"proposal \"p\" { ike aes128gcm16-sha256-ecp256; lifetime child 30m; }"
	"filter-list \"web\" { from me port 80 to any proto tcp mirrored; }"
	"filter-list \"dns\" { from me to any port 53 proto udp mirrored; }"
	"filter-action \"esp\" { negotiate require; proposal \"p\"; }"
	"filter-action \"gw\" { negotiate require; mode tunnel to 203.0.113.1; }"
	"policy \"x\" {"
	" rule \"a\" { match \"web\"; action \"esp\"; auth psk \"one\" local-id "
	"\"v.example\""
	"  remote-id any, psk \"two\" remote-id \"r@example\"; }"
	" rule \"b\" { match \"dns\"; action \"gw\"; auth psk \"one\" local-id "
	"\"v.example\"; }"
	" rule \"c\" { match any; action block; } }"
	"assign policy \"x\" to vip \"v\";";

static void a_rule_carries_action_proposal_and_authentication(void **state)
{
	(void)state;
	struct config *c = accepted(rules_text);
	const struct config_rule *a = &c->rules[0], *b = &c->rules[1];
	struct identity id;

	assert_int_equal(a->action, POLICY_NEGOTIATE);
	assert_int_equal(a->mode, POLICY_TRANSPORT);
	assert_int_equal(a->proposal, 1);
	assert_int_equal(c->proposals[1].n_ike, 1);
	assert_int_equal(c->proposals[1].ike[0].prf, PRF_SHA256);
	assert_int_equal(c->proposals[1].n_esp, 6); /* not said: as built in */
	assert_int_equal(c->proposals[1].lifetime_child_ms, 1800000);

	assert_int_equal(a->n_auths, 2);
	assert_true(identity_parse("v.example", &id));
	assert_true(identity_equal(&a->auths[0].local_id, &id));
	assert_true(a->auths[0].remote_any);
	assert_true(identity_parse("r@example", &id));
	assert_true(identity_equal(&a->auths[1].remote_id, &id));
	assert_false(a->auths[1].remote_any);
	assert_int_equal(a->auths[1].local_id.type, ID_ANY); /* the address */

	assert_int_equal(b->mode, POLICY_TUNNEL);
	assert_int_equal(b->proposal, 0);
	struct addr gw = unit_addr("203.0.113.1");
	assert_true(addr_equal(&b->tunnel_to, &gw));
	config_free(c);
}

static void a_key_is_read_without_its_final_newline(void **state)
{
	(void)state;
	struct config *c = accepted(rules_text);
	struct span key = secret_span(&c->rules[0].auths[0].psk);

	unit_assert_span_equal(key, span_text("the long key kept in /keys/one"));
	assert_string_equal(c->rules[0].auths[0].secret_name, "one");
	config_free(c);
}

static void rules_that_treat_traffic_alike_share_a_binding(void **state)
{
	(void)state;
	struct config *c =
		accepted("secret \"k\" { psk file \"/keys/k\"; } secret \"l\" { psk file "
			 "\"/keys/l\"; }"
			 "filter-list \"a\" { from me to 10.0.0.0/8; }"
			 "filter-list \"b\" { from me to 10.1.0.0/16; }"
			 "filter-list \"c\" { from me to 10.2.0.0/16; }"
			 "filter-action \"esp\" { negotiate require; }"
			 "policy \"p\" {"
			 " rule \"1\" { match \"a\"; action \"esp\"; auth psk \"k\"; }"
			 " rule \"2\" { match \"b\"; action \"esp\"; auth psk \"l\"; }"
			 " rule \"3\" { match \"c\"; action \"esp\"; auth psk \"k\"; } }"
			 "assign policy \"p\" to host;");

	assert_int_equal(c->rules[0].binding, 0);
	assert_int_equal(c->rules[1].binding, 1);
	assert_int_equal(c->rules[2].binding, 0);
	config_free(c);
}

static void each_scope_has_its_own_spd(void **state)
{
	(void)state;
	struct config *c = accepted(rules_text);
	struct spd *vip = config_spd(c, 0);
	struct flow f = {
		.local = unit_addr("192.0.2.1"),
		.remote = unit_addr("198.51.100.1"),
		.proto = IP_TCP,
		.ports_known = true,
		.local_port = 80,
		.remote_port = 40000,
	};

	assert_int_equal(spd_lookup(vip, POLICY_IN, &f)->rule, 0);
	assert_string_equal(spd_lookup(vip, POLICY_IN, &f)->rule_name, "a");
	f.local_port = 81;
	assert_int_equal(spd_lookup(vip, POLICY_IN, &f)->rule, 2);
	f.local = unit_addr("192.0.2.2");
	assert_null(spd_lookup(vip, POLICY_IN, &f));
	assert_null(config_spd(c, config_host_scope(c)));
	spd_free(vip);
	config_free(c);
}

static void on_the_host_me_is_every_address(void **state)
{
	(void)state;
	struct config *c =
		accepted("filter-list \"f\" { from 10.0.0.0/8 to me mirrored; }"
			 "policy \"p\" { rule \"r\" { match \"f\"; action block; } }"
			 "assign policy \"p\" to host;");
	struct spd *s = config_spd(c, config_host_scope(c));

	assert_int_equal(spd_count(s), 1);
	struct ts any = ts_any(ADDR_V4);
	assert_true(ts_equal(&spd_at(s, 0)->local, &any));
	assert_int_equal(spd_at(s, 0)->remote.lo.b[0], 10);
	spd_free(s);
	config_free(c);
}

/* ---- hash ---------------------------------------------------------------------------- */

static void assert_hash(const char *a, const char *b, bool equal)
{
	struct config *one = accepted(a), *two = accepted(b);

	assert_int_equal(memcmp(one->hash, two->hash, sizeof(one->hash)) == 0, equal);
	config_free(one);
	config_free(two);
}

static void layout_does_not_change_the_hash(void **state)
{
	(void)state;
	assert_hash("tuning { idle-timeout 5m; nlbs-flags 1; }",
		"# a comment\ntuning{nlbs-flags 1;\n\tidle-timeout 300s;}", true);
	assert_hash("", "tuning { idle-timeout 5m; }", true); /* the default, said */
	assert_hash("", "tuning { nlbs-present yes; }", true);
	assert_hash("", "tuning { nlbs-present no; }", false);
}

static void every_meaning_changes_the_hash(void **state)
{
	(void)state;
	static const char frame[] =
		"cluster { name \"%s\"; } tuning { delete-wait %s; }"
		"vip \"v\" { address %s; } secret \"k\" { psk file \"%s\"; }"
		"filter-list \"f\" { from me port %s to any proto tcp mirrored; }"
		"filter-action \"a\" { negotiate require; mode %s; }"
		"policy \"p\" { rule \"r\" { match \"f\"; action \"a\";"
		" auth psk \"k\" local-id \"%s\"; } }"
		"assign policy \"p\" to vip \"v\";";
	static const char *const base[] = {
		"one", "1s", "192.0.2.1", "/keys/k", "80", "transport", "a.example"};
	static const char *const other[] = {
		"two", "2s", "192.0.2.2", "/keys/l", "81", "tunnel", "b.example"};
	char a[1024], b[1024];

	snprintf(a, sizeof(a), frame, base[0], base[1], base[2], base[3], base[4],
		base[5], base[6]);
	for (size_t i = 0; i < 7; i++) {
		const char *v[7];

		for (size_t k = 0; k < 7; k++)
			v[k] = k == i ? other[k] : base[k];
		snprintf(b, sizeof(b), frame, v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
		assert_hash(a, b, false);
	}
	assert_hash(a, a, true);
}

/* ---- limits ---------------------------------------------------------------------------- */

static void a_file_beyond_one_mebibyte_is_refused(void **state)
{
	(void)state;
	size_t len = 1024 * 1024 + 1;
	char *text = malloc(len);

	assert_non_null(text);
	memset(text, ' ', len);
	assert_non_null(
		strstr(refused(span_of(text, len)), "larger than 1048576 octets"));

	static struct reported r;
	struct config *c = parse_as("test", span_of(text, len - 1), &r);
	assert_non_null(c);
	config_free(c);
	free(text);
}

/* n times the text, on the heap. */
static char *repeat(const char *text, size_t n, struct span *out)
{
	size_t len = strlen(text);
	char *all = malloc(n * len);

	assert_non_null(all);
	for (size_t i = 0; i < n; i++)
		memcpy(all + i * len, text, len);
	*out = span_of(all, n * len);
	return all;
}

static void assert_refused_repeat(const char *text, size_t n, const char *why)
{
	struct span all;
	char *memory = repeat(text, n, &all);

	assert_non_null(strstr(refused(all), why));
	free(memory);
}

static void what_a_strangers_file_may_cost_is_bounded(void **state)
{
	(void)state;
	assert_refused_repeat("a{", 400000, "blocks are nested too deeply");
	assert_refused_repeat("a ", 400000, "too many words in one file");
	assert_refused_repeat("a", 300, "too long");
	assert_refused_repeat("vip \"v\" { }\n", 100, "too many in one file: at most 63");
	assert_refused_repeat("assign x;\n", 1000, "too many in one file: at most 256");
	assert_refused_repeat("}", 100000, "99980 more errors are not shown");
	assert_refused_repeat("\"", 100001, "");
}

static void octets_that_are_no_text_are_refused(void **state)
{
	(void)state;
	static const uint8_t nul[] = "cluster { }\0cluster { }";
	static const uint8_t high[] = "vip \"caf\xc3\xa9\" { address 192.0.2.1; }";

	assert_non_null(
		strstr(refused(span_of(nul, sizeof(nul) - 1)), "unexpected character"));
	assert_non_null(
		strstr(refused(span_of(high, sizeof(high) - 1)), "printable ASCII"));
}

static void what_is_reported_is_printable(void **state)
{
	(void)state;
	const char *text = refused(span_text("\x1b[31mred; $\x07;"));

	for (const char *p = text; *p != '\0'; p++)
		assert_true(*p == '\n' || (*p >= ' ' && *p <= '~'));
}

static void a_file_that_ends_anywhere_is_no_crash(void **state)
{
	(void)state;
	static struct reported r;

	for (size_t len = 0; len < sizeof(rules_text); len++)
		config_free(parse_as("test", span_of(rules_text, len), &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_the_documented_defaults),
		cmocka_unit_test(the_data_plane_has_its_place),
		cmocka_unit_test(what_a_rule_says_comes_before_its_vip),
		cmocka_unit_test(additional_key_exchanges_have_their_places),
		cmocka_unit_test(ml_kem_stands_behind_another),
		cmocka_unit_test(the_built_in_proposal_begins_with_x25519),
		cmocka_unit_test(settings_are_taken_over),
		cmocka_unit_test(a_rule_carries_action_proposal_and_authentication),
		cmocka_unit_test(a_key_is_read_without_its_final_newline),
		cmocka_unit_test(rules_that_treat_traffic_alike_share_a_binding),
		cmocka_unit_test(each_scope_has_its_own_spd),
		cmocka_unit_test(on_the_host_me_is_every_address),
		cmocka_unit_test(layout_does_not_change_the_hash),
		cmocka_unit_test(every_meaning_changes_the_hash),
		cmocka_unit_test(a_file_beyond_one_mebibyte_is_refused),
		cmocka_unit_test(what_a_strangers_file_may_cost_is_bounded),
		cmocka_unit_test(octets_that_are_no_text_are_refused),
		cmocka_unit_test(what_is_reported_is_printable),
		cmocka_unit_test(a_file_that_ends_anywhere_is_no_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
