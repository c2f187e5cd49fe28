/* config/hash.h - one number for what a configuration means.
 *
 * Floor 2; within the room.
 */
#ifndef VIPSEC_CONFIG_HASH_H
#define VIPSEC_CONFIG_HASH_H

#include "config/config.h"

/* Fills c->hash. */
void config_hash(struct config *c);

#endif
