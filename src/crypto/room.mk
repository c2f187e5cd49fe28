noinst_LIBRARIES += src/crypto/libvipsec_crypto.a
src_crypto_libvipsec_crypto_a_SOURCES = \
	src/crypto/aead.c \
	src/crypto/prf.c \
	src/crypto/hash.c \
	src/crypto/etm.c src/crypto/etm.h \
	src/crypto/kex.c \
	src/crypto/kex_x25519.c \
	src/crypto/kex_ecp256.c \
	src/crypto/kex_modp2048.c
src_crypto_libvipsec_crypto_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
