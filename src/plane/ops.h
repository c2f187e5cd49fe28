/* plane/ops.h - what a plane has to be able to do, for those who make one.
 *
 * plane.h says what each of these means. A plane begins with a struct plane.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PLANE_OPS_H
#define VIPSEC_PLANE_OPS_H

#include "plane/locals.h"
#include "plane/plane.h"

struct plane_ops {
	void (*close)(struct plane *p, bool keep);
	bool (*next_report)(struct plane *p, struct plane_report *out);
	void (*policy)(struct plane *p, uint16_t scope, struct spd *spd,
		const struct addr *addrs, size_t n_addrs);
	void (*refresh)(struct plane *p);
	enum plane_touch (*touched)(struct plane *p);
	void (*mend)(struct plane *p, struct plane_found *found);
	int (*bind)(struct plane *p, uint16_t scope, const struct addr *local);
	void (*unbind)(struct plane *p, const struct addr *local);
	void (*gate_open)(struct plane *p, uint16_t scope, uint16_t activation);
	uint32_t (*gate_close)(struct plane *p, uint16_t scope);
	void (*sa_await)(struct plane *p, uint32_t spi); /* NULL: nothing to do */
	void (*sa_add)(struct plane *p, const struct esp_child *c);
	void (*sa_activate)(struct plane *p, uint32_t id);
	void (*sa_delete)(struct plane *p, uint32_t id);
	void (*sa_move)(
		struct plane *p, uint32_t id, const struct endpoint *remote, bool encap);
	void (*usage_query)(struct plane *p);
	void (*replay_query)(struct plane *p, uint32_t id);
	void (*replay_set)(
		struct plane *p, uint32_t id, const struct esp_replay_state *state);
	void (*replay_watch)(struct plane *p, uint32_t id, uint32_t packets, uint32_t ms);
	void (*totals)(struct plane *p, struct plane_totals *out);
};

struct plane {
	const struct plane_ops *ops;
	uint32_t mark;
	int epoll; /* all that makes reports: plane_fd() */
	int touched_fd; /* -1: nobody can touch what this plane needs unseen */
	struct locals locals;
};

/* steering_mend() for a plane's `mend`: adds what was found. */
void plane_mend_steering(struct steering *s, struct plane_found *found);

#endif
