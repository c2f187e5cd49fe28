/* tests/unit/pki_lab.h - a little PKI in memory: CAs, certificates, CRLs, OCSP answers.
 *
 * The clock of the tests stands at PKI_NOW; what is not said otherwise is good from a day
 * before until a year after.
 */
#ifndef VIPSEC_TESTS_PKI_LAB_H
#define VIPSEC_TESTS_PKI_LAB_H

#include "unit.h"

#include "crypto/credential.h"
#include "crypto/trust.h"

enum { PKI_DAY = 24 * 3600 };
#define PKI_NOW ((int64_t)1900000000)

struct pki_node;

struct pki_spec {
	/* "P-256" (if NULL), "P-384", "ED25519", "RSA:2048", ...; "ED25519:7" is one that is
	 * the same each time; "spki:HEX" is a public key alone, and wants an issuer. */
	const char *key;
	const char *subject; /* "CN=...", RFC 4514, one RDN */
	const char *san; /* "DNS:mail.example,IP:192.0.2.10"; NULL: none */
	const struct pki_node *issuer; /* NULL: itself */
	bool ca;
	int64_t from_s, until_s; /* 0: the usual */
	const char *eku, *key_usage, *crl_url, *ocsp_url; /* NULL: none */
	const char *digest; /* NULL: as suits the issuer's key */
};

struct pki_node *pki_new(const struct pki_spec *spec);
void pki_free(struct pki_node *n);
/* The same certificate, but with another issuer's signature on it. */
struct pki_node *pki_forged(const struct pki_node *n, const struct pki_node *by);

struct certificate *pki_certificate(const struct pki_node *n);
struct private_key *pki_key(const struct pki_node *n);
struct span pki_der(const struct pki_node *n);
/* PEM text of the certificate, or of the key; good as long as the node. */
struct span pki_cert_pem(struct pki_node *n);
struct span pki_key_pem(struct pki_node *n);
/* Its certificate, then those of the issuers that are given (NULL ends). */
struct credential *pki_credential(
	const struct pki_node *n, const struct pki_node *const *issuers);

/* Octets from the heap, to be freed with pki_octets_free(). revoked may be NULL. */
struct span pki_crl(const struct pki_node *issuer, const struct pki_node *revoked,
	int64_t from_s, int64_t until_s);
/* responder signs; good or revoked. */
struct span pki_ocsp(const struct pki_node *responder, const struct pki_node *issuer,
	const struct pki_node *of, bool revoked, int64_t until_s);
void pki_octets_free(struct span octets);

#endif
