/* doctor/look_network.c - links and their addresses, and what the kernel does with packets. */
#include "doctor/look.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "os/sockaddr.h"
#include "routing/device.h"

static bool read_address(const struct ifaddrs *i, struct addr *out)
{
	struct sockaddr_storage s = {0};
	struct endpoint e;

	if (!i->ifa_addr ||
		(i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
		return false;
	memcpy(&s, i->ifa_addr,
		i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
						  : sizeof(struct sockaddr_in6));
	if (!sockaddr_read(&s, &e))
		return false;
	*out = e.addr;
	return true;
}

static bool is_link_local(const struct addr *a)
{
	return a->family == ADDR_V6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* Up, neither the loopback nor our own, and an address that others can reach. */
static bool counts(const struct ifaddrs *i, struct addr *a)
{
	return (i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & IFF_LOOPBACK) == 0 &&
	       strcmp(i->ifa_name, DEVICE_NAME) != 0 && read_address(i, a) &&
	       !is_link_local(a);
}

/* ---- addresses of ours ---------------------------------------------------------------- */

/* A VIP that is on a link is the VIP's: those come first. */
static void add_own(struct patient *p, const struct addr *a, bool is_host)
{
	for (size_t i = 0; i < p->n_own; i++)
		if (addr_equal(&p->own[i].addr, a))
			return;
	if (p->n_own < FACTS_MAX)
		p->own[p->n_own++] = (struct own_address){*a, is_host};
}

void look_own(struct patient *p)
{
	const struct config *c = p->config;
	struct ifaddrs *all = NULL;
	struct addr a;

	for (unsigned i = 0; c && i < c->n_vips; i++)
		for (unsigned k = 0; k < c->vips[i].n_addrs; k++)
			add_own(p, &c->vips[i].addrs[k], false);
	if ((c && c->host_policy == CONFIG_NO_POLICY) || getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (counts(i, &a))
			add_own(p, &a, true);
	freeifaddrs(all);
}

size_t look_own_addrs(const struct patient *p, struct addr out[FACTS_MAX])
{
	for (size_t i = 0; i < p->n_own; i++)
		out[i] = p->own[i].addr;
	return p->n_own;
}

/* ---- links ----------------------------------------------------------------------------- */

static bool is_set(const char *family, const char *link, const char *knob)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, link, knob);
	return look_number(path, 0) != 0;
}

static struct fact_passing passing_of(const char *link)
{
	return (struct fact_passing){
		.no_xfrm = is_set("ipv4", link, "disable_xfrm"),
		.no_policy = is_set("ipv4", link, "disable_policy"),
		.no_policy_v6 = is_set("ipv6", link, "disable_policy"),
	};
}

/* It asks the policies that have its if-id, whatever its knobs say, and nothing comes out of
 * it in clear. Other links without a header of their own lead to one peer. */
static bool is_xfrm_interface(const struct ifaddrs *i)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/type", i->ifa_name);
	return (i->ifa_flags & IFF_POINTOPOINT) == 0 &&
	       look_number(path, 0) == ARPHRD_NONE;
}

static struct fact_link *link_of(struct facts_links *x, const struct ifaddrs *i)
{
	const char *name = i->ifa_name;
	char path[128];

	for (size_t k = 0; k < x->n; k++)
		if (strcmp(x->at[k].name, name) == 0)
			return &x->at[k];
	if (x->n == FACTS_MAX)
		return NULL;
	struct fact_link *l = &x->at[x->n++];
	*l = (struct fact_link){.mtu = 0};
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(path, sizeof(path), "/sys/class/net/%s/mtu", name);
	l->mtu = (uint32_t)look_number(path, 0);
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
	long own = look_number(path, 0),
	     all = look_number("/proc/sys/net/ipv4/conf/all/rp_filter", 0);
	l->rp_filter = (int)(own > all ? own : all);
	if (!is_xfrm_interface(i))
		l->passing = passing_of(name);
	return l;
}

void look_links(const struct patient *p, struct facts_links *x)
{
	struct ifaddrs *all;
	struct addr a;

	x->n = 0;
	x->in_kernel = p->in_kernel;
	x->all = passing_of("all");
	x->fragment_size = p->config ? p->config->tuning.fragment_size : 0;
	for (size_t i = 0; i < p->n_own; i++)
		x->needs_v6 |= p->own[i].addr.family == ADDR_V6;
	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct fact_link *l = counts(i, &a) ? link_of(x, i) : NULL;
		if (!l)
			continue;
		l->v4 |= a.family == ADDR_V4;
		l->v6 |= a.family == ADDR_V6;
	}
	freeifaddrs(all);
}

/* ---- forwarding ------------------------------------------------------------------------ */

static void look_side(const struct config_rule *r, const struct config_side *side,
	struct facts_forwarding *x)
{
	for (unsigned i = 0; side->kind == SIDE_PREFIX && i < side->n_prefixes; i++) {
		const struct prefix *p = &side->prefixes[i];
		if (p->bits == 8 * addr_len(&p->addr))
			continue;
		x->v4_needed |= p->addr.family == ADDR_V4;
		x->v6_needed |= p->addr.family == ADDR_V6;
		snprintf(x->rule, sizeof(x->rule), "%s", r->name);
	}
}

void look_forwarding(const struct patient *p, struct facts_forwarding *x)
{
	const struct config *c = p->config;

	*x = (struct facts_forwarding){
		.v4 = look_number("/proc/sys/net/ipv4/ip_forward", 0) != 0,
		.v6 = look_number("/proc/sys/net/ipv6/conf/all/forwarding", 0) != 0,
	};
	for (unsigned i = 0; c && i < c->n_rules; i++) {
		const struct config_rule *r = &c->rules[i];
		if (r->action != POLICY_NEGOTIATE || r->mode != POLICY_TUNNEL ||
			r->filter_list == CONFIG_MATCH_ANY)
			continue;
		const struct config_filter_list *list = &c->filter_lists[r->filter_list];
		for (unsigned k = 0; k < list->n_filters; k++)
			look_side(r, &list->filters[k].local, x);
	}
}
