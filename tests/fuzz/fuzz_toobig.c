/* fuzz_toobig.c - ICMP errors for path MTU, as the packet socket hands them to the plane.
 *
 * Whatever is accepted quotes a datagram of ours to a known family's address, and says a size and an
 * SPI.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/iana.h"
#include "plane/toobig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size: reading beyond it is noticed. */
	uint8_t *copy = malloc(size > 0 ? size : 1);
	struct path_mtu t;

	assert(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (toobig_parse(span_of(copy, size), &t)) {
		assert(t.octets > 0 && t.octets <= UINT16_MAX);
		assert(t.local.family == ADDR_V4 && t.remote.addr.family == ADDR_V4);
		assert(t.encap || t.remote.port == 0);
		assert(t.spi != 0 && !t.by_kernel);
	}
	free(copy);
	return 0;
}
