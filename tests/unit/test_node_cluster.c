/* Two or three members and a client: claims, moves, crashes, quorum, partitions. */
#include "node_conf.h"
#include "node_lab.h"

enum { M1, M2, M3, CLIENT };
enum { ONE = 1, TWO = 2, THREE = 4 };

static struct lab *members(const char *conf, unsigned count)
{
	struct lab *l = lab_new();

	for (unsigned i = 0; i < count; i++)
		lab_start(l, i, conf);
	lab_group(l, (1u << count) - 1);
	lab_run(l, 10);
	return l;
}

/* M1 owns the VIP and has one peer. */
static struct lab *serving(const char *conf, unsigned count)
{
	struct lab *l = members(conf, count);

	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 100);
	assert_int_equal(lab_up(l, M1), 1);
	for (unsigned i = 0; i < LAB_NODES; i++)
		lab_forget_log(l, i);
	return l;
}

static unsigned bound_at(struct lab *l)
{
	unsigned n = 0;

	for (unsigned i = M1; i <= M3; i++)
		if (l->node[i].node && lab_vip(l, i, 0) == VIP_BOUND)
			n++;
	return n;
}

static void claim_is_made_when_the_address_appears(void **state)
{
	struct lab *l = members(MEMBER_CONF, 2);
	struct vip_view v;

	(void)state;
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	assert_int_equal(lab_vip(l, M1, 0), VIP_WAITING);
	lab_run(l, 1);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_true(node_look_vip(l->node[M2].node, 0, &v));
	assert_int_equal(v.owner, 1);
	lab_free(l);
}

/* The address on both (no fencing): the first claim in CPG order wins, and only when it
 * is released does the other get the address. */
static void first_claim_wins(void **state)
{
	struct lab *l = members(MEMBER_CONF, 2);

	(void)state;
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 100);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	assert_int_equal(lab_vip(l, M1, 0), VIP_WAITING);
	lab_address(l, M2, VIP, NODE_ADDR_GONE);
	lab_run(l, 100);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	lab_free(l);
}

static void nobody_binds_without_quorum_or_bus(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, M1, MEMBER_CONF);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 1000);
	assert_int_equal(lab_vip(l, M1, 0), VIP_WAITING);
	lab_group(l, ONE);
	lab_quorum(l, M1, false);
	lab_run(l, 1000);
	assert_int_equal(lab_vip(l, M1, 0), VIP_WAITING);
	lab_quorum(l, M1, true);
	lab_run(l, 10);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	lab_free(l);
}

/* Quorum lost: the gate closes first, SAs go without a word; with quorum back, the claim
 * is made anew and the peer is called. */
static void without_quorum_mute_at_once(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	lab_quorum(l, M1, false);
	assert_int_equal(lab_vip(l, M1, 0), VIP_MUTE);
	assert_false(l->node[M1].gate[0]);
	assert_true(lab_line(l, M1, "gate 0 close", 0) < lab_line(l, M1, "sa-delete", 0));
	lab_run(l, 5000);
	assert_int_equal(lab_count(l, M1, "send"), 0);
	assert_int_equal(l->node[M1].n_child, 0);
	assert_int_equal(l->node[M1].n_sockets, 0);
	lab_quorum(l, M1, true);
	lab_run(l, 100);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_int_equal(lab_up(l, M1), 1);
	lab_free(l);
}

static void bus_lost_is_mute(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);
	struct node_event ev = {.kind = NODE_MEMBERS};

	(void)state;
	lab_step(l, M1, &ev);
	assert_int_equal(lab_vip(l, M1, 0), VIP_MUTE);
	assert_false(l->node[M1].gate[0]);
	lab_run(l, 1000);
	assert_int_equal(lab_count(l, M1, "send"), 0);
	assert_int_equal(l->node[M1].n_child, 0);
	lab_free(l);
}

/* Planned move: stop on M1, its address goes, appears on M2 64 ms later. M2 calls the peer
 * in the very step in which it is bound. */
static void planned_move(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	lab_command(l, M1, NODE_UNBIND, "mail");
	lab_run(l, 60);
	lab_address(l, M1, VIP, NODE_ADDR_GONE);
	lab_run(l, 64);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 1);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	int announce = lab_line(l, M2, "announce", 0);
	int call = lab_line(l, M2, "exchange 34", 0);
	assert_true(announce >= 0 && announce < call);
	lab_run(l, 10);
	assert_int_equal(lab_up(l, M2), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(l->node[M1].n_child, 0);
	lab_free(l);
}

static void crash_is_taken_over_by_calling(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	lab_kill(l, M1);
	lab_run(l, 2000);
	lab_group(l, TWO);
	lab_run(l, 150);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	assert_int_equal(lab_up(l, M2), 1);
	/* The client's old SA is gone by INITIAL_CONTACT. */
	assert_int_equal(l->node[CLIENT].n_child, 1);
	lab_free(l);
}

#define USE(name) \
	"rule \"" name "\" { match \"" name "\"; action \"esp\"; auth psk \"lab\"; }"

static struct lab *three_rules(void)
{
	static const char server[] =
		WEB "vip \"mail\" { address 192.0.2.10; }\n" SECRET TRANSPORT
		    "filter-list \"mail\" { from vip \"mail\" port 143 to any proto tcp "
		    "mirrored; }\n"
		    "filter-list \"pop\" { from vip \"mail\" port 110 to any proto tcp "
		    "mirrored; }\n"
		    "filter-list \"web\" { from vip \"mail\" port 80 to any proto tcp "
		    "mirrored; }\n"
		    "policy \"p\" { " USE("mail") USE("pop")
			    USE("web") " }\nassign policy \"p\" to vip \"mail\";\n";
	static const char client[] = ALONE SECRET TRANSPORT
		"filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp "
		"mirrored; }\n"
		"filter-list \"pop\" { from me to 192.0.2.10 port 110 proto tcp "
		"mirrored; }\n"
		"filter-list \"web\" { from me to 192.0.2.10 port 80 proto tcp mirrored; "
		"}\n"
		"policy \"p\" { " USE("mail") USE("pop")
			USE("web") " }\nassign policy \"p\" to host;\n";
	static const uint16_t ports[] = {143, 110, 80};
	struct lab *l = members(server, 2);

	lab_start(l, CLIENT, client);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	for (unsigned i = 0; i < 3; i++) {
		lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, ports[i]);
		lab_run(l, 20000);
	}
	assert_int_equal(lab_up(l, M1), 3);
	for (unsigned i = 0; i < LAB_NODES; i++)
		lab_forget_log(l, i);
	lab_kill(l, M1);
	lab_group(l, TWO);
	return l;
}

/*	M2                      CLIENT (holds three SAs with M1, which is dead)
 *	IKE_SA_INIT, IKE_AUTH (INITIAL_CONTACT)  -->  <--   the first rule, alone
 *	IKE_SA_INIT, IKE_AUTH, twice             -->  <--   then the others
 */
static void the_first_rule_of_a_pair_is_called_alone(void **state)
{
	struct lab *l = three_rules();

	(void)state;
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 4);
	assert_int_equal(lab_count(l, M2, "exchange 34"), 1);
	lab_run(l, 6);
	assert_int_equal(lab_up(l, M2), 3);
	assert_int_equal(l->node[CLIENT].n_child, 3); /* and none of the old */
	lab_free(l);
}

/* Who does not answer one of them is not waited for long. */
static void nobody_waits_long_for_the_first_rule(void **state)
{
	struct lab *l = three_rules();

	(void)state;
	l->cut = true;
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 1);
	assert_int_equal(lab_count(l, M2, "exchange 34"), 1);
	lab_run(l, 498);
	lab_forget_log(l, M2);
	lab_run(l, 3);
	assert_in_range(lab_count(l, M2, "exchange 34"), 2, 3);
	l->cut = false;
	lab_run(l, 10000);
	assert_int_equal(lab_up(l, M2), 3);
	lab_free(l);
}

/* M3 owns the VIP's other address, so the new owner of this one may not send
 * INITIAL_CONTACT, and the dead SA stays at the client beside the living one. Whichever of
 * the two the nonces favour: the dead one goes alone. */
static void a_dead_sa_does_not_take_the_living_one_along(void **state)
{
	static const char conf[] = SERVER_WITH(WEB, "address 192.0.2.10, 192.0.2.11;");

	(void)state;
	for (unsigned seed = 0; seed < 8; seed++) {
		struct lab *l = serving(conf, 3);

		lab_address(l, M3, "192.0.2.11", NODE_ADDR_PRESENT);
		lab_run(l, 5000);
		l->node[M2].seed.state += seed;
		lab_kill(l, M1);
		lab_group(l, TWO | THREE);
		lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
		lab_run(l, 50);
		assert_int_equal(l->node[CLIENT].n_child, 2);
		lab_run(l, 120000);
		assert_int_equal(l->node[CLIENT].n_child, 1);
		assert_int_equal(lab_up(l, M2), 1);
		/* no third one was needed */
		assert_int_equal(lab_count(l, CLIENT, "sa-add"), 1);
		lab_free(l);
	}
}

/* takeover wait: the new owner says nothing; the peer's own idle timer ends the old SA and
 * brings the new one. */
static void wait_calls_nobody(void **state)
{
	struct lab *l = serving(MEMBER_WAIT_CONF, 2);

	(void)state;
	lab_kill(l, M1);
	lab_group(l, TWO);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_usage(l, CLIENT)->unanswered_since_ms = l->now_ms;
	lab_usage(l, CLIENT)->last_out_ms = l->now_ms;
	lab_run(l, 59999);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	assert_int_equal(lab_count(l, M2, "send"), 0);
	lab_run(l, 100);
	assert_int_equal(lab_up(l, M2), 1);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* A newcomer hears who owns what, and of the peers, before it can be asked to serve. */
static void newcomer_learns_claims_and_peers(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 1);

	(void)state;
	lab_start(l, M2, MEMBER_CONF);
	lab_group(l, ONE | TWO);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT); /* on both: a mistake */
	lab_run(l, 100);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	lab_address(l, M2, VIP, NODE_ADDR_GONE);
	lab_kill(l, M1);
	lab_group(l, TWO);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 20);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	assert_int_equal(lab_up(l, M2), 1);
	lab_free(l);
}

/* The address on two nodes, and the owner is lost: it may live and send until it is fenced,
 * so the other waits for the cluster's word. */
static void a_stray_address_waits_for_the_start(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_group(l, TWO); /* M1 is frozen, or cut off */
	lab_run(l, 5000);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	assert_int_equal(lab_count(l, M2, "send"), 0);
	lab_kill(l, M1);
	lab_command(l, M2, NODE_BIND, "mail");
	lab_run(l, 20);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	assert_int_equal(lab_up(l, M2), 1);
	lab_free(l);
}

static void a_stray_is_none_when_its_owner_is_back_without_it(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_kill(l, M1);
	lab_group(l, TWO);
	lab_run(l, 1000);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	lab_restart(l, M1, MEMBER_CONF); /* fenced, and up again without the address */
	lab_group(l, ONE | TWO);
	lab_run(l, 20);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	lab_free(l);
}

/* A move in which the old owner dies before its RELEASE: the new one had its start. */
static void a_started_address_is_no_stray(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	l->hold_acks = true;
	lab_address(l, M1, VIP, NODE_ADDR_GONE);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_command(l, M2, NODE_BIND, "mail");
	lab_run(l, 10);
	lab_kill(l, M1);
	lab_group(l, TWO);
	lab_run(l, 20);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	assert_int_equal(l->node[M2].reply_code, 0);
	lab_free(l);
}

/* The daemon of the active node is killed and comes back; the address never left. */
static void killed_daemon_comes_back(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	lab_kill(l, M1);
	lab_group(l, TWO);
	lab_run(l, 1000);
	lab_restart(l, M1, MEMBER_CONF);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_group(l, ONE | TWO);
	lab_run(l, 20);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_int_equal(lab_up(l, M1), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	lab_free(l);
}

/* It has not heard that a peer is gone, and speaks before it hears who owns the address: the
 * others know better, the owner and who only listens. */
static void what_a_disk_still_has_is_not_learnt_again(void **state)
{
	struct lab *l = members(MEMBER_CONF, 3);
	size_t kept[2];

	(void)state;
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 1000);
	assert_int_equal(lab_up(l, M2), 1);
	lab_kill(l, M1);
	lab_group(l, TWO | THREE);
	lab_run(l, 100);
	lab_command(l, M2, NODE_DOWN, "mail");
	lab_run(l, 1000);
	kept[0] = node_count_kept(l->node[M2].node);
	kept[1] = node_count_kept(l->node[M3].node);
	lab_restart(l, M1, MEMBER_CONF);
	lab_group(l, ONE);
	lab_run(l, 10);
	lab_group(l, ONE | TWO | THREE);
	lab_run(l, 100);
	assert_int_equal(node_count_kept(l->node[M2].node), kept[0]);
	assert_int_equal(node_count_kept(l->node[M3].node), kept[1]);
	lab_address(l, M2, VIP, NODE_ADDR_GONE);
	lab_address(l, M3, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 100);
	assert_int_equal(lab_vip(l, M3, 0), VIP_BOUND);
	assert_int_equal(lab_count(l, M3, "takeover"), 0);
	lab_free(l);
}

/* Taken over, called and not there yet: still known when the next member joins, and to it. */
static void who_does_not_answer_yet_is_not_forgotten(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	l->cut = true;
	lab_kill(l, M1);
	lab_group(l, TWO);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 1000);
	assert_int_equal(lab_count(l, M2, "calling 1 known peer"), 1);
	size_t kept = node_count_kept(l->node[M2].node);
	lab_start(l, M3, MEMBER_CONF);
	lab_group(l, TWO | THREE);
	lab_run(l, 100);
	assert_int_equal(node_count_kept(l->node[M2].node), kept);
	lab_kill(l, M2);
	lab_group(l, THREE);
	lab_address(l, M3, VIP, NODE_ADDR_PRESENT);
	l->cut = false;
	lab_run(l, 1000);
	assert_int_equal(lab_count(l, M3, "calling 1 known peer"), 1);
	assert_int_equal(lab_up(l, M3), 1);
	lab_free(l);
}

/* Both halves thought they were alone and bound. When the group is one again exactly one
 * goes on, and it is the one whose HELLO came first. */
static void healed_partition_has_one_owner(void **state)
{
	struct lab *l = members(MEMBER_CONF, 2);

	(void)state;
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_group(l, TWO);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_group(l, ONE);
	lab_run(l, 10);
	assert_int_equal(bound_at(l), 2);
	lab_group(l, ONE | TWO);
	lab_run(l, 1);
	assert_int_equal(bound_at(l), 1);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_int_equal(lab_vip(l, M2, 0), VIP_MUTE);
	assert_false(l->node[M2].gate[0]);
	lab_run(l, 1000);
	assert_int_equal(bound_at(l), 1);
	lab_free(l);
}

static void acknowledge(struct lab *l, unsigned i, uint16_t scope)
{
	struct node_event ev = {.kind = NODE_GATE_CLOSED};

	ev.u.gate.scope = scope;
	lab_step(l, i, &ev);
	lab_run(l, 10);
}

/* A reload takes the address from M1. M1's data thread may still be at work: nobody else
 * binds it before that has answered, a change of the membership between or not. */
static void an_address_out_of_the_configuration_is_kept_until_acknowledged(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	l->hold_acks = true;
	lab_reload(l, M1, SERVER_WITH(WEB, "address 192.0.2.99;"));
	assert_false(l->node[M1].gate[0]);
	assert_true(lab_line(l, M1, "sa-delete", 0) < lab_line(l, M1, "gate 0 close", 0));
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 500);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	lab_group(l, ONE | TWO | THREE);
	lab_run(l, 500);
	lab_group(l, ONE | TWO);
	lab_run(l, 500);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	acknowledge(l, M1, 0);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	lab_free(l);
}

static void a_vip_out_of_the_configuration_is_kept_until_acknowledged(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	l->hold_acks = true;
	lab_reload(l, M1, WEB);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 500);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	acknowledge(l, M1, 0);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	lab_free(l);
}

/* The gate is the scope's: closed for the address that leaves, open for the other. */
static void the_addresses_that_stay_go_on(void **state)
{
	struct lab *l = members(SERVER_WITH(WEB, "address 192.0.2.10, 192.0.2.11;"), 2);

	(void)state;
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_address(l, M1, "192.0.2.11", NODE_ADDR_PRESENT);
	lab_run(l, 10);
	l->hold_acks = true;
	lab_reload(l, M1, SERVER_WITH(WEB, "address 192.0.2.11;"));
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_true(l->node[M1].gate[0]);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 500);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	acknowledge(l, M1, 0);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	lab_free(l);
}

/* M3 hangs: it is in the group and says nothing. The owner is lost; the takeover waits for
 * a fifth of a second, not until somebody kills M3. */
static void a_hung_member_does_not_hold_up_a_takeover(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 3);

	(void)state;
	lab_kill(l, M3);
	lab_kill(l, M1);
	lab_group(l, TWO | THREE);
	lab_run(l, 10);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 150);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	lab_run(l, 60);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	assert_int_equal(lab_count(l, M2, "event member-silent"), 1);
	lab_free(l);
}

/* ... and again, with a change between of which it heard nothing either. */
static void what_a_hung_member_owns_stays_its_own(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 3);

	(void)state;
	lab_kill(l, M1); /* the owner hangs */
	lab_group(l, ONE | TWO);
	lab_run(l, 50);
	lab_group(l, ONE | TWO | THREE);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 5000);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	lab_group(l, TWO | THREE); /* it was killed; M2 had the address before */
	lab_address(l, M2, VIP, NODE_ADDR_GONE);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 100);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	lab_free(l);
}

/* It may come from another partition: nobody can speak for it. */
static void nobody_vouches_for_a_newcomer(void **state)
{
	struct lab *l = members(MEMBER_CONF, 2);

	(void)state;
	lab_group(l, ONE | TWO | THREE);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 5000);
	assert_int_equal(lab_vip(l, M1, 0), VIP_WAITING);
	lab_free(l);
}

static void just_joined(struct lab *l, uint8_t member)
{
	l->fresh[0] = member;
	l->n_fresh = 1;
}

/* A process that has just joined and hangs before its HELLO owns nothing: claims go on
 * after a fifth of a second, also over changes of which it hears nothing either. */
static void a_process_that_just_joined_is_vouched_for(void **state)
{
	struct lab *l = members(MEMBER_CONF, 2);

	(void)state;
	just_joined(l, 3);
	lab_group(l, ONE | TWO | THREE);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 150);
	assert_int_equal(lab_vip(l, M1, 0), VIP_WAITING);
	lab_run(l, 60);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	lab_kill(l, M1);
	l->n_fresh = 0;
	lab_group(l, TWO | THREE);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 250);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	lab_free(l);
}

/* The owner's daemon is replaced by one that hangs, its address still there: gone with the
 * old one, the claim is another's, and the new one gets nothing when it speaks at last. */
static void a_restarted_owner_that_hangs_owns_nothing(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	lab_kill(l, M1);
	lab_group(l, TWO);
	just_joined(l, 1);
	lab_group(l, ONE | TWO);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 250);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	lab_start(l, M1, MEMBER_CONF);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	l->n_fresh = 0;
	lab_group(l, ONE | TWO);
	lab_run(l, 1000);
	assert_int_equal(lab_vip(l, M2, 0), VIP_BOUND);
	assert_int_equal(lab_vip(l, M1, 0), VIP_WAITING);
	lab_free(l);
}

/* Who is in the group already when we join has a history that we were not told. */
static void a_newcomer_vouches_for_nobody(void **state)
{
	struct lab *l = members(MEMBER_CONF, 1);

	(void)state;
	struct node_event lost = {.kind = NODE_MEMBERS};
	lab_step(l, M1, &lost);
	just_joined(l, 3);
	lab_group(l, ONE | THREE);
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 5000);
	assert_int_equal(lab_vip(l, M1, 0), VIP_WAITING);
	lab_free(l);
}

/* Neighbours may believe what the other half told them: who owns the address says so
 * again when all are together, three times, and the loser does not. */
static void after_a_split_the_owner_announces_again(void **state)
{
	struct lab *l = members(MEMBER_CONF, 2);

	(void)state;
	lab_address(l, M1, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_group(l, TWO);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_group(l, ONE);
	lab_run(l, 10);
	lab_forget_log(l, M1);
	lab_forget_log(l, M2);
	lab_group(l, ONE | TWO);
	lab_run(l, 2000);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_int_equal(lab_count(l, M1, "announce 192.0.2.10"), 3);
	assert_int_equal(lab_count(l, M2, "announce"), 0);
	lab_free(l);
}

static void a_member_that_leaves_is_no_reason_to_announce(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 3);

	(void)state;
	lab_run(l, 2000);
	lab_forget_log(l, M1);
	lab_group(l, ONE | TWO);
	lab_run(l, 2000);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_int_equal(lab_count(l, M1, "announce"), 0);
	lab_free(l);
}

static void with_quorum_back_the_address_is_announced(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	lab_quorum(l, M1, false);
	lab_forget_log(l, M1);
	lab_run(l, 2000);
	assert_int_equal(lab_count(l, M1, "announce"), 0);
	lab_quorum(l, M1, true);
	lab_run(l, 2000);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	assert_int_equal(lab_count(l, M1, "announce 192.0.2.10"), 3);
	lab_free(l);
}

/* The claim is given back only when the gate's closing is acknowledged. */
static void release_waits_for_the_gate(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	l->hold_acks = true;
	lab_address(l, M1, VIP, NODE_ADDR_GONE);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 2000);
	assert_int_equal(lab_vip(l, M2, 0), VIP_WAITING);
	assert_int_equal(lab_count(l, M1, "message type 3"), 0);
	lab_free(l);
}

static void another_member_with_the_claim_gets_no_delete_from_us(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);

	(void)state;
	/* Only a broken group could do that: M1's claim ends without its knowledge. */
	lab_group(l, TWO);
	lab_address(l, M2, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_forget_log(l, M1);
	lab_group(l, ONE | TWO);
	lab_run(l, 100);
	unsigned loser = lab_vip(l, M1, 0) == VIP_BOUND ? M2 : M1;
	assert_int_equal(lab_count(l, loser, "exchange 37"), 0);
	lab_free(l);
}

static void different_configuration_is_told(void **state)
{
	struct lab *l = lab_new();
	struct node_view v;

	(void)state;
	lab_start(l, M1, MEMBER_CONF);
	lab_start(l, M2, MEMBER_WAIT_CONF);
	lab_group(l, ONE | TWO);
	lab_run(l, 10);
	node_look(l->node[M1].node, &v);
	assert_true(v.config_differs);
	assert_int_equal(lab_count(l, M1, "event config-differs"), 1);
	lab_reload(l, M2, MEMBER_CONF);
	lab_run(l, 10);
	node_look(l->node[M1].node, &v);
	assert_false(v.config_differs);
	lab_free(l);
}

static void bad_message_harms_nobody(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);
	struct node_event ev = {.kind = NODE_MESSAGE};

	(void)state;
	ev.u.message.from = 2;
	ev.u.message.bytes = span_text("VS\x01\x02garbage");
	lab_step(l, M1, &ev);
	ev.u.message.bytes = span_text("VS\x09\x02garbage");
	lab_step(l, M1, &ev);
	assert_int_equal(lab_vip(l, M1, 0), VIP_BOUND);
	lab_free(l);
}

/* Ten moves there and back: two minutes later one SA, and nobody calls any more. */
static void ten_moves_leave_one_sa(void **state)
{
	struct lab *l = serving(MEMBER_CONF, 2);
	size_t after_two = 0;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		unsigned from = i % 2 ? M2 : M1, to = i % 2 ? M1 : M2;
		lab_command(l, from, NODE_UNBIND, "mail");
		lab_run(l, 60);
		lab_address(l, from, VIP, NODE_ADDR_GONE);
		lab_run(l, 1);
		/* The client wants its packets out at once and calls the wrong node. */
		lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
		lab_run(l, 60);
		lab_address(l, to, VIP, NODE_ADDR_PRESENT);
		lab_run(l, 50);
		assert_int_equal(lab_up(l, to), 1);
		assert_true(l->node[CLIENT].n_child >= 1);
		lab_run(l, 20000);
		if (i == 1)
			after_two = node_count_kept(l->node[M1].node);
	}
	assert_int_equal(node_count_kept(l->node[M1].node), after_two);
	lab_run(l, 100000);
	for (unsigned i = 0; i < LAB_NODES; i++)
		lab_forget_log(l, i);
	lab_run(l, 20000);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(l->node[M1].n_child, 1);
	assert_int_equal(l->node[M2].n_child, 0);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 0);
	assert_int_equal(lab_count(l, M1, "exchange 34"), 0);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claim_is_made_when_the_address_appears),
		cmocka_unit_test(first_claim_wins),
		cmocka_unit_test(nobody_binds_without_quorum_or_bus),
		cmocka_unit_test(without_quorum_mute_at_once),
		cmocka_unit_test(bus_lost_is_mute),
		cmocka_unit_test(planned_move),
		cmocka_unit_test(crash_is_taken_over_by_calling),
		cmocka_unit_test(the_first_rule_of_a_pair_is_called_alone),
		cmocka_unit_test(nobody_waits_long_for_the_first_rule),
		cmocka_unit_test(a_dead_sa_does_not_take_the_living_one_along),
		cmocka_unit_test(wait_calls_nobody),
		cmocka_unit_test(newcomer_learns_claims_and_peers),
		cmocka_unit_test(a_stray_address_waits_for_the_start),
		cmocka_unit_test(a_stray_is_none_when_its_owner_is_back_without_it),
		cmocka_unit_test(a_started_address_is_no_stray),
		cmocka_unit_test(killed_daemon_comes_back),
		cmocka_unit_test(what_a_disk_still_has_is_not_learnt_again),
		cmocka_unit_test(who_does_not_answer_yet_is_not_forgotten),
		cmocka_unit_test(healed_partition_has_one_owner),
		cmocka_unit_test(a_hung_member_does_not_hold_up_a_takeover),
		cmocka_unit_test(what_a_hung_member_owns_stays_its_own),
		cmocka_unit_test(
			an_address_out_of_the_configuration_is_kept_until_acknowledged),
		cmocka_unit_test(
			a_vip_out_of_the_configuration_is_kept_until_acknowledged),
		cmocka_unit_test(the_addresses_that_stay_go_on),
		cmocka_unit_test(nobody_vouches_for_a_newcomer),
		cmocka_unit_test(a_process_that_just_joined_is_vouched_for),
		cmocka_unit_test(a_restarted_owner_that_hangs_owns_nothing),
		cmocka_unit_test(a_newcomer_vouches_for_nobody),
		cmocka_unit_test(after_a_split_the_owner_announces_again),
		cmocka_unit_test(a_member_that_leaves_is_no_reason_to_announce),
		cmocka_unit_test(with_quorum_back_the_address_is_announced),
		cmocka_unit_test(release_waits_for_the_gate),
		cmocka_unit_test(another_member_with_the_claim_gets_no_delete_from_us),
		cmocka_unit_test(different_configuration_is_told),
		cmocka_unit_test(bad_message_harms_nobody),
		cmocka_unit_test(ten_moves_leave_one_sa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
