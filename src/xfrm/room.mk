noinst_LIBRARIES += src/xfrm/libvipsec_xfrm.a
src_xfrm_libvipsec_xfrm_a_SOURCES = \
	src/xfrm/acquires.c src/xfrm/acquires.h \
	src/xfrm/algorithm.c src/xfrm/algorithm.h \
	src/xfrm/awaiting.c \
	src/xfrm/early.c src/xfrm/early.h \
	src/xfrm/handover.c src/xfrm/handover.h \
	src/xfrm/holding.c src/xfrm/holding.h \
	src/xfrm/sad.c src/xfrm/sad.h src/xfrm/halves.c src/xfrm/halves.h \
	src/xfrm/sending.c src/xfrm/sending.h src/xfrm/sweep.c src/xfrm/sweep.h \
	src/xfrm/claims.c src/xfrm/claims.h \
	src/xfrm/events.c src/xfrm/events.h \
	src/xfrm/flush.c src/xfrm/mending.c src/xfrm/words.c src/xfrm/words.h \
	src/xfrm/foreign.c src/xfrm/foreign.h \
	src/xfrm/hearing.c src/xfrm/inside.h src/xfrm/usage.c src/xfrm/telling.c \
	src/xfrm/lineage.c src/xfrm/lineage.h \
	src/xfrm/lock.c src/xfrm/lock.h \
	src/xfrm/looking.c src/xfrm/looking.h \
	src/xfrm/numbers.c src/xfrm/numbers.h \
	src/xfrm/offload.c src/xfrm/offload.h \
	src/xfrm/port4500.c src/xfrm/port4500.h \
	src/xfrm/reports.c src/xfrm/reports.h \
	src/xfrm/request.c src/xfrm/request.h src/xfrm/asking.h \
	src/xfrm/request_policy.c src/xfrm/request_sa.c \
	src/xfrm/rules.c src/xfrm/rules.h \
	src/xfrm/select.c src/xfrm/select.h \
	src/xfrm/trial.c src/xfrm/unrouted.c \
	src/xfrm/xfrm.c src/xfrm/xfrm.h
src_xfrm_libvipsec_xfrm_a_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS) $(NFTABLES_CFLAGS)
