noinst_LIBRARIES += src/crypto/libvipsec_crypto.a
src_crypto_libvipsec_crypto_a_SOURCES = src/crypto/room.c
