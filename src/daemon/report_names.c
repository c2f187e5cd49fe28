/* daemon/report_names.c - names that rules find their peers by, as JSON (docs/PROTOCOL.md),
 * and which of them are a problem.
 */
#include "daemon/report.h"

#include <stdio.h>

#include "daemon/values.h"
#include "os/clock.h"

static json_t *addresses_json(const struct name_view *v)
{
	json_t *out = json_array();

	for (unsigned i = 0; i < v->n_addrs; i++)
		json_array_append_new(out, value_addr(&v->addrs[i]));
	return out;
}

static bool add_name(const struct name_view *v, void *ctx)
{
	uint64_t now_ms = clock_now_ms();
	json_t *next = v->asking
			       ? json_null()
			       : json_integer(v->next_ms > now_ms
						      ? (json_int_t)(v->next_ms - now_ms)
						      : 0);

	json_array_append_new(
		ctx, json_pack("{s:s,s:o,s:o,s:o,s:i,s:s}", "name", v->name, "addresses",
			     addresses_json(v), "age_ms", value_age(now_ms, v->known_ms),
			     "refresh_in_ms", next, "failures", (int)v->failures,
			     "reason", v->why));
	return true;
}

json_t *report_names(struct daemon *d)
{
	json_t *out = json_array();

	node_each_name(d->node, add_name, out);
	return out;
}

static bool add_problem(const struct name_view *v, void *ctx)
{
	char text[HOSTNAME_MAX + NAME_WHY_MAX + 64];

	if (v->failures == 0)
		return true;
	snprintf(text, sizeof(text), "%s is not resolved%s: %s", v->name,
		v->n_addrs > 0 ? " any more, what was known goes on" : "", v->why);
	json_array_append_new(ctx, json_string(text));
	return true;
}

void report_name_problems(struct daemon *d, json_t *list)
{
	node_each_name(d->node, add_problem, list);
}
