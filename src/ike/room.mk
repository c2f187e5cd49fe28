noinst_LIBRARIES += src/ike/libvipsec_ike.a
src_ike_libvipsec_ike_a_SOURCES = src/ike/room.c
