/* node/effects.c - the list of effects and what each of them owns.
 *
 * An effect may be half consumed when it is cleared (an SPD taken over, a child's keys
 * already handed on), so every owner is checked before it is released.
 */
#include "node/effects.h"

#include "base/mem.h"

#include <stdlib.h>

enum { EFFECTS_FIRST = 16 };

void effects_init(struct effects *e)
{
	*e = (struct effects){0};
}

static void release(struct effect *f)
{
	switch (f->kind) {
	case FX_SEND:
		free(f->u.send.bytes);
		break;
	case FX_POLICY:
		spd_free(f->u.policy.spd);
		break;
	case FX_SA_ADD:
		if (f->u.child)
			esp_child_wipe(f->u.child);
		free(f->u.child);
		break;
	case FX_CLUSTER_SEND:
	case FX_STORE:
		free(f->u.blob.bytes);
		break;
	default:
		break;
	}
}

void effects_clear(struct effects *e)
{
	for (size_t i = 0; i < e->n; i++)
		release(&e->at[i]);
	e->n = 0;
}

void effects_free(struct effects *e)
{
	effects_clear(e);
	free(e->at);
	effects_init(e);
}

static void grow(struct effects *e)
{
	size_t cap = e->cap ? 2 * e->cap : EFFECTS_FIRST;
	struct effect *at = mem_new(cap, sizeof(*at));

	if (e->n > 0)
		memcpy(at, e->at, e->n * sizeof(*at));
	free(e->at);
	e->at = at;
	e->cap = cap;
}

struct effect *effects_add(struct effects *e, enum effect_kind kind, uint16_t scope)
{
	if (e->n == e->cap)
		grow(e);
	struct effect *f = &e->at[e->n++];
	memset(f, 0, sizeof(*f));
	f->kind = kind;
	f->scope = scope;
	return f;
}
