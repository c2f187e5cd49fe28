noinst_LIBRARIES += src/node/libvipsec_node.a
src_node_libvipsec_node_a_SOURCES = \
	src/node/claim.c src/node/claim.h \
	src/node/cluster_msg.c src/node/cluster_msg.h \
	src/node/effects.c src/node/effects.h
