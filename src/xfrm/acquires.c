/* xfrm/acquires.c - see acquires.h. */
#include "config.h"

#include "xfrm/acquires.h"

enum { TOLD_FOR_MS = 1000 };

void acquires_note(
	struct acquires *as, const struct request_larval *larval, uint64_t now_ms)
{
	if (as->n == ACQUIRES_MAX) {
		as->first = (as->first + 1) % ACQUIRES_MAX;
		as->n--;
	}
	unsigned i = (as->first + as->n++) % ACQUIRES_MAX;
	as->at[i].larval = *larval;
	as->at[i].told_ms = now_ms;
}

uint64_t acquires_due_ms(const struct acquires *as)
{
	return as->n == 0 ? UINT64_MAX : as->at[as->first].told_ms + TOLD_FOR_MS;
}

void acquires_end(struct acquires *as, struct request_line *line, uint64_t now_ms)
{
	while (as->n > 0 && acquires_due_ms(as) <= now_ms) {
		(void)request_larval_end(line, &as->at[as->first].larval);
		as->first = (as->first + 1) % ACQUIRES_MAX;
		as->n--;
	}
}
