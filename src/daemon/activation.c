/* daemon/activation.c - a ceiling over the activation numbers, see activation.h. */
#include "daemon/activation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire/reader.h"

static const char record[] = "activation";

static int raise_to(struct activation *a, uint32_t ceiling)
{
	uint32_t value = ceiling > UINT16_MAX ? UINT16_MAX : ceiling;
	uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
	int err =
		store_put(a->store, record, span_of(bytes, sizeof(bytes)), STORE_DURABLE);

	if (err == 0)
		a->ceiling = value;
	return err;
}

static void read_record(void *ctx, const char *name, struct span bytes)
{
	struct activation *a = ctx;
	struct reader r = rd_over(bytes);
	uint32_t value = rd_u16(&r);

	if (strcmp(name, record) == 0 && rd_done(&r))
		a->used = a->ceiling = value;
}

void activation_open(struct activation *a, struct store *s)
{
	*a = (struct activation){.store = s};
	store_each(s, read_record, a);
}

int activation_put(struct activation *a, struct span bytes)
{
	struct reader r = rd_over(bytes);
	uint32_t value = rd_u16(&r);

	if (!rd_done(&r))
		return EINVAL;
	bool wrapped = value < a->used; /* behind 65535 comes 1 */
	a->used = value;
	if (!wrapped && value <= a->ceiling)
		return 0;
	return raise_to(a, value + ACTIVATION_AHEAD);
}

bool activation_is_short(const struct activation *a)
{
	return a->ceiling - a->used <= ACTIVATION_AHEAD / 2 && a->ceiling < UINT16_MAX;
}

void activation_reserve(struct activation *a)
{
	if (activation_is_short(a))
		(void)raise_to(a, a->used + ACTIVATION_AHEAD);
}
