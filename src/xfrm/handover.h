/* xfrm/handover.h - the nftables table by which packets of some SPIs go to a queue.
 *
 * It belongs to the socket of its context: nobody else can change it, and the kernel deletes
 * it with the socket, so nothing is left behind, however the process ends.
 *
 * Floor 8. One thread.
 */
#ifndef VIPSEC_XFRM_HANDOVER_H
#define VIPSEC_XFRM_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handover;

/* What input has with an SPI that is awaited goes to the queue, and on by itself where nobody
 * listens to that. NULL: why says what nftables did not take. */
struct handover *handover_open(uint16_t queue, char *why, size_t cap);
void handover_close(struct handover *h); /* may be NULL */
/* The kernel forgets the SPI by itself after ms. False: it cannot be awaited. */
bool handover_await(struct handover *h, uint32_t spi, uint64_t ms);
void handover_forget(struct handover *h, uint32_t spi); /* it may have done so */

#endif
