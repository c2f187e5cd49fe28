/* crypto/pki.h - what the files about certificates share: OpenSSL's objects.
 *
 * Private to crypto/.
 */
#ifndef VIPSEC_CRYPTO_PKI_H
#define VIPSEC_CRYPTO_PKI_H

#include "crypto/certificate.h"
#include "crypto/chain.h"
#include "crypto/private_key.h"
#include "crypto/revocation.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct certificate {
	unsigned uses;
	X509 *x;
	int64_t not_before_s, not_after_s;
	size_t der_len;
	uint8_t der[];
};

struct chain {
	unsigned uses;
	int64_t until_s;
	size_t n;
	struct span certs[CERT_CHAIN_MAX]; /* into der, the peer's own first */
	uint8_t der[];
};

/* chain: as verified, from the leaf to the anchor. */
struct chain *chain_new(STACK_OF(X509) * chain);

/* x is taken over, also when NULL is returned. */
struct certificate *certificate_adopt(X509 *x);

struct private_key {
	unsigned uses;
	EVP_PKEY *pkey;
};

/* What a key is, for signing and for judging its strength. */
enum key_kind { KEY_OTHER, KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519 };
enum key_kind key_kind_of(const EVP_PKEY *pkey);
const char *key_weakness(const EVP_PKEY *pkey); /* NULL: none */

/* Seconds since 1970; INT64_MAX: the time makes no sense. */
int64_t pki_time_s(const ASN1_TIME *t);
/* Printable RFC 4514 text of a name. */
void pki_name_text(const X509_NAME *name, char out[CERT_TEXT_MAX]);
/* A read-only BIO; NULL: no memory. */
BIO *pki_over(struct span bytes);

/* What is known of one certificate, whose issuer has signed it. */
enum revocation_state { STATE_UNKNOWN, STATE_GOOD, STATE_REVOKED };
struct revocation_question {
	X509 *cert, *issuer;
	STACK_OF(X509) * chain;
	X509_STORE *store; /* for a delegated OCSP responder */
	STACK_OF(X509_CRL) * crls; /* of the configuration */
	int64_t now_s;
};
struct revocation_word {
	int64_t until_s; /* good: for so long; failed: not asked for before */
	struct fetch_wish wish; /* what would tell more, if wished */
	bool wished, failed; /* failed: it was tried in vain */
};
enum revocation_state revocation_ask(struct revocations *r,
	const struct revocation_question *q, struct revocation_word *out);

#endif
