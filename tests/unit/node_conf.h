/* tests/unit/node_conf.h - the configurations that the node's tests share. */
#ifndef VIPSEC_TESTS_NODE_CONF_H
#define VIPSEC_TESTS_NODE_CONF_H

#define SECRET "secret \"lab\" { psk file \"/keys/lab\"; }\n"
#define TRANSPORT "filter-action \"esp\" { negotiate require; mode transport; }\n"
#define POLICY(to)                                                                 \
	"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth psk " \
	"\"lab\"; } }\nassign policy \"p\" to " to ";\n"

#define SERVER_WITH(cluster, vip)                                                       \
	cluster "vip \"mail\" { " vip " }\n" SECRET                                     \
		"filter-list \"mail\" { from vip \"mail\" port 143 to 198.51.100.0/24 " \
		"proto tcp mirrored; }\n" TRANSPORT POLICY("vip \"mail\"")
#define CLIENT_WITH(tuning)                                                          \
	"cluster { backend none; }\n" tuning SECRET                                  \
	"filter-list \"mail\" { from me to 192.0.2.10 port 143 proto tcp mirrored; " \
	"}\n" TRANSPORT POLICY("host")

#define ALONE "cluster { backend none; }\n"
#define WEB "cluster { name \"web\"; backend corosync; takeover reinitiate; }\n"
#define WEB_WAIT "cluster { name \"web\"; backend corosync; takeover wait; }\n"
#define VIP "192.0.2.10"
#define CLIENT_ADDR "198.51.100.7"

#define SERVER_CONF SERVER_WITH(ALONE, "address 192.0.2.10;")
#define MEMBER_CONF SERVER_WITH(WEB, "address 192.0.2.10;")
/* The peers are not told that it is a cluster. */
#define MEMBER_QUIET_CONF \
	SERVER_WITH("tuning { nlbs-present no; }\n" WEB, "address 192.0.2.10;")
#define MEMBER_WAIT_CONF SERVER_WITH(WEB_WAIT, "address 192.0.2.10;")
#define CLIENT_CONF CLIENT_WITH("")

#endif
