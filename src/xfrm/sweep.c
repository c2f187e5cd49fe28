/* xfrm/sweep.c - what is marked as ours, and is not. */
#include "config.h"

#include "xfrm/sweep.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "xfrm/halves.h"
#include "xfrm/request.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"

struct left {
	struct list link;
	bool waits; /* larval: else name */
	struct request_larval larval;
	struct request_name name;
};

struct sweep {
	struct list left;
	struct sad *known; /* NULL: none is */
};

static bool is_waited_for(const struct xfrm_usersa_info *sa)
{
	return sa->id.spi == 0 && reqid_is_ours(sa->reqid);
}

static bool is_sa_of_ours(const struct xfrm_usersa_info *sa)
{
	return sa->id.spi != 0 && reqid_is_ours(sa->reqid) && sa->sel.user == SELECT_USER;
}

/* Another one in its place is known by its name, and not seen. */
static bool see(struct sad *known, const struct xfrm_usersa_info *sa)
{
	const struct request_name name = select_name(&sa->id, sa->family);
	struct sad_child *in = sad_by_name_in(known, &name);
	struct sad_child *out = sad_by_name_out(known, &name);

	if (in && in->in_there)
		in->seen_in = halves_are(in, false, sa);
	else if (out && out->out_there)
		out->seen_out = halves_are(out, true, sa);
	else
		return false;
	return true;
}

static void note_left(
	const struct xfrm_usersa_info *sa, const struct request_counts *counts, void *ctx)
{
	struct sweep *s = ctx;

	(void)counts;
	if (s->known && sa->id.spi != 0 && see(s->known, sa))
		return;
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
	l->name = select_name(&sa->id, sa->family);
	list_add(&s->left, &l->link);
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

static int read_all(struct request_line *line, struct sweep *s)
{
	int err = request_sa_each(line, false, note_left, s);
	int of_ah = request_sa_each(line, true, note_left, s);

	return err != 0 ? err : of_ah;
}

/* n: how many there were. Result: 0, or the errno of one that does not go. */
static int end_all(struct request_line *line, struct sweep *s, size_t *n)
{
	int error = 0;

	*n = 0;
	list_each_safe(item, &s->left)
	{
		struct left *l = list_entry(item, struct left, link);
		int err = end_left(line, l);
		error = err != 0 ? err : error;
		*n += !l->waits;
		list_del(&l->link);
		free(l);
	}
	return error;
}

int sweep_sas(struct request_line *line, size_t *n)
{
	struct sweep s = {.known = NULL};

	list_init(&s.left);
	int err = read_all(line, &s);
	int left = end_all(line, &s, n);
	return err != 0 ? err : left;
}

int sweep_strays(struct sad *cs, int *left)
{
	struct sweep s = {.known = cs};
	size_t n;

	list_init(&s.left);
	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		c->seen_in = c->seen_out = false;
	}
	int err = read_all(cs->line, &s);
	*left = end_all(cs->line, &s, &n);
	return err;
}
