/* plane/children.h - what the plane itself must remember of each child SA: whither it
 * sends, for path MTU, and its number, for queries of usage.
 *
 * RFC 4301 8.2, 8.2.2; RFC 8085 5.2: an ICMP error for path MTU is not authentic. It counts if it
 * quotes a packet of ours, addresses, ports and SPI; then for all SAs that send the same
 * way, never below the family's minimum (576, 1280), a few times a second, and for ten
 * minutes. It costs two look-ups, however many SAs there are.
 *
 * Floor 7. The data thread's.
 */
#ifndef VIPSEC_PLANE_CHILDREN_H
#define VIPSEC_PLANE_CHILDREN_H

#include "esp/esp.h"

struct children;

struct children *children_new(struct esp_dp *dp, const struct entropy *e);
void children_free(struct children *c);

/* path_mtu: that of the route; 0: not known. */
void children_add(struct children *c, const struct esp_child *child, uint32_t path_mtu);
void children_remove(struct children *c, uint32_t id);
void children_remove_scope(struct children *c, uint16_t scope);
void children_move(
	struct children *c, uint32_t id, const struct endpoint *remote, bool encap);
size_t children_count(const struct children *c);
/* Numbers of all, in the order of adding; free with free(). */
uint32_t *children_ids(struct children *c, size_t *n);

struct path_mtu { /* what somebody says of an outer packet of ours */
	struct addr local;
	struct endpoint remote; /* port with encap only */
	bool encap;
	bool by_kernel; /* our own: nothing is quoted */
	uint32_t spi; /* as quoted */
	uint32_t octets; /* what fits, IP header included */
};
/* False: it quotes no packet of ours, and nothing happened. */
bool children_path_mtu(struct children *c, const struct path_mtu *told, uint64_t now_ms);
/* Forgets what was learned too long ago. True: there is more to forget later. */
bool children_forget_mtus(struct children *c, uint64_t now_ms);

#endif
