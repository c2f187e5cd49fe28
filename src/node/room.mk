noinst_LIBRARIES += src/node/libvipsec_node.a
src_node_libvipsec_node_a_SOURCES = \
	src/node/aim.c \
	src/node/announce.c \
	src/node/child.c \
	src/node/claim.c src/node/claim.h \
	src/node/cluster.c \
	src/node/cluster_msg.c src/node/cluster_msg.h \
	src/node/command.c \
	src/node/config_event.c \
	src/node/core.h \
	src/node/dial.c \
	src/node/directory.c \
	src/node/drain.c \
	src/node/due.c src/node/due.h \
	src/node/effects.c src/node/effects.h \
	src/node/expiry.c \
	src/node/fetch.c \
	src/node/gate.c \
	src/node/gateway.c src/node/gateway.h \
	src/node/host.c \
	src/node/idle.c \
	src/node/names.c \
	src/node/node.c src/node/node.h \
	src/node/lapse.c \
	src/node/notice.c \
	src/node/overlap.c \
	src/node/peer.c src/node/peer.h \
	src/node/place.c \
	src/node/redirect.c \
	src/node/relation.c \
	src/node/release.c \
	src/node/same.c src/node/same.h \
	src/node/say.c \
	src/node/scope.c src/node/scope.h \
	src/node/session.c \
	src/node/sibling.c \
	src/node/spi.c \
	src/node/takeover.c \
	src/node/tell.c \
	src/node/tune.c \
	src/node/view.c src/node/view.h \
	src/node/vouch.c \
	src/node/way.c \
	src/node/worst.c
