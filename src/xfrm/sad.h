/* xfrm/sad.h - child SAs and what the kernel holds of them: two SAs and policies.
 *
 * The incoming half is in the kernel as long as the child is. The outgoing half is there
 * while the child is active, its scope's gate is open, and the kernel does not prefer it to
 * that of a child of the same lineage which was activated later: closing a gate takes the
 * outgoing halves away, and that is what makes a node mute. What a half has sent is remembered,
 * and a half that comes back goes on behind it.
 *
 * Floor 8. One thread.
 */
#ifndef VIPSEC_XFRM_SAD_H
#define VIPSEC_XFRM_SAD_H

#include "base/list.h"
#include "base/map.h"
#include "esp/esp.h"
#include "xfrm/claims.h"
#include "xfrm/lineage.h"
#include "xfrm/request.h"

struct sad_child {
	struct list link;
	struct esp_child sa; /* with its keys */
	uint32_t reqid_out, reqid_in;
	bool active;
	uint64_t turn; /* of the last activation; the latest of a lineage sends */
	bool in_there, out_there;
	bool heard; /* ESP_INBOUND was told */
	uint32_t in_ifindex,
		out_ifindex; /* devices that have its SAs altogether; 0: none */
	struct claimant policies;
	uint64_t seq_out, seq_in; /* as known last */
	struct request_watch watch; /* numbers.h */
	uint32_t watch_ms; /* told of after so long, too; 0: not for that */
	struct {
		uint64_t seq_out, seq_in, at_ms;
	} told;
	struct esp_usage usage; /* as looked at last */
	/* what halves have counted that were taken away since */
	struct request_counts in_before, out_before;
	uint64_t since_ms;
	/* Its halves, by a look (looking.h); as they were put in, by a sweep (sweep.h). */
	bool seen_in, seen_out;
	bool told_soft, told_hard;
};

static inline bool sad_is_watched(const struct sad_child *c)
{
	return c->watch.packets != 0 || c->watch_ms != 0;
}

/* Some half of it is not where it should be, and that was not told yet. */
static inline bool sad_is_broken(const struct sad_child *c)
{
	return !c->told_hard &&
	       ((c->in_there && !c->seen_in) || (c->out_there && !c->seen_out));
}

struct sad {
	struct list all; /* struct sad_child, oldest first */
	struct list strays; /* outgoing halves that did not go with their child */
	struct map *by_id;
	struct map *by_name_in, *by_name_out;
	struct lineages lineages;
	uint64_t looked_ms; /* looking.c: at the counters */
	uint64_t as_of_ms; /* the last time that they could be read */
	uint64_t look_took_ms; /* the last time */
	uint64_t turns;
	bool amiss; /* the kernel's SAs are not these: they want to be compared */
	struct request_line *line;
	struct claims *claims;
};

/* What a child's scope is like just now. */
struct sad_scope {
	const struct spd *spd; /* NULL: there is none such */
	bool is_host, open;
};

void sad_init(struct sad *cs, const struct entropy *e, struct request_line *line,
	struct claims *claims);
void sad_wipe(struct sad *cs, bool keep); /* keep: the kernel's stay */

struct sad_child *sad_find(const struct sad *cs, uint32_t id);
/* What its halves are to the kernel. */
struct request_name sad_name_in(const struct esp_child *sa);
struct request_name sad_name_out(const struct esp_child *sa);
/* NULL: none with such a half. */
struct sad_child *sad_by_name_in(const struct sad *cs, const struct request_name *in);
struct sad_child *sad_by_name_out(const struct sad *cs, const struct request_name *out);

/* Results: 0 or an errno; request_why() has the kernel's words. */
int sad_add(struct sad *cs, const struct sad_scope *s, const struct esp_child *sa,
	uint64_t now_ms);
int sad_activate(struct sad *cs, const struct sad_scope *s, uint32_t id);
/* An older child of its lineage may be the one that sends then. */
void sad_delete(struct sad *cs, const struct sad_scope *s, uint32_t id);
int sad_move(struct sad *cs, const struct sad_scope *s, uint32_t id,
	const struct endpoint *remote, bool encap);
/* Nothing leaves any more with a number that is not behind this one. */
int sad_send_behind(
	struct sad *cs, const struct sad_scope *s, uint32_t id, uint64_t seq_out);
/* refused: each that should send now, and cannot. */
void sad_gate_open(struct sad *cs, uint16_t scope, const struct sad_scope *s,
	void (*refused)(const struct sad_child *c, int err, void *ctx), void *ctx);
/* Not 0: some outgoing half is still there, be its child gone. */
int sad_gate_close(struct sad *cs, uint16_t scope);
/* The same of those whose child is gone, alone; SCOPE_MAX: of every scope. */
int sad_end_strays(struct sad *cs, uint16_t scope);
/* The rules are others. */
void sad_rules(struct sad *cs, uint16_t scope, const struct sad_scope *s);
void sad_drop_scope(struct sad *cs, uint16_t scope);

#endif
