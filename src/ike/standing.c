/* ike/standing.c - what a caller has already: between two vipsec nodes, said in IKE_AUTH.
 *
 * An IKE SA that was begun while another one of the pair stood is to take its place:
 * reauthentication (RFC 7296 2.8.3), or a child that may not be rekeyed. One that was begun
 * without knowing of the other has crossed with it. Who goes depends on which it was, and
 * both sides must come to the same; clocks cannot tell, since the answer that makes an SA
 * stand at both ends may be lost for seconds. So the caller names what it holds for the same
 * traffic, by SPIs: a private Notify whose data are pairs of them, the initiator's first.
 *
 * Rekeying changes the SPIs and keeps the lineage, which is what is remembered. What
 * follows from it is in crossing.c.
 */
#include "ike/sa.h"

enum { SPIS_LEN = 16 };

static void note(struct ike_sa *sa, const struct ike_sa *older)
{
	if (sa->n_over < IKE_OVER_MAX && !ike_standing_knew(sa, older))
		sa->over[sa->n_over++] = older->lineage;
}

bool ike_standing_knew(const struct ike_sa *sa, const struct ike_sa *older)
{
	for (unsigned i = 0; i < sa->n_over; i++)
		if (sa->over[i] == older->lineage)
			return true;
	return false;
}

void ike_standing_write(struct message *m, struct ike_sa *sa)
{
	uint8_t store[IKE_OVER_MAX * SPIS_LEN];
	struct writer w = wr_over(store, sizeof(store));

	sa->n_over = 0;
	if (!sa->pair || !sa->peer_is_vipsec)
		return;
	list_each(item, &sa->pair->members)
	{
		const struct ike_sa *older = list_entry(item, struct ike_sa, kin);
		bool stands = older->announced && older->state <= STATE_REKEYED;

		if (older == sa || !stands || wr_len(&w) == sizeof(store) ||
			!ike_crossing_same_traffic(sa, older))
			continue;
		wr_u64(&w, older->spi_i);
		wr_u64(&w, older->spi_r);
		note(sa, older);
	}
	if (wr_len(&w) > 0)
		ike_notify_write(m, N_VIPSEC_STANDING, wr_span(&w));
}

/* One of ours, of the same pair. The peer may hold one that is not up here yet. */
static const struct ike_sa *find(const struct exchange *x, uint64_t spi_i, uint64_t spi_r)
{
	const uint64_t own[] = {spi_i, spi_r};

	for (unsigned i = 0; i < 2; i++) {
		const struct ike_sa *sa = ike_sa_by_spi(x->e, own[i]);

		if (sa && sa != x->sa && sa->pair == x->sa->pair && sa->spi_i == spi_i &&
			sa->spi_r == spi_r)
			return sa;
	}
	return NULL;
}

void ike_standing_read(struct exchange *x)
{
	struct span data;

	if (!x->sa->pair || !x->sa->peer_is_vipsec ||
		!ike_notify_find(&x->in, N_VIPSEC_STANDING, &data) ||
		data.len % SPIS_LEN != 0)
		return;
	struct reader r = rd_over(data);
	for (unsigned i = 0; i < IKE_OVER_MAX && !rd_done(&r); i++) {
		uint64_t spi_i = rd_u64(&r), spi_r = rd_u64(&r);
		const struct ike_sa *older = find(x, spi_i, spi_r);

		if (older)
			note(x->sa, older);
	}
}
