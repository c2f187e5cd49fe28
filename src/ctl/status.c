/* ctl/status.c - `vipsec status`. */
#include <string.h>

#include "ctl/ctl.h"

static void print_cluster(const json_t *status)
{
	const json_t *cluster = json_object_get(status, "cluster");
	const json_t *members = json_object_get(cluster, "members"), *m;
	size_t i;

	printf("vipsecd %s, up %s, configuration %s\n", text_of(status, "version"),
		age_of(status, "uptime_ms"),
		text_of(json_object_get(status, "config"), "file"));
	if (text_of(cluster, "backend")[0] == 'n') {
		puts("cluster: none");
		return;
	}
	printf("cluster: corosync, member %d of", (int)number_of(cluster, "member"));
	json_array_foreach(members, i, m) printf(" %d", (int)json_integer_value(m));
	printf(", %s%s%s\n",
		json_is_true(json_object_get(cluster, "quorate")) ? "quorate"
								  : "NOT QUORATE",
		json_is_true(json_object_get(cluster, "bus_up")) ? "" : ", BUS DOWN: ",
		json_is_true(json_object_get(cluster, "bus_up"))
			? ""
			: text_of(cluster, "trouble"));
}

static void print_problems(const json_t *problems)
{
	const json_t *one;
	size_t i;

	json_array_foreach(problems, i, one)
		printf("PROBLEM: %s\n", json_string_value(one));
}

/* What protected traffic tried to do in clear, and what block rules stopped. */
static void print_guard(const json_t *vips)
{
	const json_t *vip;
	size_t i;

	json_array_foreach(vips, i, vip)
	{
		const json_t *g = json_object_get(vip, "guard");

		printf("guard of %s: dropped in clear %lld in, %lld out; blocked %lld "
		       "in, %lld out\n",
			text_of(vip, "name"), (long long)number_of(g, "clear_in"),
			(long long)number_of(g, "clear_out"),
			(long long)number_of(g, "blocked_in"),
			(long long)number_of(g, "blocked_out"));
	}
}

static void print_tuning(const json_t *t)
{
	bool quiet = json_is_false(json_object_get(t, "nlbs_present"));

	printf("tuning: nlbs-flags %d, idle-timeout %s, idle-timeout-failover %s, "
	       "idle-lifetime %s%s\n",
		(int)number_of(t, "nlbs_flags"), age_of(t, "idle_timeout_ms"),
		age_of(t, "idle_timeout_failover_ms"), age_of(t, "idle_lifetime_ms"),
		quiet ? ", nlbs-present no" : "");
}

static void print_plane(const json_t *p)
{
	const json_t *drops = json_object_get(p, "drops"), *value;
	void *iter = NULL;

	printf("data plane: %s, %lld packets sealed, %lld opened; %s\n",
		text_of(p, "name"), (long long)number_of(p, "sealed"),
		(long long)number_of(p, "opened"), text_of(p, "note"));
	if (strcmp(text_of(p, "offload"), "no") != 0)
		printf("  offload to network devices: %s\n", text_of(p, "offload"));
	if (number_of(p, "held") > 0)
		printf("  held for an SA: %lld packets, %lld of them sent since\n",
			(long long)number_of(p, "held"),
			(long long)number_of(p, "released"));
	for (iter = json_object_iter((json_t *)(uintptr_t)drops); iter;
		iter = json_object_iter_next((json_t *)(uintptr_t)drops, iter)) {
		value = json_object_iter_value(iter);
		if (json_integer_value(value) > 0)
			printf("  dropped %s: %lld\n", json_object_iter_key(iter),
				(long long)json_integer_value(value));
	}
}

/* Nothing at all where there are no certificates. */
static void print_identities(const json_t *list)
{
	const json_t *one;
	size_t i;

	if (json_array_size(list) > 0)
		puts("identities:");
	json_array_foreach(list, i, one)
	{
		bool own = json_is_string(json_object_get(one, "subject"));

		printf("  %s: ", text_of(one, "name"));
		if (own)
			printf("%s, issued by %s, %s until %s; ", text_of(one, "subject"),
				text_of(one, "issuer"), text_of(one, "state"),
				text_of(one, "not_after_text"));
		printf("%lld CA%s, revocation %s\n", (long long)number_of(one, "cas"),
			number_of(one, "cas") == 1 ? "" : "s",
			text_of(one, "revocation"));
	}
}

int verb_status(const struct ctl *ctl)
{
	json_t *reply, *data;
	int code = ask(ctl, "status", NULL, &reply, &data);

	if (data) {
		print_cluster(data);
		print_problems(json_object_get(data, "problems"));
		print_tuning(json_object_get(data, "tuning"));
		print_plane(json_object_get(data, "dataplane"));
		print_guard(json_object_get(data, "vips"));
		print_identities(json_object_get(data, "identities"));
		if (json_array_size(json_object_get(data, "names")) > 0)
			puts("names:");
		print_names(json_object_get(data, "names"));
		puts("virtual IPs:");
		print_vips(json_object_get(data, "vips"));
		puts("peers:");
		print_peers(json_object_get(data, "peers"));
	}
	json_decref(reply);
	return code;
}
