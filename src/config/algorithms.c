/* config/algorithms.c - which algorithms there are, and which there never will be.
 *
 * What RFC 8247 (IKE) and RFC 8221 (ESP) forbid or advise against is refused by name, with
 * the reason; what is widely known and just not here is refused as such, so that nobody looks
 * for a spelling mistake.
 *
 * Integrity without encryption is for ESP alone (RFC 8221 5, RFC 8247 2.1), and only where it
 * is asked for by name: nothing that is built in has it.
 *
 *   CIPHER-PRF-KEYEXCHANGE                  a cipher with integrity of its own
 *   CIPHER-INTEGRITY[-PRF]-KEYEXCHANGE      AES-CBC; the PRF, unless said, of the same hash
 *   ...-ke1_KEYEXCHANGE[-ke2_KEYEXCHANGE]   and additional key exchanges (RFC 9370 2.2.1)
 */
#include "config/algorithms.h"

#include "base/iana.h"
#include "config/block.h"
#include "config/key_exchanges.h"
#include "config/part.h"

#include <string.h>

/* AES-CBC and NULL stand for the first of their combinations, to which the hash's place is
 * added. */
static const struct algorithm ciphers[] = {
	{"aes256gcm16", AEAD_AES256_GCM16},
	{"aes128gcm16", AEAD_AES128_GCM16},
	{"chacha20poly1305", AEAD_CHACHA20_POLY1305},
	{"aes256", AEAD_AES256_SHA256},
	{"aes128", AEAD_AES128_SHA256},
	/* of ESP alone */
	{"null", AEAD_NULL_SHA256},
	{"aes256gmac", AEAD_AES256_GMAC},
	{"aes128gmac", AEAD_AES128_GMAC},
};
enum { IKE_CIPHERS = 5 };
#define ALWAYS_ENCRYPTED \
	"an IKE SA is always encrypted (RFC 7296 5, RFC 8247 2.1: MUST NOT)"
static const struct refused other_ciphers[] = {
	{"des", "its keys of 56 bits can be tried out (RFC 8247 2.1, RFC 8221 5)"},
	{"3des", "its blocks of 64 bits leak (RFC 8221 5: SHOULD NOT)"},
	{"blowfish", "its blocks of 64 bits leak (RFC 8221 5: MUST NOT)"},
	{"cast128", "its blocks of 64 bits leak (RFC 8221 5)"},
	{"idea", "its blocks of 64 bits leak (RFC 8221 5: MUST NOT)"},
	{"aes192", NULL},
	{"aes128cbc", "it is called aes128 here"},
	{"aes256cbc", "it is called aes256 here"},
	{"aes128ctr", NULL},
	{"aes256ctr", NULL},
	{"aes192gcm16", NULL},
	{"aes128gcm8", "a tag of 8 octets is too short (RFC 8247 2.1)"},
	{"aes256gcm8", "a tag of 8 octets is too short (RFC 8247 2.1)"},
	{"aes128gcm12", "a tag of 12 octets is not used (RFC 8247 2.1)"},
	{"aes256gcm12", "a tag of 12 octets is not used (RFC 8247 2.1)"},
	{"aes128ccm16", NULL},
	{"aes256ccm16", NULL},
	{"aes128gmac", ALWAYS_ENCRYPTED},
	{"aes192gmac", NULL},
	{"aes256gmac", ALWAYS_ENCRYPTED},
	{"camellia128", NULL},
	{"camellia256", NULL},
	{"null", ALWAYS_ENCRYPTED},
};

#define BROKEN_HASH "MD5 is broken (RFC 8247 2.2, 2.3: MUST NOT)"
#define OLD_HASH "SHA-1 is on its way out (RFC 8247 2.2, 2.3: MUST-)"

static const struct algorithm prfs[] = {
	{"sha384", PRF_SHA384},
	{"sha256", PRF_SHA256},
	{"sha512", PRF_SHA512},
};
/* Written out behind an integrity algorithm. */
static const struct algorithm named_prfs[] = {
	{"prfsha384", PRF_SHA384},
	{"prfsha256", PRF_SHA256},
	{"prfsha512", PRF_SHA512},
};
static const struct refused other_prfs[] = {
	{"md5", BROKEN_HASH},
	{"prfmd5", BROKEN_HASH},
	{"sha1", OLD_HASH},
	{"prfsha1", OLD_HASH},
	{"sha", OLD_HASH},
	{"aesxcbc", NULL},
	{"aes128gmac", NULL},
	{"aes256gmac", NULL},
	{"prfaesxcbc", NULL},
	{"aescmac", NULL},
	{"prfaescmac", NULL},
	{"tiger", "nobody has examined it (RFC 8247 2.2: MUST NOT)"},
};

struct hash {
	unsigned place; /* among a cipher's combinations */
	enum prf_alg prf;
};
static const struct hash hashes[] = {{0, PRF_SHA256}, {1, PRF_SHA384}, {2, PRF_SHA512}};

static const struct algorithm integrities[] = {
	{"sha256", 0},
	{"sha384", 1},
	{"sha512", 2},
};

static const struct part ike_cipher_part = {
	"cipher", ciphers, IKE_CIPHERS, other_ciphers, COUNT_OF(other_ciphers)};
static const struct part esp_cipher_part = PART("cipher", ciphers, other_ciphers);
static const struct part prf_part = PART("PRF", prfs, other_prfs);
static const struct part named_prf_part = PART("PRF", named_prfs, other_prfs);
static const struct part integrity_part =
	PART("integrity algorithm", integrities, other_prfs);

/* ---- suites --------------------------------------------------------------------------- */

enum { SUITE_PARTS_MAX = 4, PARTS_MAX = SUITE_PARTS_MAX + CONFIG_MORE_MAX };

struct parts {
	char at[PARTS_MAX][TREE_WORD_MAX + 1];
	size_t n;
};

/* Takes a word apart at the dashes. False: an empty part, or too many. */
static bool split(const char *text, struct parts *out)
{
	out->n = 0;
	for (;;) {
		size_t len = strcspn(text, "-");

		if (len == 0 || out->n == PARTS_MAX)
			return false;
		memcpy(out->at[out->n], text, len);
		out->at[out->n++][len] = '\0';
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

static bool needs_integrity(unsigned cipher)
{
	return aead_mac_key_len((enum aead_alg)cipher) != 0;
}

/* parts[1] and, if it is there, a PRF behind it. */
static bool find_hashes(struct draft *d, struct place at, const struct parts *parts,
	unsigned *encr, unsigned *prf)
{
	unsigned hash;

	if (!part_find(d, at, &integrity_part, parts->at[1], &hash))
		return false;
	*encr += hashes[hash].place;
	*prf = hashes[hash].prf;
	return parts->n < 4 || part_find(d, at, &named_prf_part, parts->at[2], prf);
}

static bool more_is_last(struct draft *d, const struct word *w, const struct parts *parts)
{
	for (size_t i = 0; i + 1 < parts->n; i++) {
		if (!key_exchange_is_more(parts->at[i]) ||
			key_exchange_is_more(parts->at[i + 1]))
			continue;
		errors_add(d->errors, w->at,
			"\"%s\": \"%s\" stands behind all else, as in "
			"aes256gcm16-sha384-x25519-ke1_ecp384",
			w->text, parts->at[i]);
		return false;
	}
	return true;
}

bool algorithms_ike(struct draft *d, const struct word *w, struct config_ike_suite *out)
{
	struct parts parts;
	unsigned encr, prf, ke;
	bool whole = split(w->text, &parts);
	size_t n_all = parts.n;

	if (!more_is_last(d, w, &parts))
		return false;
	while (parts.n > 0 && key_exchange_is_more(parts.at[parts.n - 1]))
		parts.n--;
	if (!whole || parts.n < 3 || parts.n > SUITE_PARTS_MAX) {
		errors_add(d->errors, w->at,
			"\"%s\": expected CIPHER-PRF-KEYEXCHANGE, such as "
			"aes256gcm16-sha384-x25519",
			w->text);
		return false;
	}
	if (!part_find(d, w->at, &ike_cipher_part, parts.at[0], &encr))
		return false;
	if (parts.n == 4 && !needs_integrity(encr)) {
		errors_add(d->errors, w->at,
			"\"%s\": expected CIPHER-PRF-KEYEXCHANGE: %s has integrity of "
			"its own",
			w->text, parts.at[0]);
		return false;
	}
	if (needs_integrity(encr) ? !find_hashes(d, w->at, &parts, &encr, &prf)
				  : !part_find(d, w->at, &prf_part, parts.at[1], &prf))
		return false;
	if (!key_exchange_find(d, w->at, parts.at[parts.n - 1], true, &ke))
		return false;
	*out = (struct config_ike_suite){.encr = (enum aead_alg)encr,
		.prf = (enum prf_alg)prf,
		.ke = (uint16_t)ke};
	for (size_t i = parts.n; i < n_all; i++)
		if (!key_exchange_add_more(d, w->at, parts.at[i], out))
			return false;
	return true;
}

bool algorithms_esp(struct draft *d, const struct word *w, struct config_esp_suite *out)
{
	struct parts parts;
	unsigned encr, hash = 0;

	if (!split(w->text, &parts)) {
		errors_add(d->errors, w->at,
			"\"%s\": expected CIPHER, such as aes256gcm16", w->text);
		return false;
	}
	if (!part_find(d, w->at, &esp_cipher_part, parts.at[0], &encr))
		return false;
	bool composed = needs_integrity(encr);
	if (parts.n > (composed ? 2u : 1u)) {
		errors_add(d->errors, w->at,
			"\"%s\": a key exchange in esp is `pfs yes` in the "
			"filter-action; its groups are those of ike",
			w->text);
		return false;
	}
	if (composed && parts.n < 2) {
		errors_add(d->errors, w->at,
			"cipher \"%s\" needs an integrity algorithm (RFC 8221 4, 6), "
			"such "
			"as "
			"%s-sha256",
			w->text, w->text);
		return false;
	}
	if (composed && !part_find(d, w->at, &integrity_part, parts.at[1], &hash))
		return false;
	*out = (struct config_esp_suite){
		.encr = (enum aead_alg)(encr + (composed ? hashes[hash].place : 0))};
	return true;
}

/* RFC 8221 6 has AES-GMAC for AH as a MAY; no kernel of ours has it. */
bool algorithms_ah(struct draft *d, const struct word *w, struct config_esp_suite *out)
{
	unsigned hash;

	if (!part_find(d, w->at, &integrity_part, w->text, &hash))
		return false;
	*out = (struct config_esp_suite){.ah = true,
		.encr = (enum aead_alg)(AEAD_NULL_SHA256 + hashes[hash].place)};
	return true;
}

/* ---- built in --------------------------------------------------------------------------- */

void algorithms_builtin_ike(struct config_proposal *p)
{
	static const struct {
		enum aead_alg encr;
		enum prf_alg prf;
	} pairs[] = {
		{AEAD_AES256_GCM16, PRF_SHA384},
		{AEAD_AES256_GCM16, PRF_SHA256},
		{AEAD_AES128_GCM16, PRF_SHA256},
		{AEAD_AES128_GCM16, PRF_SHA384},
		{AEAD_CHACHA20_POLY1305, PRF_SHA256},
		/* RFC 8247 2.1 to 2.3: what everybody has */
		{AEAD_AES256_SHA512, PRF_SHA512},
		{AEAD_AES256_SHA384, PRF_SHA384},
		{AEAD_AES256_SHA256, PRF_SHA256},
		{AEAD_AES128_SHA256, PRF_SHA256},
	};

	/* the key exchange first: it is what a wrong guess costs a round trip for */
	for (size_t k = 0; k < KEY_EXCHANGES_BUILTIN; k++) {
		for (size_t i = 0; i < COUNT_OF(pairs); i++)
			p->ike[p->n_ike++] =
				(struct config_ike_suite){.encr = pairs[i].encr,
					.prf = pairs[i].prf,
					.ke = key_exchange_builtin(k)};
	}
}

void algorithms_builtin_esp(struct config_proposal *p)
{
	static const enum aead_alg algs[] = {AEAD_AES256_GCM16, AEAD_AES128_GCM16,
		AEAD_CHACHA20_POLY1305, AEAD_AES256_SHA512, AEAD_AES256_SHA256,
		AEAD_AES128_SHA256};

	for (size_t i = 0; i < COUNT_OF(algs); i++)
		p->esp[p->n_esp++] = (struct config_esp_suite){.encr = algs[i]};
}
