/* crypto/kex.c - one face for the key exchange groups.
 *
 * Obeys RFC 7296 3.4 (the length of a public value is the group's); what else a group
 * demands of one (RFC 6989) is checked in its own file, kex_*.c.
 */
#include "crypto/kex_group.h"

#include <assert.h>
#include <stdlib.h>

struct kex {
	const struct kex_group *group;
	void *private;
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

struct kex *kex_new(uint16_t group, const struct entropy *e)
{
	const struct kex_group *g = find(group);
	struct kex *k = g == NULL ? NULL : calloc(1, sizeof *k);

	if (k == NULL)
		return NULL;
	assert(g->public_len <= sizeof k->public && g->secret_len <= SECRET_MAX);
	k->group = g;
	k->private = g->make(e, k->public);
	if (k->private == NULL) {
		free(k);
		return NULL;
	}
	return k;
}

void kex_free(struct kex *k)
{
	if (k == NULL)
		return;
	k->group->free(k->private);
	free(k);
}

uint16_t kex_group(const struct kex *k)
{
	return k->group->id;
}

struct span kex_public(const struct kex *k)
{
	return span_of(k->public, k->group->public_len);
}

enum crypto_err kex_derive(struct kex *k, struct span peer_public, struct secret *out)
{
	uint8_t shared[SECRET_MAX];

	out->len = 0;
	if (peer_public.len != k->group->public_len)
		return CRYPTO_FORGED;
	enum crypto_err err = k->group->agree(k->private, peer_public, shared);
	if (err == CRYPTO_OK) {
		bool fits = secret_set(out, span_of(shared, k->group->secret_len));
		assert(fits);
		(void)fits;
	}
	wipe(shared, sizeof shared);
	return err;
}
