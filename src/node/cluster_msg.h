/* node/cluster_msg.h - what the members of a cluster tell each other, as octets.
 *
 * HELLO   "I am here, this is my configuration, these addresses are mine"; sent at each
 *         change of the membership and of the configuration
 * CLAIM   "I want to own this address"; the first in CPG order gets it
 * RELEASE "I own it no more": nothing of mine can be sent from it any longer
 * PEERS   changes to the directory of peers (a journal of replica/)
 * DRAIN   "the peers of this VIP are to go to those addresses", or no more; the highest
 *         version is the one that holds, whoever says it
 * VOUCH   "these are silent; this is all that they can own"
 *
 * Four octets come first: 'V' 'S', the protocol's version, the type. A message of another
 * version is not read further.
 *
 * Floor 4. Values; parsing allocates nothing.
 */
#ifndef VIPSEC_NODE_CLUSTER_MSG_H
#define VIPSEC_NODE_CLUSTER_MSG_H

#include "base/addr.h"
#include "config/config.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { CLUSTER_VERSION = 1 };

enum cluster_msg_type {
	CLUSTER_HELLO = 1,
	CLUSTER_CLAIM = 2,
	CLUSTER_RELEASE = 3,
	CLUSTER_PEERS = 4,
	CLUSTER_VOUCH = 5,
	CLUSTER_DRAIN = 6
};

#define CLUSTER_CLAIMS_MAX (SCOPE_MAX * CONFIG_VIP_ADDRS)
enum { CLUSTER_HELLO_MAX = 4 + 32 + 32 + 2 + CLUSTER_CLAIMS_MAX * 17 };

/* What an operator has said of a VIP; also on disk. */
struct drain_words {
	char vip[POLICY_NAME_MAX];
	uint64_t version; /* of these words: the next ones have a higher one */
	bool on;
	struct addr to[2]; /* IPv4, IPv6; not set: peers of that family are served here */
};
enum { CLUSTER_DRAIN_MAX = 4 + 1 + POLICY_NAME_MAX + 8 + 1 + 1 + 2 * 17 };

struct cluster_msg {
	enum cluster_msg_type type;
	uint8_t config_hash[32]; /* HELLO; zeros: no configuration yet */
	uint8_t members[32]; /* HELLO, VOUCH: bits of those it is said to */
	uint8_t silent[32]; /* VOUCH: bits of those it is said for */
	unsigned n_claims; /* HELLO, VOUCH: addresses follow in .claims */
	struct span claims; /* read with cluster_msg_claim, cluster_msg_vouched */
	struct addr addr; /* CLAIM, RELEASE */
	struct span journal; /* PEERS */
	struct drain_words drain; /* DRAIN */
};

enum cluster_err { CLUSTER_OK = 0, CLUSTER_MALFORMED, CLUSTER_OTHER_VERSION };

/* The spans of out lie in bytes. */
enum cluster_err cluster_msg_read(struct span bytes, struct cluster_msg *out)
	__attribute__((warn_unused_result));
/* The i-th address of a HELLO that was read. */
struct addr cluster_msg_claim(const struct cluster_msg *m, unsigned i);

void cluster_write_hello(struct writer *w, const uint8_t config_hash[32],
	const uint8_t members[32], const struct addr *claims, unsigned n_claims);

struct vouched {
	struct addr addr;
	uint8_t owner;
};
enum { CLUSTER_VOUCH_MAX = 4 + 32 + 32 + 2 + CLUSTER_CLAIMS_MAX * 18 };
struct vouched cluster_msg_vouched(const struct cluster_msg *m, unsigned i);
void cluster_write_vouch(struct writer *w, const uint8_t members[32],
	const uint8_t silent[32], const struct vouched *at, unsigned n);
/* CLAIM or RELEASE */
void cluster_write_addr(
	struct writer *w, enum cluster_msg_type type, const struct addr *addr);
void cluster_write_peers(struct writer *w, struct span journal);
void cluster_write_drain(struct writer *w, const struct drain_words *d);
/* Without the head, one after the other, as it lies on disk. */
void drain_words_write(struct writer *w, const struct drain_words *d);
bool drain_words_read(struct reader *r, struct drain_words *out);

#endif
