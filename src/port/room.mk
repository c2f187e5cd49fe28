noinst_LIBRARIES += src/port/libvipsec_port.a
src_port_libvipsec_port_a_SOURCES = \
	src/port/announce.c src/port/announce.h \
	src/port/bus.c src/port/bus.h \
	src/port/control.c src/port/control.h \
	src/port/curl_lib.c src/port/curl_lib.h \
	src/port/fetch.c src/port/fetch.h \
	src/port/files.c src/port/files.h \
	src/port/guard.c src/port/guard.h src/port/guard_config.c \
	src/port/guard_text.c src/port/guard_text.h src/port/guard_quotes.c \
	src/port/guard_watch.c src/port/guard_watch.h \
	src/port/keys.c src/port/keys.h \
	src/port/known.c src/port/known.h \
	src/port/quorum.c src/port/quorum.h \
	src/port/random.c src/port/random.h \
	src/port/resolve.c src/port/resolve.h \
	src/port/sockets.c src/port/sockets.h \
	src/port/watch.c src/port/watch.h src/port/watch_event.h
src_port_libvipsec_port_a_CFLAGS = -D_GNU_SOURCE $(AM_CFLAGS) $(QB_CFLAGS) $(COROSYNC_CFLAGS) \
	$(NL_CFLAGS) $(NFTABLES_CFLAGS) $(CURL_CFLAGS) $(CARES_CFLAGS)
