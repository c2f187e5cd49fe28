/* routing/device.h - the TUN device, and what the machine's links carry.
 *
 * Floor 6.
 */
#ifndef VIPSEC_ROUTING_DEVICE_H
#define VIPSEC_ROUTING_DEVICE_H

#include "base/addr.h"

/* What ESP adds at worst to an inner packet: IPv6 header in tunnel mode 40, UDP 8, ESP
 * header 8, IV 8, padding and trailer 5, ICV 16. A route's MTU is the link's less this, so
 * TCP chooses segments that need no fragmentation in any mode. */
enum { DEVICE_OVERHEAD = 85 };
enum { DEVICE_MTU_DEFAULT = 1500, DEVICE_MTU_MIN = 1280, DEVICE_MTU_MAX = 65535 - 256 };
/* Octets in front of each packet that is read or written: none without IFF_VNET_HDR,
 * which comes with segmentation offload. */
enum { DEVICE_HEADER = 0 };

#define DEVICE_NAME "vipsec0" /* the daemon's */

struct device {
	int fd; /* non-blocking */
	unsigned ifindex;
	char name[16];
};

/* Makes or adopts the persistent device, configures it, brings it up. False: why. */
bool device_open(struct device *d, const char *name, char *why, size_t why_cap);
/* Could one be made? Tried with one that ends with the call. False: why. */
bool device_offers(char *why, size_t why_cap) __attribute__((warn_unused_result));
/* Up, and wide enough? What others have changed of it (or taken away) is set anew. */
enum device_state { DEVICE_FIT, DEVICE_DOWN, DEVICE_NARROW, DEVICE_GONE };
enum device_state device_look(const struct device *d, uint32_t mtu);
bool device_mend(const struct device *d, uint32_t mtu, char *why, size_t why_cap)
	__attribute__((warn_unused_result));
/* keep: the device stays, and with it its routes. */
void device_close(struct device *d, bool keep);

/* MTU for inner packets of a scope: from the link that holds one of the addresses, or
 * (n 0, or none is here) from the smallest link that is up. Never below 1280. The
 * device's own MTU is raised so that it carries this. */
uint32_t device_inner_mtu(const struct device *d, const struct addr *addrs, size_t n);

/* The link that is up and has this address, but not the loopback; 0: none. */
unsigned device_holding(const struct addr *a);

#endif
