/* esp/gate.c - the word behind a gate: open (bit 63) | activation (16 bits) | turn (32).
 *
 * One writer, one reader, no lock: what the reader sees is always one whole answer. The
 * order is the strictest that C11 has; on the machines that matter a load costs nothing
 * more for it, and a gate is written a few times in a daemon's life.
 */
#include "esp/gate.h"

enum { ACTIVATION_SHIFT = 32 };
static const uint64_t OPEN = UINT64_C(1) << 63;

void esp_gate_init(struct esp_gate *g)
{
	atomic_init(&g->word, 0);
}

/* Replaces all but the turn, which counts on. */
static uint32_t change(struct esp_gate *g, uint64_t state)
{
	uint64_t old = atomic_load(&g->word);
	uint32_t turn;

	do {
		turn = (uint32_t)old + 1;
	} while (!atomic_compare_exchange_weak(&g->word, &old, state | turn));
	return turn;
}

uint32_t esp_gate_open(struct esp_gate *g, uint16_t activation)
{
	return change(g, OPEN | (uint64_t)activation << ACTIVATION_SHIFT);
}

uint32_t esp_gate_close(struct esp_gate *g)
{
	return change(g, 0);
}

struct esp_permit esp_gate_read(const struct esp_gate *g)
{
	uint64_t word = atomic_load(&g->word);

	return (struct esp_permit){
		.open = (word & OPEN) != 0,
		.activation = (uint16_t)(word >> ACTIVATION_SHIFT),
		.turn = (uint32_t)word,
	};
}
