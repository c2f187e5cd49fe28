/* wire/ah_header.h - the Authentication Header (RFC 4302 2), and what it covers of the headers
 * in front of it.
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_AH_HEADER_H
#define VIPSEC_WIRE_AH_HEADER_H

#include "wire/ip_packet.h"

enum {
	AH_FIXED_LEN = 12, /* in front of the ICV */
	AH_COVER_MAX =
		1024 /* IP header and extension headers; longer ones hide something */
};

struct ah_header {
	uint8_t next;
	uint16_t len; /* octets of all of it, ICV and padding included */
	uint32_t spi;
	uint32_t seq; /* the lower half with extended sequence numbers */
};

/* ah: from its first octet on. A reserved SPI is malformed, and so is a header that is not
 * whole. */
enum wire_err ah_header_read(struct span ah, struct ah_header *out) WIRE_CHECKED;
/* With an ICV of zeros. h->len is a multiple of 4. */
void ah_header_write(struct writer *w, const struct ah_header *h);

/* RFC 4302 3.3.3.1 and appendix A: what stands in front of AH, with zeros for what may change
 * on the way. */
struct ah_cover {
	size_t len;
	uint8_t at[AH_COVER_MAX];
};
/* ip: what ip_packet_read() made of the packet, which is whole and has AH for its upper
 * protocol. */
enum wire_err ah_cover_read(struct span packet, const struct ip_packet *ip,
	struct ah_cover *out) WIRE_CHECKED;

#endif
