/* replica/record.c - one peer record as octets and back.
 *
 * An entry is a kind octet, a length, and a body: new kinds can be skipped by old
 * readers. Everything is bounded: names by POLICY_NAME_MAX, identities by IDENTITY_MAX,
 * selectors by TS_LIST_MAX. What does not make sense (a name without end, a selector
 * whose end lies before its start) is malformed.
 */
#include "replica/record.h"

#include "base/siphash.h"
#include "wire/reader.h"

enum { FLAG_NATT = 1, FLAG_BEHIND = 2, FLAG_NLBS = 4, FLAG_TUNNEL = 8, FLAGS_KNOWN = 15 };

static void write_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	wr_u8(w, (uint8_t)len);
	wr_bytes(w, span_of(text, len));
}

static void read_text(struct reader *r, char out[POLICY_NAME_MAX], bool *sane)
{
	size_t len = rd_u8(r);
	struct span bytes = rd_bytes(r, len);

	if (!rd_ok(r) || len == 0 || len >= POLICY_NAME_MAX ||
		memchr(bytes.at, '\0', bytes.len)) {
		*sane = false;
		return;
	}
	memcpy(out, bytes.at, bytes.len);
	out[bytes.len] = '\0';
}

void record_write_addr(struct writer *w, const struct addr *a)
{
	wr_u8(w, (uint8_t)addr_len(a));
	wr_bytes(w, span_of(a->b, addr_len(a)));
}

struct addr record_read_addr(struct reader *r, bool *sane)
{
	size_t len = rd_u8(r);
	struct span bytes = rd_bytes(r, len);

	if (!rd_ok(r) || (len != 0 && len != 4 && len != 16)) {
		*sane = false;
		return (struct addr){0};
	}
	return len == 0 ? (struct addr){0} : addr_from_bytes(bytes.at, bytes.len);
}

static void write_identity(struct writer *w, const struct identity *i)
{
	wr_u8(w, i->type);
	wr_u16(w, i->len);
	wr_bytes(w, span_of(i->b, i->len));
}

static void read_identity(struct reader *r, struct identity *out, bool *sane)
{
	uint8_t type = rd_u8(r);
	struct span bytes = rd_bytes(r, rd_u16(r));

	if (!rd_ok(r)) {
		*sane = false;
		return;
	}
	if (type == ID_ANY && bytes.len == 0)
		return;
	if (type == ID_ANY || !identity_from_bytes(type, bytes, out))
		*sane = false;
}

static void write_selectors(struct writer *w, const struct ts_list *l)
{
	wr_u8(w, (uint8_t)l->n);
	for (unsigned i = 0; i < l->n; i++) {
		const struct ts *t = &l->at[i];
		record_write_addr(w, &t->lo);
		record_write_addr(w, &t->hi);
		wr_u8(w, t->proto);
		wr_u16(w, t->port_lo);
		wr_u16(w, t->port_hi);
	}
}

static void read_selectors(struct reader *r, struct ts_list *out, bool *sane)
{
	unsigned n = rd_u8(r);

	if (n > TS_LIST_MAX)
		*sane = false;
	for (unsigned i = 0; i < n && *sane; i++) {
		struct ts t = {0};
		t.lo = record_read_addr(r, sane);
		t.hi = record_read_addr(r, sane);
		t.proto = rd_u8(r);
		t.port_lo = rd_u16(r);
		t.port_hi = rd_u16(r);
		if (!rd_ok(r) || !ts_valid(&t) || !ts_list_add(out, &t))
			*sane = false;
	}
}

void record_write(struct writer *w, const struct replica_peer *p)
{
	unsigned flags = (p->natt ? FLAG_NATT : 0u) | (p->behind ? FLAG_BEHIND : 0u) |
			 (p->nlbs ? FLAG_NLBS : 0u) |
			 (p->mode == POLICY_TUNNEL ? FLAG_TUNNEL : 0u);

	write_text(w, p->vip);
	write_text(w, p->rule);
	wr_u8(w, (uint8_t)flags);
	wr_u8(w, p->rank);
	record_write_addr(w, &p->local);
	record_write_addr(w, &p->remote.addr);
	wr_u16(w, p->remote.port);
	write_identity(w, &p->local_id);
	write_identity(w, &p->remote_id);
	write_selectors(w, &p->local_ts);
	write_selectors(w, &p->remote_ts);
}

bool record_read(struct reader *r, struct replica_peer *out)
{
	bool sane = true;

	*out = (struct replica_peer){0};
	read_text(r, out->vip, &sane);
	read_text(r, out->rule, &sane);
	unsigned flags = rd_u8(r);
	out->natt = flags & FLAG_NATT;
	out->behind = flags & FLAG_BEHIND;
	out->nlbs = flags & FLAG_NLBS;
	out->mode = flags & FLAG_TUNNEL ? POLICY_TUNNEL : POLICY_TRANSPORT;
	out->rank = rd_u8(r);
	out->local = record_read_addr(r, &sane);
	out->remote.addr = record_read_addr(r, &sane);
	out->remote.port = rd_u16(r);
	read_identity(r, &out->local_id, &sane);
	read_identity(r, &out->remote_id, &sane);
	read_selectors(r, &out->local_ts, &sane);
	read_selectors(r, &out->remote_ts, &sane);
	return sane && rd_done(r) && (flags & ~(unsigned)FLAGS_KNOWN) == 0 &&
	       addr_is_set(&out->remote.addr);
}

uint64_t replica_peer_key(const struct replica_peer *p)
{
	static const struct siphash_key everywhere = {0x76697073, 0x65637065};
	uint8_t bytes[REPLICA_RECORD_MAX];
	struct writer w = wr_over(bytes, sizeof(bytes));

	write_text(&w, p->vip);
	write_text(&w, p->rule);
	record_write_addr(&w, &p->local);
	record_write_addr(&w, &p->remote.addr);
	wr_u16(&w, p->remote.port);
	write_identity(&w, &p->remote_id);
	return siphash(&everywhere, wr_span(&w));
}
