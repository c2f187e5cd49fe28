/* xfrm/select.h - traffic selectors as the kernel has them: prefixes, and ports with masks.
 *
 * A range of addresses or ports becomes several pieces. What the kernel cannot say is not
 * said: the guard drops it (docs/SECURITY.md).
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_SELECT_H
#define VIPSEC_XFRM_SELECT_H

#include <linux/types.h>
#include <linux/xfrm.h>

#include "base/ts.h"
#include "xfrm/request.h"

enum { SELECT_PIECES_MAX = 1024 };

/* Beginning of every selector of ours: the kernel keeps the field and does not look at it.
 * So policies that ask for no SA can be told apart from other people's, too. */
enum { SELECT_USER = 0x76697073 }; /* "vips" */

struct select_port {
	uint16_t value, mask; /* host order; mask 0: any */
};

struct select_piece { /* seen from the side that holds `local` */
	struct prefix local, remote;
	uint8_t proto; /* 0: any */
	struct select_port local_port, remote_port; /* ICMP: type, code; in local_port the
						       type and in remote_port the code */
};

/* Hands out the pieces that make up exactly the pair. False: none, for it cannot be said,
 * or in more than SELECT_PIECES_MAX. */
bool select_each(const struct ts *local, const struct ts *remote,
	void (*each)(const struct select_piece *p, void *ctx), void *ctx);

enum select_side { SELECT_OUT, SELECT_IN }; /* what leaves the local side, what comes */
struct xfrm_selector select_kernel(const struct select_piece *p, enum select_side side);
/* One that matches all that is this side's whole TS pair and perhaps more: for SAs, which
 * have one selector only. */
struct xfrm_selector select_hull(
	const struct ts_list *local, const struct ts_list *remote, enum select_side side);

xfrm_address_t select_addr(const struct addr *a);
struct addr select_addr_read(const xfrm_address_t *a, uint16_t family);
uint16_t select_family(const struct addr *a); /* AF_INET, AF_INET6; 0: not set */

/* By what the kernel knows an SA. */
struct request_name select_name(const struct xfrm_id *id, uint16_t family);

#endif
