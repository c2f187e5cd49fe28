/* plane/deliver.h - a batch that esp/ has judged leaves: into the TUN, or to the network.
 *
 * Floor 7. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_DELIVER_H
#define VIPSEC_PLANE_DELIVER_H

#include "plane/data.h"

/* Packets are handed on in their order; those for one socket with one DF together. */
void deliver_batch(struct data *d, uint64_t now_ms);

#endif
