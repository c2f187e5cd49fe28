/* esp/ah.h - AH in the place of ESP (RFC 4302). Private to the room.
 *
 * Everything but the packet's form is as with ESP: numbers, window, selectors, gate. The text
 * stays as it is and where it is; AH and a new IP header go in front of it, and of that header
 * the ICV covers what does not change on the way. So a packet is a whole one, its outer
 * header included, both in and out.
 */
#ifndef VIPSEC_ESP_AH_H
#define VIPSEC_ESP_AH_H

#include "esp/parts.h"
#include "esp/sa.h"
#include "wire/ip_packet.h"

/* Octets of AH in front of a text of this SA, ICV and padding included. */
size_t ah_len(const struct esp_sa *sa);

/* What goes in front of the text, with ah_len() and an IP header of room there.
 * p->dont_fragment and p->ttl are set; p->at and len become those of the whole packet.
 * False: the library refuses. */
bool ah_seal(const struct esp_sa *sa, uint64_t seq, const struct sa_text *text,
	uint8_t tos, struct esp_packet *p);

/* False: not a whole packet with AH, from and to where it came from and to. */
bool ah_parse(const struct esp_packet *p, struct esp_parts *out);
/* RFC 4302 2.6, 3.3.3.2.1: is its AH as long as the SA's algorithm makes it? */
bool ah_fits(const struct esp_sa *sa, const struct esp_parts *parts);
/* RFC 4302 3.4.4: changes nothing. */
bool ah_is_authentic(const struct esp_sa *sa, const struct esp_packet *p,
	const struct esp_parts *parts, uint64_t seq);

#endif
