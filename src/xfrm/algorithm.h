/* xfrm/algorithm.h - algorithms by the names that the kernel's crypto has for them.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_ALGORITHM_H
#define VIPSEC_XFRM_ALGORITHM_H

#include "crypto/aead.h"

#define ALGORITHM_NULL "ecb(cipher_null)" /* a cipher that costs nothing: RFC 2410 */

struct algorithm {
	const char *aead; /* NULL: composed of the two below */
	const char *cipher, *mac;
	uint32_t tag_bits;
};

/* NULL: the kernel has none such. */
const struct algorithm *algorithm_of(enum aead_alg alg);

#endif
