noinst_LIBRARIES += src/plane/libvipsec_plane.a
src_plane_libvipsec_plane_a_SOURCES = \
	src/plane/children.c src/plane/children.h \
	src/plane/cover.c src/plane/cover.h \
	src/plane/device.c src/plane/device.h \
	src/plane/local.c src/plane/local.h \
	src/plane/netlink.c src/plane/netlink.h \
	src/plane/order.c src/plane/order.h \
	src/plane/path.c src/plane/path.h \
	src/plane/plane.h \
	src/plane/report.c src/plane/report.h \
	src/plane/sources.c src/plane/sources.h \
	src/plane/steering.c src/plane/steering.h \
	src/plane/thread.c src/plane/thread.h \
	src/plane/toobig.c src/plane/toobig.h \
	src/plane/tun.c
src_plane_libvipsec_plane_a_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS) -pthread
