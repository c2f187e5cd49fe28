/* xfrm/early.c - two short lists, each in the order of its times. */
#include "config.h"

#include "xfrm/early.h"

#include <string.h>

static void drop_spi(struct early *e, size_t at)
{
	e->n_spis--;
	memmove(&e->spis[at], &e->spis[at + 1], (e->n_spis - at) * sizeof(e->spis[0]));
}

static void let_oldest_go(struct early *e, early_release release, void *ctx)
{
	uint32_t number = e->held[0].number;

	e->n_held--;
	memmove(&e->held[0], &e->held[1], e->n_held * sizeof(e->held[0]));
	release(number, ctx);
}

struct early_spi *early_find(struct early *e, uint32_t spi)
{
	for (size_t i = 0; i < e->n_spis; i++)
		if (e->spis[i].spi == spi)
			return &e->spis[i];
	return NULL;
}

uint32_t early_await(
	struct early *e, uint32_t spi, uint64_t now_ms, early_release release, void *ctx)
{
	uint32_t pushed = 0;

	early_end(e, spi, release, ctx);
	if (e->n_spis == EARLY_SPIS) {
		pushed = e->spis[0].spi;
		early_end(e, pushed, release, ctx);
	}
	e->spis[e->n_spis++] = (struct early_spi){.spi = spi, .since_ms = now_ms};
	return pushed;
}

bool early_hold(struct early *e, uint32_t number, uint32_t spi, size_t len,
	uint64_t now_ms, early_release release, void *ctx)
{
	if (len > EARLY_LEN_MAX || !early_find(e, spi))
		return false;
	if (e->n_held == EARLY_PACKETS)
		let_oldest_go(e, release, ctx);
	e->held[e->n_held++] = (struct early_held){number, spi, now_ms};
	return true;
}

void early_end(struct early *e, uint32_t spi, early_release release, void *ctx)
{
	size_t kept = 0, n = e->n_held;

	for (size_t i = 0; i < e->n_spis; i++)
		if (e->spis[i].spi == spi)
			drop_spi(e, i--);
	for (size_t i = 0; i < n; i++)
		if (e->held[i].spi == spi)
			release(e->held[i].number, ctx);
		else
			e->held[kept++] = e->held[i];
	e->n_held = kept;
}

void early_expire(struct early *e, uint64_t now_ms, early_release release, void *ctx)
{
	while (e->n_held > 0 && now_ms - e->held[0].since_ms >= EARLY_MS)
		let_oldest_go(e, release, ctx);
	while (e->n_spis > 0 && now_ms - e->spis[0].since_ms >= EARLY_AWAIT_MS)
		early_end(e, e->spis[0].spi, release, ctx);
}

uint64_t early_due_ms(const struct early *e)
{
	uint64_t held = e->n_held > 0 ? e->held[0].since_ms + EARLY_MS : UINT64_MAX;
	uint64_t spi = e->n_spis > 0 ? e->spis[0].since_ms + EARLY_AWAIT_MS : UINT64_MAX;

	return held < spi ? held : spi;
}
