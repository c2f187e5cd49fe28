/* esp/gate.h - may this scope send? One atomic word, asked for every packet.
 *
 * The loop's thread opens and closes the gate; the data thread reads it before each seal
 * and once more before the result is handed out. A closed gate is complete only when the
 * data thread has acknowledged it (plane.h). The activation number is part of the same
 * word: it is the middle part of every IV (design: member 8 | activation 16 | counter 40),
 * so that a packet can never be sealed under an activation whose gate is closed.
 *
 * Floor 2.
 */
#ifndef VIPSEC_ESP_GATE_H
#define VIPSEC_ESP_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct esp_gate {
	_Atomic uint64_t word;
};

struct esp_permit {
	bool open;
	uint16_t activation;
	uint32_t turn; /* counts every change: the acknowledgement names it */
};

void esp_gate_init(struct esp_gate *g); /* closed */
/* Both return the turn that the data thread will acknowledge. */
uint32_t esp_gate_open(struct esp_gate *g, uint16_t activation);
uint32_t esp_gate_close(struct esp_gate *g);
struct esp_permit esp_gate_read(const struct esp_gate *g);

#endif
