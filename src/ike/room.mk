noinst_LIBRARIES += src/ike/libvipsec_ike.a
src_ike_libvipsec_ike_a_SOURCES = \
	src/ike/ask.c \
	src/ike/auth.c \
	src/ike/auth_cert.c \
	src/ike/auth_proof.c \
	src/ike/child.c src/ike/child.h \
	src/ike/collision.c \
	src/ike/cookie.c \
	src/ike/create_child.c \
	src/ike/crossing.c \
	src/ike/dispatch.c \
	src/ike/engine.c \
	src/ike/flight.c \
	src/ike/follow.h src/ike/followup_ke.c \
	src/ike/ike.h \
	src/ike/informational.c \
	src/ike/intermediate.c \
	src/ike/keys.c \
	src/ike/message.c \
	src/ike/message_ids.c \
	src/ike/mobike.c \
	src/ike/redirect.c \
	src/ike/natd.c \
	src/ike/nonce.c src/ike/nonce.h \
	src/ike/origin.c \
	src/ike/pair.c \
	src/ike/pieces.c \
	src/ike/ppk.c \
	src/ike/proposal.c src/ike/proposal.h \
	src/ike/receive.c \
	src/ike/rekey_child.c \
	src/ike/rekey_ike.c \
	src/ike/retransmit.c \
	src/ike/rules.c src/ike/rules.h \
	src/ike/sa.c src/ike/sa.h \
	src/ike/sa_init.c \
	src/ike/selectors.c \
	src/ike/sk.c \
	src/ike/standing.c \
	src/ike/suites.c src/ike/suites.h \
	src/ike/suites_esp.c \
	src/ike/task.c src/ike/task.h \
	src/ike/timer.c \
	src/ike/vendor.c
if KEY_LOG
src_ike_libvipsec_ike_a_SOURCES += src/ike/keylog.c
else
src_ike_libvipsec_ike_a_SOURCES += src/ike/keylog_off.c
endif
EXTRA_DIST += src/ike/keylog.c src/ike/keylog_off.c
