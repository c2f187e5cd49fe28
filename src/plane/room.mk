noinst_LIBRARIES += src/plane/libvipsec_plane.a
src_plane_libvipsec_plane_a_SOURCES = \
	src/plane/batch.c src/plane/batch.h \
	src/plane/children.c src/plane/children.h \
	src/plane/data.h \
	src/plane/ah_packet.c \
	src/plane/deliver.c src/plane/deliver.h \
	src/plane/listening.c src/plane/listening.h \
	src/plane/local.c src/plane/local.h \
	src/plane/locals.c src/plane/locals.h \
	src/plane/natt.c src/plane/natt.h \
	src/plane/obey.c src/plane/obey.h \
	src/plane/order.c src/plane/order.h \
	src/plane/path.c src/plane/path.h \
	src/plane/ops.h src/plane/plane.c src/plane/plane.h \
	src/plane/report.c src/plane/report.h \
	src/plane/reporting.c src/plane/reporting.h \
	src/plane/size_errors.c src/plane/size_errors.h \
	src/plane/thread.c src/plane/thread.h \
	src/plane/toobig.c src/plane/toobig.h \
	src/plane/tun.c
src_plane_libvipsec_plane_a_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS) -pthread
