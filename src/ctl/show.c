/* ctl/show.c - `vipsec show WHAT`: one table. The historic words mmsas (main mode, the
 * IKE SAs) and qmsas (quick mode, the child SAs) are understood. */
#include <string.h>

#include "ctl/ctl.h"

static void print_ikes(const json_t *list)
{
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s)
	{
		printf("%d: %s  vip %s  rule %s  %s -> %s  %s\n", (int)number_of(s, "id"),
			text_of(s, "state"), text_of(s, "vip"), text_of(s, "rule"),
			text_of(s, "local_id"), text_of(s, "remote_id"),
			json_is_true(json_object_get(s, "initiator")) ? "initiator"
								      : "responder");
		printf("    %s %s - %s  SPI %s %s  age %s  last in %s\n",
			text_of(s, "suite"), text_of(s, "local"), text_of(s, "remote"),
			text_of(s, "spi_i"), text_of(s, "spi_r"), age_of(s, "age_ms"),
			age_of(s, "last_in_ms"));
	}
}

static void print_ts(const char *name, const json_t *list)
{
	const json_t *ts;
	size_t i;

	printf("    %s", name);
	json_array_foreach(list, i, ts)
		printf("%s %s", i ? "," : "", json_string_value(ts));
	putchar('\n');
}

/* Of a peer that may share its address with others behind a NAT. */
static void print_flows(const json_t *c)
{
	if (number_of(c, "flows") == 0 && number_of(c, "flow_taken") == 0)
		return;
	printf("    behind a NAT: %d flows", (int)number_of(c, "flows"));
	if (number_of(c, "flows_moved") > 0)
		printf(", %d of them under another port, their own being another "
		       "peer's",
			(int)number_of(c, "flows_moved"));
	if (number_of(c, "flow_taken") > 0)
		printf(", %d packets dropped that would be taken for another peer's",
			(int)number_of(c, "flow_taken"));
	putchar('\n');
}

/* Nothing at all where nothing is said. */
static void print_tags(const json_t *c)
{
	bool marked = json_is_string(json_object_get(c, "output_mark"));
	long long if_id = (long long)number_of(c, "if_id");

	if (marked)
		printf("  output mark %s", text_of(c, "output_mark"));
	if (if_id != 0)
		printf("  XFRM interface %lld", if_id);
	print_offload(c);
}

static void print_children(const json_t *list)
{
	const json_t *c;
	size_t i;

	json_array_foreach(list, i, c)
	{
		printf("%d (IKE %d): %s %s%s %s%s  vip %s  rule %s  %s - %s\n",
			(int)number_of(c, "id"), (int)number_of(c, "ike"),
			text_of(c, "protocol"), text_of(c, "algorithm"), plain_of(c),
			text_of(c, "mode"),
			json_is_true(json_object_get(c, "encap")) ? " in UDP" : "",
			text_of(c, "vip"), text_of(c, "rule"), text_of(c, "local"),
			text_of(c, "remote"));
		printf("    SPI in %s out %s%s%s%s  age %s  rekeyed in %s  expires in %s"
		       "  in %s (last %s)  out %s (last %s)",
			text_of(c, "spi_in"), text_of(c, "spi_out"),
			json_is_string(json_object_get(c, "pfs")) ? "  PFS " : "",
			json_is_string(json_object_get(c, "pfs")) ? text_of(c, "pfs")
								  : "",
			json_is_true(json_object_get(c, "sends")) ? ""
								  : "  receives only",
			age_of(c, "age_ms"), age_of(c, "rekey_in_ms"),
			age_of(c, "expires_in_ms"), bytes_text(number_of(c, "bytes_in")),
			age_of(c, "last_in_ms"), bytes_text(number_of(c, "bytes_out")),
			age_of(c, "last_out_ms"));
		print_tags(c);
		putchar('\n');
		print_ts("local", json_object_get(c, "local_ts"));
		print_ts("remote", json_object_get(c, "remote_ts"));
		print_flows(c);
	}
}

static void print_rules(const json_t *list)
{
	const json_t *r;
	size_t i;

	json_array_foreach(list, i, r)
	{
		printf("vip %s  rule %s: %s %s  %s %s %s\n", text_of(r, "vip"),
			text_of(r, "rule"), text_of(r, "action"), text_of(r, "mode"),
			text_of(r, "local"),
			json_is_true(json_object_get(r, "mirrored")) ? "<->" : "->",
			text_of(r, "remote"));
	}
}

void print_names(const json_t *list)
{
	const json_t *one, *a;
	size_t i, k;

	json_array_foreach(list, i, one)
	{
		bool asking = json_is_null(json_object_get(one, "refresh_in_ms"));
		const json_t *addresses = json_object_get(one, "addresses");

		printf("%s:", text_of(one, "name"));
		json_array_foreach(addresses, k, a)
			printf("%s %s", k ? "," : "", json_string_value(a));
		if (json_array_size(addresses) == 0)
			printf(" not known");
		else
			printf("  age %s", age_of(one, "age_ms"));
		printf("  %s%s", asking ? "being asked for" : "asked for again in ",
			asking ? "" : age_of(one, "refresh_in_ms"));
		if (text_of(one, "reason")[0] != '-')
			printf("  - %s", text_of(one, "reason"));
		putchar('\n');
	}
}

static const struct {
	const char *name, *what;
	void (*print)(const json_t *list);
} tables[] = {
	{"ike", "ike", print_ikes},
	{"mmsas", "ike", print_ikes},
	{"child", "child", print_children},
	{"qmsas", "child", print_children},
	{"vip", "vip", print_vips},
	{"peers", "peers", print_peers},
	{"rule", "rule", print_rules},
	{"names", "names", print_names},
};

static int show(const struct ctl *ctl, const char *name)
{
	json_t *reply, *data;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (strcmp(tables[i].name, name) != 0)
			continue;
		int code = ask(ctl, "show", json_pack("{s:s}", "what", tables[i].what),
			&reply, &data);
		if (data)
			tables[i].print(data);
		json_decref(reply);
		return code;
	}
	return refuse(ctl, EXIT_WRONG, "show ike, child, vip, peers, rule or names");
}

int verb_show(const struct ctl *ctl)
{
	return show(ctl, ctl->argc == 1 ? ctl->argv[0] : "");
}

/* `vipsec mmsas` is `vipsec show mmsas`. */
int verb_sas(const struct ctl *ctl)
{
	return show(ctl, ctl->argc == 0 ? ctl->verb : "");
}
