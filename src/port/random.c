/* port/random.c - getrandom(2). Without randomness nothing may go on: it aborts. */
#include "port/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void fill(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort();
		out += n;
		len -= (size_t)n;
	}
}

struct entropy random_entropy(void)
{
	return (struct entropy){.fill = fill};
}
