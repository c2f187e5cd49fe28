/* tests/unit/redirect_lab.h - gateways that send their peers on, and a client.
 *
 * Gateways A (192.0.2.10), B (192.0.2.20) and C (192.0.2.30), each a node of its own with the
 * network 10.1.0.0/16 behind it, and a client with a tunnel to A.
 */
#ifndef VIPSEC_TESTS_REDIRECT_LAB_H
#define VIPSEC_TESTS_REDIRECT_LAB_H

#include "node_lab.h"

#include "node_conf.h"

#include <stdio.h>

enum { A, CLIENT, B, C };
enum { MANY = 64 };

#define ADDR_A VIP
#define ADDR_B "192.0.2.20"
#define ADDR_C "192.0.2.30"
#define RULE_OF(id, more)                                                        \
	"policy \"p\" { rule \"net\" { match \"net\"; action \"esp\"; auth psk " \
	"\"lab\"" id "; " more " } }\n"
#define RULE(more) RULE_OF("", more)
#define GATEWAY_OF(cluster, addr, id)                                                  \
	cluster "vip \"gw\" { address " addr "; }\n" SECRET                            \
		"filter-list \"net\" { from 10.1.0.0/16 to any mirrored; }\n"          \
		"filter-action \"esp\" { negotiate require; mode tunnel; }\n" RULE_OF( \
			id, "") "assign policy \"p\" to vip \"gw\";\n"
#define GATEWAY_IN(cluster, addr) GATEWAY_OF(cluster, addr, "")
#define GATEWAY(addr) GATEWAY_IN(ALONE, addr)
#define TUNNEL(tuning, redirect)                                                    \
	ALONE tuning SECRET                                                         \
		"filter-list \"net\" { from me to 10.1.0.0/16 mirrored; }\n"        \
		"filter-action \"esp\" { negotiate require; mode tunnel to " ADDR_A \
		"; }\n" RULE(redirect) "assign policy \"p\" to host;\n"
#define ACCEPT "redirect accept 192.0.2.0/24;"

static inline void start_gateway(struct lab *l, unsigned i)
{
	static const char *const confs[] = {
		[A] = GATEWAY(ADDR_A), [B] = GATEWAY(ADDR_B), [C] = GATEWAY(ADDR_C)};
	static const char *const addrs[] = {[A] = ADDR_A, [B] = ADDR_B, [C] = ADDR_C};

	lab_start(l, i, confs[i]);
	lab_address(l, i, addrs[i], NODE_ADDR_PRESENT);
}

static inline struct lab *lab_with(const char *client)
{
	struct lab *l = lab_new();

	start_gateway(l, A);
	lab_start(l, CLIENT, client);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	start_gateway(l, B);
	return l;
}

static inline void drain(struct lab *l, unsigned i, const char *to)
{
	struct node_event ev = {.kind = to ? NODE_DRAIN : NODE_UNDRAIN};

	ev.u.command.token = 1;
	ev.u.command.vip = "gw";
	ev.u.command.value = to;
	lab_step(l, i, &ev);
}

static inline void traffic(struct lab *l)
{
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, "10.1.0.1", 143);
}

static inline struct vip_view look(struct lab *l, unsigned i)
{
	struct vip_view v;

	assert_true(node_look_vip(l->node[i].node, 0, &v));
	return v;
}

/* The child that the client sends on, if it is with that gateway. */
static inline bool sends_to(struct lab *l, const char *gateway)
{
	const struct addr to = unit_addr(gateway);
	const struct lab_node *m = &l->node[CLIENT];

	for (unsigned i = m->n_child; i-- > 0;)
		if (m->child[i].active)
			return addr_equal(&m->child[i].c.remote.addr, &to);
	return false;
}

static inline void assert_only_with(struct lab *l, const char *gateway)
{
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_true(sends_to(l, gateway));
}

/* MANY rules with one peer, each with an IKE SA of its own. */
static inline const char *many_rules(const char *head, const char *side, const char *tail)
{
	static char text[2][64 * 1024];
	static unsigned turn;
	char *out = text[turn++ % 2];
	size_t cap = sizeof(text[0]), len = 0;

	len += (size_t)snprintf(out, cap, "%s", head);
	for (unsigned i = 0; i < MANY; i++)
		len += (size_t)snprintf(out + len, cap - len,
			"filter-list \"f%u\" { from %s port %u proto tcp mirrored; }\n",
			i, side, 1000 + i);
	len += (size_t)snprintf(out + len, cap - len, "policy \"p\" {\n");
	for (unsigned i = 0; i < MANY; i++)
		len += (size_t)snprintf(out + len, cap - len,
			"rule \"r%u\" { match \"f%u\"; action \"esp\"; auth psk "
			"\"lab\"; redirect accept 192.0.2.21; }\n",
			i, i);
	snprintf(out + len, cap - len, "}\nassign policy \"p\" to %s;\n", tail);
	return out;
}

/* A, and a client with MANY rules. */
static inline struct lab *lab_many(void)
{
	static const char action[] = "filter-action \"esp\" { negotiate require; mode "
				     "transport; pfs master; }\n";
	char head[512];
	struct lab *l = lab_new();

	snprintf(head, sizeof(head),
		ALONE "vip \"gw\" { address " ADDR_A "; }\n" SECRET "%s", action);
	lab_start(l, A, many_rules(head, "198.51.100.0/24 to vip \"gw\"", "vip \"gw\""));
	snprintf(head, sizeof(head), ALONE SECRET "%s", action);
	lab_start(l, CLIENT, many_rules(head, "me to " ADDR_A, "host"));
	lab_address(l, A, ADDR_A, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	return l;
}

#endif
