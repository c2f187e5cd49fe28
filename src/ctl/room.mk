sbin_PROGRAMS += vipsec
vipsec_SOURCES = src/ctl/main.c src/ctl/ctl.h src/ctl/client.c src/ctl/print.c \
	src/ctl/status.c src/ctl/show.c src/ctl/events.c src/ctl/vip.c src/ctl/updown.c \
	src/ctl/doctor.c src/ctl/flush.c \
	src/ctl/tune.c src/ctl/drain.c src/ctl/check.c src/ctl/explain.c src/ctl/refuse.c
vipsec_CFLAGS = -D_GNU_SOURCE $(AM_CFLAGS) $(QB_CFLAGS) $(JANSSON_CFLAGS)
vipsec_LDADD = src/doctor/libvipsec_doctor.a src/xfrm/libvipsec_xfrm.a \
	src/plane/libvipsec_plane.a src/port/libvipsec_port.a $(outer_ldadd) $(QB_LIBS) $(COROSYNC_LIBS) \
	$(NL_LIBS) $(NFTABLES_LIBS) $(JANSSON_LIBS)
