/* esp/watching.c - tells when the numbers of an SA have gone on by so much, or for so long.
 *
 * RFC 4303 3.3.3 and 3.4.3 have the numbers; that somebody else has to know them in time is
 * a takeover's wish. An SA that has something to tell stands in a list of its own, so that
 * asking costs nothing while there is none.
 */
#include "esp/dp.h"

enum { LOOK_MS = 50 };

static struct esp_sa *sa_of(struct list *item)
{
	return list_entry(item, struct esp_sa, watch.link);
}

static bool has_changed(const struct esp_sa *sa)
{
	return sa->usage.seq_out != sa->watch.told_out ||
	       sa->replay.top != sa->watch.told_in;
}

void watching_begin(struct esp_dp *dp, struct esp_sa *sa, uint32_t packets, uint32_t ms)
{
	list_del(&sa->watch.link);
	sa->watch = (struct esp_watch){
		.packets = packets,
		.ms = ms,
		.told_out = sa->usage.seq_out,
		.told_in = sa->replay.top,
	};
	list_init(&sa->watch.link);
	if (packets != 0 || ms != 0)
		list_add(&dp->watching.quiet, &sa->watch.link);
}

void watching_ring(struct esp_dp *dp, struct esp_sa *sa)
{
	list_del(&sa->watch.link);
	list_add(&dp->watching.rung, &sa->watch.link);
}

/* Times are looked at now and then only. */
static void look(struct esp_dp *dp, uint64_t now_ms)
{
	struct watching *w = &dp->watching;

	if (now_ms - w->looked_ms < LOOK_MS)
		return;
	w->looked_ms = now_ms;
	list_each_safe(item, &w->quiet)
	{
		struct esp_sa *sa = sa_of(item);
		if (sa->watch.ms != 0 && has_changed(sa) &&
			now_ms - sa->watch.told_ms >= sa->watch.ms)
			watching_ring(dp, sa);
	}
}

bool esp_dp_rung(struct esp_dp *dp, uint64_t now_ms, uint32_t *id)
{
	struct watching *w = &dp->watching;

	look(dp, now_ms);
	if (list_empty(&w->rung))
		return false;
	struct esp_sa *sa = sa_of(w->rung.next);
	list_del(&sa->watch.link);
	list_add(&w->quiet, &sa->watch.link);
	sa->watch.told_out = sa->usage.seq_out;
	sa->watch.told_in = sa->replay.top;
	sa->watch.told_ms = now_ms;
	*id = sa->id;
	return true;
}

bool esp_dp_is_watched(const struct esp_dp *dp)
{
	return !list_empty(&dp->watching.quiet) || !list_empty(&dp->watching.rung);
}
