sbin_PROGRAMS += vipsecd
vipsecd_SOURCES = src/daemon/main.c src/daemon/daemon.h \
	src/daemon/activation.c src/daemon/activation.h \
	src/daemon/answer.c src/daemon/answer.h \
	src/daemon/blackbox.c src/daemon/blackbox.h \
	src/daemon/carry.c src/daemon/carry.h \
	src/daemon/command.c src/daemon/command.h \
	src/daemon/feed.c src/daemon/feed.h \
	src/daemon/feed_cluster.c src/daemon/feed_cluster.h \
	src/daemon/fetching.c src/daemon/fetching.h \
	src/daemon/guarding.c src/daemon/guarding.h \
	src/daemon/journal.c src/daemon/journal.h \
	src/daemon/lockfile.c src/daemon/lockfile.h \
	src/daemon/look.c src/daemon/look.h \
	src/daemon/mending.c src/daemon/mending.h \
	src/daemon/options.c src/daemon/options.h \
	src/daemon/planes.c src/daemon/planes.h \
	src/daemon/pending.c src/daemon/pending.h \
	src/daemon/privileges.c src/daemon/privileges.h \
	src/daemon/ready.c src/daemon/ready.h \
	src/daemon/reload.c src/daemon/reload.h \
	src/daemon/resolving.c src/daemon/resolving.h \
	src/daemon/step.c src/daemon/step.h \
	src/daemon/store.c src/daemon/store.h \
	src/daemon/tell.c src/daemon/tell.h \
	src/daemon/values.c src/daemon/values.h \
	src/daemon/report.c src/daemon/report_identities.c \
	src/daemon/report_names.c src/daemon/report_peers.c src/daemon/report.h \
	src/daemon/verb_explain.c src/daemon/verbs_change.c src/daemon/verbs_show.c \
	src/daemon/verbs.h \
	src/daemon/keylog.h src/daemon/systemd.h
if KEY_LOG
vipsecd_SOURCES += src/daemon/keylog.c
else
vipsecd_SOURCES += src/daemon/keylog_none.c
endif
if HAVE_SYSTEMD
vipsecd_SOURCES += src/daemon/systemd.c
else
vipsecd_SOURCES += src/daemon/systemd_none.c
endif
vipsecd_CFLAGS = -D_GNU_SOURCE $(AM_CFLAGS) -pthread $(QB_CFLAGS) $(COROSYNC_CFLAGS) $(JANSSON_CFLAGS) \
	$(CAPNG_CFLAGS) $(SYSTEMD_CFLAGS)
vipsecd_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a src/port/libvipsec_port.a \
	$(outer_ldadd) \
	$(QB_LIBS) $(COROSYNC_LIBS) $(NL_LIBS) $(NFTABLES_LIBS) $(JANSSON_LIBS) \
	$(CAPNG_LIBS) $(CARES_LIBS) $(SYSTEMD_LIBS) -lpthread
