/* base/secret.c - the one type that holds keys: filled, wiped, compared.
 *
 * Leaves locking the memory and forbidding core dumps to the daemon.
 */
#include "base/secret.h"

#include <assert.h>

bool secret_set(struct secret *s, struct span bytes)
{
	secret_wipe(s);
	if (bytes.len > SECRET_MAX)
		return false;
	if (bytes.len > 0)
		memcpy(s->b, bytes.at, bytes.len);
	s->len = bytes.len;
	return true;
}

void secret_wipe(struct secret *s)
{
	wipe(s, sizeof(*s));
}

struct span secret_span(const struct secret *s)
{
	assert(s->len <= SECRET_MAX);
	return span_of(s->b, s->len);
}

bool secret_equal(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;

	/* volatile, so that no compiler turns this into an early exit */
	volatile uint8_t differ = 0;
	for (size_t i = 0; i < a.len; i++)
		differ |= a.at[i] ^ b.at[i];
	return differ == 0;
}

void wipe(void *at, size_t len)
{
	if (len > 0)
		memset(at, 0, len);
	/* Nobody reads it any more: without this the compiler may leave it as it is. */
	__asm__ volatile("" : : "r"(at) : "memory");
}
