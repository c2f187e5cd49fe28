/* ctl/status.c - `vipsec status`. */
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
	if (json_is_true(json_object_get(cluster, "config_differs")))
		puts("WARNING: another member has a different configuration");
}

static void print_tuning(const json_t *t)
{
	printf("tuning: nlbs-flags %d, idle-timeout %s, idle-timeout-failover %s, "
	       "idle-lifetime %s\n",
		(int)number_of(t, "nlbs_flags"), age_of(t, "idle_timeout_ms"),
		age_of(t, "idle_timeout_failover_ms"), age_of(t, "idle_lifetime_ms"));
}

static void print_plane(const json_t *p)
{
	const json_t *drops = json_object_get(p, "drops"), *value;
	void *iter = NULL;

	printf("data plane: %s, %lld packets sealed, %lld opened; %s\n",
		text_of(p, "name"), (long long)number_of(p, "sealed"),
		(long long)number_of(p, "opened"), text_of(p, "note"));
	for (iter = json_object_iter((json_t *)(uintptr_t)drops); iter;
		iter = json_object_iter_next((json_t *)(uintptr_t)drops, iter)) {
		value = json_object_iter_value(iter);
		if (json_integer_value(value) > 0)
			printf("  dropped %s: %lld\n", json_object_iter_key(iter),
				(long long)json_integer_value(value));
	}
}

int verb_status(const struct ctl *ctl)
{
	json_t *reply, *data;
	int code = ask(ctl, "status", NULL, &reply, &data);

	if (data) {
		print_cluster(data);
		print_tuning(json_object_get(data, "tuning"));
		print_plane(json_object_get(data, "dataplane"));
		puts("virtual IPs:");
		print_vips(json_object_get(data, "vips"));
		puts("peers:");
		print_peers(json_object_get(data, "peers"));
	}
	json_decref(reply);
	return code;
}
