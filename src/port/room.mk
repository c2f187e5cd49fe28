noinst_LIBRARIES += src/port/libvipsec_port.a
src_port_libvipsec_port_a_SOURCES = src/port/room.c
