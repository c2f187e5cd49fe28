/* config/key_exchanges.c - key exchanges by name, and additional ones (RFC 9370 2.2.1).
 *
 * What RFC 8247 2.4 forbids or advises against is refused by name, with the reason.
 */
#include "config/key_exchanges.h"

#include <string.h>

#include "base/iana.h"
#include "config/part.h"
#include "crypto/kex.h"

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
};

/* Only behind another one, as ke1_mlkem768: their public values are too long for IKE_SA_INIT,
 * which is never cut. */
static const struct algorithm kems[] = {
	{"mlkem512", KE_ML_KEM_512},
	{"mlkem768", KE_ML_KEM_768},
	{"mlkem1024", KE_ML_KEM_1024},
};

static const struct part exchange_part = PART("key exchange", exchanges, other_exchanges);

uint16_t key_exchange_builtin(size_t n)
{
	return (uint16_t)exchanges[n].id;
}

static const struct algorithm *find_kem(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(kems); i++)
		if (strcmp(kems[i].name, name) == 0)
			return &kems[i];
	return NULL;
}

bool key_exchange_find(
	struct draft *d, struct place at, const char *name, bool first, unsigned *out)
{
	const struct algorithm *kem = find_kem(name);

	if (kem == NULL)
		return part_find(d, at, &exchange_part, name, out);
	*out = kem->id;
	if (!kex_supported((uint16_t)kem->id))
		errors_add(d->errors, at,
			"key exchange \"%s\": this build's OpenSSL has no ML-KEM", name);
	else if (first)
		errors_add(d->errors, at,
			"key exchange \"%s\" cannot be the first: it is too long for "
			"IKE_SA_INIT; write it behind another one, as ke1_%s",
			name, name);
	else
		return true;
	return false;
}

bool key_exchange_is_more(const char *part)
{
	return strncmp(part, "ke", 2) == 0 && part[2] >= '0' && part[2] <= '9' &&
	       strchr(part, '_') != NULL;
}

/* RFC 9370 2.2.1: no method twice. */
static bool is_there(const struct config_ike_suite *s, unsigned ke)
{
	bool found = s->ke == ke;

	for (unsigned i = 0; i < CONFIG_MORE_MAX; i++)
		found |= s->more[i] == ke;
	return found;
}

bool key_exchange_add_more(
	struct draft *d, struct place at, const char *part, struct config_ike_suite *out)
{
	unsigned i = (unsigned)(part[2] - '1'), ke;

	if (part[3] != '_' || i >= CONFIG_MORE_MAX) {
		errors_add(d->errors, at,
			"\"%s\": additional key exchanges are ke1_ to ke%d_ (RFC 9370)",
			part, CONFIG_MORE_MAX);
		return false;
	}
	if (!key_exchange_find(d, at, part + 4, false, &ke))
		return false;
	if (out->more[i] != KE_NONE) {
		errors_add(
			d->errors, at, "\"%s\": there is a ke%u_ already", part, i + 1);
		return false;
	}
	if (is_there(out, ke)) {
		errors_add(d->errors, at,
			"\"%s\": that key exchange stands in the suite already "
			"(RFC 9370 2.2.1)",
			part);
		return false;
	}
	out->more[i] = (uint8_t)ke;
	return true;
}
