/* node/spi.c - inbound ESP SPIs: the member's number above, chance below.
 *
 * Members of a cluster can never hand out the same one (field: SPI collisions between
 * nodes), and within a member the map of children says whether it is in use. With the
 * member's octet never zero the reserved values 0 to 255 cannot come (RFC 4303 2.1).
 */
#include "node/core.h"

uint32_t spi_new(struct node *n)
{
	for (;;) {
		uint32_t spi = (uint32_t)n->params.member << 24 |
			       entropy_below(&n->entropy, 1u << 24);
		if (!map_get(n->by_spi, span_of(&spi, sizeof(spi))))
			return spi;
	}
}
