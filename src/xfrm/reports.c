/* xfrm/reports.c - a list. What the loop has asked for always has room. */
#include "config.h"

#include "xfrm/reports.h"

#include <stdlib.h>

#include "base/mem.h"
#include "plane/report.h"

enum { LIGHT_MAX = 512 };

struct waiting {
	struct list link;
	struct plane_report report;
};

void reports_init(struct reports *r)
{
	list_init(&r->all);
	r->n = 0;
}

void reports_wipe(struct reports *r)
{
	struct plane_report left;

	while (reports_take(r, &left))
		free(report_lends(&left));
}

bool reports_empty(const struct reports *r)
{
	return r->n == 0;
}

void reports_add(struct reports *r, const struct plane_report *one)
{
	struct waiting *w = mem_new(1, sizeof(*w));

	w->report = *one;
	list_add(&r->all, &w->link);
	r->n++;
}

bool reports_add_light(struct reports *r, const struct plane_report *one)
{
	if (r->n >= LIGHT_MAX)
		return false;
	reports_add(r, one);
	return true;
}

bool reports_take(struct reports *r, struct plane_report *out)
{
	if (r->n == 0)
		return false;
	struct waiting *w = list_entry(r->all.next, struct waiting, link);
	*out = w->report;
	list_del(&w->link);
	r->n--;
	free(w);
	return true;
}
