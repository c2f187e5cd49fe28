/* plane/natt.h - IKE and keepalives out of port 4500 (RFC 3948).
 *
 * Floor 7. The loop's thread: IKE does not go through the data thread.
 */
#ifndef VIPSEC_PLANE_NATT_H
#define VIPSEC_PLANE_NATT_H

#include "base/span.h"
#include "plane/local.h"

/* 0, or an errno. The marker is put in front. */
int natt_send_ike(struct local *l, const struct endpoint *remote, struct span bytes);
int natt_send_keepalive(const struct local *l, const struct endpoint *remote);

#endif
