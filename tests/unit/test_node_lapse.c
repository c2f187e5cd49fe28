/* tests/unit/test_node_lapse.c - what a peer has proved itself with ends while its SAs are
 * up: a date comes, a CA takes it back, a configuration believes it no more.
 */
#include "node_lab.h"
#include "pki_lab.h"

#include "node_conf.h"

#include <stdio.h>

enum { SERVER, CLIENT, HOUR_S = 3600, MINUTE_MS = 60000 };

#define CRL_URL "http://ca.example/crl"
#define IDENTITY(name, more) \
	"identity \"i\" { cert \"/c/" name "\"; key \"/c/" name "\"; " more " }\n"
#define RULE                                                                        \
	"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth cert " \
	"\"i\"; } }\nassign policy \"p\" to "
#define LONG "tuning { idle-lifetime 30d; }\n"
#define SERVER_OF(more)                                                                 \
	ALONE LONG "vip \"mail\" { address 192.0.2.10; }\n" IDENTITY(                   \
		"server", more) "filter-list \"mail\" { from vip \"mail\" port 143 to " \
				"any proto tcp "                                        \
				"mirrored; }\n" TRANSPORT RULE "vip \"mail\";\n"
#define CLIENT_OF(more)                                                                  \
	ALONE LONG IDENTITY("client",                                                    \
		more) "filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp " \
		      "mirrored; }\n" TRANSPORT RULE "host;\n"
#define CA "ca \"/c/ca\"; "

/* What the files hold at the moment. */
static struct pki_node *ca, *other_ca, *server, *client;
static struct span crl;

static bool each_file(void *ctx, const char *path,
	void (*take)(void *to, const char *file, struct span bytes), void *to, char *why,
	size_t why_cap)
{
	(void)ctx, (void)why, (void)why_cap;
	const struct pki_node *node = strstr(path, "server")   ? server
				      : strstr(path, "client") ? client
				      : strstr(path, "other")  ? other_ca
							       : ca;

	take(to, path, strstr(path, "crl") ? crl : pki_der(node));
	return true;
}

static struct private_key *key_file(void *ctx, const char *uri, char *why, size_t why_cap)
{
	(void)ctx, (void)why, (void)why_cap;
	return pki_key(strstr(uri, "server") ? server : client);
}

static const struct config_files files = {.each = each_file, .key = key_file};

static struct pki_node *leaf(const char *name, int64_t left_s, const char *crl_url)
{
	char san[64];
	const struct pki_spec spec = {.subject = "CN=leaf",
		.san = san,
		.issuer = ca,
		.until_s = PKI_NOW + left_s,
		.crl_url = crl_url};

	snprintf(san, sizeof(san), "DNS:%s.example", name);
	return pki_new(&spec);
}

static int set_up(void **state)
{
	const struct pki_spec root = {.subject = "CN=Root", .ca = true};
	const struct pki_spec another = {.subject = "CN=Other", .ca = true};

	(void)state;
	ca = pki_new(&root);
	other_ca = pki_new(&another);
	server = leaf("server", 300 * PKI_DAY, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_free(server);
	pki_free(client);
	pki_free(other_ca);
	pki_free(ca);
	pki_octets_free(crl);
	client = NULL;
	crl = span_of(NULL, 0);
	return 0;
}

static void set_crl(const struct pki_node *revoked, int64_t now_s)
{
	pki_octets_free(crl);
	crl = pki_crl(ca, revoked, now_s - 60, now_s + HOUR_S + 137);
}

static struct lab *up(const char *of_server, int64_t left_s, const char *crl_url)
{
	struct lab *l = lab_new();

	client = leaf("client", left_s, crl_url);
	l->wall_s = PKI_NOW;
	l->files = &files;
	lab_start(l, SERVER, of_server);
	lab_start(l, CLIENT, CLIENT_OF(CA));
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 2000);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(lab_up(l, CLIENT), 1);
	return l;
}

static int64_t wall_s(const struct lab *l)
{
	return l->wall_s + (int64_t)(l->now_ms - LAB_BEGINS_MS) / 1000;
}

/* Both have an SA all the time. */
static void stays_for(struct lab *l, int64_t s)
{
	for (int64_t end_s = wall_s(l) + s; wall_s(l) < end_s;) {
		lab_run(l, 1000);
		if (l->node[SERVER].n_child == 0 || l->node[CLIENT].n_child == 0)
			fail_msg("%s", l->node[SERVER].log);
	}
	assert_int_equal(lab_count(l, SERVER, "event peer-certificate"), 0);
}

/* Within so many seconds; the peer is told, and the line says why. */
static void ends_within(struct lab *l, uint64_t s, const char *why)
{
	lab_run(l, s * 1000);
	assert_int_equal(l->node[SERVER].n_child, 0);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	assert_int_equal(lab_count(l, SERVER, "event peer-certificate"), 1);
	if (lab_count(l, SERVER, why) != 1)
		fail_msg("%s", l->node[SERVER].log);
	assert_true(lab_count(l, CLIENT, "the peer deleted it") > 0);
	assert_non_null(strstr(lab_peer(l, SERVER).reason, why));
}

static void on_its_last_day(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 3 * HOUR_S + 337, NULL);
	int64_t left_s = PKI_NOW + 3 * HOUR_S + 337 - wall_s(l);

	(void)state;
	stays_for(l, left_s - 2);
	/* It was asked in time, and again, and had nothing newer to show. */
	assert_in_range(lab_count(l, SERVER, "event child-up"), 2, 9);
	ends_within(l, 4, "expired: its certificate (CN=leaf) was good until");
	lab_run(l, 24 * 60 * MINUTE_MS);
	assert_int_equal(lab_count(l, SERVER, "event peer-certificate"), 1);
	lab_free(l);
}

static void renewed_in_time(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 3 * HOUR_S + 337, NULL);

	(void)state;
	stays_for(l, HOUR_S);
	pki_free(client);
	client = leaf("client", 300 * PKI_DAY, NULL);
	lab_reload(l, CLIENT, CLIENT_OF(CA));
	assert_int_equal(lab_count(l, SERVER, "event ike-down"), 0); /* for SAs to come */
	stays_for(l, 3 * HOUR_S);
	lab_free(l);
}

/* Two seconds of a life are not worth an IKE SA. */
static void shown_in_its_last_minute(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 50, NULL);

	(void)state;
	stays_for(l, 46);
	assert_int_equal(lab_count(l, SERVER, "event child-up"), 1);
	ends_within(l, 4, "expired: ");
	lab_free(l);
}

static void the_clock_was_wrong(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 3 * HOUR_S + 337, NULL);

	(void)state;
	l->wall_s += 4 * HOUR_S;
	ends_within(l, 601, "expired: ");
	lab_free(l);
}

static void until_somebody_deletes_it_if_so_configured(void **state)
{
	struct lab *l = up(SERVER_OF(CA "lapse keep; "), 600, NULL);

	(void)state;
	stays_for(l, 2 * HOUR_S);
	lab_free(l);
}

/* The list that was fetched is out of date after an hour; the next one names the peer. */
static void revoked_by_the_next_crl(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 300 * PKI_DAY, CRL_URL);

	(void)state;
	assert_int_equal(lab_count(l, SERVER, "fetch 1 " CRL_URL), 1);
	set_crl(NULL, wall_s(l));
	lab_fetched(l, SERVER, crl);
	stays_for(l, HOUR_S + 135);
	assert_int_equal(lab_count(l, SERVER, "fetch 2 "), 0);
	stays_for(l, 4);
	assert_int_equal(lab_count(l, SERVER, "fetch 2 " CRL_URL), 1);
	set_crl(client, wall_s(l));
	lab_fetched(l, SERVER, crl);
	ends_within(l, 1, "revoked: its certificate (CN=leaf) was revoked by its CA");
	lab_free(l);
}

/* One that comes in vain is asked for again after a minute, not after the next ten. */
static void a_crl_that_is_late(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 300 * PKI_DAY, CRL_URL);

	(void)state;
	set_crl(NULL, wall_s(l) - HOUR_S - 107); /* out of date in half a minute */
	lab_fetched(l, SERVER, crl);
	stays_for(l, 58);
	assert_int_equal(lab_count(l, SERVER, "fetch 2 " CRL_URL), 0);
	stays_for(l, 64);
	assert_int_equal(lab_count(l, SERVER, "fetch 2 " CRL_URL), 1);
	set_crl(client, wall_s(l));
	lab_fetched(l, SERVER, crl);
	ends_within(l, 1, "revoked: ");
	lab_free(l);
}

/* A responder that is down ends nothing: neither what is let pass nor what is strict. */
static void nobody_says_whether_it_is_revoked(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 300 * PKI_DAY, CRL_URL);

	(void)state;
	lab_fetched(l, SERVER, span_of(NULL, 0));
	lab_reload(l, SERVER, SERVER_OF(CA "revocation strict; "));
	for (unsigned hour = 0; hour < 3; hour++) {
		stays_for(l, HOUR_S);
		lab_fetched(l, SERVER, span_of(NULL, 0));
	}
	assert_true(lab_count(l, SERVER, "fetch ") > 2);
	lab_free(l);
}

static void revoked_by_a_file_that_a_reload_brings(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 300 * PKI_DAY, NULL);

	(void)state;
	set_crl(server, wall_s(l)); /* somebody else */
	lab_reload(l, SERVER, SERVER_OF(CA "crl \"/c/crl\"; "));
	stays_for(l, 60);
	set_crl(client, wall_s(l));
	lab_reload(l, SERVER, SERVER_OF(CA "crl \"/c/crl\"; revocation off; "));
	stays_for(l, 60);
	lab_reload(l, SERVER, SERVER_OF(CA "crl \"/c/crl\"; "));
	ends_within(l, 1, "revoked: ");
	lab_free(l);
}

/* One more CA changes nothing; without its own the peer is nobody's. */
static void its_ca_is_taken_away(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 300 * PKI_DAY, NULL);

	(void)state;
	lab_reload(l, SERVER, SERVER_OF(CA "ca \"/c/other\"; "));
	stays_for(l, 60);
	lab_reload(l, SERVER, SERVER_OF("ca \"/c/other\"; "));
	ends_within(l, 1, "wrong CA");
	lab_free(l);
}

/* What was rekeyed goes back to the same proof. */
static void rekeying_puts_nothing_off(void **state)
{
	struct lab *l = up(SERVER_OF(CA), 3 * HOUR_S + 337, NULL);
	struct node_event ev = {.kind = NODE_REKEY};

	(void)state;
	ev.u.command.key = "ike";
	lab_step(l, CLIENT, &ev);
	stays_for(l, 60);
	assert_int_equal(lab_count(l, SERVER, "event ike-rekeyed"), 1);
	l->wall_s += 4 * HOUR_S;
	ends_within(l, 601, "expired: ");
	lab_free(l);
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(on_its_last_day),
		LAB_TEST(renewed_in_time),
		LAB_TEST(shown_in_its_last_minute),
		LAB_TEST(the_clock_was_wrong),
		LAB_TEST(until_somebody_deletes_it_if_so_configured),
		LAB_TEST(revoked_by_the_next_crl),
		LAB_TEST(a_crl_that_is_late),
		LAB_TEST(nobody_says_whether_it_is_revoked),
		LAB_TEST(revoked_by_a_file_that_a_reload_brings),
		LAB_TEST(its_ca_is_taken_away),
		LAB_TEST(rekeying_puts_nothing_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
