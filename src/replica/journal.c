/* replica/journal.c - changes to the directory, as they travel and lie on disk.
 *
 * A journal is read twice: once to see that all of it is well-formed, once to act. So a
 * message cut short changes nothing, and a file half written is refused as a whole.
 */
#include "replica/peers.h"
#include "replica/record.h"

void replica_write_put(struct writer *w, const struct replica_peer *p)
{
	size_t start = wr_len(w);

	wr_u8(w, ENTRY_PUT);
	wr_u16(w, 0);
	record_write(w, p);
	if (wr_ok(w))
		wr_fill_u16(w, start + 1, (uint16_t)(wr_len(w) - start - ENTRY_HEADER));
}

void replica_write_drop(struct writer *w, uint64_t key)
{
	wr_u8(w, ENTRY_DROP);
	wr_u16(w, sizeof(key));
	wr_u64(w, key);
}

struct entry {
	uint8_t kind;
	struct replica_peer peer; /* PUT */
	uint64_t key; /* DROP */
};

static bool entry_next(struct reader *r, struct entry *out)
{
	out->kind = rd_u8(r);
	struct reader body = rd_sub(r, rd_u16(r));

	if (!rd_ok(r))
		return false;
	if (out->kind == ENTRY_PUT)
		return rd_left(&body) <= REPLICA_RECORD_MAX - ENTRY_HEADER &&
		       record_read(&body, &out->peer);
	if (out->kind != ENTRY_DROP)
		return true; /* of a later version */
	out->key = rd_u64(&body);
	return rd_done(&body);
}

static bool well_formed(struct span journal)
{
	struct reader r = rd_over(journal);
	struct entry e;

	while (rd_left(&r) > 0)
		if (!entry_next(&r, &e))
			return false;
	return rd_ok(&r);
}

enum replica_err replica_peers_apply(struct replica_peers *d, struct span journal,
	uint8_t by, bool (*admit)(const struct replica_peer *p, void *ctx), void *ctx)
{
	struct reader r = rd_over(journal);
	enum replica_err err = REPLICA_OK;
	struct entry e;

	if (!well_formed(journal))
		return REPLICA_MALFORMED;
	while (rd_left(&r) > 0 && entry_next(&r, &e)) {
		if (e.kind == ENTRY_DROP && replica_peers_get(d, e.key, &e.peer)) {
			if (!admit || admit(&e.peer, ctx))
				replica_peers_drop(d, e.key);
		} else if (e.kind == ENTRY_PUT && (!admit || admit(&e.peer, ctx))) {
			replica_peers_put(d, &e.peer, by);
			uint64_t key = replica_peer_key(&e.peer);
			if (!replica_peers_get(d, key, &e.peer))
				err = REPLICA_FULL;
		}
	}
	return err;
}
