/* daemon/planes.c - the kernel's ESP where it is preferred and has what is needed.
 *
 * Decided once, at the start, by trying its algorithms and then by opening it: an SA never
 * changes its plane. Trying also makes the kernel load its modules now, and not when the
 * first peer waits.
 */
#include "daemon/planes.h"

#include <errno.h>
#include <stdio.h>

#include "port/random.h"
#include "xfrm/lock.h"
#include "xfrm/xfrm.h"

/* Each algorithm that some proposal names. at: the proposal that names what it has not got. */
static bool kernel_offers(
	const struct config *c, struct config_place *at, char *why, size_t why_cap)
{
	bool tried[2][AEAD_ALGS] = {{false}}; /* of ESP, of AH */

	for (unsigned i = 0; i < c->n_proposals; i++) {
		for (unsigned k = 0; k < c->proposals[i].n_esp; k++) {
			const struct config_esp_suite *s = &c->proposals[i].esp[k];
			bool *done = &tried[s->ah][s->encr];
			*at = s->ah ? c->proposals[i].ah_at : c->proposals[i].esp_at;
			if (!*done && !xfrm_offers(s->ah, s->encr, why, why_cap))
				return false;
			*done = true;
		}
	}
	return true;
}

static void as_configured(struct daemon *d)
{
	snprintf(d->plane_note, sizeof(d->plane_note), "%s, as configured",
		d->in_kernel ? "the kernel's" : "userspace");
}

/* Where there is no such lock nobody does. */
bool planes_another_serves(char *why, size_t why_cap)
{
	int lock = lock_take();
	bool taken = lock < 0 && errno == EADDRINUSE;

	lock_leave(lock);
	if (taken)
		snprintf(why, why_cap, "the kernel's IPsec: " LOCK_TAKEN);
	return taken;
}

/* Userspace instead of the kernel's plane, which cannot serve for this reason. False: why. */
static bool fall_back(struct daemon *d, const struct config *c, const char *reason,
	char *why, size_t why_cap)
{
	if (planes_another_serves(why, why_cap))
		return false;
	if (!c->dataplane.has_fallback) {
		snprintf(why, why_cap,
			"dataplane prefer kernel: %s (\"fallback userspace;\" would go "
			"on without)",
			reason);
		return false;
	}
	d->in_kernel = false;
	snprintf(d->plane_note, sizeof(d->plane_note),
		"userspace, since the kernel's cannot serve: %s", reason);
	return true;
}

bool planes_choose(struct daemon *d, const struct config *c, char *why, size_t why_cap)
{
	char reason[PLANE_WHY_MAX + 32] = "";
	struct config_place at;
	bool wanted = c->dataplane.prefer == PLANE_KERNEL;

	d->in_kernel = wanted && kernel_offers(c, &at, reason, sizeof(reason));
	as_configured(d);
	return d->in_kernel == wanted || fall_back(d, c, reason, why, why_cap);
}

bool planes_choose_again(
	struct daemon *d, const struct config *c, char *why, size_t why_cap)
{
	char reason[PLANE_WHY_MAX + 32];

	if (!d->in_kernel)
		return false;
	snprintf(reason, sizeof(reason), "%s", why);
	return fall_back(d, c, reason, why, why_cap);
}

struct plane *planes_open(const struct daemon *d, char *why, size_t why_cap)
{
	struct plane_params p = {
		.tun_name = DAEMON_TUN,
		.entropy = random_entropy(),
		.mark = DAEMON_MARK,
		.why = why,
		.why_cap = why_cap,
	};

	return d->in_kernel ? plane_open_xfrm(&p) : plane_open_tun(&p);
}

bool planes_accept(const struct daemon *d, const struct config *c,
	struct config_place *at, char *why, size_t why_cap)
{
	const struct config *now = node_config(d->node);
	char reason[PLANE_WHY_MAX + 32] = "";
	bool wanted = c->dataplane.prefer == PLANE_KERNEL;

	*at = c->dataplane.prefer_at;
	if (c->dataplane.prefer != now->dataplane.prefer && wanted != d->in_kernel) {
		snprintf(why, why_cap,
			"dataplane prefer %s: the %s data plane serves, and no SA can "
			"change its plane: restart vipsecd for that",
			wanted ? "kernel" : "userspace", planes_name(d));
		return false;
	}
	if (!d->in_kernel || kernel_offers(c, at, reason, sizeof(reason)))
		return true;
	snprintf(why, why_cap,
		"the kernel's data plane, which serves now, cannot do what this asks "
		"for: %s",
		reason);
	return false;
}

void planes_accepted(struct daemon *d, const struct config *c)
{
	if (d->in_kernel == (c->dataplane.prefer == PLANE_KERNEL))
		as_configured(d);
}

const char *planes_name(const struct daemon *d)
{
	return d->in_kernel ? "kernel" : "userspace";
}
