/* Group messages from a member that is mad: whatever is read must write back the same, and
 * neither the table of claims nor the directory may break or outgrow its bounds. */
#include "node/claim.h"
#include "replica/peers.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_back(const struct cluster_msg *m, struct span bytes)
{
	struct addr claims[CLUSTER_CLAIMS_MAX];
	struct vouched vouched[CLUSTER_CLAIMS_MAX];
	uint8_t *out = malloc(bytes.len);
	struct writer w = wr_over(out, bytes.len);

	assert(out);
	for (unsigned i = 0; i < m->n_claims; i++)
		if (m->type == CLUSTER_VOUCH)
			vouched[i] = cluster_msg_vouched(m, i);
		else
			claims[i] = cluster_msg_claim(m, i);
	if (m->type == CLUSTER_HELLO)
		cluster_write_hello(&w, m->config_hash, m->members, claims, m->n_claims);
	else if (m->type == CLUSTER_VOUCH)
		cluster_write_vouch(&w, m->members, m->silent, vouched, m->n_claims);
	else if (m->type == CLUSTER_PEERS)
		cluster_write_peers(&w, m->journal);
	else if (m->type == CLUSTER_DRAIN)
		cluster_write_drain(&w, &m->drain);
	else
		cluster_write_addr(&w, m->type, &m->addr);
	assert(wr_ok(&w) && span_equal(wr_span(&w), bytes));
	free(out);
}

static void feed_claims(const struct cluster_msg *m)
{
	static const uint8_t members[] = {1, 2};
	struct claims *c = calloc(1, sizeof(*c));

	assert(c);
	claims_on_members(c, members, 2);
	for (uint8_t from = 1; from <= 3; from++) {
		bool member = from < 3;
		bool taken = m->type == CLUSTER_HELLO   ? claims_on_hello(c, from, m)
			     : m->type == CLUSTER_VOUCH ? claims_on_vouch(c, from, m)
			     : m->type == CLUSTER_CLAIM
				     ? claims_on_claim(c, from, &m->addr)
				     : claims_on_release(c, from, &m->addr);
		assert(taken == member);
		assert(c->n <= CLUSTER_CLAIMS_MAX);
	}
	free(c);
}

static bool read_back(const struct replica_peer *p, void *ctx)
{
	struct replica_peer q;

	assert(replica_peers_get(ctx, replica_peer_key(p), &q));
	return true;
}

static void feed_directory(struct span journal)
{
	struct seeded_entropy seed;
	struct entropy e = entropy_seeded(&seed, 1);
	struct replica_peers *d = replica_peers_new(&e);

	if (replica_peers_apply(d, journal, 0, NULL, NULL) == REPLICA_MALFORMED)
		assert(replica_peers_count(d) == 0);
	replica_peers_each(d, read_back, d);
	replica_peers_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of(data, size);
	struct cluster_msg m;

	if (cluster_msg_read(bytes, &m) != CLUSTER_OK)
		return 0;
	write_back(&m, bytes);
	if (m.type == CLUSTER_PEERS)
		feed_directory(m.journal);
	else if (m.type != CLUSTER_DRAIN)
		feed_claims(&m);
	return 0;
}
