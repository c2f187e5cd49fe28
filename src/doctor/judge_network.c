/* doctor/judge_network.c - what else is on this machine's network, and in our way. */
#include "doctor/judge.h"

#include <stdio.h>
#include <string.h>

#include "base/iana.h"

/* ---- policies of others in the kernel -------------------------------------------------- */

/* The rule, or the exemption, whose traffic it takes before we do; NULL: none. Where the
 * kernel carries ESP the smaller number wins (of equal ones the older, which may be either);
 * where we do nothing of ours is in the kernel, and whatever is there is asked. */
static const char *taken_from(const struct facts_policies *x, const struct fact_policy *p)
{
	struct ts common;

	if (!p->block && !p->secures && !x->in_kernel)
		return NULL; /* it lets pass what would pass */
	for (size_t i = 0; i < x->n_ours; i++) {
		if ((x->in_kernel && p->priority > x->ours[i].priority) ||
			p->if_id != x->ours[i].if_id || (!p->out && !x->ours[i].mirrored))
			continue;
		if (ts_intersect(&p->local, &x->ours[i].local, &common) &&
			ts_intersect(&p->remote, &x->ours[i].remote, &common))
			return x->ours[i].what;
	}
	return NULL;
}

void judge_policies(const struct facts_policies *x, struct findings *f)
{
	bool any = false;

	if (!x->offered) {
		find(f, x->in_kernel ? GRADE_BAD : GRADE_OK, "%s", x->why);
		if (x->in_kernel)
			find_advise(f, "take a kernel with CONFIG_XFRM_USER, or write "
				       "\"fallback userspace;\"");
		return;
	}
	for (size_t i = 0; i < x->n; i++) {
		const char *what = taken_from(x, &x->at[i]);
		if (!what)
			continue;
		any = true;
		find(f, GRADE_BAD, "a policy of another program (%s) %s, before %s",
			x->at[i].text,
			x->at[i].block     ? "drops"
			: x->at[i].secures ? "wants SAs of its own"
					   : "lets pass in clear",
			what);
		find_advise(f,
			"find whose it is (`ip xfrm policy`) and end it there; or "
			"`ip xfrm policy delete dir ... src ... dst ...`%s",
			x->in_kernel ? ", or give it a larger priority number than ours"
				     : "");
	}
	if (!any)
		find_ok(f, "%zu policies of others, none before ours", x->n);
}

/* ---- what passes by the policies -------------------------------------------------------- */

/* name: as sysctl has it, with slashes, since there may be dots in it. */
static bool passing(const struct fact_passing *p, const char *name, const char *whose,
	struct findings *f)
{
	static const char unsealed[] = "what a rule protects is not sealed when it "
				       "leaves there, and the guard drops it",
			  unheld[] =
				  "what comes there is held against no policy, nor "
				  "against its SA's selectors: the guard alone is left";
	const struct {
		bool set;
		const char *family, *of, *knob, *then;
	} knobs[] = {
		{p->no_xfrm, "IPv4", "ipv4", "disable_xfrm", unsealed},
		{p->no_policy, "IPv4", "ipv4", "disable_policy", unheld},
		{p->no_policy_v6, "IPv6", "ipv6", "disable_policy", unheld},
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
		if (!knobs[i].set)
			continue;
		any = true;
		find(f, GRADE_WARN, "%s: %s of %s is set: %s", whose, knobs[i].knob,
			knobs[i].family, knobs[i].then);
		find_advise(f, "sysctl -w net/%s/conf/%s/%s=0, and in /etc/sysctl.d",
			knobs[i].of, name, knobs[i].knob);
	}
	return any;
}

void judge_passing(const struct facts_links *x, struct findings *f)
{
	if (!x->in_kernel)
		return; /* there is none of ours to pass by */
	bool any = passing(&x->all, "all", "all interfaces", f);
	for (size_t i = 0; i < x->n; i++)
		any |= passing(&x->at[i].passing, x->at[i].name, x->at[i].name, f);
	if (!any)
		find_ok(f, "no interface passes by the policies");
}

/* ---- ports ------------------------------------------------------------------------------ */

static bool is_any(const struct addr *a)
{
	for (size_t i = 0; i < addr_len(a); i++)
		if (a->b[i] != 0)
			return false;
	return true;
}

static bool is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == ADDR_V4 ? a->b[0] == 127 : memcmp(a->b, one, 16) == 0;
}

static bool is_ours(const struct facts_ports *x, const struct fact_port *p)
{
	if (p->pid == 0)
		return false;
	return p->pid == x->daemon_pid ||
	       (x->daemon_there && strcmp(p->program, "vipsecd") == 0);
}

/* A socket of any IPv6 address may take IPv4 too; whether it does cannot be seen. */
static bool is_in_the_way(const struct facts_ports *x, const struct fact_port *p)
{
	if (is_loopback(&p->local))
		return false;
	if (x->own_any)
		return true;
	for (size_t i = 0; i < x->n_own; i++)
		if (addr_equal(&p->local, &x->own[i]) ||
			(is_any(&p->local) && (p->local.family == ADDR_V6 ||
						      x->own[i].family == ADDR_V4)))
			return true;
	return false;
}

void judge_ports(const struct facts_ports *x, struct findings *f)
{
	char address[ADDR_TEXT_MAX], holder[2 * FACT_NAME_MAX];
	size_t foreign = 0, ours = 0;

	for (size_t i = 0; i < x->n; i++) {
		const struct fact_port *p = &x->at[i];
		if (is_ours(x, p)) {
			ours++;
			continue;
		}
		if (!is_in_the_way(x, p))
			continue;
		foreign++;
		if (p->pid == 0)
			snprintf(holder, sizeof(holder),
				"a program that cannot be seen from here");
		else
			snprintf(holder, sizeof(holder), "%s (pid %d)", p->program,
				p->pid);
		find(f, GRADE_BAD, "UDP %u on %s is held by %s", p->port,
			is_any(&p->local) ? "any address"
					  : addr_format(&p->local, address),
			holder);
		find_advise(f, "stop it, or have it bind other addresses: two programs "
			       "cannot speak IKE on one");
	}
	if (foreign == 0)
		find_ok(f, "UDP 500 and 4500: %s%s", ours ? "vipsecd's" : "free",
			x->n > ours ? ", others have theirs on other addresses" : "");
}

/* ---- links ------------------------------------------------------------------------------ */

enum { MTU_V6_MIN = 1280, MTU_ROOM = 576 };

static bool narrow(
	const struct facts_links *x, const struct fact_link *l, struct findings *f)
{
	if (x->needs_v6 && l->mtu < MTU_V6_MIN) {
		find(f, GRADE_BAD, "%s: MTU %u, and IPv6 needs %d", l->name, l->mtu,
			MTU_V6_MIN);
		find_advise(
			f, "ip link set %s mtu 1500, if the network carries it", l->name);
	} else if (l->mtu < MTU_ROOM) {
		find(f, GRADE_BAD, "%s: MTU %u leaves no room for IPsec", l->name,
			l->mtu);
		find_advise(
			f, "ip link set %s mtu 1500, if the network carries it", l->name);
	} else if (x->fragment_size > l->mtu) {
		find(f, GRADE_WARN,
			"%s: MTU %u is below fragment-size %u, so IKE goes in IP "
			"fragments, which firewalls drop",
			l->name, l->mtu, x->fragment_size);
		find_advise(f, "tuning { fragment-size %u; }", l->mtu);
	} else {
		return false;
	}
	return true;
}

void judge_mtu(const struct facts_links *x, struct findings *f)
{
	const struct fact_link *least = NULL;
	bool wrong = false;

	for (size_t i = 0; i < x->n; i++) {
		wrong |= narrow(x, &x->at[i], f);
		if (!least || x->at[i].mtu < least->mtu)
			least = &x->at[i];
	}
	if (!least) {
		find(f, GRADE_WARN, "no interface is up, or none has an address");
		find_advise(
			f, "ip link set DEVICE up; ip address add ADDRESS dev DEVICE");
	} else if (!wrong) {
		find_ok(f, "%u at least (%s)", least->mtu, least->name);
	}
}

/* Our own steering leads the reverse of IKE and ESP past the TUN (routing/steering.c), so
 * only a second link is a matter of rp_filter. */
void judge_rp_filter(const struct facts_links *x, struct findings *f)
{
	size_t linked = 0, strict = 0;
	char names[128] = "";

	for (size_t i = 0; i < x->n; i++) {
		linked += x->at[i].v4 ? 1 : 0;
		if (x->at[i].v4 && x->at[i].rp_filter == 1) {
			size_t used = strlen(names);
			snprintf(names + used, sizeof(names) - used, "%s%s",
				used ? ", " : "", x->at[i].name);
			strict++;
		}
	}
	if (linked > 1 && strict > 0) {
		find(f, GRADE_WARN,
			"rp_filter is strict on %s, and there are %zu links: what comes "
			"by another one than the answer would take is dropped",
			names, linked);
		find_advise(f, "sysctl -w net.ipv4.conf.all.rp_filter=2 (loose), and in "
			       "/etc/sysctl.d");
		return;
	}
	find_ok(f, strict ? "strict, and one link: nothing comes by another one"
			  : "not strict");
}

void judge_forwarding(const struct facts_forwarding *x, struct findings *f)
{
	static const struct {
		const char *family, *knob;
	} names[] = {{"IPv4", "net.ipv4.ip_forward"},
		{"IPv6", "net.ipv6.conf.all.forwarding"}};
	const bool missing[] = {x->v4_needed && !x->v4, x->v6_needed && !x->v6};

	if (!x->rule[0]) {
		find_ok(f, "no rule protects a network behind this machine");
		return;
	}
	for (int i = 0; i < 2; i++) {
		if (!missing[i])
			continue;
		find(f, GRADE_BAD,
			"rule \"%s\" protects a network behind this machine, and %s is "
			"not forwarded",
			x->rule, names[i].family);
		find_advise(f, "sysctl -w %s=1, and in /etc/sysctl.d", names[i].knob);
	}
	if (!missing[0] && !missing[1])
		find_ok(f, "on, as rule \"%s\" needs it", x->rule);
}
