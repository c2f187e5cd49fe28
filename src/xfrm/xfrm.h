/* xfrm/xfrm.h - the kernel plane: the kernel's own ESP and AH behind plane/plane.h.
 *
 * Everything happens in the loop's thread: the kernel carries the packets.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_XFRM_H
#define VIPSEC_XFRM_XFRM_H

#include "crypto/aead.h"
#include "plane/plane.h"
#include "xfrm/rules.h"

/* The guard must be in force. What another life of ours has left is deleted. NULL: p->why
 * says what this kernel has not got. */
struct plane *plane_open_xfrm(const struct plane_params *p);
/* Can the kernel do ESP, or AH, with this algorithm, for IPv4 and (if it has that) for IPv6?
 * Tried with an SA that nobody can use. */
bool xfrm_offers(bool ah, enum aead_alg alg, char *why, size_t why_cap);
/* Deletes all SAs and policies of ours. False: why. */
bool xfrm_clear(char *why, size_t why_cap);

/* What a daemon that is dead has left, cleared without one: SAs, then policies, then it is
 * looked whether all have gone. Other people's are not touched. */
enum xfrm_flushing {
	XFRM_FLUSHED,
	XFRM_SERVES, /* a daemon is at work here: nothing was touched */
	XFRM_NOT_FLUSHED /* why says */
};
struct xfrm_flushed {
	size_t sas, policies; /* deleted */
	size_t kept; /* policies of ours that are still there */
};
/* keep_policies: where nothing else (port/guard.h) keeps out of the clear what they protect. */
enum xfrm_flushing xfrm_flush(
	bool keep_policies, struct xfrm_flushed *out, char *why, size_t why_cap);

#endif
