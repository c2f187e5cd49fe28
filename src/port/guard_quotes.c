/* port/guard_quotes.c - ICMP errors that quote what came out of a tunnel.
 *
 * An error quotes the packet that caused it: up to 548 octets of it with IPv4, 1232 with
 * IPv6. When that packet came protected, its octets must not go back in clear, though no
 * rule names ICMP (RFC 4301 6.2: such an error belongs into the SA of the return traffic,
 * and our steering cannot look so deep). So here the quoted packet is judged as the one
 * that arrived, in the SPD's order, and what a negotiate entry protects is not quoted.
 *
 * Leaves to others: errors that are covered by a negotiate rule themselves; they go
 * through the tunnel and never come here (guard_text.c).
 */
#include "config.h"

#include "port/guard_text.h"

#include "base/iana.h"

/* Where the quoted header's fields are, in bits behind the start of the ICMP header, which
 * has 8 octets in both families. */
struct quote {
	const char *family;
	unsigned proto, src, dst, ports;
};

static const struct quote quote_v4 = {"ipv4", 136, 160, 192, 224};
static const struct quote quote_v6 = {"ipv6", 112, 128, 256, 384};
enum { QUOTE_START = 64, PORT_BITS = 16 };

static void write_number(FILE *out, const struct addr *a)
{
	fputs("0x", out);
	for (size_t i = 0; i < addr_len(a); i++)
		fprintf(out, "%02x", a->b[i]);
}

static void write_addrs(FILE *out, unsigned at, const struct ts *t)
{
	struct ts all = ts_any(t->lo.family);

	if (addr_equal(&t->lo, &all.lo) && addr_equal(&t->hi, &all.hi))
		return;
	fprintf(out, "@th,%u,%zu ", at, 8 * addr_len(&t->lo));
	write_number(out, &t->lo);
	if (!addr_equal(&t->lo, &t->hi)) {
		fputc('-', out);
		write_number(out, &t->hi);
	}
	fputc(' ', out);
}

static bool is_every_port(const struct ts *t)
{
	return t->port_lo == 0 && t->port_hi == UINT16_MAX;
}

static bool is_opaque(const struct ts *t)
{
	return t->port_lo > t->port_hi;
}

static void write_ports(FILE *out, unsigned at, const struct ts *t)
{
	if (is_every_port(t) || is_opaque(t))
		return;
	fprintf(out, "@th,%u,%d %u", at, PORT_BITS, t->port_lo);
	if (t->port_lo != t->port_hi)
		fprintf(out, "-%u", t->port_hi);
	fputc(' ', out);
}

/* The quoted packet came from the remote side to ours. */
static void write_quoted(FILE *out, const struct spd_entry *e)
{
	const struct quote *q = e->local.lo.family == ADDR_V4 ? &quote_v4 : &quote_v6;

	fprintf(out, "\t\tmeta nfproto %s ", q->family);
	write_addrs(out, q->src, &e->remote);
	write_addrs(out, q->dst, &e->local);
	if (e->local.proto != IP_ANY)
		fprintf(out, "@th,%u,8 %u ", q->proto, e->local.proto);
}

static void write_quoted_ports(FILE *out, const struct spd_entry *e)
{
	const struct quote *q = e->local.lo.family == ADDR_V4 ? &quote_v4 : &quote_v6;
	bool icmp = e->local.proto == IP_ICMP || e->local.proto == IP_ICMPV6;

	if (q == &quote_v4)
		fprintf(out, "@th,%d,8 0x45 ", QUOTE_START);
	write_ports(out, q->ports, &e->remote);
	write_ports(out, icmp ? q->ports : q->ports + PORT_BITS, &e->local);
}

static void write_entry(FILE *out, const struct spd_entry *e, unsigned scope)
{
	bool ports = !(is_every_port(&e->local) && is_every_port(&e->remote));

	if (e->action == POLICY_BLOCK || !e->mirrored)
		return; /* such a packet has not come out of a tunnel */
	if (e->action == POLICY_PERMIT) {
		if (is_opaque(&e->local) || is_opaque(&e->remote))
			return;
		write_quoted(out, e);
		if (ports)
			write_quoted_ports(out, e);
		fputs("return\n", out);
		return;
	}
	/* with IPv4 options the ports are elsewhere: addresses must do */
	if (ports && e->local.lo.family == ADDR_V4) {
		write_quoted(out, e);
		fprintf(out, "@th,%d,8 != 0x45 counter name clear_out_%u drop\n",
			QUOTE_START, scope);
	}
	write_quoted(out, e);
	if (ports)
		write_quoted_ports(out, e);
	fprintf(out, "counter name clear_out_%u drop\n", scope);
}

static void write_scope(FILE *out, const struct guard_scope *s)
{
	fprintf(out, "\tchain scope_quote_%u {\n", s->scope);
	for (size_t i = 0; i < spd_count(s->spd); i++)
		write_entry(out, spd_at(s->spd, i), s->scope);
	fputs("\t}\n", out);
}

/* A VIP's packets are judged by its own policy, not by the host's as well. */
static void write_own(FILE *out, const struct guard_rules *rules)
{
	for (size_t i = 0; i < rules->n_scopes; i++) {
		const struct guard_scope *s = &rules->scopes[i];

		for (size_t k = 0; s->spd && k < s->n_addrs; k++) {
			bool v4 = s->addrs[k].family == ADDR_V4;
			struct ts own = ts_host(&s->addrs[k]);

			fprintf(out, "\t\tmeta nfproto %s ", v4 ? "ipv4" : "ipv6");
			write_addrs(out, v4 ? quote_v4.dst : quote_v6.dst, &own);
			fputs("return\n", out);
		}
	}
}

static void write_jumps(FILE *out, const struct guard_rules *rules, bool host)
{
	for (size_t i = 0; i < rules->n_scopes; i++) {
		const struct guard_scope *s = &rules->scopes[i];

		if (!s->spd || (s->n_addrs == 0) != host)
			continue;
		if (host)
			write_own(out, rules);
		fprintf(out, "\t\tjump scope_quote_%u\n", s->scope);
	}
}

void guard_write_quotes(FILE *out, const struct guard_rules *rules)
{
	for (size_t i = 0; i < rules->n_scopes; i++)
		if (rules->scopes[i].spd)
			write_scope(out, &rules->scopes[i]);
	fputs("\tchain quotes {\n", out);
	write_jumps(out, rules, false);
	write_jumps(out, rules, true);
	fputs("\t}\n", out);
}

void guard_write_quotes_jump(FILE *out)
{
	fputs("\t\ticmp type { 3, 4, 5, 11, 12 } jump quotes\n"
	      "\t\ticmpv6 type { 1, 2, 3, 4 } jump quotes\n",
		out);
}
