noinst_LIBRARIES += src/plane/libvipsec_plane.a
src_plane_libvipsec_plane_a_SOURCES = src/plane/room.c
