/* xfrm/acquires.c - see acquires.h. */
#include "config.h"

#include "xfrm/acquires.h"

/* Where the kernel does not take the SA that is there, it would ask for every packet. */
enum { LATE_BURST = 32, LATE_PER_SECOND = 8 };

void acquires_init(struct acquires *as, uint64_t now_ms)
{
	rate_init(&as->late, LATE_BURST, LATE_PER_SECOND, now_ms);
}

static bool serves(const struct sad_child *c, const struct acquire *a)
{
	return c->out_there && c->sa.scope == a->scope && c->sa.rule == a->rule &&
	       ts_lists_match(&c->sa.local_ts, &c->sa.remote_ts, &a->flow);
}

static bool is_served(const struct sad *cs, const struct acquire *a)
{
	list_each(item, &cs->all) if (serves(list_entry(item, struct sad_child, link),
					      a)) return true;
	return false;
}

bool acquires_take(struct acquires *as, const struct sad *cs, const struct acquire *a,
	uint64_t now_ms)
{
	if (is_served(cs, a) && rate_allow(&as->late, now_ms)) {
		(void)request_larval_end(cs->line, &a->larval);
		return false;
	}
	as->at[as->next++ % ACQUIRES_MAX] = *a;
	return true;
}

void acquires_end(
	struct acquires *as, const struct sad_child *c, struct request_line *line)
{
	for (unsigned i = 0; i < ACQUIRES_MAX; i++) {
		struct acquire *a = &as->at[i];
		if (a->larval.seq == 0 || !serves(c, a))
			continue;
		(void)request_larval_end(line, &a->larval);
		a->larval.seq = 0;
	}
}
