/* xfrm/early.h - packets that come before their SA: which are awaited, which wait.
 *
 * As esp/early.h, for the kernel plane: who answers may send on a new SA before we, who
 * asked, have read the answer (RFC 7296 2.8). Here the packets stay in the kernel, and only
 * their numbers are kept. Strangers who have guessed an SPI can send such packets, too: there
 * is room for so many of so long, and the oldest goes for the newest.
 *
 * Floor 8. A value: no sockets, no clock.
 */
#ifndef VIPSEC_XFRM_EARLY_H
#define VIPSEC_XFRM_EARLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EARLY_SPIS = 64,
	EARLY_AWAIT_MS = 30000, /* by then the request has failed, or soon will */
	EARLY_PACKETS = 128,
	EARLY_MS = 1000, /* by then TCP has sent it again */
	EARLY_LEN_MAX = 2048 /* what is longer is dropped as before */
};

struct early_spi {
	uint32_t spi;
	uint64_t since_ms;
	bool heard; /* a packet has come */
};

struct early_held {
	uint32_t number; /* the kernel's name for the packet */
	uint32_t spi;
	uint64_t since_ms;
};

struct early {
	struct early_spi spis[EARLY_SPIS]; /* the oldest first */
	struct early_held held[EARLY_PACKETS]; /* the oldest first */
	size_t n_spis, n_held;
};

/* Lets a packet go on its way: to its SA, or to nowhere if there is none. */
typedef void (*early_release)(uint32_t number, void *ctx);

/* The SPI that it takes the place of, of which nothing is held any more; 0: there was room. */
uint32_t early_await(
	struct early *e, uint32_t spi, uint64_t now_ms, early_release release, void *ctx);
/* NULL: it is not awaited. Valid until the next call. */
struct early_spi *early_find(struct early *e, uint32_t spi);
/* False: it cannot be held, and is the caller's to let go. */
bool early_hold(struct early *e, uint32_t number, uint32_t spi, size_t len,
	uint64_t now_ms, early_release release, void *ctx);
/* Its SA is there, or will not be. In the order they came. */
void early_end(struct early *e, uint32_t spi, early_release release, void *ctx);
/* What is too old is let go. */
void early_expire(struct early *e, uint64_t now_ms, early_release release, void *ctx);
uint64_t early_due_ms(const struct early *e); /* UINT64_MAX: nothing becomes too old */

#endif
