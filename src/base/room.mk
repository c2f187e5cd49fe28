noinst_LIBRARIES += src/base/libvipsec_base.a
src_base_libvipsec_base_a_SOURCES = src/base/room.c
