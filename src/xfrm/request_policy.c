/* xfrm/request_policy.c - XFRM messages (linux/xfrm.h) about policies, there and back. */
#include "config.h"

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "xfrm/asking.h"

static struct xfrm_lifetime_cfg no_limits(void)
{
	return (struct xfrm_lifetime_cfg){.soft_byte_limit = XFRM_INF,
		.hard_byte_limit = XFRM_INF,
		.soft_packet_limit = XFRM_INF,
		.hard_packet_limit = XFRM_INF};
}

static void put_policy_offload(struct nl_msg *m, uint32_t ifindex)
{
	struct xfrm_user_offload o = {
		.ifindex = (int)ifindex, .flags = OFFLOAD_FLAG_PACKET};

	if (ifindex != 0)
		request_put(m, XFRMA_OFFLOAD_DEV, &o, sizeof(o));
}

struct nl_msg *request_policy_message(const struct request_policy *p)
{
	struct xfrm_userpolicy_info info;

	memset(&info, 0, sizeof(info));
	info.sel = p->sel;
	info.lft = no_limits();
	info.priority = p->priority;
	info.dir = p->dir;
	info.action = p->action;
	struct nl_msg *m = request_message(XFRM_MSG_UPDPOLICY,
		NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &info,
		sizeof(info));

	if (p->has_tmpl)
		request_put(m, XFRMA_TMPL, &p->tmpl, sizeof(p->tmpl));
	request_put_if_id(m, p->if_id);
	put_policy_offload(m, p->offload_ifindex);
	return m;
}

int request_policy_set(struct request_line *l, const struct request_policy *p)
{
	return request_ask(l, request_policy_message(p), NULL, NULL);
}

int request_policy_delete(struct request_line *l, const struct xfrm_selector *sel,
	uint8_t dir, uint32_t if_id)
{
	struct xfrm_userpolicy_id id;

	memset(&id, 0, sizeof(id));
	id.sel = *sel;
	id.dir = dir;
	struct nl_msg *m = request_message(
		XFRM_MSG_DELPOLICY, NLM_F_REQUEST | NLM_F_ACK, &id, sizeof(id));

	request_put_if_id(m, if_id);
	return request_ask(l, m, NULL, NULL);
}

static uint32_t read_number(struct nlmsghdr *h, size_t head, int type)
{
	struct nlattr *a = nlmsg_find_attr(h, (int)head, type);

	return a && nla_len(a) >= (int)sizeof(uint32_t) ? nla_get_u32(a) : 0;
}

bool request_policy_read(struct nlmsghdr *h, struct request_policy *out)
{
	if (nlmsg_datalen(h) < (int)sizeof(struct xfrm_userpolicy_info))
		return false;
	const struct xfrm_userpolicy_info *info = nlmsg_data(h);
	struct nlattr *tmpl = nlmsg_find_attr(h, sizeof(*info), XFRMA_TMPL);
	*out = (struct request_policy){.sel = info->sel,
		.dir = info->dir,
		.action = info->action,
		.priority = info->priority,
		.if_id = read_number(h, sizeof(*info), XFRMA_IF_ID)};
	struct nlattr *o = nlmsg_find_attr(h, sizeof(*info), XFRMA_OFFLOAD_DEV);
	if (o && nla_len(o) >= (int)sizeof(struct xfrm_user_offload))
		out->offload_ifindex =
			(uint32_t)((const struct xfrm_user_offload *)nla_data(o))
				->ifindex;
	if (tmpl && nla_len(tmpl) >= (int)sizeof(out->tmpl)) {
		out->has_tmpl = true;
		memcpy(&out->tmpl, nla_data(tmpl), sizeof(out->tmpl));
	}
	return true;
}

struct policy_reader {
	void (*each)(const struct request_policy *p, void *ctx);
	void *ctx;
};

static int on_policy(struct nl_msg *m, void *arg)
{
	const struct policy_reader *reader = arg;
	struct request_policy p;

	if (nlmsg_hdr(m)->nlmsg_type == XFRM_MSG_NEWPOLICY &&
		request_policy_read(nlmsg_hdr(m), &p))
		reader->each(&p, reader->ctx);
	return NL_OK;
}

int request_policy_each(struct request_line *l,
	void (*each)(const struct request_policy *p, void *ctx), void *ctx)
{
	struct xfrm_userpolicy_id id;
	struct policy_reader reader = {.each = each, .ctx = ctx};

	memset(&id, 0, sizeof(id));
	return request_ask(l,
		request_message(
			XFRM_MSG_GETPOLICY, NLM_F_REQUEST | NLM_F_DUMP, &id, sizeof(id)),
		on_policy, &reader);
}
