/* xfrm/port4500.h - IKE out of port 4500 (RFC 3948 2.2): the kernel takes the ESP.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_PORT4500_H
#define VIPSEC_XFRM_PORT4500_H

#include "plane/local.h"
#include "xfrm/reports.h"

/* Some datagrams of those that wait become reports. */
void port4500_read(const struct local *l, struct reports *reports);

#endif
