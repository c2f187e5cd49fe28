/* plane/path.h - packets between the TUN and the network, a batch at a time.
 *
 * Floor 7. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_PATH_H
#define VIPSEC_PLANE_PATH_H

#include "plane/data.h"

/* Each handles at most one batch. */
void path_from_tun(struct data *d, uint64_t now_ms);
void path_from_network(struct data *d, struct local_socket *s, uint64_t now_ms);
/* Packets that waited for an SA; at once after orders, before anything else goes out. */
void path_release(struct data *d, uint64_t now_ms);

#endif
