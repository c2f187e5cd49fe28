/* ike/keylog.c - the keys of each IKE SA, for tshark (test builds only: configure
 * --enable-key-log; other builds have keylog_off.c).
 *
 * One line of tshark's ikev2_decryption_table: SPIs, SK_ei, SK_er, cipher, SK_ai, SK_ar,
 * integrity. Nothing here is wiped: the point is to give the keys away.
 */
#include "ike/sa.h"

#include <inttypes.h>
#include <stdio.h>

/* tshark 4.0 has no ChaCha20-Poly1305 in IKEv2: such SAs have no line. */
static const char *const ciphers[] = {
	[AEAD_AES128_GCM16] = "AES-GCM-128 with 16 octet ICV [RFC5282]",
	[AEAD_AES256_GCM16] = "AES-GCM-256 with 16 octet ICV [RFC5282]",
	[AEAD_CHACHA20_POLY1305] = NULL,
};

static const char *hex(struct span bytes, char *out)
{
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
	char line[512], ei[2 * PRF_OUT_MAX + 1], er[2 * PRF_OUT_MAX + 1];

	if (!e->sink.line || !ciphers[sa->suite.encr])
		return;
	snprintf(line, sizeof(line),
		"%016" PRIx64 ",%016" PRIx64 ",%s,%s,\"%s\",,,\"NONE [RFC4306]\"",
		sa->spi_i, sa->spi_r, hex(sk_ei, ei), hex(sk_er, er),
		ciphers[sa->suite.encr]);
	e->sink.line(e->sink.ctx, line);
}
