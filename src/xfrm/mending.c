/* xfrm/mending.c - what others have done to SAs and policies of ours is found and put right;
 * what they have put in their way is told.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "xfrm/foreign.h"
#include "xfrm/inside.h"
#include "xfrm/sweep.h"
#include "xfrm/words.h"

enum plane_touch xfrm_touched(struct plane *plane)
{
	struct xfrm *x = xfrm_of(plane);
	enum plane_touch was = x->touched  ? PLANE_TOUCHED
			       : x->beside ? PLANE_BESIDE
					   : PLANE_UNTOUCHED;

	x->touched = x->beside = false;
	xfrm_lower(x->touch);
	return was;
}

bool xfrm_failed(struct xfrm *x, struct plane_trouble *out)
{
	struct claims_failure f;

	if (!claims_failed(x->claims, &f))
		return false;
	*out = (struct plane_trouble){.scope = f.scope,
		.rule = f.rule == CLAIM_NO_RULE ? PLANE_NO_RULE : f.rule};
	words_of_policy(f.error, request_why(x->line), out->why);
	return true;
}

/* ---- SAs ---------------------------------------------------------------------------- */

void xfrm_heed(struct xfrm *x)
{
	if (!x->sad.amiss)
		return;
	x->sad.amiss = false;
	x->touched = x->sas_touched = true;
	xfrm_touch(x);
}

/* An SA that somebody has deleted cannot be put back: how far it had come is not known. It
 * ends, and the peer is called. */
static bool end_broken(struct xfrm *x)
{
	bool any = false;

	list_each(item, &x->sad.all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (!sad_is_broken(c))
			continue;
		any = c->told_hard = true;
		xfrm_notice(x, ESP_SEQ_HARD, c);
	}
	return any;
}

static void find_failure(
	struct plane_found *found, uint16_t scope, const char *what, int err)
{
	struct plane_trouble t = {.scope = scope, .rule = PLANE_NO_RULE};

	snprintf(t.why, sizeof(t.why), "%s: %s", what, strerror(err));
	plane_found_add(found, &t);
	found->again = true;
}

/* All of the kernel's, against all of ours. */
static void mend_sas(struct xfrm *x, struct plane_found *found)
{
	(void)sad_end_strays(&x->sad, SCOPE_MAX);
	int left, err = sweep_strays(&x->sad, &left);

	if (err == 0 && end_broken(x))
		found->deeds |= PLANE_DEED_SAS;
	if (err != 0)
		find_failure(
			found, PLANE_NO_SCOPE, "the kernel's SAs cannot be read", err);
	else if (left != 0)
		find_failure(found, PLANE_NO_SCOPE,
			"the kernel does not delete SAs that are nobody's", left);
	x->sas_touched = err != 0 || left != 0;
}

static void mend_gates(struct xfrm *x, struct plane_found *found)
{
	xfrm_close_gates(x);
	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++)
		if (x->scopes[scope].stuck != 0)
			find_failure(found, scope, XFRM_STUCK, x->scopes[scope].stuck);
}

/* ---- policies ------------------------------------------------------------------------- */

struct meeting {
	struct xfrm *x;
	struct plane_found *found;
};

/* Each rule once: with the first policy that is before it. */
static void meet_other(const struct request_policy *p, void *ctx)
{
	struct meeting *m = ctx;
	struct foreign f;

	if (!foreign_read(p, &f))
		return;
	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++) {
		const struct xfrm_scope *s = &m->x->scopes[scope];
		const struct spd_entry *e =
			s->spd ? foreign_before(&f, s->spd, s->n_addrs == 0) : NULL;
		if (!e)
			continue;
		struct plane_trouble t = {.scope = scope, .rule = e->rule};
		snprintf(t.why, sizeof(t.why),
			"another program's policy (%s) comes first, and its traffic "
			"does not get through: delete that, or give it a larger priority",
			f.text);
		plane_found_add(m->found, &t);
	}
}

void xfrm_mend(struct plane *plane, struct plane_found *found)
{
	struct xfrm *x = xfrm_of(plane);
	struct meeting m = {.x = x, .found = found};
	struct plane_trouble t = {.scope = PLANE_NO_SCOPE, .rule = PLANE_NO_RULE};
	size_t changed;

	xfrm_hear(x);
	mend_gates(x, found); /* there is room for some troubles, and this is the worst */
	int err = claims_mend(x->claims, &changed, meet_other, &m);

	found->deeds |= changed > 0 ? PLANE_DEED_POLICIES : 0;
	bool failed = err != 0 || xfrm_failed(x, &t);
	if (err != 0)
		snprintf(t.why, sizeof(t.why), "the kernel's policies cannot be read: %s",
			strerror(err));
	if (failed)
		plane_found_add(found, &t);
	found->again |= failed;
	if (x->steering)
		plane_mend_steering(x->steering, found);
	if (x->sas_touched)
		mend_sas(x, found);
}
