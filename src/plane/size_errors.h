/* plane/size_errors.h - the network said that something was too big: read, and noted for
 * the children that send there.
 *
 * Floor 7. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_SIZE_ERRORS_H
#define VIPSEC_PLANE_SIZE_ERRORS_H

#include "plane/data.h"

/* ICMP errors and local ones that the kernel queued on a socket. */
void size_errors_of_socket(struct data *d, const struct local_socket *s, uint64_t now_ms);
/* ICMP errors that were heard beside them (toobig.h). */
void size_errors_on_arrival(struct data *d, uint64_t now_ms);

#endif
