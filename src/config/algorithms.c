/* config/algorithms.c - which algorithms there are, and which there never will be.
 *
 * What RFC 8247 (IKE) and RFC 8221 (ESP) forbid or advise against is refused by name, with
 * the reason; what is widely known and just not here is refused as such, so that nobody looks
 * for a spelling mistake.
 *
 *   CIPHER-PRF-KEYEXCHANGE                  a cipher with integrity of its own
 *   CIPHER-INTEGRITY[-PRF]-KEYEXCHANGE      AES-CBC; the PRF, unless said, of the same hash
 */
#include "config/algorithms.h"

#include "base/iana.h"
#include "config/block.h"
#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

struct algorithm {
	const char *name;
	unsigned id;
};

struct refused {
	const char *name;
	const char *why; /* NULL: it is just not here */
};

/* One part of a suite: what exists, in order of preference, and what does not. */
struct part {
	const char *what;
	const struct algorithm *known;
	size_t n_known;
	const struct refused *others;
	size_t n_others;
};

/* AES-CBC stands for the first of its combinations, to which the hash's place is added. */
static const struct algorithm ciphers[] = {
	{"aes256gcm16", AEAD_AES256_GCM16},
	{"aes128gcm16", AEAD_AES128_GCM16},
	{"chacha20poly1305", AEAD_CHACHA20_POLY1305},
	{"aes256", AEAD_AES256_SHA256},
	{"aes128", AEAD_AES128_SHA256},
};
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
	{"aes128gmac", NULL},
	{"aes256gmac", NULL},
	{"camellia128", NULL},
	{"camellia256", NULL},
	{"null", NULL},
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

#define SMALL_GROUP "the group is too small (RFC 8247 2.4: SHOULD NOT, or MUST NOT)"
#define ODD_GROUP "its small subgroups were not disclosed (RFC 8247 2.4)"

static const struct algorithm exchanges[] = {
	{"x25519", KE_CURVE25519},
	{"ecp256", KE_ECP_256},
	{"modp2048", KE_MODP_2048},
	{"ecp384", KE_ECP_384},
	{"modp3072", KE_MODP_3072},
	/* to be asked for */
	{"x448", KE_CURVE448},
	{"ecp521", KE_ECP_521},
	{"modp4096", KE_MODP_4096},
};
enum { BUILTIN_EXCHANGES = 5 };
static const struct refused other_exchanges[] = {
	{"modp768", SMALL_GROUP},
	{"modp1024", SMALL_GROUP},
	{"modp1536", SMALL_GROUP},
	{"modp1024s160", ODD_GROUP},
	{"modp2048s224", ODD_GROUP},
	{"modp2048s256", ODD_GROUP},
	{"ecp192", "the group is too small"},
	{"ecp224", "the group is too small"},
	{"curve25519", "it is called x25519 here"},
	{"curve448", "it is called x448 here"},
	{"modp6144", NULL},
	{"modp8192", NULL},
	{"mlkem512", NULL},
	{"mlkem768", NULL},
	{"mlkem1024", NULL},
};

#define PART(what, known, others)                                      \
	{                                                              \
		what, known, COUNT_OF(known), others, COUNT_OF(others) \
	}
static const struct part cipher_part = PART("cipher", ciphers, other_ciphers);
static const struct part prf_part = PART("PRF", prfs, other_prfs);
static const struct part named_prf_part = PART("PRF", named_prfs, other_prfs);
static const struct part integrity_part =
	PART("integrity algorithm", integrities, other_prfs);
static const struct part exchange_part = PART("key exchange", exchanges, other_exchanges);

static void list_known(const struct part *part, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < part->n_known && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s", i > 0 ? ", " : "",
			part->known[i].name);
}

static const struct refused *find_refused(const struct part *part, const char *name)
{
	for (size_t i = 0; i < part->n_others; i++)
		if (strcmp(part->others[i].name, name) == 0)
			return &part->others[i];
	return NULL;
}

static bool part_find(struct draft *d, struct place at, const struct part *part,
	const char *name, unsigned *out)
{
	struct suggest s = suggest_for(name);
	char known[120], text[SUGGEST_TEXT_MAX] = "";

	for (size_t i = 0; i < part->n_known; i++) {
		if (strcmp(part->known[i].name, name) == 0) {
			*out = part->known[i].id;
			return true;
		}
		suggest_offer(&s, part->known[i].name);
	}
	list_known(part, known, sizeof(known));
	const struct refused *r = find_refused(part, name);
	if (r && r->why)
		errors_add(d->errors, at, "%s \"%s\" is refused: %s; there are %s",
			part->what, name, r->why, known);
	else
		errors_add(d->errors, at,
			r ? "%s \"%s\" is not supported; there are %s%s"
			  : "unknown %s \"%s\"; there are %s%s",
			part->what, name, known, r ? "" : suggest_text(&s, text));
	return false;
}

/* ---- suites --------------------------------------------------------------------------- */

enum { PARTS_MAX = 4 };

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

bool algorithms_ike(struct draft *d, const struct word *w, struct config_ike_suite *out)
{
	struct parts parts;
	unsigned encr, prf, ke;

	if (!split(w->text, &parts) || parts.n < 3) {
		errors_add(d->errors, w->at,
			"\"%s\": expected CIPHER-PRF-KEYEXCHANGE, such as "
			"aes256gcm16-sha384-x25519",
			w->text);
		return false;
	}
	if (!part_find(d, w->at, &cipher_part, parts.at[0], &encr))
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
	if (!part_find(d, w->at, &exchange_part, parts.at[parts.n - 1], &ke))
		return false;
	*out = (struct config_ike_suite){
		(enum aead_alg)encr, (enum prf_alg)prf, (uint16_t)ke};
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
	if (!part_find(d, w->at, &cipher_part, parts.at[0], &encr))
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
			"cipher \"%s\" needs an integrity algorithm (RFC 8221 4), such "
			"as "
			"%s-sha256",
			w->text, w->text);
		return false;
	}
	if (composed && !part_find(d, w->at, &integrity_part, parts.at[1], &hash))
		return false;
	out->encr = (enum aead_alg)(encr + (composed ? hashes[hash].place : 0));
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
	for (size_t k = 0; k < BUILTIN_EXCHANGES; k++) {
		for (size_t i = 0; i < COUNT_OF(pairs); i++)
			p->ike[p->n_ike++] = (struct config_ike_suite){
				pairs[i].encr, pairs[i].prf, (uint16_t)exchanges[k].id};
	}
}

void algorithms_builtin_esp(struct config_proposal *p)
{
	static const enum aead_alg algs[] = {AEAD_AES256_GCM16, AEAD_AES128_GCM16,
		AEAD_CHACHA20_POLY1305, AEAD_AES256_SHA512, AEAD_AES256_SHA256,
		AEAD_AES128_SHA256};

	for (size_t i = 0; i < COUNT_OF(algs); i++)
		p->esp[p->n_esp++] = (struct config_esp_suite){algs[i]};
}
