/* crypto/private_key.c - private keys through OpenSSL's decoders and OSSL_STORE.
 *
 * Nothing asks for a passphrase: a daemon has nobody to ask. Leaves signing to
 * signature.c, permissions of files to port/.
 */
#include "crypto/pki.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>

#include "base/mem.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

BIO *pki_over(struct span bytes)
{
	return bytes.len > INT_MAX ? NULL : BIO_new_mem_buf(bytes.at, (int)bytes.len);
}

enum key_kind key_kind_of(const EVP_PKEY *pkey)
{
	char group[32] = "";

	if (EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS"))
		return KEY_RSA;
	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return KEY_ED25519;
	if (!EVP_PKEY_is_a(pkey, "EC") ||
		EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
		return KEY_OTHER;
	if (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0)
		return KEY_P256;
	if (strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0)
		return KEY_P384;
	if (strcmp(group, "secp521r1") == 0 || strcmp(group, "P-521") == 0)
		return KEY_P521;
	return KEY_OTHER;
}

/* RFC 8247 4: RSA keys below 2048 bits are not to be used. */
const char *key_weakness(const EVP_PKEY *pkey)
{
	enum key_kind kind = pkey ? key_kind_of(pkey) : KEY_OTHER;

	if (kind == KEY_OTHER)
		return "its key is of a kind that is not supported (RSA, ECDSA P-256, "
		       "P-384, P-521, Ed25519 are)";
	if (kind == KEY_RSA && EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN)
		return "its RSA key is shorter than 2048 bits";
	if (kind == KEY_RSA && EVP_PKEY_get_bits(pkey) > RSA_BITS_MAX)
		return "its RSA key is longer than 8192 bits";
	return NULL;
}

static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
	(void)buf, (void)size, (void)writing;
	*(bool *)ctx = true;
	return -1;
}

static struct private_key *adopt(EVP_PKEY *pkey, const char **why)
{
	const char *weakness = key_weakness(pkey);
	struct private_key *k;

	if (weakness) {
		*why = weakness;
		EVP_PKEY_free(pkey);
		return NULL;
	}
	k = mem_new(1, sizeof(*k));
	k->uses = 1;
	k->pkey = pkey;
	return k;
}

struct private_key *private_key_read(struct span file, const char **why)
{
	bool encrypted = false;
	BIO *bio = pki_over(file);
	EVP_PKEY *pkey =
		bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted)
		    : NULL;

	BIO_free(bio);
	if (!pkey && !encrypted && (bio = pki_over(file))) {
		pkey = d2i_PrivateKey_bio(bio, NULL);
		BIO_free(bio);
	}
	ERR_clear_error();
	if (pkey)
		return adopt(pkey, why);
	*why = encrypted
		       ? "the key is encrypted: store it without a passphrase, readable "
			 "by root alone"
		       : "not a private key in PEM or DER";
	return NULL;
}

static EVP_PKEY *first_key(OSSL_STORE_CTX *store)
{
	EVP_PKEY *pkey = NULL;

	while (!pkey && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (!info)
			break;
		if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			pkey = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	return pkey;
}

struct private_key *private_key_open(const char *uri, const char **why)
{
	OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
	EVP_PKEY *pkey = NULL;

	if (store) {
		pkey = first_key(store);
		OSSL_STORE_close(store);
	}
	ERR_clear_error();
	if (pkey)
		return adopt(pkey, why);
	*why = store ? "OpenSSL's store has no private key there"
		     : "OpenSSL's store cannot be opened: is its provider configured?";
	return NULL;
}

struct private_key *private_key_keep(struct private_key *k)
{
	k->uses++;
	return k;
}

void private_key_free(struct private_key *k)
{
	if (!k || --k->uses > 0)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

bool private_key_fits(const struct private_key *k, const struct certificate *c)
{
	return EVP_PKEY_eq(X509_get0_pubkey(c->x), k->pkey) == 1;
}
