/* ike/vendor.c - the vendor IDs that we send and know (RFC 7296 3.12).
 *
 * They come in IKE_SA_INIT, whose octets AUTH signs: what they say counts once the peer is
 * authenticated. All others are ignored.
 */
#include "ike/sa.h"

enum { VENDOR_LEN = 16 };

/* MD5 of the name (MS-IKEE): the sender is a cluster, its SAs deserve the short timer. */
static const uint8_t nlbs_present[VENDOR_LEN] = {0x72, 0x87, 0x2b, 0x95, 0xfc, 0xda, 0x2e,
	0xb7, 0x08, 0xef, 0xe3, 0x22, 0x11, 0x9b, 0x49, 0x71};
/* The sender holds no SA with us. */
static const uint8_t vid_initial_contact[VENDOR_LEN] = {0x26, 0x24, 0x4d, 0x38, 0xed,
	0xdb, 0x61, 0xb3, 0x17, 0x2a, 0x36, 0xe3, 0xd0, 0xcf, 0xb8, 0x19};
/* "vipsec" and the head of SHA-256("vipsec crossing 2"): the sender settles crossing
 * initiations as crossing.c does. Another rule there means another text here. */
static const uint8_t vipsec[VENDOR_LEN] = {'v', 'i', 'p', 's', 'e', 'c', 0x62, 0xe0, 0xb0,
	0x7a, 0x38, 0xb0, 0x2f, 0x9a, 0x01, 0x57};

static void write(struct message *m, const uint8_t id[VENDOR_LEN])
{
	wr_bytes(message_payload(m, PAYLOAD_VENDOR), span_of(id, VENDOR_LEN));
}

void ike_vendor_write(struct message *m, bool nlbs, bool initial_contact)
{
	write(m, vipsec);
	if (nlbs)
		write(m, nlbs_present);
	if (initial_contact)
		write(m, vid_initial_contact);
}

static bool is(struct span id, const uint8_t known[VENDOR_LEN])
{
	return span_equal(id, span_of(known, VENDOR_LEN));
}

void ike_vendor_read(struct exchange *x)
{
	const struct payload *p = NULL;

	while ((p = payload_set_next(&x->in, PAYLOAD_VENDOR, p))) {
		struct reader body = p->body;
		struct span id = rd_rest(&body);

		x->sa->peer_is_vipsec |= is(id, vipsec);
		x->sa->peer_nlbs |= is(id, nlbs_present);
		x->sa->peer_is_new |= is(id, vid_initial_contact);
	}
}
