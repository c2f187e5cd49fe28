/* ctl/explain.c - `vipsec explain SRC DST PROTO [SPORT] DPORT`: which rule, and why. */
#include <stdlib.h>
#include <string.h>

#include "base/iana.h"
#include "ctl/ctl.h"

static int proto_of(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {{"tcp", IP_TCP}, {"udp", IP_UDP}, {"icmp", IP_ICMP},
		{"icmpv6", IP_ICMPV6}, {"esp", IP_ESP}, {"ah", IP_AH}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, text) == 0)
			return known[i].number;
	char *end;
	long n = strtol(text, &end, 10);
	return *end || n < 0 || n > 255 ? -1 : (int)n;
}

static int port_of(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *end || n < 0 || n > 65535 ? -1 : (int)n;
}

int verb_explain(const struct ctl *ctl)
{
	int n = ctl->argc, proto = n >= 3 ? proto_of(ctl->argv[2]) : -1;
	int dst_port = n >= 4 ? port_of(ctl->argv[n - 1]) : 0;
	int src_port = n == 5 ? port_of(ctl->argv[3]) : 0;

	if (n < 3 || n > 5 || proto < 0 || dst_port < 0 || src_port < 0) {
		fprintf(stderr, "vipsec: explain SRC DST PROTO [SPORT] [DPORT]\n");
		return EXIT_WRONG;
	}
	json_t *reply, *data, *one;
	size_t i;
	int code = ask(ctl, "explain",
		json_pack("{s:s,s:s,s:i,s:i,s:i}", "src", ctl->argv[0], "dst",
			ctl->argv[1], "proto", proto, "src_port", src_port, "dst_port",
			dst_port),
		&reply, &data);
	if (data && json_array_size(data) == 0)
		puts("permit: neither address belongs to a scope of this daemon");
	json_array_foreach(data, i, one) printf("vip %s: %s: %s\n", text_of(one, "vip"),
		text_of(one, "action"), text_of(one, "why"));
	json_decref(reply);
	return code;
}
