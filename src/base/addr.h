/* base/addr.h - IPv4 and IPv6 addresses, endpoints and prefixes as plain values.
 *
 * Unused octets of an IPv4 address are zero, so two addresses may be compared with
 * memcmp and used as keys. Ports are in host order.
 *
 * Floor 0. No sockets: port/ converts to sockaddr.
 */
#ifndef VIPSEC_BASE_ADDR_H
#define VIPSEC_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum addr_family { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

struct addr {
	uint8_t family; /* enum addr_family; ADDR_NONE: not known */
	uint8_t b[16]; /* network order */
};

struct endpoint {
	struct addr addr;
	uint16_t port;
};

struct prefix {
	struct addr addr; /* host bits zero */
	uint8_t bits;
};

#define ADDR_TEXT_MAX 46 /* with the NUL */
#define ENDPOINT_TEXT_MAX 56 /* [v6]:port with the NUL */

/* Octets of an address of this family: 4, 16, or 0. */
size_t addr_len(const struct addr *a);
struct addr addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
/* len is 4 or 16; anything else yields ADDR_NONE. */
struct addr addr_from_bytes(const uint8_t *bytes, size_t len);
bool addr_is_set(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
/* By family, then numerically; as memcmp. */
int addr_cmp(const struct addr *a, const struct addr *b);
bool addr_is_multicast(const struct addr *a);

/* Numeric text only. False, and *out untouched, when text is not an address. */
bool addr_parse(const char *text, struct addr *out);
/* Returns out, for use inside a printf. */
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
const char *endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX]);

/* "192.0.2.0/24"; a bare address is a prefix of full length. False when malformed or
 * when host bits are set. */
bool prefix_parse(const char *text, struct prefix *out);
bool prefix_contains(const struct prefix *p, const struct addr *a);
struct addr prefix_first(const struct prefix *p);
struct addr prefix_last(const struct prefix *p);

#endif
