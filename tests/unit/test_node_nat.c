/* A client behind a NAT, and a cluster that has to call it back. */
#include "node_conf.h"
#include "node_lab.h"

#include "base/iana.h"
#include "replica/peers.h"

#include <stdio.h>

#define TUNNEL_SERVER(cluster)                                                         \
	cluster "vip \"mail\" { address 192.0.2.10; }\n" SECRET                        \
		"filter-list \"mail\" { from vip \"mail\" port 143 to any proto tcp "  \
		"mirrored; }\n"                                                        \
		"filter-action \"esp\" { negotiate require; mode tunnel; }\n"          \
		"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth " \
		"psk \"lab\" local-id \"mail.example\" remote-id any; } }\n"           \
		"assign policy \"p\" to vip \"mail\";\n"
#define TUNNEL_CLIENT                                                                    \
	ALONE SECRET                                                                     \
		"filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp "       \
		"mirrored; }\n"                                                          \
		"filter-action \"esp\" { negotiate require; mode tunnel to 192.0.2.10; " \
		"}\n"                                                                    \
		"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth "   \
		"psk \"lab\" local-id \"client.example\" remote-id \"mail.example\"; } " \
		"}\nassign policy \"p\" to host;\n"

/* The same, and a rule for another port beside it. */
#define TWO(action, ids)                                                             \
	"filter-action \"esp\" { negotiate require; mode tunnel" action "; }\n"      \
	"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth psk "   \
	"\"lab\" " ids "; } rule \"pop\" { match \"pop\"; action \"esp\"; auth psk " \
	"\"lab\" " ids "; } }\n"
#define TUNNEL_SERVER2(more)                                                             \
	WEB "vip \"mail\" { address 192.0.2.10; }\n" SECRET                              \
	    "filter-list \"mail\" { from vip \"mail\" port 143 to any proto tcp "        \
	    "mirrored; }\n"                                                              \
	    "filter-list \"pop\" { from vip \"mail\" port 110 to any proto tcp "         \
	    "mirrored; }\n" TWO(more,                                                    \
		    "local-id \"mail.example\" remote-id any") "assign policy \"p\" to " \
							       "vip \"mail\";\n"
#define TUNNEL_CLIENT2(more)                                                            \
	ALONE SECRET "filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp " \
		     "mirrored; }\n"                                                    \
		     "filter-list \"pop\" { from me to 192.0.2.10 port 110 proto tcp "  \
		     "mirrored; }\n" TWO(" to 192.0.2.10" more,                         \
			     "local-id \"client.example\" remote-id "                   \
			     "\"mail.example\"") "assign policy "                       \
						 "\"p\" to host;\n"

enum { M1, M2, CLIENT };
#define PRIVATE "10.9.9.9"
#define PUBLIC "203.0.113.5"

static struct lab *nat_between(
	const char *server, unsigned members, const char *client, uint16_t port)
{
	struct lab *l = lab_new();

	l->inside = unit_addr(PRIVATE);
	l->outside = unit_addr(PUBLIC);
	l->nat_shift = 20000;
	for (unsigned i = 0; i < members; i++)
		lab_start(l, i, server);
	lab_group(l, (1u << members) - 1);
	lab_run(l, 10);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_start(l, CLIENT, client);
	lab_address(l, CLIENT, PRIVATE, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_acquire(l, CLIENT, 0, PRIVATE, VIP, port);
	lab_run(l, 100);
	assert_int_equal(lab_up(l, M1), 1);
	assert_int_equal(lab_up(l, CLIENT), 1);
	return l;
}

static struct lab *behind_nat(const char *server, unsigned members)
{
	return nat_between(server, members, TUNNEL_CLIENT, 143);
}

static void tunnel_through_a_nat(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 1);
	struct peer_view v = lab_peer(l, M1);

	(void)state;
	assert_true(v.nat && v.callable);
	assert_int_equal(v.remote.port, 24500);
	assert_true(l->node[M1].child[0].c.encap);
	assert_int_equal(l->node[M1].child[0].c.mode, POLICY_TUNNEL);
	lab_free(l);
}

/* The new owner calls through the mapping that the NAT still has. */
static void taken_over_through_the_nat(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 2);

	(void)state;
	lab_kill(l, M1);
	lab_group(l, 1u << M2);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, M2), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	lab_free(l);
}

/* A member comes back with the port on its disk that the NAT had given before; the owner
 * names the new one only, and the old one is not called. */
static void what_moved_while_a_member_was_away_is_called_once(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 2);
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	lab_run(l, 1000);
	lab_kill(l, M2);
	lab_group(l, 1u << M1);
	l->nat_shift = 30000;
	ev.u.notice.kind = ESP_MAPPING;
	ev.u.notice.id = l->node[M1].child[0].c.id;
	ev.u.notice.remote = (struct endpoint){.addr = l->outside, .port = 34500};
	lab_step(l, M1, &ev);
	lab_run(l, 1000);
	lab_restart(l, M2, TUNNEL_SERVER(WEB));
	lab_group(l, 1u << M1 | 1u << M2);
	lab_run(l, 1000);
	lab_kill(l, M1);
	lab_group(l, 1u << M2);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 20);
	assert_int_equal(lab_count(l, M2, "to 203.0.113.5:24500"), 0);
	assert_int_equal(lab_up(l, M2), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	lab_free(l);
}

/* Two records of one peer: where it is, and where it was. */
static void tell_where_it_was(
	struct lab *l, const char *rule, const struct identity *remote_id)
{
	uint8_t bytes[REPLICA_RECORD_MAX + 8];
	struct writer w = wr_over(bytes, sizeof(bytes));
	struct replica_peer r = {.vip = "mail",
		.local = unit_addr(VIP),
		.remote = {.addr = unit_addr(PUBLIC), .port = 24499},
		.natt = true,
		.behind = true,
		.remote_id = *remote_id};
	struct node_event ev = {.kind = NODE_MESSAGE};

	snprintf(r.rule, sizeof(r.rule), "%s", rule);
	wr_bytes(&w, span_text("VS\x01\x04"));
	replica_write_put(&w, &r);
	assert_true(wr_ok(&w));
	ev.u.message.from = 1;
	ev.u.message.bytes = wr_span(&w);
	lab_step(l, M2, &ev);
}

/* Its call is not answered there; since it is up elsewhere, that is no failure. */
static void a_call_to_where_a_peer_was_is_no_failure(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 2);
	const struct identity client = lab_peer(l, M1).remote_id;

	(void)state;
	tell_where_it_was(l, "mail", &client);
	lab_kill(l, M1);
	lab_group(l, 1u << M2);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 20000);
	assert_true(lab_count(l, M2, "to 203.0.113.5:24499") > 0);
	assert_int_equal(lab_up(l, M2), 1);
	assert_int_equal(lab_count(l, M2, "event peer-failed"), 0);
	lab_forget_log(l, M2);
	lab_run(l, 60000);
	assert_int_equal(lab_count(l, M2, "to 203.0.113.5:24499"), 0);
	lab_free(l);
}

/* Two rules, and two places each: when one has its IKE SA, the other is asked for in it at
 * one of its places only, else it would have two children for ever.
 *
 *	owner                            client
 *	  IKE_SA_INIT, IKE_AUTH (mail) --->	at the port where it is
 *	  IKE_SA_INIT ----> (lost)		at the one where it was
 *	  CREATE_CHILD_SA (pop) --------->
 */
static void a_further_child_is_asked_for_at_one_place(void **state)
{
	struct lab *l = nat_between(TUNNEL_SERVER2(""), 2, TUNNEL_CLIENT2(""), 143);
	const struct identity client = lab_peer(l, M1).remote_id;

	(void)state;
	lab_acquire(l, CLIENT, 0, PRIVATE, VIP, 110);
	lab_run(l, 100);
	assert_int_equal(lab_up(l, M1), 2);
	tell_where_it_was(l, "mail", &client);
	tell_where_it_was(l, "pop", &client);
	lab_kill(l, M1);
	lab_group(l, 1u << M2);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 1000);
	assert_true(lab_count(l, M2, "to 203.0.113.5:24499") > 0);
	assert_int_equal(lab_up(l, M2), 2);
	assert_int_equal(l->node[M2].n_child, 2);
	lab_free(l);
}

static void client_behind_nat_keeps_the_mapping_alive(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 1);

	(void)state;
	lab_run(l, 100000);
	assert_in_range(lab_count(l, CLIENT, "keepalive"), 4, 6);
	assert_int_equal(lab_count(l, M1, "keepalive"), 0);
	lab_free(l);
}

/* The NAT forgot the port; authentic traffic shows the new one, also to the standby. */
static void a_new_mapping_is_followed(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 2);
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	l->nat_shift = 30000;
	ev.u.notice.kind = ESP_MAPPING;
	ev.u.notice.id = l->node[M1].child[0].c.id;
	ev.u.notice.remote = (struct endpoint){.addr = l->outside, .port = 34500};
	lab_step(l, M1, &ev);
	assert_int_equal(lab_count(l, M1, "sa-move"), 1);
	assert_int_equal(lab_peer(l, M1).remote.port, 34500);
	lab_run(l, 100);
	lab_kill(l, M1);
	lab_group(l, 1u << M2);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, M2), 1);
	lab_free(l);
}

/* Whose IKE SA it is that begins without a child can only be guessed. Here it is counted to
 * "pop", of which there is no traffic; and when the peer's port has changed nobody calls for
 * that rule.
 *
 *	client                              owner
 *	  IKE_SA_INIT, IKE_AUTH ----------->	"pop"
 *	  CREATE_CHILD_SA ----------------->	"mail"
 *	  ESP from another port ----------->
 *	                                    (dies)
 *	            <-- IKE_SA_INIT, IKE_AUTH "mail", from the new owner
 */
static void a_rule_without_a_child_is_called_for_by_nobody(void **state)
{
	struct lab *l = nat_between(TUNNEL_SERVER2("; childless force"), 2,
		TUNNEL_CLIENT2("; childless force"), 143);
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	assert_int_equal(lab_count(l, M1, "rule pop: an IKE SA without a child"), 1);
	l->nat_shift = 30000;
	ev.u.notice.kind = ESP_MAPPING;
	ev.u.notice.id = l->node[M1].child[0].c.id;
	ev.u.notice.remote = (struct endpoint){.addr = l->outside, .port = 34500};
	lab_step(l, M1, &ev);
	assert_int_equal(lab_count(l, M1, "sa-move"), 1);
	lab_run(l, 1000);
	lab_kill(l, M1);
	lab_group(l, 1u << M2);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 1000);
	assert_int_equal(lab_count(l, M2, "calling 1 known peer"), 1);
	assert_int_equal(lab_up(l, M2), 1);
	assert_int_equal(l->node[M2].n_child, 1);
	lab_free(l);
}

#define TRANSPORT_SERVER                                                             \
	ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET                        \
	      "filter-list \"mail\" { from vip \"mail\" port 143 to any proto tcp "  \
	      "mirrored; }\n" TRANSPORT                                              \
	      "policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth " \
	      "psk \"lab\" local-id \"mail.example\" remote-id any; } }\n"           \
	      "assign policy \"p\" to vip \"mail\";\n"
#define TRANSPORT_CLIENT                                                                 \
	ALONE SECRET                                                                     \
		"filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp "       \
		"mirrored; }\n" TRANSPORT                                                \
		"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth "   \
		"psk \"lab\" local-id \"client.example\" remote-id \"mail.example\"; } " \
		"}\nassign policy \"p\" to host;\n"

/* In transport mode the selectors are the address that the NAT gave; it gives another one
 * now, and the peer is called there. */
static void a_new_address_is_called_with_selectors_for_it(void **state)
{
	struct lab *l = lab_new();
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	l->inside = unit_addr(PRIVATE);
	l->outside = unit_addr(PUBLIC);
	l->nat_shift = 20000;
	lab_start(l, M1, TRANSPORT_SERVER);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_start(l, CLIENT, TRANSPORT_CLIENT);
	lab_address(l, CLIENT, PRIVATE, NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, PRIVATE, VIP, 143);
	lab_run(l, 100);
	assert_int_equal(lab_up(l, M1), 1);

	l->outside = unit_addr("203.0.113.6");
	ev.u.notice.kind = ESP_MAPPING;
	ev.u.notice.id = l->node[M1].child[0].c.id;
	ev.u.notice.remote = (struct endpoint){.addr = l->outside, .port = 24500};
	lab_step(l, M1, &ev);
	assert_int_equal(lab_count(l, M1, "sa-move"), 1);
	l->cut = true;
	lab_usage(l, M1)->unanswered_since_ms = l->now_ms;
	lab_usage(l, M1)->last_out_ms = l->now_ms;
	lab_run(l, 301000);
	assert_int_equal(lab_up(l, M1), 0);
	l->cut = false;
	lab_run(l, 20000);
	assert_int_equal(lab_up(l, M1), 1);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* ---- two clients behind one NAT, in transport mode (RFC 3948 5.2) */

#define PRIVATE_TOO "10.9.9.10"
#define TRANSPORT_CLUSTER                                                              \
	WEB "vip \"mail\" { address 192.0.2.10; }\n" SECRET                            \
	    "filter-list \"mail\" { from vip \"mail\" port 143 to any proto tcp "      \
	    "mirrored; }\n" TRANSPORT                                                  \
	    "policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth psk " \
	    "\"lab\" local-id \"mail.example\" remote-id any; } }\n"                   \
	    "assign policy \"p\" to vip \"mail\";\n"
#define TRANSPORT_NAMED(name)                                                          \
	ALONE SECRET                                                                   \
		"filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp "     \
		"mirrored; }\n" TRANSPORT                                              \
		"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth " \
		"psk \"lab\" local-id \"" name "\" remote-id \"mail.example\"; } "     \
		"}\nassign policy \"p\" to host;\n"

enum { TOO = 3 };

static void client_calls(struct lab *l, unsigned i, const char *name, const char *addr)
{
	lab_start(l, i, name);
	lab_address(l, i, addr, NODE_ADDR_PRESENT);
	lab_acquire(l, i, 0, addr, VIP, 143);
	lab_run(l, 100);
}

static struct lab *both_behind_one_nat(void)
{
	struct lab *l = lab_new();

	l->inside = unit_addr(PRIVATE);
	l->inside_too = unit_addr(PRIVATE_TOO);
	l->outside = unit_addr(PUBLIC);
	l->nat_shift = 20000;
	for (unsigned i = M1; i <= M2; i++)
		lab_start(l, i, TRANSPORT_CLUSTER);
	lab_group(l, 1u << M1 | 1u << M2);
	lab_run(l, 10);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	client_calls(l, CLIENT, TRANSPORT_NAMED("client.example"), PRIVATE);
	client_calls(l, TOO, TRANSPORT_NAMED("another.example"), PRIVATE_TOO);
	return l;
}

/* Both are taken, with equal selectors; the data path hears that they are two. */
static void two_in_transport_mode_are_both_taken(void **state)
{
	struct lab *l = both_behind_one_nat();
	const struct lab_node *m = &l->node[M1];

	(void)state;
	assert_int_equal(lab_up(l, M1), 2);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(lab_up(l, TOO), 1);
	assert_int_equal(m->n_child, 2);
	assert_true(ts_list_equal(&m->child[0].c.remote_ts, &m->child[1].c.remote_ts));
	assert_true(m->child[0].c.owner != 0 && m->child[1].c.owner != 0);
	assert_true(m->child[0].c.owner != m->child[1].c.owner);
	assert_int_equal(l->node[CLIENT].child[0].c.owner, 0);
	assert_int_equal(lab_count(l, M1, "event selectors-taken"), 0);
	lab_run(l, 30000);
	assert_int_equal(lab_up(l, M1), 2);
	lab_free(l);
}

/* The new owner knows both, and calls each at its port of the NAT. */
static void both_are_called_after_a_takeover(void **state)
{
	struct lab *l = both_behind_one_nat();

	(void)state;
	lab_run(l, 1000);
	lab_kill(l, M1);
	lab_group(l, 1u << M2);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 50);
	assert_int_equal(lab_up(l, M2), 2);
	assert_true(lab_count(l, M2, "to 203.0.113.5:24500") > 0);
	assert_true(lab_count(l, M2, "to 203.0.113.5:34500") > 0);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(l->node[TOO].n_child, 1);
	assert_true(l->node[M2].child[0].c.owner != l->node[M2].child[1].c.owner);
	lab_free(l);
}

/* The number is the identity's: with new keys, or called anew, it is the same. */
static void a_new_sa_has_the_old_owner(void **state)
{
	struct lab *l = both_behind_one_nat();
	uint64_t owner = l->node[M1].child[1].c.owner;

	(void)state;
	lab_kill(l, TOO);
	client_calls(l, TOO, TRANSPORT_NAMED("another.example"), PRIVATE_TOO);
	assert_int_equal(lab_up(l, M1), 2);
	bool found = false;
	for (unsigned i = 0; i < l->node[M1].n_child; i++)
		found = found || l->node[M1].child[i].c.owner == owner;
	assert_true(found);
	lab_free(l);
}

/* What is answered to a client whose SA is gone calls that client, not the other one. */
static void traffic_for_one_calls_that_one(void **state)
{
	struct lab *l = both_behind_one_nat();
	struct node_event ev = {.kind = NODE_NOTICE};
	uint64_t owner[2] = {l->node[M1].child[0].c.owner, l->node[M1].child[1].c.owner};

	(void)state;
	lab_command(l, CLIENT, NODE_DOWN, "host");
	lab_command(l, TOO, NODE_DOWN, "host");
	lab_run(l, 1000);
	assert_int_equal(lab_up(l, M1), 0);
	lab_command(l, CLIENT, NODE_UP, "host");
	lab_command(l, TOO, NODE_UP, "host");
	lab_run(l, 100);
	for (unsigned i = 0; i < 2; i++) {
		lab_command(l, CLIENT, NODE_DOWN, "host");
		lab_command(l, TOO, NODE_DOWN, "host");
		lab_run(l, 1000);
		lab_forget_log(l, M1);
		ev.u.notice = (struct esp_notice){.kind = ESP_ACQUIRE, .owner = owner[i]};
		ev.u.notice.flow = (struct flow){.local = unit_addr(VIP),
			.remote = l->outside,
			.proto = IP_TCP,
			.ports_known = true,
			.local_port = 143,
			.remote_port = 5000};
		lab_step(l, M1, &ev);
		assert_true(lab_count(l, M1,
				    i == 0 ? "to 203.0.113.5:24500"
					   : "to 203.0.113.5:34500") > 0);
		assert_int_equal(
			lab_count(l, M1,
				i == 1 ? "to 203.0.113.5:24500" : "to 203.0.113.5:34500"),
			0);
		lab_run(l, 1000);
	}
	lab_free(l);
}

/* The data path reports packets that it must drop: told once a minute, with both names. */
static void a_flow_of_two_is_told(void **state)
{
	struct lab *l = both_behind_one_nat();
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	ev.u.notice = (struct esp_notice){.kind = ESP_FLOW_TAKEN,
		.id = l->node[M1].child[1].c.id,
		.other = l->node[M1].child[0].c.id};
	for (unsigned i = 0; i < 3; i++)
		lab_step(l, M1, &ev);
	assert_int_equal(lab_count(l, M1, "event flow-taken"), 1);
	int line = lab_line(l, M1, "event flow-taken", 0);
	assert_true(line >= 0);
	assert_int_equal(
		lab_line(l, M1, "packets from another.example are dropped", 0), line);
	assert_int_equal(lab_line(l, M1, "client.example, behind the same NAT", 0), line);
	ev.u.notice = (struct esp_notice){.kind = ESP_FLOW_NOBODY};
	for (unsigned i = 0; i < 3; i++)
		lab_step(l, M1, &ev);
	assert_int_equal(lab_count(l, M1, "event flow-unasked"), 1);
	lab_free(l);
}

/* The NAT itself is no client behind it: who shares nothing is told apart by nobody. */
static void the_nat_itself_is_not_taken_beside_its_client(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	l->inside = unit_addr(PRIVATE);
	l->outside = unit_addr(PUBLIC);
	l->nat_shift = 20000;
	lab_start(l, M1, TRANSPORT_SERVER);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	client_calls(l, CLIENT, TRANSPORT_CLIENT, PRIVATE);
	assert_int_equal(lab_up(l, M1), 1);
	client_calls(l, TOO, TRANSPORT_NAMED("nat.example"), PUBLIC);
	assert_int_equal(lab_up(l, M1), 1);
	assert_int_equal(lab_up(l, TOO), 0);
	assert_int_equal(lab_count(l, M1, "one of them is the NAT"), 1);
	lab_free(l);
}

/* ---- two peers with the same inner addresses (RFC 3948 5.1, 5.2) */

#define SITE(vip, name)                                                                  \
	ALONE "vip \"gw\" { address " vip "; }\n" SECRET                                 \
	      "filter-list \"net\" { from 10.1.0.0/16 to 192.0.2.10 port 143 proto tcp " \
	      "mirrored; }\n"                                                            \
	      "filter-action \"esp\" { negotiate require; mode tunnel to 192.0.2.10; "   \
	      "}\n"                                                                      \
	      "policy \"p\" { rule \"net\" { match \"net\"; action \"esp\"; auth psk "   \
	      "\"lab\" local-id \"" name "\" remote-id \"mail.example\"; } }\n"          \
	      "assign policy \"p\" to vip \"gw\";\n"

enum { FIRST = 1, SECOND = 2 };

static void site_calls(struct lab *l, unsigned site)
{
	struct node_event ev = {.kind = NODE_NOTICE};

	ev.u.notice.kind = ESP_ACQUIRE;
	ev.u.notice.flow = (struct flow){.local = unit_addr("10.1.0.5"),
		.remote = unit_addr(VIP),
		.proto = IP_TCP,
		.ports_known = true,
		.remote_port = 143};
	lab_step(l, site, &ev);
	lab_run(l, 200);
}

static struct lab *first_site_is_up(void)
{
	struct lab *l = lab_new();

	lab_start(l, M1, TUNNEL_SERVER(ALONE));
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_start(l, FIRST, SITE("198.51.100.1", "first.example"));
	lab_address(l, FIRST, "198.51.100.1", NODE_ADDR_PRESENT);
	lab_start(l, SECOND, SITE("198.51.100.2", "second.example"));
	lab_address(l, SECOND, "198.51.100.2", NODE_ADDR_PRESENT);
	site_calls(l, FIRST);
	assert_int_equal(lab_up(l, M1), 1);
	return l;
}

static void selectors_of_a_living_peer_are_not_given_away(void **state)
{
	struct lab *l = first_site_is_up();

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		lab_usage(l, M1)->last_in_ms = l->now_ms;
		lab_run(l, 1000);
	}
	site_calls(l, SECOND);
	assert_int_equal(lab_up(l, M1), 1);
	assert_int_equal(lab_up(l, FIRST), 1);
	assert_int_equal(lab_up(l, SECOND), 0);
	assert_int_equal(lab_count(l, M1, "event selectors-taken"), 1);
	/* It tries again and again: said once a minute. */
	for (unsigned i = 0; i < 40; i++) {
		lab_usage(l, M1)->last_in_ms = l->now_ms;
		lab_run(l, 1000);
		site_calls(l, SECOND);
	}
	assert_int_equal(lab_up(l, SECOND), 0);
	assert_int_equal(lab_count(l, M1, "event selectors-taken"), 1);
	lab_free(l);
}

/* It came back under another name, or is gone: the newcomer gets them, alone. */
static void selectors_of_a_silent_peer_go_over(void **state)
{
	struct lab *l = first_site_is_up();

	(void)state;
	lab_run(l, 60000);
	site_calls(l, SECOND);
	assert_int_equal(lab_up(l, SECOND), 1);
	assert_int_equal(lab_up(l, M1), 1);
	assert_int_equal(l->node[M1].n_child, 1);
	assert_true(addr_equal(&l->node[M1].child[0].c.remote.addr,
		&(struct addr){ADDR_V4, {198, 51, 100, 2}}));
	assert_int_equal(lab_up(l, FIRST), 0);
	lab_free(l);
}

/* Two SAs for a moment (both called), and the mapping changes: each is moved by its own
 * packets, also when the other one went ahead. */
static void each_sa_is_moved_by_its_own_packets(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 1);
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	lab_command(l, CLIENT, NODE_DOWN, "host");
	lab_run(l, 1000);
	lab_command(l, M1, NODE_UP, "mail");
	lab_command(l, CLIENT, NODE_UP, "host");
	lab_run(l, 10);
	assert_int_equal(l->node[M1].n_child, 2);
	ev.u.notice.kind = ESP_MAPPING;
	ev.u.notice.remote = (struct endpoint){.addr = l->outside, .port = 34500};
	for (unsigned i = 0; i < 2; i++) {
		ev.u.notice.id = l->node[M1].child[i].c.id;
		lab_step(l, M1, &ev);
	}
	assert_int_equal(lab_count(l, M1, "sa-move"), 2);
	assert_int_equal(lab_count(l, M1, "event peer-moved"), 1);
	/* There and back with each packet: each place once a minute. */
	for (unsigned i = 0; i < 50; i++) {
		ev.u.notice.remote.port = (uint16_t)(34500 + i % 2);
		lab_step(l, M1, &ev);
	}
	assert_in_range(lab_count(l, M1, "event peer-moved"), 2, 4);
	lab_free(l);
}

/* The mapping is gone and cannot be called: the client's own packets bring it back. */
static void a_lost_mapping_needs_the_client(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 2);

	(void)state;
	lab_kill(l, M1);
	lab_group(l, 1u << M2);
	l->nat_shift = 30000;
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_usage(l, CLIENT)->unanswered_since_ms = l->now_ms;
	lab_usage(l, CLIENT)->last_out_ms = l->now_ms;
	lab_run(l, 1000);
	assert_int_equal(lab_up(l, M2), 0);
	lab_run(l, 62000);
	assert_int_equal(lab_up(l, M2), 1);
	lab_free(l);
}

static void a_client_that_comes_back_leaves_no_ghost(void **state)
{
	struct lab *l = behind_nat(TUNNEL_SERVER(WEB), 1);

	(void)state;
	size_t kept = node_count_kept(l->node[M1].node);
	for (unsigned i = 0; i < 5; i++) {
		lab_kill(l, CLIENT);
		l->nat_shift = (uint16_t)(l->nat_shift + 1);
		lab_start(l, CLIENT, TUNNEL_CLIENT);
		lab_address(l, CLIENT, PRIVATE, NODE_ADDR_PRESENT);
		lab_acquire(l, CLIENT, 0, PRIVATE, VIP, 143);
		lab_run(l, 100);
		assert_int_equal(lab_up(l, M1), 1);
	}
	lab_run(l, 40000);
	assert_int_equal(node_count_kept(l->node[M1].node), kept);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tunnel_through_a_nat),
		cmocka_unit_test(taken_over_through_the_nat),
		cmocka_unit_test(what_moved_while_a_member_was_away_is_called_once),
		cmocka_unit_test(a_call_to_where_a_peer_was_is_no_failure),
		cmocka_unit_test(a_further_child_is_asked_for_at_one_place),
		cmocka_unit_test(client_behind_nat_keeps_the_mapping_alive),
		cmocka_unit_test(a_new_mapping_is_followed),
		cmocka_unit_test(a_rule_without_a_child_is_called_for_by_nobody),
		cmocka_unit_test(each_sa_is_moved_by_its_own_packets),
		cmocka_unit_test(a_lost_mapping_needs_the_client),
		cmocka_unit_test(a_client_that_comes_back_leaves_no_ghost),
		cmocka_unit_test(a_new_address_is_called_with_selectors_for_it),
		cmocka_unit_test(two_in_transport_mode_are_both_taken),
		cmocka_unit_test(both_are_called_after_a_takeover),
		cmocka_unit_test(a_new_sa_has_the_old_owner),
		cmocka_unit_test(traffic_for_one_calls_that_one),
		cmocka_unit_test(a_flow_of_two_is_told),
		cmocka_unit_test(the_nat_itself_is_not_taken_beside_its_client),
		cmocka_unit_test(selectors_of_a_living_peer_are_not_given_away),
		cmocka_unit_test(selectors_of_a_silent_peer_go_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
