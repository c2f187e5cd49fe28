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

/* [SPORT] [DPORT], or of ICMP [TYPE [CODE]], which selectors have in place of both
 * ports (RFC 7296 3.13.1). */
static bool ports_of(const struct ctl *ctl, int proto, int *src, int *dst)
{
	int n = ctl->argc;
	int first = n >= 4 ? port_of(ctl->argv[3]) : 0;
	int second = n == 5 ? port_of(ctl->argv[4]) : 0;

	if (first < 0 || second < 0)
		return false;
	if (proto == IP_ICMP || proto == IP_ICMPV6) {
		*src = *dst = first << 8 | second;
		return first <= UINT8_MAX && second <= UINT8_MAX;
	}
	*src = n == 5 ? first : 0;
	*dst = n == 5 ? second : first;
	return true;
}

/* Whether the rule's algorithms encrypt. */
static void print_encryption(const json_t *verdict)
{
	const char *encryption = text_of(verdict, "encryption");

	if (strcmp(encryption, "never") == 0)
		puts("    integrity only, not encrypted: whoever is on the way can read "
		     "it");
	if (strcmp(encryption, "sometimes") == 0)
		puts("    encrypted or not, as the peer chooses: `vipsec show child` "
		     "tells");
}

int verb_explain(const struct ctl *ctl)
{
	int n = ctl->argc, proto = n >= 3 ? proto_of(ctl->argv[2]) : -1;
	int src_port, dst_port;

	if (n < 3 || n > 5 || proto < 0 || !ports_of(ctl, proto, &src_port, &dst_port))
		return refuse(ctl, EXIT_WRONG,
			"explain SRC DST PROTO [SPORT] [DPORT], or SRC DST icmp [TYPE "
			"[CODE]]");
	json_t *reply, *data, *one;
	size_t i;
	int code = ask(ctl, "explain",
		json_pack("{s:s,s:s,s:i,s:i,s:i}", "src", ctl->argv[0], "dst",
			ctl->argv[1], "proto", proto, "src_port", src_port, "dst_port",
			dst_port),
		&reply, &data);
	if (data && json_array_size(data) == 0)
		puts("permit: neither address belongs to a scope of this daemon");
	json_array_foreach(data, i, one)
	{
		printf("vip %s: %s\n", text_of(one, "vip"), text_of(one, "why"));
		print_encryption(one);
		if (number_of(one, "sharing") > 1)
			printf("    %d SAs share the other address, behind a NAT: an "
			       "answer goes to the peer that asked, what none of them "
			       "asked for to nobody\n",
				(int)number_of(one, "sharing"));
	}
	json_decref(reply);
	return code;
}
