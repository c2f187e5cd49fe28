/* port/random.h - the kernel's random numbers as a base/entropy.h source.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PORT_RANDOM_H
#define VIPSEC_PORT_RANDOM_H

#include "base/entropy.h"

struct entropy random_entropy(void);

#endif
