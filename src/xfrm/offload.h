/* xfrm/offload.h - an SA is put in, and to a network device where that is wanted.
 *
 * Linux says yes to crypto offload also where no device does it, and seals by itself; so what
 * was granted is looked at. Up to 6.1 it knows no packet offload, and refuses.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_OFFLOAD_H
#define VIPSEC_XFRM_OFFLOAD_H

#include "xfrm/request.h"

struct offload_granted {
	enum policy_offload what; /* NO, CRYPTO or PACKET */
	uint32_t ifindex; /* PACKET: the device, for the policies; else 0 */
};

/* sa->offload: what is wanted. With CRYPTO and PACKET it is that or an error; with AUTO
 * whatever can be had. 0, or an errno: EOPNOTSUPP: no device does it. */
int offload_add(
	struct request_line *l, const struct request_sa *sa, struct offload_granted *out);

#endif
