/* xfrm/holding.h - the kernel holds packets of some SPIs until it is told what to do.
 *
 * An nftables table of this process (handover.h) has the SPIs, and hands what comes
 * with one of them, as ESP, ESP in UDP to port 4500 or AH, to a queue of nfnetlink. Held
 * packets stay in the kernel and go on from where they were: the same device, the same
 * routing, the same checks of policy. (Read by a packet socket and put in again through lo
 * they would escape the policies: IPv4 does not check what comes in there.) The hook is the
 * last one of input, behind everybody's filters, so nothing passes that they would not let
 * pass.
 *
 * Floor 8. One thread.
 */
#ifndef VIPSEC_XFRM_HOLDING_H
#define VIPSEC_XFRM_HOLDING_H

#include "base/addr.h"
#include "base/span.h"

struct holding;

struct holding_packet {
	uint32_t number;
	uint32_t spi; /* 0: none was found in it */
	struct endpoint local, remote; /* ports 0: without UDP */
	size_t len; /* octets, all of it */
};

/* NULL: this kernel or container does not have it; why says what. */
struct holding *holding_open(char *why, size_t cap);
/* What is held is dropped. */
void holding_close(struct holding *h);
int holding_fd(const struct holding *h); /* readable: packets wait */
/* For so long the kernel holds what comes with this SPI, whoever forgets it. False: it does
 * not. */
bool holding_add(struct holding *h, uint32_t spi, uint64_t ms);
void holding_remove(struct holding *h, uint32_t spi);
bool holding_next(struct holding *h, struct holding_packet *out); /* false: none waits */
/* Where there is an SA by now it is opened, else the kernel drops and counts it. */
void holding_release(struct holding *h, uint32_t number);

/* For tests: a whole packet, or the first fragment of one. False: neither ESP, nor
 * ESP in UDP, nor AH. number and len are left alone. */
bool holding_parse(struct span packet, struct holding_packet *out);

#endif
