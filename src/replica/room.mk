noinst_LIBRARIES += src/replica/libvipsec_replica.a
src_replica_libvipsec_replica_a_SOURCES = src/replica/room.c
