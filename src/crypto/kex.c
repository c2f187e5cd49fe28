/* crypto/kex.c - one face for the methods of key exchange.
 *
 * Obeys RFC 7296 3.4 (the length of a public value is the group's); what else a group
 * demands of one (RFC 6989) is checked in its own file, kex_*.c.
 */
#include "crypto/kex_group.h"

#include <assert.h>
#include <stdlib.h>

struct kex {
	const struct kex_group *group;
	void *private; /* NULL: the answer of a KEM */
	size_t public_len, peer_len; /* of what this side sends, and of what it gets */
	uint8_t public[KEX_PUBLIC_MAX];
};

static const struct kex_group *const groups[] = {&kex_group_x25519, &kex_group_ecp256,
	&kex_group_modp2048, &kex_group_x448, &kex_group_ecp384, &kex_group_ecp521,
	&kex_group_modp3072, &kex_group_modp4096};

static const struct kex_group *find(uint16_t id)
{
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		if (groups[i]->id == id)
			return groups[i];
	}
	for (size_t i = 0; kex_groups_mlkem[i] != NULL; i++) {
		if (kex_groups_mlkem[i]->id == id)
			return kex_groups_mlkem[i];
	}
	return NULL;
}

bool kex_supported(uint16_t group)
{
	return find(group) != NULL;
}

size_t kex_public_len(uint16_t group)
{
	const struct kex_group *g = find(group);

	return g == NULL ? 0 : g->public_len;
}

unsigned kex_work(uint16_t group)
{
	const struct kex_group *g = find(group);

	return g == NULL || g->work == 0 ? 1 : g->work;
}

const char *kex_name(uint16_t group)
{
	const struct kex_group *g = find(group);

	return g == NULL ? "unknown" : g->name;
}

static size_t answer_len(const struct kex_group *g)
{
	return g->answer_len != 0 ? g->answer_len : g->public_len;
}

static struct kex *alloc(const struct kex_group *g)
{
	struct kex *k = calloc(1, sizeof *k);

	assert(g->public_len <= sizeof k->public && answer_len(g) <= sizeof k->public &&
		g->secret_len <= SECRET_MAX);
	if (k != NULL) {
		k->group = g;
		k->public_len = g->public_len;
		k->peer_len = answer_len(g);
	}
	return k;
}

static struct kex *with_key(const struct kex_group *g, const struct entropy *e)
{
	struct kex *k = alloc(g);

	if (k == NULL)
		return NULL;
	k->private = g->make(e, k->public);
	if (k->private != NULL)
		return k;
	free(k);
	return NULL;
}

struct kex *kex_new(uint16_t group, const struct entropy *e)
{
	const struct kex_group *g = find(group);

	return g == NULL ? NULL : with_key(g, e);
}

void kex_free(struct kex *k)
{
	if (k == NULL)
		return;
	if (k->private != NULL)
		k->group->free(k->private);
	free(k);
}

uint16_t kex_group(const struct kex *k)
{
	return k->group->id;
}

struct span kex_public(const struct kex *k)
{
	return span_of(k->public, k->public_len);
}

static void keep(struct secret *out, const struct kex_group *g, uint8_t *shared,
	enum crypto_err err)
{
	if (err == CRYPTO_OK) {
		bool fits = secret_set(out, span_of(shared, g->secret_len));
		assert(fits);
		(void)fits;
	}
	wipe(shared, SECRET_MAX);
}

enum crypto_err kex_derive(struct kex *k, struct span peer_public, struct secret *out)
{
	uint8_t shared[SECRET_MAX];

	out->len = 0;
	assert(k->private != NULL);
	if (peer_public.len != k->peer_len)
		return CRYPTO_FORGED;
	enum crypto_err err = k->group->agree(k->private, peer_public, shared);
	keep(out, k->group, shared, err);
	return err;
}

static enum crypto_err encapsulate(struct kex *k, const struct entropy *e,
	struct span peer_public, struct secret *out)
{
	uint8_t shared[SECRET_MAX];

	k->public_len = answer_len(k->group);
	enum crypto_err err = k->group->encapsulate(e, peer_public, k->public, shared);
	keep(out, k->group, shared, err);
	return err;
}

enum crypto_err kex_answer(uint16_t group, const struct entropy *e,
	struct span peer_public, struct secret *out, struct kex **answer)
{
	const struct kex_group *g = find(group);
	enum crypto_err err;

	*answer = NULL;
	out->len = 0;
	if (g == NULL)
		return CRYPTO_REFUSED;
	if (peer_public.len != g->public_len)
		return CRYPTO_FORGED;
	struct kex *k = g->encapsulate != NULL ? alloc(g) : with_key(g, e);
	if (k == NULL)
		return CRYPTO_REFUSED;
	if (g->encapsulate != NULL)
		err = encapsulate(k, e, peer_public, out);
	else
		err = kex_derive(k, peer_public, out);
	if (err == CRYPTO_OK)
		*answer = k;
	else
		kex_free(k);
	return err;
}
