/* tests/unit/toy_kem.c - see toy_kem.h.
 *
 * key: SHA-256(seed), then octets that follow from it; a key without these is refused.
 * ciphertext: the 32 octets of m, xored with the key's first 32, then octets that follow from
 * it. secret: SHA-256(m | the key's first 32).
 */
#include "toy_kem.h"

#include "unit.h"

#include <stdlib.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "crypto/prf.h"

enum { HASH = SHA256_LEN, SEED = 64, KEY_MAX = 1568 };

struct size {
	size_t key, ciphertext;
};
static const struct size size_512 = {800, 768}, size_768 = {1184, 1088},
			 size_1024 = {1568, 1568};

struct toy_key {
	const struct size *size;
	bool whole; /* with its private part */
	uint8_t public[KEY_MAX];
};

struct toy_making {
	const struct size *size;
	bool seeded;
	uint8_t seed[SEED];
};

struct toy_op {
	const struct toy_key *key;
	bool has_m;
	uint8_t m[HASH];
};

static void hash_of(
	const void *at, size_t len, const void *more, size_t more_len, uint8_t *out)
{
	const struct span parts[] = {span_of(at, len), span_of(more, more_len)};
	enum crypto_err err = sha256(parts, 2, out);

	assert_int_equal(err, CRYPTO_OK);
}

/* All behind the first 32 octets. */
static void fill(uint8_t *at, size_t len)
{
	uint8_t block[HASH];

	for (size_t i = HASH; i < len; i += HASH) {
		hash_of(at, HASH, &i, sizeof(i), block);
		memcpy(at + i, block, len - i < HASH ? len - i : HASH);
	}
}

/* ---- keys */

static void *key_new(const struct size *size)
{
	struct toy_key *k = calloc(1, sizeof(*k));

	k->size = size;
	return k;
}

static void key_free(void *key)
{
	free(key);
}

static int key_has(const void *key, int selection)
{
	const struct toy_key *k = key;

	return !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || k->whole;
}

static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct toy_key *k = key;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
	uint8_t want[KEY_MAX];

	(void)selection;
	if (!p || p->data_size != k->size->key)
		return 0;
	memcpy(k->public, p->data, p->data_size);
	memcpy(want, k->public, HASH);
	fill(want, k->size->key);
	return memcmp(want, k->public, k->size->key) == 0;
}

static const OSSL_PARAM *public_type(void)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END};

	return types;
}

static const OSSL_PARAM *key_import_types(int selection)
{
	(void)selection;
	return public_type();
}

static int key_get(void *key, OSSL_PARAM params[])
{
	const struct toy_key *k = key;
	OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_PUB_KEY);

	return !p || OSSL_PARAM_set_octet_string(p, k->public, k->size->key);
}

static const OSSL_PARAM *key_gettable(void *provider)
{
	(void)provider;
	return public_type();
}

static int making_set(void *making, const OSSL_PARAM params[])
{
	struct toy_making *m = making;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, "seed");

	if (!p)
		return 1;
	if (p->data_size != SEED)
		return 0;
	memcpy(m->seed, p->data, SEED);
	m->seeded = true;
	return 1;
}

static const OSSL_PARAM *making_settable(void *making, void *provider)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_string("seed", NULL, 0), OSSL_PARAM_END};

	(void)making;
	(void)provider;
	return types;
}

static void *making_new(const struct size *size, const OSSL_PARAM params[])
{
	struct toy_making *m = calloc(1, sizeof(*m));

	m->size = size;
	if (params)
		assert_int_equal(making_set(m, params), 1);
	return m;
}

/* Without a seed it would draw at random, and no run could be repeated. */
static void *making_make(void *making, OSSL_CALLBACK *progress, void *arg)
{
	const struct toy_making *m = making;

	(void)progress;
	(void)arg;
	if (!m->seeded)
		return NULL;
	struct toy_key *k = key_new(m->size);
	k->whole = true;
	hash_of(m->seed, SEED, NULL, 0, k->public);
	fill(k->public, m->size->key);
	return k;
}

/* ---- operations */

static void *op_new(void *provider)
{
	(void)provider;
	return calloc(1, sizeof(struct toy_op));
}

static void op_free(void *op)
{
	free(op);
}

static int op_begin(void *op, void *key, const OSSL_PARAM params[])
{
	struct toy_op *o = op;
	const OSSL_PARAM *p = params ? OSSL_PARAM_locate_const(params, "ikme") : NULL;

	o->key = key;
	if (p && p->data_size != HASH)
		return 0;
	if (p)
		memcpy(o->m, p->data, HASH);
	o->has_m = p != NULL;
	return 1;
}

static const OSSL_PARAM *op_settable(void *op, void *provider)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_string("ikme", NULL, 0), OSSL_PARAM_END};

	(void)op;
	(void)provider;
	return types;
}

static int op_set(void *op, const OSSL_PARAM params[])
{
	(void)op;
	(void)params;
	return 1;
}

static int op_encapsulate(void *op, unsigned char *out, size_t *out_len,
	unsigned char *secret, size_t *secret_len)
{
	const struct toy_op *o = op;
	size_t len = o->key->size->ciphertext;

	if (!out) {
		*out_len = len;
		*secret_len = HASH;
		return 1;
	}
	if (!o->has_m || *out_len < len || *secret_len < HASH)
		return 0;
	for (size_t i = 0; i < HASH; i++)
		out[i] = o->m[i] ^ o->key->public[i];
	fill(out, len);
	hash_of(o->m, HASH, o->key->public, HASH, secret);
	*out_len = len;
	*secret_len = HASH;
	return 1;
}

static int op_decapsulate(void *op, unsigned char *out, size_t *out_len,
	const unsigned char *in, size_t in_len)
{
	const struct toy_op *o = op;
	uint8_t m[HASH];

	if (!out) {
		*out_len = HASH;
		return 1;
	}
	if (!o->key->whole || in_len != o->key->size->ciphertext || *out_len < HASH)
		return 0;
	for (size_t i = 0; i < HASH; i++)
		m[i] = in[i] ^ o->key->public[i];
	hash_of(m, HASH, o->key->public, HASH, out);
	*out_len = HASH;
	return 1;
}

/* ---- what OpenSSL is told */

typedef void (*entry)(void);

#define SIZED(bits)                                                              \
	static void *key_new_##bits(void *provider)                              \
	{                                                                        \
		(void)provider;                                                  \
		return key_new(&size_##bits);                                    \
	}                                                                        \
	static void *making_new_##bits(                                          \
		void *provider, int selection, const OSSL_PARAM params[])        \
	{                                                                        \
		(void)provider;                                                  \
		(void)selection;                                                 \
		return making_new(&size_##bits, params);                         \
	}                                                                        \
	static const OSSL_DISPATCH keys_##bits[] = {                             \
		{OSSL_FUNC_KEYMGMT_NEW, (entry)key_new_##bits},                  \
		{OSSL_FUNC_KEYMGMT_FREE, (entry)key_free},                       \
		{OSSL_FUNC_KEYMGMT_HAS, (entry)key_has},                         \
		{OSSL_FUNC_KEYMGMT_IMPORT, (entry)key_import},                   \
		{OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (entry)key_import_types},       \
		{OSSL_FUNC_KEYMGMT_GET_PARAMS, (entry)key_get},                  \
		{OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (entry)key_gettable},        \
		{OSSL_FUNC_KEYMGMT_GEN_INIT, (entry)making_new_##bits},          \
		{OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, (entry)making_set},           \
		{OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, (entry)making_settable}, \
		{OSSL_FUNC_KEYMGMT_GEN, (entry)making_make},                     \
		{OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (entry)key_free}, {0, NULL}}
SIZED(512);
SIZED(768);
SIZED(1024);

static const OSSL_DISPATCH operations[] = {{OSSL_FUNC_KEM_NEWCTX, (entry)op_new},
	{OSSL_FUNC_KEM_FREECTX, (entry)op_free},
	{OSSL_FUNC_KEM_ENCAPSULATE_INIT, (entry)op_begin},
	{OSSL_FUNC_KEM_ENCAPSULATE, (entry)op_encapsulate},
	{OSSL_FUNC_KEM_DECAPSULATE_INIT, (entry)op_begin},
	{OSSL_FUNC_KEM_DECAPSULATE, (entry)op_decapsulate},
	{OSSL_FUNC_KEM_SET_CTX_PARAMS, (entry)op_set},
	{OSSL_FUNC_KEM_SETTABLE_CTX_PARAMS, (entry)op_settable}, {0, NULL}};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
		{"ML-KEM-512", "provider=toy", keys_512, "not ML-KEM-512"},
		{"ML-KEM-768", "provider=toy", keys_768, "not ML-KEM-768"},
		{"ML-KEM-1024", "provider=toy", keys_1024, "not ML-KEM-1024"},
		{NULL, NULL, NULL, NULL}};
	static const OSSL_ALGORITHM kems[] = {
		{"ML-KEM-512", "provider=toy", operations, "not ML-KEM-512"},
		{"ML-KEM-768", "provider=toy", operations, "not ML-KEM-768"},
		{"ML-KEM-1024", "provider=toy", operations, "not ML-KEM-1024"},
		{NULL, NULL, NULL, NULL}};

	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys
	       : operation == OSSL_OP_KEM   ? kems
					    : NULL;
}

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (entry)query}, {0, NULL}};
	static int some;

	(void)handle;
	(void)in;
	*out = functions;
	*provider = &some;
	return 1;
}

static OSSL_PROVIDER *toy, *usual;

void toy_kem_load(void)
{
	assert_int_equal(OSSL_PROVIDER_add_builtin(NULL, "toy", start), 1);
	toy = OSSL_PROVIDER_load(NULL, "toy");
	usual = OSSL_PROVIDER_load(NULL, "default");
	assert_non_null(toy);
	assert_non_null(usual);
}

void toy_kem_unload(void)
{
	OSSL_PROVIDER_unload(toy);
	OSSL_PROVIDER_unload(usual);
}
