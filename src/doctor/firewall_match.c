/* doctor/firewall_match.c - what a rule asks of a packet, in the words of nft's JSON. */
#include "doctor/firewall_match.h"

#include <string.h>

#include "base/iana.h"

const char *match_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static enum answer answer_of(bool yes)
{
	return yes ? YES : NO;
}

/* Is the number among what stands on the right? words: names for it there, NULL at the end. */
static enum answer number_in(const json_t *right, json_int_t n, const char *const *words)
{
	const json_t *range = json_object_get(right, "range"),
		     *set = json_object_get(right, "set"), *one;
	enum answer best = NO;
	size_t i;

	if (json_is_array(right))
		set = right;
	if (json_is_integer(right))
		return answer_of(json_integer_value(right) == n);
	if (json_array_size(range) == 2)
		return answer_of(json_integer_value(json_array_get(range, 0)) <= n &&
				 n <= json_integer_value(json_array_get(range, 1)));
	if (set) {
		json_array_foreach(set, i, one)
		{
			enum answer a = number_in(one, n, words);
			best = a > best ? a : best;
		}
		return best;
	}
	if (!json_is_string(right) || json_string_value(right)[0] == '@')
		return PERHAPS; /* a named set */
	for (; words && *words; words++)
		if (strcmp(json_string_value(right), *words) == 0)
			return YES;
	return NO;
}

static enum answer address_in(const json_t *right, const struct addr *own)
{
	const json_t *prefix = json_object_get(right, "prefix"),
		     *range = json_object_get(right, "range"),
		     *set = json_object_get(right, "set"), *one;
	enum answer best = NO;
	struct prefix p;
	struct addr a, b;
	size_t i;

	if (prefix) {
		p.bits = (uint8_t)json_integer_value(json_object_get(prefix, "len"));
		return addr_parse(match_text(prefix, "addr"), &p.addr)
			       ? answer_of(prefix_contains(&p, own))
			       : PERHAPS;
	}
	if (json_array_size(range) == 2) {
		const char *lo = json_string_value(json_array_get(range, 0)),
			   *hi = json_string_value(json_array_get(range, 1));
		return lo && hi && addr_parse(lo, &a) && addr_parse(hi, &b)
			       ? answer_of(
					 addr_cmp(&a, own) <= 0 && addr_cmp(own, &b) <= 0)
			       : PERHAPS;
	}
	if (set) {
		json_array_foreach(set, i, one)
		{
			enum answer x = address_in(one, own);
			best = x > best ? x : best;
		}
		return best;
	}
	return json_is_string(right) && addr_parse(json_string_value(right), &a)
		       ? answer_of(addr_equal(&a, own))
		       : PERHAPS;
}

static enum answer protocol_in(const json_t *right, uint8_t proto)
{
	const char *name[] = {proto == IP_UDP  ? "udp"
			      : proto == IP_AH ? "ah"
					       : "esp",
		NULL};

	return number_in(right, proto, name);
}

static enum answer meta_matches(
	const char *key, const json_t *right, const struct packet *p)
{
	const char *v4[] = {"ipv4", NULL}, *v6[] = {"ipv6", NULL}, *lo[] = {"lo", NULL};
	bool is_v4 = p->own.family == ADDR_V4;

	if (strcmp(key, "l4proto") == 0)
		return protocol_in(right, p->proto);
	if (strcmp(key, "nfproto") == 0)
		return number_in(right, is_v4 ? 2 : 10, is_v4 ? v4 : v6);
	/* Never through the loopback. */
	if ((strncmp(key, "iif", 3) == 0 || strncmp(key, "oif", 3) == 0) &&
		number_in(right, -1, lo) == YES && json_is_string(right))
		return NO;
	return PERHAPS;
}

static enum answer ip_matches(
	const char *field, const json_t *right, const struct packet *p)
{
	if (strcmp(field, "protocol") == 0 || strcmp(field, "nexthdr") == 0)
		return protocol_in(right, p->proto);
	if (strcmp(field, p->out ? "saddr" : "daddr") == 0)
		return address_in(right, &p->own);
	return PERHAPS;
}

/* To ask for a field of a header is to ask for that header, whatever is asked of it. nft
 * does not write that down. */
static enum answer has_header(const char *header, const struct packet *p)
{
	bool udp = p->proto == IP_UDP;

	if (header[0] == '\0' || strncmp(header, "ether", 5) == 0)
		return PERHAPS;
	if (strcmp(header, "ip") == 0)
		return answer_of(p->own.family == ADDR_V4);
	if (strcmp(header, "ip6") == 0)
		return answer_of(p->own.family == ADDR_V6);
	if (strcmp(header, "esp") == 0 || strcmp(header, "ah") == 0)
		return answer_of(p->proto == (header[0] == 'a' ? IP_AH : IP_ESP));
	return answer_of(
		udp && (strcmp(header, "udp") == 0 || strcmp(header, "th") == 0));
}

static enum answer payload_matches(
	const json_t *payload, const json_t *right, const struct packet *p)
{
	const char *header = match_text(payload, "protocol"),
		   *field = match_text(payload, "field");
	const char *ike[] = {p->port == IKE_PORT ? "isakmp" : "ipsec-nat-t", NULL};

	if (strcmp(header, "ip") == 0 || strcmp(header, "ip6") == 0)
		return ip_matches(field, right, p);
	/* The peer's port is another where a NAT is before it. */
	if (strcmp(field, p->out ? "sport" : "dport") == 0)
		return number_in(right, p->port, ike);
	return PERHAPS;
}

/* Its first packet: nothing is known of the connection yet. */
static enum answer state_matches(const json_t *right)
{
	const char *fresh[] = {"new", NULL};
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(right, "|"), i,
		one) if (number_in(one, -1, fresh) == YES) return YES;
	return json_object_get(right, "|") ? NO : number_in(right, -1, fresh);
}

enum answer match_answer(const json_t *match, const struct packet *p)
{
	const json_t *left = json_object_get(match, "left"),
		     *right = json_object_get(match, "right"),
		     *payload = json_object_get(left, "payload"),
		     *meta = json_object_get(left, "meta"),
		     *ct = json_object_get(left, "ct");
	const char *op = match_text(match, "op");
	enum answer a = PERHAPS;

	if (payload && has_header(match_text(payload, "protocol"), p) == NO)
		return NO;
	if (payload)
		a = payload_matches(payload, right, p);
	else if (meta)
		a = meta_matches(match_text(meta, "key"), right, p);
	else if (ct && strcmp(match_text(ct, "key"), "state") == 0)
		a = state_matches(right);
	if (strcmp(op, "!=") == 0)
		return a == PERHAPS ? PERHAPS : a == YES ? NO : YES;
	return strcmp(op, "==") == 0 || strcmp(op, "in") == 0 ? a : PERHAPS;
}
