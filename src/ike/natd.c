/* ike/natd.c - is there a NAT between us, and on which side (RFC 7296 2.23).
 *
 * Each side sends SHA-1(SPIs, address, port) of both ends of the path as it sees them. A
 * forced encapsulation sends octets that match nothing as its own side, so that the peer
 * finds a NAT there. AH has both addresses under its ICV, so no NAT lets it pass: RFC 4302
 * 3.3.3.1.1.1. Leaves the move to port 4500 to sa_init.c.
 */
#include "ike/sa.h"

#include <assert.h>

#include "wire/notify_payload.h"

static void put_be(uint8_t *at, uint64_t v, size_t octets)
{
	while (octets-- > 0) {
		at[octets] = (uint8_t)v;
		v >>= 8;
	}
}

static void digest(
	uint64_t spi_i, uint64_t spi_r, const struct endpoint *end, uint8_t out[SHA1_LEN])
{
	uint8_t spis[2 * IKE_SPI_LEN], port[2];

	put_be(spis, spi_i, IKE_SPI_LEN);
	put_be(spis + IKE_SPI_LEN, spi_r, IKE_SPI_LEN);
	put_be(port, end->port, sizeof(port));
	const struct span parts[] = {span_of(spis, sizeof(spis)),
		span_of(end->addr.b, addr_len(&end->addr)), span_of(port, sizeof(port))};
	enum crypto_err err = sha1(parts, 3, out);
	assert(err == CRYPTO_OK); /* fails for want of memory alone */
}

void ike_natd_write(struct message *m, uint64_t spi_i, uint64_t spi_r,
	const struct ike_path *path, bool forced)
{
	uint8_t hash[SHA1_LEN];

	digest(spi_i, spi_r, &path->local, hash);
	for (size_t i = 0; forced && i < sizeof(hash); i++)
		hash[i] = (uint8_t)~hash[i];
	ike_notify_write(m, N_NAT_DETECTION_SOURCE_IP, span_of(hash, sizeof(hash)));
	digest(spi_i, spi_r, &path->remote, hash);
	ike_notify_write(m, N_NAT_DETECTION_DESTINATION_IP, span_of(hash, sizeof(hash)));
}

/* A sender with several addresses may send several source hashes: one must match. */
static bool any_matches(const struct payload_set *in, uint16_t type,
	const uint8_t hash[SHA1_LEN], bool *seen)
{
	const struct payload *p = NULL;
	bool match = false;

	while ((p = payload_set_next(in, PAYLOAD_NOTIFY, p))) {
		struct wire_notify n;

		if (notify_payload_read(p->body, &n) != WIRE_OK || n.type != type)
			continue;
		*seen = true;
		match |= span_equal(n.data, span_of(hash, SHA1_LEN));
	}
	return match;
}

void ike_natd_read(struct exchange *x)
{
	uint8_t theirs[SHA1_LEN], ours[SHA1_LEN];
	bool source = false, destination = false;

	digest(x->header.spi_i, x->header.spi_r, &x->from->remote, theirs);
	digest(x->header.spi_i, x->header.spi_r, &x->from->local, ours);
	bool theirs_match =
		any_matches(&x->in, N_NAT_DETECTION_SOURCE_IP, theirs, &source);
	bool ours_match =
		any_matches(&x->in, N_NAT_DETECTION_DESTINATION_IP, ours, &destination);
	x->sa->natd = source && destination;
	x->sa->nat_remote = x->sa->natd && !theirs_match;
	x->sa->nat_local = x->sa->natd && !ours_match;
}

/* Port 4500 alone does not mean encapsulation: a peer may use it without a NAT. */
bool ike_natd_encap(const struct ike_sa *sa)
{
	return sa->natd && (sa->nat_local || sa->nat_remote || sa->forced);
}

bool ike_natd_lets_pass(const struct ike_sa *sa, const struct ike_proposals *p)
{
	return !ike_natd_encap(sa) || !ike_suites_are_ah_alone(p);
}
