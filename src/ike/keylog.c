/* ike/keylog.c - the keys of each IKE SA, for tshark (test builds only: configure
 * --enable-key-log; other builds have keylog_off.c).
 *
 * One line of tshark's ikev2_decryption_table: SPIs, SK_ei, SK_er, cipher, SK_ai, SK_ar,
 * integrity. Nothing here is wiped: the point is to give the keys away.
 */
#include "ike/sa.h"

#include <inttypes.h>
#include <stdio.h>

#define NO_INTEGRITY "NONE [RFC4306]"
#define CBC_128 "AES-CBC-128 [RFC3602]"
#define CBC_256 "AES-CBC-256 [RFC3602]"
#define SHA2_256 "HMAC_SHA2_256_128 [RFC4868]"
#define SHA2_384 "HMAC_SHA2_384_192 [RFC4868]"
#define SHA2_512 "HMAC_SHA2_512_256 [RFC4868]"

/* tshark 4.0 has no ChaCha20-Poly1305 in IKEv2: such SAs have no line. */
static const struct {
	const char *cipher, *integrity;
} names[AEAD_ALGS] = {
	[AEAD_AES128_GCM16] = {"AES-GCM-128 with 16 octet ICV [RFC5282]", NO_INTEGRITY},
	[AEAD_AES256_GCM16] = {"AES-GCM-256 with 16 octet ICV [RFC5282]", NO_INTEGRITY},
	[AEAD_AES128_SHA256] = {CBC_128, SHA2_256},
	[AEAD_AES128_SHA384] = {CBC_128, SHA2_384},
	[AEAD_AES128_SHA512] = {CBC_128, SHA2_512},
	[AEAD_AES256_SHA256] = {CBC_256, SHA2_256},
	[AEAD_AES256_SHA384] = {CBC_256, SHA2_384},
	[AEAD_AES256_SHA512] = {CBC_256, SHA2_512},
};

static const char *hex(struct span bytes, char *out)
{
	out[0] = '\0';
	for (size_t i = 0; i < bytes.len; i++)
		sprintf(out + 2 * i, "%02x", bytes.at[i]);
	return out;
}

void ike_set_key_sink(struct ike_engine *e, const struct ike_key_sink *sink)
{
	e->sink = *sink;
}

void ike_keylog(struct ike_engine *e, const struct ike_sa *sa, struct span sk_ei,
	struct span sk_er)
{
	char line[1024], ei[2 * PRF_OUT_MAX + 1], er[2 * PRF_OUT_MAX + 1];
	char ai[2 * PRF_OUT_MAX + 1], ar[2 * PRF_OUT_MAX + 1];
	size_t mac = aead_mac_key_len(sa->suite.encr), encr = sk_ei.len - mac;

	if (!e->sink.line || !names[sa->suite.encr].cipher)
		return;
	snprintf(line, sizeof(line),
		"%016" PRIx64 ",%016" PRIx64 ",%s,%s,\"%s\",%s,%s,\"%s\"", sa->spi_i,
		sa->spi_r, hex(span_of(sk_ei.at, encr), ei),
		hex(span_of(sk_er.at, encr), er), names[sa->suite.encr].cipher,
		hex(span_of(sk_ei.at + encr, mac), ai),
		hex(span_of(sk_er.at + encr, mac), ar), names[sa->suite.encr].integrity);
	e->sink.line(e->sink.ctx, line);
}
