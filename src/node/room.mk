noinst_LIBRARIES += src/node/libvipsec_node.a
src_node_libvipsec_node_a_SOURCES = src/node/room.c
