/* fuzz_toobig.c - ICMP and ICMPv6 errors for path MTU, as their sockets hand them to the plane.
 *
 * Whatever is accepted quotes a datagram of ours to an address of the family, and says a size
 * and an SPI.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/iana.h"
#include "plane/toobig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_told(const struct path_mtu *t, enum addr_family family)
{
	assert(t->octets > 0);
	assert(t->local.family == family && t->remote.addr.family == family);
	assert(t->encap || t->remote.port == 0);
	assert(t->spi != 0 && !t->by_kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size: reading beyond it is noticed. */
	uint8_t *copy = malloc(size > 0 ? size : 1);
	struct path_mtu t;

	assert(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (toobig_parse(span_of(copy, size), &t)) {
		assert(t.octets <= UINT16_MAX);
		check_told(&t, ADDR_V4);
	}
	if (toobig_parse_v6(span_of(copy, size), &t))
		check_told(&t, ADDR_V6);
	free(copy);
	return 0;
}
