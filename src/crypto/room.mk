noinst_LIBRARIES += src/crypto/libvipsec_crypto.a
src_crypto_libvipsec_crypto_a_SOURCES = \
	src/crypto/aead.c \
	src/crypto/certificate.c src/crypto/certificate.h \
	src/crypto/credential.c src/crypto/credential.h \
	src/crypto/dn.c \
	src/crypto/prf.c \
	src/crypto/hash.c \
	src/crypto/etm.c src/crypto/etm.h \
	src/crypto/kex.c \
	src/crypto/kex_ecp.c \
	src/crypto/kex_modp.c \
	src/crypto/kex_montgomery.c \
	src/crypto/pki.h \
	src/crypto/private_key.c src/crypto/private_key.h \
	src/crypto/revocation.c src/crypto/revocation.h \
	src/crypto/signature.c src/crypto/signature.h \
	src/crypto/chain.c src/crypto/chain.h \
	src/crypto/trust.c src/crypto/trust.h
src_crypto_libvipsec_crypto_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
if ML_KEM
src_crypto_libvipsec_crypto_a_SOURCES += src/crypto/kex_mlkem.c
else
src_crypto_libvipsec_crypto_a_SOURCES += src/crypto/kex_mlkem_none.c
endif
EXTRA_DIST += src/crypto/kex_mlkem.c src/crypto/kex_mlkem_none.c
