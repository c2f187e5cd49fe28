noinst_LIBRARIES += src/wire/libvipsec_wire.a
src_wire_libvipsec_wire_a_SOURCES = src/wire/room.c
