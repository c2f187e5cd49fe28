/* xfrm/sweep.c - SAs of another life. */
#include "config.h"

#include "xfrm/sweep.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "xfrm/request.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"

struct left {
	struct list link;
	bool waits; /* larval: else name */
	struct request_larval larval;
	struct request_name name;
};

static bool is_waited_for(const struct xfrm_usersa_info *sa)
{
	return sa->id.spi == 0 && sa->reqid == REQID_ASK;
}

static bool is_sa_of_ours(const struct xfrm_usersa_info *sa)
{
	return sa->id.spi != 0 && sa->sel.user == SELECT_USER &&
	       sa->reqid >= REQID_FIRST && sa->reqid <= REQID_ASK;
}

static void note_left(
	const struct xfrm_usersa_info *sa, const struct request_counts *counts, void *ctx)
{
	(void)counts;
	if (!is_waited_for(sa) && !is_sa_of_ours(sa))
		return;
	struct left *l = mem_new(1, sizeof(*l));
	l->waits = is_waited_for(sa);
	l->larval = (struct request_larval){.id = sa->id,
		.saddr = sa->saddr,
		.family = sa->family,
		.seq = sa->seq,
		.reqid = sa->reqid,
		.mode = sa->mode};
	l->name = (struct request_name){
		.daddr = select_addr_read(&sa->id.daddr, sa->family),
		.spi = ntohl(sa->id.spi),
		.ah = sa->id.proto == IPPROTO_AH};
	list_add(ctx, &l->link);
}

/* A larval one that does not go is gone in half a minute. */
static int end_left(struct request_line *line, const struct left *l)
{
	if (l->waits) {
		(void)request_larval_end(line, &l->larval);
		return 0;
	}
	int err = request_sa_delete(line, &l->name);
	return err == ESRCH ? 0 : err;
}

int sweep_sas(struct request_line *line, size_t *n)
{
	struct list all;
	int error, err;

	*n = 0;
	list_init(&all);
	error = request_sa_each(line, false, note_left, &all);
	err = request_sa_each(line, true, note_left, &all);
	error = error != 0 ? error : err;
	list_each_safe(item, &all)
	{
		struct left *l = list_entry(item, struct left, link);
		err = end_left(line, l);
		error = err != 0 ? err : error;
		*n += !l->waits;
		list_del(&l->link);
		free(l);
	}
	return error;
}
