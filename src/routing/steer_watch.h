/* routing/steer_watch.h - has somebody touched our rules, our routes or our device?
 *
 * `ip rule flush`, a network manager that removes what it did not make, `ip link set
 * vipsec0 down`: the kernel tells of every such change, and who asked for it.
 *
 * Floor 6. Private to the steering.
 */
#ifndef VIPSEC_ROUTING_STEER_WATCH_H
#define VIPSEC_ROUTING_STEER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct steer_watch {
	uint32_t own_port; /* netlink port of those changes that are ours */
	unsigned ifindex; /* of the device */
	uint32_t mtu; /* that it must have at least */
	uint32_t rules_lo, rules_hi, tables_lo, tables_hi;
};

/* A descriptor for the caller to close; -1: errno says why. */
int steer_watch_open(void);
/* Reads what waits. True: something was changed by others, or news were lost. */
bool steer_watch_changed(const struct steer_watch *w, int fd);
/* The same of one batch of the kernel's messages. They are aligned for any type. */
bool steer_watch_concerns(const struct steer_watch *w, uint8_t *bytes, size_t len);

#endif
