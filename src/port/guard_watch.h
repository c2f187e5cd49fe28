/* port/guard_watch.h - has somebody touched the guard's table?
 *
 * Whoever loads firewall rules tends to begin with `nft flush ruleset`, and with it goes
 * the guard; others delete a single rule by its handle. The kernel tells of every change.
 *
 * Floor 7. Loop-agnostic: poll the descriptor; when it is readable ask
 * guard_watch_changed().
 */
#ifndef VIPSEC_PORT_GUARD_WATCH_H
#define VIPSEC_PORT_GUARD_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A descriptor for the caller to close; -1: errno says why. */
int guard_watch_open(void);
/* Reads what waits. True: the table or something in it was made, changed or deleted, by
 * ourselves too, or news were lost. */
bool guard_watch_changed(int fd);
/* The same of one batch of the kernel's messages. They are aligned for any type. */
bool guard_watch_concerns(uint8_t *bytes, size_t len);

#endif
