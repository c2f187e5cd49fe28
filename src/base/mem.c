/* base/mem.c - heap memory that is there, or the process is not.
 *
 * Leaves wiping to base/secret.h: what is freed here is not overwritten.
 */
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void *mem_new(size_t n, size_t size)
{
	assert(n > 0 && size > 0);
	void *at = calloc(n, size);
	if (!at)
		abort();
	return at;
}

char *mem_text(const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = mem_new(len, 1);
	memcpy(copy, text, len);
	return copy;
}
