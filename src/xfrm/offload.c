/* xfrm/offload.c - asked for, and looked at. */
#include "config.h"

#include "xfrm/offload.h"

#include <arpa/inet.h>
#include <errno.h>

#include "xfrm/select.h"

static int add_as(
	struct request_line *l, const struct request_sa *sa, enum policy_offload offload)
{
	struct request_sa as = *sa;

	as.offload = offload;
	return request_sa_add(l, &as);
}

static void look(struct request_line *l, const struct request_name *name,
	struct offload_granted *out)
{
	struct request_counts counts = {0};

	if (request_sa_get(l, name, &counts) != 0)
		return;
	out->what = counts.offload;
	out->ifindex = counts.offload == OFFLOAD_PACKET ? counts.ifindex : 0;
}

int offload_add(
	struct request_line *l, const struct request_sa *sa, struct offload_granted *out)
{
	const struct request_name name = select_name(&sa->info.id, sa->info.family);
	bool automatic = sa->offload == OFFLOAD_AUTO;
	enum policy_offload wanted = automatic ? OFFLOAD_CRYPTO : sa->offload;
	int err = add_as(l, sa, wanted);

	*out = (struct offload_granted){.what = OFFLOAD_NO};
	if (err != 0 && automatic)
		return add_as(l, sa, OFFLOAD_NO);
	if (err != 0 || wanted == OFFLOAD_NO)
		return err;
	look(l, &name, out);
	if (automatic || out->what == wanted)
		return 0;
	(void)request_sa_delete(l, &name);
	*out = (struct offload_granted){.what = OFFLOAD_NO};
	return EOPNOTSUPP;
}
