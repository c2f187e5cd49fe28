/* doctor/doctor.c - the topics, in the order in which they are told: what must be right for
 * the next to be.
 */
#include "doctor/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "doctor/firewall.h"
#include "doctor/judge.h"
#include "doctor/look.h"
#include "port/guard.h"

static void on_privileges(const struct patient *p, struct findings *f)
{
	struct facts_privileges x;

	(void)p;
	look_privileges(&x);
	judge_privileges(&x, f);
}

static void on_config(const struct patient *p, struct findings *f)
{
	judge_config(&p->config_facts, f);
}

static void on_files(const struct patient *p, struct findings *f)
{
	struct facts_files x;

	look_files(p, &x);
	judge_files(&x, f);
}

static void on_certificates(const struct patient *p, struct findings *f)
{
	struct facts_certificates *x = mem_new(1, sizeof(*x));

	look_certificates(p, x);
	if (p->config)
		judge_certificates(x, f);
	free(x);
}

static void on_clock(const struct patient *p, struct findings *f)
{
	struct facts_clock x;

	look_clock(p, &x);
	judge_clock(&x, f);
}

static void on_esp(const struct patient *p, struct findings *f)
{
	struct facts_helps x;

	judge_esp(&p->esp, f);
	look_helps(p, &x);
	judge_helps(&x, f);
}

static void on_crypto(const struct patient *p, struct findings *f)
{
	struct facts_crypto x;

	look_crypto(p, &x);
	judge_crypto(&x, f);
}

static void on_tun(const struct patient *p, struct findings *f)
{
	struct facts_tun x;

	look_tun(p, &x);
	judge_tun(&x, f);
}

static void on_ports(const struct patient *p, struct findings *f)
{
	struct facts_ports *x = mem_new(1, sizeof(*x));

	look_ports(p, x);
	judge_ports(x, f);
	free(x);
}

static void on_links(const struct patient *p, struct findings *f,
	void (*judge)(const struct facts_links *x, struct findings *f))
{
	struct facts_links *x = mem_new(1, sizeof(*x));

	look_links(p, x);
	judge(x, f);
	free(x);
}

static void on_policies(const struct patient *p, struct findings *f)
{
	struct facts_policies *x = mem_new(1, sizeof(*x));

	look_policies(p, x);
	judge_policies(x, f);
	free(x);
	on_links(p, f, judge_passing);
}

static void on_mtu(const struct patient *p, struct findings *f)
{
	on_links(p, f, judge_mtu);
}

static void on_rp_filter(const struct patient *p, struct findings *f)
{
	on_links(p, f, judge_rp_filter);
}

static void on_forwarding(const struct patient *p, struct findings *f)
{
	struct facts_forwarding x;

	look_forwarding(p, &x);
	if (p->config)
		judge_forwarding(&x, f);
}

static void on_guard(const struct patient *p, struct findings *f)
{
	struct facts_guard x;

	look_guard(p, &x);
	judge_guard(&x, f);
}

static void on_firewall(const struct patient *p, struct findings *f)
{
	char *text = guard_ruleset_json();
	json_t *ruleset = text ? json_loads(text, 0, NULL) : NULL;
	struct addr own[FACTS_MAX];
	size_t n_own = look_own_addrs(p, own);
	char names[64];

	if (ruleset) {
		firewall_judge(ruleset, own, n_own, p->wants_ah, f);
	} else {
		find(f, GRADE_WARN, "the rules of others cannot be read");
		find_advise(f, "run as root, with nftables in the kernel");
	}
	json_decref(ruleset);
	free(text);
	if (look_text("/proc/net/ip_tables_names", names, sizeof(names)) ||
		look_text("/proc/net/ip6_tables_names", names, sizeof(names))) {
		find(f, GRADE_WARN,
			"tables of the older iptables are in force, and not judged here");
		find_advise(f, "`iptables-legacy -S` and `ip6tables-legacy -S`: UDP 500, "
			       "UDP 4500 and ESP must pass");
	}
}

static void on_cluster(const struct patient *p, struct findings *f)
{
	struct facts_cluster x;

	look_cluster(p, &x);
	if (p->config)
		judge_cluster(&x, f);
}

static void on_daemon(const struct patient *p, struct findings *f)
{
	judge_daemon(&p->daemon, f);
}

static const struct topic {
	const char *name;
	void (*run)(const struct patient *p, struct findings *f);
} topics[] = {
	{"privileges", on_privileges},
	{"configuration", on_config},
	{"files", on_files},
	{"certificates", on_certificates},
	{"clock", on_clock},
	{"esp", on_esp},
	{"crypto", on_crypto},
	{"xfrm", on_policies},
	{"tun", on_tun},
	{"ports", on_ports},
	{"mtu", on_mtu},
	{"forwarding", on_forwarding},
	{"rp_filter", on_rp_filter},
	{"guard", on_guard},
	{"firewall", on_firewall},
	{"corosync", on_cluster},
	{"daemon", on_daemon},
};

void doctor_run(const char *file, const struct facts_daemon *daemon, struct findings *out)
{
	struct patient *p = mem_new(1, sizeof(*p));

	p->file = file;
	p->daemon = *daemon;
	look_pid(p);
	look_config(p);
	look_own(p);
	look_esp(p);
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		out->topic = topics[i].name;
		topics[i].run(p, out);
	}
	config_free(p->config);
	free(p);
}
