/* crypto/crypto.h - what the crypto room's headers have in common.
 *
 * This room alone includes OpenSSL. Floor 1.
 */
#ifndef VIPSEC_CRYPTO_CRYPTO_H
#define VIPSEC_CRYPTO_CRYPTO_H

enum crypto_err {
	CRYPTO_OK = 0,
	CRYPTO_FORGED, /* the peer's fault: tag, signature or public value is not valid */
	CRYPTO_REFUSED, /* the world's fault: the library said no */
};

#define CRYPTO_CHECKED __attribute__((warn_unused_result))

#endif
