/* replica/peers.h - what every member must know of each virtual IP's peers.
 *
 * A record says how to call one peer: address, port, identities, the rule by its name,
 * selectors, and how busy it is. No keys. A directory holds the records of all VIPs and
 * of the host; it changes by journals of PUT and DROP entries, which travel as group
 * messages, and is kept on disk as one journal of PUTs.
 *
 * A record's key follows from its value, so that all members agree on it.
 *
 * Floor 3. A directory is heap memory and never holds more than REPLICA_PEERS_MAX records:
 * beyond that a PUT of something new is refused.
 */
#ifndef VIPSEC_REPLICA_PEERS_H
#define VIPSEC_REPLICA_PEERS_H

#include "base/entropy.h"
#include "base/identity.h"
#include "base/ts.h"
#include "policy/policy.h"
#include "wire/writer.h"

enum {
	REPLICA_PEERS_MAX = 20000,
	REPLICA_RECORD_MAX = 2048, /* octets of one encoded entry */
	REPLICA_CHUNK_MAX = 32768 /* octets of one journal that travels */
};

struct replica_peer {
	char vip[POLICY_NAME_MAX]; /* "host" for the host's own scope */
	char rule[POLICY_NAME_MAX];
	struct addr local;
	struct endpoint remote;
	bool natt; /* call to this port, between ports 4500 */
	bool behind; /* the peer is behind a NAT */
	bool nlbs; /* it asked for the shorter idle timer */
	uint8_t rank; /* log2 of its recent traffic: the busiest are called first */
	struct identity local_id,
		remote_id; /* type 0: not known yet, the configured one */
	enum policy_mode mode;
	struct ts_list local_ts, remote_ts; /* empty: as the rule says */
};

enum replica_err { REPLICA_OK = 0, REPLICA_MALFORMED, REPLICA_FULL };
#define REPLICA_CHECKED __attribute__((warn_unused_result))

/* VIP, rule, both addresses, the peer's port and identity: what makes it another peer. */
uint64_t replica_peer_key(const struct replica_peer *p);

/* ---- journals ------------------------------------------------------------- */

/* Each appends one entry, or breaks the writer. */
void replica_write_put(struct writer *w, const struct replica_peer *p);
void replica_write_drop(struct writer *w, uint64_t key);

/* ---- the directory -------------------------------------------------------- */

struct replica_peers;

struct replica_peers *replica_peers_new(const struct entropy *e);
void replica_peers_free(struct replica_peers *d);

/* True when something is different now. A record that makes no sense is not taken. by: the
 * member who says so; 0: nobody, it was on the disk. */
bool replica_peers_put(struct replica_peers *d, const struct replica_peer *p, uint8_t by);
bool replica_peers_drop(struct replica_peers *d, uint64_t key);
/* False: not there. */
bool replica_peers_get(
	const struct replica_peers *d, uint64_t key, struct replica_peer *out);
size_t replica_peers_count(const struct replica_peers *d);
/* Of the records that `wanted` names nobody has said anything yet. */
void replica_peers_doubt(struct replica_peers *d,
	bool (*wanted)(const struct replica_peer *p, void *ctx), void *ctx);
/* by says the records that `wanted` names, as if it had PUT them. */
void replica_peers_say(struct replica_peers *d, uint8_t by,
	bool (*wanted)(const struct replica_peer *p, void *ctx), void *ctx);
/* Drops the records that `wanted` names, and that by has not said, whoever else has. Returns
 * how many went. */
size_t replica_peers_forget(struct replica_peers *d, uint8_t by,
	bool (*wanted)(const struct replica_peer *p, void *ctx), void *ctx);
/* In the order in which they came. each may not change the directory. */
void replica_peers_each(const struct replica_peers *d,
	bool (*each)(const struct replica_peer *p, void *ctx), void *ctx);

/* Whole or not at all: a malformed journal changes nothing. REPLICA_FULL: what fitted
 * was taken. May admit be asked whether an entry is to be believed (NULL: all are): it
 * sees the record that a PUT brings or a DROP takes away. */
enum replica_err replica_peers_apply(struct replica_peers *d, struct span journal,
	uint8_t by, bool (*admit)(const struct replica_peer *p, void *ctx),
	void *ctx) REPLICA_CHECKED;

/* The records that `wanted` names (NULL: all), as journals of PUTs of at most cap octets
 * each, handed to out one after the other. Returns how many records that were. */
size_t replica_peers_snapshot(const struct replica_peers *d, size_t cap,
	bool (*wanted)(const struct replica_peer *p, void *ctx),
	void (*out)(struct span journal, void *ctx), void *ctx);

#endif
