noinst_LIBRARIES += src/replica/libvipsec_replica.a
src_replica_libvipsec_replica_a_SOURCES = \
	src/replica/journal.c \
	src/replica/peers.c src/replica/peers.h \
	src/replica/record.c src/replica/record.h
