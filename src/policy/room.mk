noinst_LIBRARIES += src/policy/libvipsec_policy.a
src_policy_libvipsec_policy_a_SOURCES = src/policy/room.c
