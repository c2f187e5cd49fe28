/* tests/unit/node_rules.h - a server and a client of one to three rules, for the tests of new
 * keys.
 */
#ifndef VIPSEC_TESTS_NODE_RULES_H
#define VIPSEC_TESTS_NODE_RULES_H

#include "node_conf.h"
#include "node_lab.h"

enum { SERVER, CLIENT };

#define USE(name) \
	"rule \"" name "\" { match \"" name "\"; action \"esp\"; auth psk \"lab\"; }"
#define OURS(name, port)                                                               \
	"filter-list \"" name "\" { from vip \"mail\" port " port " to any proto tcp " \
	"mirrored; }\n"
#define THEIRS(name, port)                                                          \
	"filter-list \"" name "\" { from me to 192.0.2.10 port " port " proto tcp " \
	"mirrored; }\n"
#define RULES USE("mail") USE("pop") USE("web")
#define SERVER3(action)                                                                  \
	ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET action OURS("mail", "143") \
		OURS("pop", "110") OURS("web", "80") "policy \"p\" { " RULES             \
						     " }\nassign policy \"p\" to vip "   \
						     "\"mail\";\n"
#define CLIENT3(action)                                                              \
	ALONE SECRET action THEIRS("mail", "143") THEIRS("pop", "110") THEIRS("web", \
		"80") "policy \"p\" { " RULES " }\nassign policy \"p\" to host;\n"
#define ACTION(proposal, more)                                                \
	"proposal \"x\" { " proposal " }\nfilter-action \"esp\" { negotiate " \
	"require; mode transport; proposal \"x\"; " more " }\n"

static inline struct lab *two(const char *server, const char *client)
{
	struct lab *l = lab_new();

	lab_start(l, SERVER, server);
	lab_start(l, CLIENT, client);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	return l;
}

static inline void want(struct lab *l, uint16_t port)
{
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, port);
	lab_run(l, 50);
}

static inline struct lab *three_rules(const char *server, const char *client)
{
	static const uint16_t ports[] = {143, 110, 80};
	struct lab *l = two(server, client);

	for (unsigned i = 0; i < 3; i++)
		want(l, ports[i]);
	assert_int_equal(lab_up(l, CLIENT), 3);
	assert_int_equal(lab_up(l, SERVER), 3);
	assert_int_equal(l->node[CLIENT].n_child, 3);
	assert_int_equal(l->node[SERVER].n_child, 3);
	return l;
}

#endif
