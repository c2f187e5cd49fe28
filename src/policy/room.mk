noinst_LIBRARIES += src/policy/libvipsec_policy.a
src_policy_libvipsec_policy_a_SOURCES = \
	src/policy/explain.c src/policy/explain.h \
	src/policy/narrow.c \
	src/policy/policy.h \
	src/policy/spd.c src/policy/spd.h
