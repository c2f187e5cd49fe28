/* plane/reporting.c - into the ring, each report with the weight that it has.
 *
 * What strangers can cause is dropped when the ring is full; what the loop waits for stays
 * noted in struct data until there is room.
 */
#include "config.h"

#include "plane/reporting.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static bool push(struct data *d, const struct plane_report *r, enum report_weight w)
{
	if (!report_push(d->reports, r, w))
		return false;
	d->reported = true;
	return true;
}

void reporting_tell(struct data *d, const struct plane_report *r)
{
	if (push(d, r, REPORT_LIGHT))
		return;
	d->totals.reports_dropped++;
	free(report_lends(r));
}

void reporting_notices(struct data *d)
{
	struct plane_report r = {.kind = PLANE_NOTICE};

	while (esp_dp_notice(d->dp, &r.u.notice))
		reporting_tell(d, &r);
}

static bool report_gates(struct data *d)
{
	bool waits = false;

	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++) {
		/* Asked each round: nearly always nothing waits. */
		if (d->gate_waits[scope] == 0)
			continue;
		struct plane_report r = {.kind = PLANE_GATE_CLOSED};
		r.u.gate.scope = scope;
		r.u.gate.turn = d->gate_turns[scope];
		while (d->gate_waits[scope] > 0 && push(d, &r, REPORT_VITAL))
			d->gate_waits[scope]--;
		waits = waits || d->gate_waits[scope] > 0;
	}
	return waits;
}

/* False: no room. */
static bool report_usage(struct data *d, uint64_t now_ms)
{
	if (!d->ids) {
		d->ids = children_ids(d->children, &d->n_ids);
		d->next_id = 0;
	}
	while (d->next_id < d->n_ids) {
		struct plane_report r = {.kind = PLANE_USAGE};
		uint32_t id = d->ids[d->next_id];
		bool there = esp_dp_usage(d->dp, id, now_ms, &r.u.usage) == ESP_OK;
		if (there && !push(d, &r, REPORT_ANSWER))
			return false;
		d->next_id++;
	}
	struct plane_report end = {.kind = PLANE_USAGE_END};
	if (!push(d, &end, REPORT_ANSWER))
		return false;
	free(d->ids);
	d->ids = NULL;
	d->queries--;
	return true;
}

/* ---- how far numbers have come ------------------------------------------------------ */

/* What is told is how it stands when there is room to tell it. */
struct replay_asked {
	struct list link;
	uint32_t id;
	bool asked;
};

void reporting_replay(struct data *d, uint32_t id, bool asked)
{
	list_each(item, &d->replays)
	{
		const struct replay_asked *other =
			list_entry(item, struct replay_asked, link);
		if (!asked && other->id == id && !other->asked)
			return;
	}
	struct replay_asked *one = mem_new(1, sizeof(*one));
	one->id = id;
	one->asked = asked;
	list_add(&d->replays, &one->link);
}

void reporting_rung(struct data *d, uint64_t now_ms)
{
	uint32_t id;

	while (esp_dp_rung(d->dp, now_ms, &id))
		reporting_replay(d, id, false);
}

static bool report_replay(struct data *d, const struct replay_asked *one)
{
	struct esp_replay_state *state = mem_new(1, sizeof(*state));
	struct plane_report r = {.kind = PLANE_REPLAY};
	bool there = esp_dp_replay(d->dp, one->id, state) == ESP_OK;

	r.u.replay.id = one->id;
	r.u.replay.asked = one->asked;
	r.u.replay.state = there ? state : NULL;
	bool done = (!there && !one->asked) || push(d, &r, REPORT_ANSWER);
	if (!done || !there)
		free(state);
	return done;
}

/* False: no room. */
static bool report_replays(struct data *d)
{
	list_each_safe(item, &d->replays)
	{
		struct replay_asked *one = list_entry(item, struct replay_asked, link);
		if (!report_replay(d, one))
			return false;
		list_del(&one->link);
		free(one);
	}
	return true;
}

void reporting_wipe(struct data *d)
{
	list_each_safe(item, &d->replays)
		free(list_entry(item, struct replay_asked, link));
	free(d->ids);
}

/* ---- answers -------------------------------------------------------------------------- */

static bool report_loss(struct data *d)
{
	struct plane_report r = {.kind = PLANE_LOST};

	if (d->lost_waits)
		d->lost_waits = !push(d, &r, REPORT_VITAL);
	return d->lost_waits;
}

bool reporting_answers(struct data *d, uint64_t now_ms)
{
	bool waits = report_gates(d) || report_loss(d) || !report_replays(d);

	while (d->queries > 0)
		if (!report_usage(d, now_ms))
			return true;
	return waits;
}

void reporting_refusal(struct data *d, uint32_t id, enum esp_err err)
{
	static const char *const words[] = {
		[ESP_OK] = "",
		[ESP_EXISTS] = "its number or inbound SPI is in use",
		[ESP_NOT_FOUND] = "its scope is not known",
		[ESP_REFUSED] = "the cryptographic library refused the key",
	};
	struct plane_report r = {.kind = PLANE_REFUSED};

	r.u.refused.id = id;
	snprintf(r.u.refused.text, sizeof(r.u.refused.text), "%s", words[err]);
	reporting_tell(d, &r);
}

void reporting_totals(struct data *d, uint64_t now_ms)
{
	/* Never wait for a reader: the next round will do. */
	if (pthread_mutex_trylock(&d->snapshot->lock) != 0)
		return;
	d->totals.children = esp_dp_count(d->dp);
	esp_dp_counters(d->dp, &d->totals.esp);
	d->snapshot->totals = d->totals;
	pthread_mutex_unlock(&d->snapshot->lock);
	d->published_ms = now_ms;
	d->unpublished = false;
}
