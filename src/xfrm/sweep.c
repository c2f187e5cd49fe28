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
	return sa->id.spi == 0 && sa->reqid == REQID_ASK;
}

static bool is_sa_of_ours(const struct xfrm_usersa_info *sa)
{
	return sa->id.spi != 0 && sa->sel.user == SELECT_USER &&
	       sa->reqid >= REQID_FIRST && sa->reqid <= REQID_ASK;
}

static struct request_name name_of(const struct xfrm_usersa_info *sa)
{
	return (struct request_name){.daddr = select_addr_read(&sa->id.daddr, sa->family),
		.spi = ntohl(sa->id.spi),
		.ah = sa->id.proto == IPPROTO_AH};
}

/* One that has been changed is known by its name, and not seen. */
static bool see(struct sad *known, const struct xfrm_usersa_info *sa)
{
	const struct request_name name = name_of(sa);
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
	l->name = name_of(sa);
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

static int sweep(struct request_line *line, struct sad *known, size_t *n)
{
	struct sweep s = {.known = known};
	int error, err;

	*n = 0;
	list_init(&s.left);
	error = request_sa_each(line, false, note_left, &s);
	err = request_sa_each(line, true, note_left, &s);
	error = error != 0 ? error : err;
	list_each_safe(item, &s.left)
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

int sweep_sas(struct request_line *line, size_t *n)
{
	return sweep(line, NULL, n);
}

int sweep_strays(struct sad *cs)
{
	size_t n;

	list_each(item, &cs->all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		c->seen_in = c->seen_out = false;
	}
	return sweep(cs->line, cs, &n);
}
