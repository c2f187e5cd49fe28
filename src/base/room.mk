noinst_LIBRARIES += src/base/libvipsec_base.a
src_base_libvipsec_base_a_SOURCES = \
	src/base/addr.c src/base/addr.h \
	src/base/duration.c src/base/duration.h \
	src/base/entropy.c src/base/entropy.h \
	src/base/hostname.c src/base/hostname.h \
	src/base/iana.h \
	src/base/identity.c src/base/identity.h \
	src/base/list.h \
	src/base/map.c src/base/map.h \
	src/base/mem.c src/base/mem.h \
	src/base/prefix.c \
	src/base/rate.c src/base/rate.h \
	src/base/secret.c src/base/secret.h \
	src/base/siphash.c src/base/siphash.h \
	src/base/span.h \
	src/base/ts.c src/base/ts_text.c src/base/ts.h
