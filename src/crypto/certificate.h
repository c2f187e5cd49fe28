/* crypto/certificate.h - an X.509 certificate (RFC 5280), and what IKE asks of one.
 *
 * Parsing costs more than a handshake's arithmetic, so a certificate is parsed once,
 * never changes, and is shared: who keeps one counts, who is done frees.
 *
 * Floor 1.
 */
#ifndef VIPSEC_CRYPTO_CERTIFICATE_H
#define VIPSEC_CRYPTO_CERTIFICATE_H

#include "base/identity.h"
#include "crypto/crypto.h"
#include "crypto/prf.h"

enum {
	CERT_OCTETS_MAX = 16384, /* of one certificate */
	CERT_CHAIN_MAX = 8, /* certificates from a peer's own to that under our CA */
	CERT_TEXT_MAX = 256, /* of a name, with the NUL */
	CERT_DATE_MAX = 24
};

struct certificate;

/* One certificate in DER, nothing behind it. NULL: it is none. */
struct certificate *certificate_read(struct span der);
struct certificate *certificate_keep(struct certificate *c);
void certificate_free(struct certificate *c);

/* Those of a file, PEM or DER, in its order: at most max, each the caller's. 0: there is
 * none. What else a PEM file holds (keys, say) is passed over. */
size_t certificates_read(struct span file, struct certificate **out, size_t max);

struct span certificate_der(const struct certificate *c);
/* RFC 4514 text without anything unprintable. Return out. */
const char *certificate_subject(const struct certificate *c, char out[CERT_TEXT_MAX]);
const char *certificate_issuer(const struct certificate *c, char out[CERT_TEXT_MAX]);
/* Seconds since 1970. */
int64_t certificate_not_before_s(const struct certificate *c);
int64_t certificate_not_after_s(const struct certificate *c);
/* "2031-05-17 12:00 UTC". Returns out. */
const char *certificate_date(int64_t wall_s, char out[CERT_DATE_MAX]);

/* Is this one of its names? Host name, mail address and address must stand in
 * subjectAltName, a DN is the subject (RFC 7296 3.5, 4): never the CN alone. */
bool certificate_has_name(const struct certificate *c, const struct identity *id);
/* The name that it is best known by: host name, mail address, address, subject. False:
 * it has none that fits into an identity. */
bool certificate_first_name(const struct certificate *c, struct identity *out);

/* NULL: strong enough. Else what is too weak, or not supported: static text. */
const char *certificate_weakness(const struct certificate *c);
bool certificate_is_self_signed(const struct certificate *c);

/* RFC 4514 text to a DN. False: it is none, or too long. */
bool dn_parse(const char *text, struct identity *out);
/* Two DNs that may be encoded differently; false for other types. */
bool dn_equal(const struct identity *a, const struct identity *b);

#endif
