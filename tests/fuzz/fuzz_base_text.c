/* Text from outside to values: whatever is accepted must print and read back the same. */
#include "base/addr.h"
#include "base/duration.h"
#include "base/identity.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_addr(const char *text)
{
	struct addr a, b;
	struct prefix p;
	char out[ADDR_TEXT_MAX];

	if (addr_parse(text, &a)) {
		assert(addr_parse(addr_format(&a, out), &b));
		assert(addr_equal(&a, &b));
	}
	if (prefix_parse(text, &p))
		assert(prefix_contains(&p, &p.addr));
}

static void try_duration(const char *text)
{
	uint64_t ms, back;
	char out[DURATION_TEXT_MAX];

	if (duration_parse(text, &ms)) {
		assert(duration_parse(duration_format(ms, out), &back));
		assert(ms == back);
	}
}

static void try_identity(const char *text, const uint8_t *data, size_t size)
{
	struct identity i, back;
	char out[IDENTITY_TEXT_MAX];
	bool named = identity_parse(text, &i);

	if (!named && !(size > 0 && identity_from_bytes(
					    data[0], span_of(data + 1, size - 1), &i)))
		return;
	assert(identity_parse(identity_format(&i, out), &back));
	assert(identity_equal(&i, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[300];

	if (size >= sizeof(text))
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_addr(text);
	try_duration(text);
	try_identity(text, data, size);
	return 0;
}
