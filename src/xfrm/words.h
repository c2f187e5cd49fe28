/* xfrm/words.h - what an errno of the kernel's IPsec means, and what to do about it.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_WORDS_H
#define VIPSEC_XFRM_WORDS_H

#include "base/addr.h"
#include "crypto/aead.h"
#include "plane/plane.h"

/* The SA that it is about. */
struct words_sa {
	bool ah; /* else ESP */
	enum aead_alg alg;
	enum addr_family family;
	enum policy_offload offload;
};
/* An SA was not added. kernel: request_why(). */
void words_of_sa(
	int err, const struct words_sa *sa, const char *kernel, char out[PLANE_WHY_MAX]);
/* A policy was not taken. */
void words_of_policy(int err, const char *kernel, char out[PLANE_WHY_MAX]);

#endif
