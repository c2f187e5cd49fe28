/* port/guard_text.c - from SPDs to the rules of one nftables table.
 *
 * Chains: arriving packets (hooks input and forward) go through the exemptions and then,
 * scope by scope, through the entries in the SPD's order, most specific first, as seen by
 * someone who receives; leaving packets (hook postrouting, which sees local and forwarded
 * ones with their final interface) likewise, as seen by someone who sends. The verdict of
 * a permit entry is `return`: the packet leaves this scope's chain for the next scope's.
 *
 * For IPv4 all hooks stand where datagrams are whole: input is behind reassembly,
 * postrouting before fragmentation. Forwarded fragments and those of IPv6 show ports in the
 * first one only; a later one whose addresses and protocol belong to a negotiate or block
 * entry is dropped. (Without its first fragment, which is judged like any packet, no
 * datagram becomes whole; so those that may belong to IKE or ESP in UDP pass.)
 *
 * Names of rules never reach nft: everything written here is made of numbers.
 */
#include "config.h"

#include "port/guard_text.h"

#include <inttypes.h>

#include "base/iana.h"

enum side { ARRIVING, LEAVING };

/* ---- matches ------------------------------------------------------------------ */

static bool is_whole_family(const struct ts *t)
{
	struct ts all = ts_any(t->lo.family);

	return addr_equal(&t->lo, &all.lo) && addr_equal(&t->hi, &all.hi);
}

static void write_addrs(FILE *out, const char *word, const struct ts *t)
{
	char lo[ADDR_TEXT_MAX], hi[ADDR_TEXT_MAX];

	if (is_whole_family(t))
		return;
	fprintf(out, "%s %s %s", t->lo.family == ADDR_V4 ? "ip" : "ip6", word,
		addr_format(&t->lo, lo));
	if (!addr_equal(&t->lo, &t->hi))
		fprintf(out, "-%s", addr_format(&t->hi, hi));
	fputc(' ', out);
}

static bool is_every_port(const struct ts *t)
{
	return t->port_lo == 0 && t->port_hi == UINT16_MAX;
}

/* OPAQUE (RFC 4301 4.4.1.1): only what shows no ports, which no rule here can see. */
static bool is_opaque(const struct ts *t)
{
	return t->port_lo > t->port_hi;
}

static void write_range(FILE *out, const char *word, unsigned lo, unsigned hi)
{
	if (lo == hi)
		fprintf(out, "%s %u ", word, lo);
	else
		fprintf(out, "%s %u-%u ", word, lo, hi);
}

/* RFC 7296 3.13.1: the port of an ICMP selector is type * 256 + code. th is the header
 * behind IP: its first two octets, for ICMP too. */
static void write_ports(FILE *out, const char *word, const struct ts *t)
{
	if (is_every_port(t) || is_opaque(t))
		return;
	if (t->proto == IP_ICMP || t->proto == IP_ICMPV6)
		write_range(out, "@th,0,16", t->port_lo, t->port_hi);
	else
		write_range(out, word, t->port_lo, t->port_hi);
}

static bool has_ports(const struct spd_entry *e)
{
	return !(is_every_port(&e->local) && is_every_port(&e->remote));
}

static void write_match(FILE *out, const struct spd_entry *e, enum side side, bool ports)
{
	const struct ts *src = side == ARRIVING ? &e->remote : &e->local;
	const struct ts *dst = side == ARRIVING ? &e->local : &e->remote;

	fprintf(out, "\t\tmeta nfproto %s ",
		e->local.lo.family == ADDR_V4 ? "ipv4" : "ipv6");
	write_addrs(out, "saddr", src);
	write_addrs(out, "daddr", dst);
	if (e->local.proto != IP_ANY)
		fprintf(out, "meta l4proto %u ", e->local.proto);
	if (!ports)
		return;
	write_ports(out, "th sport", src);
	write_ports(out, "th dport", dst);
}

/* ---- entries -------------------------------------------------------------------- */

static const char *verdict_counter(const struct spd_entry *e)
{
	return e->action == POLICY_BLOCK ? "blocked" : "clear";
}

static void write_drop(
	FILE *out, const struct spd_entry *e, enum side side, unsigned scope)
{
	fprintf(out, "counter name %s_%s_%u drop\n", verdict_counter(e),
		side == ARRIVING ? "in" : "out", scope);
}

static void write_fragments(
	FILE *out, const struct spd_entry *e, enum side side, unsigned scope)
{
	write_match(out, e, side, false);
	if (e->local.lo.family == ADDR_V4)
		fputs("ip frag-off & 0x1fff != 0 ", out);
	else
		fputs("frag frag-off != 0 ", out);
	write_drop(out, e, side, scope);
}

static void write_entry(
	FILE *out, const struct spd_entry *e, enum side side, unsigned scope)
{
	if (side == ARRIVING && !e->mirrored)
		return;
	if (e->action == POLICY_PERMIT) {
		if (is_opaque(&e->local) || is_opaque(&e->remote))
			return;
		write_match(out, e, side, true);
		fputs("return\n", out);
		return;
	}
	if (has_ports(e))
		write_fragments(out, e, side, scope);
	write_match(out, e, side, true);
	write_drop(out, e, side, scope);
}

static void write_scope(FILE *out, const struct guard_scope *s)
{
	static const char *const names[] = {[ARRIVING] = "in", [LEAVING] = "out"};

	for (enum side side = ARRIVING; side <= LEAVING; side++) {
		fprintf(out, "\tchain scope_%s_%u {\n", names[side], s->scope);
		for (size_t i = 0; i < spd_count(s->spd); i++)
			write_entry(out, spd_at(s->spd, i), side, s->scope);
		fputs("\t}\n", out);
	}
}

/* ---- exemptions ------------------------------------------------------------------- */

static bool is_host(const struct guard_scope *s)
{
	return s->n_addrs == 0;
}

static bool has_host(const struct guard_rules *rules)
{
	for (size_t i = 0; i < rules->n_scopes; i++)
		if (is_host(&rules->scopes[i]) && rules->scopes[i].spd)
			return true;
	return false;
}

/* Every address of every VIP that has a policy, as a set; nft takes no empty element
 * lists. */
static void write_set(FILE *out, const struct guard_rules *rules, enum addr_family family)
{
	const char *separator = "\t\telements = { ";
	bool any = false;

	fprintf(out, "\tset own%d {\n\t\ttype %s\n", family,
		family == ADDR_V4 ? "ipv4_addr" : "ipv6_addr");
	for (size_t i = 0; i < rules->n_scopes; i++) {
		const struct guard_scope *s = &rules->scopes[i];
		for (size_t k = 0; k < s->n_addrs; k++) {
			char text[ADDR_TEXT_MAX];
			if (!s->spd || s->addrs[k].family != family)
				continue;
			fprintf(out, "%s%s", separator, addr_format(&s->addrs[k], text));
			separator = ", ";
			any = true;
		}
	}
	fputs(any ? " }\n\t}\n" : "\t}\n", out);
}

/* One rule for each family; own is "saddr" or "daddr", the side that must be ours. The
 * host has no list of addresses: whatever comes in or goes out is its own. */
static void write_own(FILE *out, const struct guard_rules *rules, const char *own,
	const char *match, const char *verdict)
{
	if (has_host(rules)) {
		fprintf(out, "\t\t%s %s\n", match, verdict);
		return;
	}
	fprintf(out, "\t\tip %s @own4 %s %s\n", own, match, verdict);
	fprintf(out, "\t\tip6 %s @own6 %s %s\n", own, match, verdict);
}

/* Quotes: the header that an ICMP error carries begins 8 octets (v4 and v6 alike) behind
 * the ICMP header's start. IPv4 options in our own packets do not exist, so the quoted
 * ports are 28 octets behind it; 48 with IPv6. */
static void write_path_mtu(FILE *out)
{
	static const char *const v4 =
		"\t\ticmp type destination-unreachable icmp code 4 ";
	static const char *const v6 = "\t\ticmpv6 type packet-too-big ";

	fprintf(out, "%s@th,136,8 { 50, 51 } accept\n", v4);
	fprintf(out, "%s@th,136,8 17 @th,224,16 { 500, 4500 } accept\n", v4);
	fprintf(out, "%s@th,112,8 { 50, 51 } accept\n", v6);
	fprintf(out, "%s@th,112,8 17 @th,384,16 { 500, 4500 } accept\n", v6);
}

/* A chain of its own, so that what is no ICMP passes it by in one step. */
static void write_silence(FILE *out, const struct guard_rules *rules)
{
	static const char *const drop = "counter name icmp_silenced drop";

	fputs("\tchain silence {\n", out);
	write_own(out, rules, "saddr",
		"icmp type destination-unreachable @th,136,8 { 50, 51 }", drop);
	write_own(out, rules, "saddr",
		"icmp type destination-unreachable @th,136,8 17 @th,240,16 { 500, 4500 }",
		drop);
	write_own(out, rules, "saddr",
		"icmpv6 type { destination-unreachable, parameter-problem } "
		"@th,112,8 { 50, 51 }",
		drop);
	write_own(out, rules, "saddr",
		"icmpv6 type destination-unreachable @th,112,8 17 @th,400,16 { 500, 4500 "
		"}",
		drop);
	fputs("\t}\n", out);
}

/* IPv6 fragments are not put together yet. Of a later one nft knows the protocol, but for AH,
 * which could be an extension header: there it asks the fragment header. */
static void write_later_fragments(FILE *out, const struct guard_rules *rules)
{
	const char *own = has_host(rules) ? "" : "ip6 daddr @own6 ";

	fprintf(out, "\t\t%sfrag frag-off != 0 meta l4proto 17 accept\n", own);
	fprintf(out, "\t\t%sfrag frag-off != 0 frag nexthdr 51 accept\n", own);
}

static void write_exemptions(FILE *out, const struct guard_rules *rules, enum side side)
{
	const char *own = side == ARRIVING ? "daddr" : "saddr";

	write_own(out, rules, own, "meta l4proto { 50, 51 }", "accept");
	write_own(out, rules, own,
		side == ARRIVING ? "udp dport { 500, 4500 }" : "udp sport { 500, 4500 }",
		"accept");
	if (side == ARRIVING)
		write_later_fragments(out, rules);
	/* RFC 4861: 133 to 137, from no farther than this link */
	fputs("\t\ticmpv6 type 133-137 ip6 hoplimit 255 accept\n", out);
}

/* ---- the table ---------------------------------------------------------------------- */

/* What belongs to a VIP is not judged by the host's policy as well. */
static void write_jumps(FILE *out, const struct guard_rules *rules, enum side side)
{
	const char *direction = side == ARRIVING ? "in" : "out";
	const char *own = side == ARRIVING ? "daddr" : "saddr";

	for (int host = 0; host <= 1; host++) {
		if (host && has_host(rules))
			fprintf(out,
				"\t\tip %s @own4 accept\n"
				"\t\tip6 %s @own6 accept\n",
				own, own);
		for (size_t i = 0; i < rules->n_scopes; i++) {
			const struct guard_scope *s = &rules->scopes[i];
			if (s->spd && is_host(s) == host)
				fprintf(out, "\t\tjump scope_%s_%u\n", direction,
					s->scope);
		}
	}
}

/* What has been judged by an SA, or goes to one. */
static void write_secured(FILE *out, const struct guard_rules *rules, enum side side)
{
	const char *name = side == ARRIVING ? "iifname" : "oifname";

	if (rules->tun_name) {
		fprintf(out, "\t\t%s { \"lo\", \"%s\" } accept\n", name, rules->tun_name);
		return;
	}
	fprintf(out, "\t\t%s \"lo\" accept\n", name);
	if (rules->interfaces && side == LEAVING)
		fputs("\t\tmeta oifkind \"xfrm\" accept\n", out);
	fprintf(out, "\t\tipsec %s reqid %" PRIu32 "-%" PRIu32 " accept\n",
		side == ARRIVING ? "in" : "out", rules->reqid_first, rules->reqid_last);
}

static void write_chains(FILE *out, const struct guard_rules *rules)
{
	write_silence(out, rules);
	fputs("\tchain arriving {\n", out);
	write_secured(out, rules, ARRIVING);
	write_exemptions(out, rules, ARRIVING);
	write_path_mtu(out);
	write_jumps(out, rules, ARRIVING);
	fputs("\t}\n\tchain leaving {\n\t\tmeta l4proto { 1, 58 } jump silence\n", out);
	write_secured(out, rules, LEAVING);
	guard_write_quotes_jump(out);
	write_exemptions(out, rules, LEAVING);
	write_jumps(out, rules, LEAVING);
	fputs("\t}\n", out);
	/* Inbound before, outbound behind what other tables do by default: what they
	 * rewrite (NAT) is judged as the wire carries it. */
	fputs("\tchain hook_input {\n"
	      "\t\ttype filter hook input priority -150; policy accept;\n"
	      "\t\tjump arriving\n\t}\n"
	      "\tchain hook_forward {\n"
	      "\t\ttype filter hook forward priority -150; policy accept;\n"
	      "\t\tjump arriving\n\t}\n"
	      "\tchain hook_postrouting {\n"
	      "\t\ttype filter hook postrouting priority 300; policy accept;\n"
	      "\t\tjump leaving\n\t}\n",
		out);
}

static void write_counter(FILE *out, const char *name, unsigned scope, uint64_t packets)
{
	fprintf(out, "\tcounter %s_%u { packets %" PRIu64 " bytes 0 }\n", name, scope,
		packets);
}

static void write_counters(
	FILE *out, const struct guard_rules *rules, const struct guard_counts *counts)
{
	fputs("\tcounter icmp_silenced { packets 0 bytes 0 }\n", out);
	for (size_t i = 0; i < rules->n_scopes; i++) {
		unsigned scope = rules->scopes[i].scope;
		write_counter(out, "clear_in", scope, counts[scope].clear_in);
		write_counter(out, "clear_out", scope, counts[scope].clear_out);
		write_counter(out, "blocked_in", scope, counts[scope].blocked_in);
		write_counter(out, "blocked_out", scope, counts[scope].blocked_out);
	}
}

void guard_write(
	FILE *out, const struct guard_rules *rules, const struct guard_counts *counts)
{
	/* Deleting wants the table to exist; adding an existing one changes nothing. */
	fputs("add table inet " GUARD_TABLE "\n"
	      "delete table inet " GUARD_TABLE "\n"
	      "table inet " GUARD_TABLE " {\n",
		out);
	write_counters(out, rules, counts);
	write_set(out, rules, ADDR_V4);
	write_set(out, rules, ADDR_V6);
	for (size_t i = 0; i < rules->n_scopes; i++)
		if (rules->scopes[i].spd)
			write_scope(out, &rules->scopes[i]);
	guard_write_quotes(out, rules);
	write_chains(out, rules);
	fputs("}\n", out);
}
