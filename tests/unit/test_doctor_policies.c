/* What `vipsec doctor` takes for ours among policies, beside what the kernel plane claims. */
#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/iana.h"
#include "config_files.h"
#include "doctor/judge.h"
#include "doctor/look.h"
#include "fake_kernel.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"

/* Two addresses, of which the second must not be taken for the host's. */
#define TWO_FAMILIES(esp)                                                            \
	"vip \"v\" { address 192.0.2.10, 2001:db8::10; }"                            \
	"secret \"k\" { psk file \"/keys/one\"; }"                                   \
	"proposal \"p\" { " esp " }"                                                 \
	"filter-action \"a\" { negotiate require; mode transport; proposal \"p\"; }" \
	"filter-list \"web\" { from me port 80 to any proto tcp mirrored; }"         \
	"policy \"p\" { rule \"web\" { match \"web\"; action \"a\"; auth psk "       \
	"\"k\"; } }"                                                                 \
	"assign policy \"p\" to vip \"v\";"
#define WITH_ESP TWO_FAMILIES("esp aes256gcm16;")
#define WITH_AH TWO_FAMILIES("ah sha256;")

static struct patient *patient_with(const char *text, bool ah)
{
	struct patient *p = calloc(1, sizeof(*p));
	static struct reported r;

	assert_non_null(p);
	p->in_kernel = true;
	p->wants_ah = ah;
	p->config = parse_as("test.conf", span_text(text), &r);
	if (!p->config)
		fail_msg("%s", r.text);
	look_own(p);
	return p;
}

static void discharge(struct patient *p)
{
	config_free(p->config);
	free(p);
}

static struct facts_policies *looked(const struct patient *p)
{
	struct facts_policies *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	look_policies(p, x);
	assert_true(x->offered);
	return x;
}

static const char *judged(const struct facts_policies *x)
{
	static struct findings found;

	memset(&found, 0, sizeof(found));
	found.topic = "test";
	judge_policies(x, &found);
	assert_int_equal(found.n, 1);
	return found.at[0].text;
}

/* Somebody's, about one protocol (and port) of an address of ours. */
static void foreign_policy(
	const char *own, uint8_t proto, uint16_t port, uint32_t priority)
{
	const struct addr a = unit_addr(own);
	struct request_policy *p = &fake.policies[fake.n_policies++];

	*p = (struct request_policy){.dir = XFRM_POLICY_OUT,
		.action = XFRM_POLICY_BLOCK,
		.priority = priority};
	p->sel.family = select_family(&a);
	p->sel.saddr = select_addr(&a);
	p->sel.prefixlen_s = (uint8_t)(8 * addr_len(&a));
	p->sel.proto = proto;
	if (port == 0)
		return;
	p->sel.sport = htons(port);
	p->sel.sport_mask = 0xffff;
}

static void expect_found(const char *what)
{
	struct patient *p = patient_with(WITH_ESP, false);
	struct facts_policies *x = looked(p);
	const char *text = judged(x);

	if (!strstr(text, what))
		fail_msg("'%s' has not '%s'", text, what);
	free(x);
	discharge(p);
	fake_reset();
}

static void a_second_address_is_its_vips(void **state)
{
	(void)state;
	foreign_policy("192.0.2.10", IP_UDP, IKE_PORT, 1 << 20);
	expect_found("none before ours");
	foreign_policy("2001:db8::10", IP_UDP, IKE_PORT, 1 << 20);
	expect_found("none before ours");
	foreign_policy("2001:db8::10", IP_UDP, IKE_PORT, 1000);
	expect_found("before IKE of 2001:db8::10");
	foreign_policy("2001:db8::10", IP_UDP, IKE_NATT_PORT, 1000);
	expect_found("before IKE of 2001:db8::10");
	foreign_policy("2001:db8::10", IP_ESP, 0, 1000);
	expect_found("before ESP of 2001:db8::10");
}

static void exemptions_come_before_entries(void **state)
{
	(void)state;
	foreign_policy("192.0.2.10", IP_UDP, IKE_PORT, 1025);
	expect_found("none before ours");
	foreign_policy("192.0.2.10", IP_TCP, 80, 1025);
	expect_found("before rule \"web\"");
}

static void ah_is_ours_where_a_rule_asks_for_it(void **state)
{
	struct patient *p = patient_with(WITH_AH, true);
	struct facts_policies *x;

	(void)state;
	foreign_policy("2001:db8::10", IP_AH, 0, 1000);
	x = looked(p);
	assert_non_null(strstr(judged(x), "before AH of 2001:db8::10"));
	free(x);
	discharge(p);
	foreign_policy("2001:db8::10", IP_AH, 0, 1000);
	expect_found("none before ours");
}

/* ---- beside the kernel plane ------------------------------------------------------------ */

/* Of what the kernel plane has claimed: the one for this traffic of ours on its way out. */
static uint32_t claimed_priority(const struct ts *local)
{
	uint32_t best = UINT32_MAX;

	for (size_t i = 0; i < fake.n_policies; i++) {
		const struct request_policy *p = &fake.policies[i];
		struct addr a = select_addr_read(&p->sel.saddr, p->sel.family);
		bool any = p->sel.prefixlen_s == 0 && a.family == local->lo.family;

		if (p->dir != XFRM_POLICY_OUT || p->sel.proto != local->proto ||
			(!any && !addr_equal(&a, &local->lo)) ||
			(p->sel.sport_mask != 0 && ntohs(p->sel.sport) != local->port_lo))
			continue;
		if (p->priority < best)
			best = p->priority;
	}
	return best;
}

static void claim_scope(struct claims *claims, struct claimant *owner,
	const struct config *c, uint16_t scope)
{
	bool is_host = scope == config_host_scope(c);
	struct spd *spd = config_spd(c, scope);
	const struct rules_scope of = {.scope = scope,
		.is_host = is_host,
		.spd = spd,
		.addrs = is_host ? NULL : c->vips[scope].addrs,
		.n_addrs = is_host ? 0 : c->vips[scope].n_addrs};

	claimant_init(owner, scope);
	assert_int_equal(rules_claim_scope(claims, owner, &of), 0);
	spd_free(spd);
}

static void numbers_are_those_that_the_kernel_plane_gives(void **state)
{
	static struct seeded_entropy seed;
	const struct entropy e = unit_entropy(&seed);
	struct patient *p = patient_with(WITH_AH, true);
	struct claims *claims = claims_new(&e, request_open());
	struct claimant vip, host;

	(void)state;
	p->own[p->n_own++] = (struct own_address){unit_addr("192.0.2.1"), true};
	p->own[p->n_own++] = (struct own_address){unit_addr("2001:db8::1"), true};
	p->config->host_policy = p->config->vips[0].policy;
	struct facts_policies *x = looked(p);
	claim_scope(claims, &vip, p->config, 0);
	claim_scope(claims, &host, p->config, config_host_scope(p->config));
	assert_int_equal(x->n_ours, 2 * 2 + 4 * p->n_own);
	for (size_t i = 0; i < x->n_ours; i++)
		if (x->ours[i].priority != claimed_priority(&x->ours[i].local))
			fail_msg("%s: %u", x->ours[i].what, x->ours[i].priority);
	claims_drop(claims, &vip);
	claims_drop(claims, &host);
	claims_free(claims);
	free(x);
	discharge(p);
}

static int begin(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_second_address_is_its_vips, begin),
		cmocka_unit_test_setup(exemptions_come_before_entries, begin),
		cmocka_unit_test_setup(ah_is_ours_where_a_rule_asks_for_it, begin),
		cmocka_unit_test_setup(
			numbers_are_those_that_the_kernel_plane_gives, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
