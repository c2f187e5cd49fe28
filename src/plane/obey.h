/* plane/obey.h - the data thread carries out the loop's orders.
 *
 * Floor 7. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_OBEY_H
#define VIPSEC_PLANE_OBEY_H

#include "plane/data.h"

/* All that wait, in their order. What needs an answer is noted for reporting.c. */
void obey_orders(struct data *d);

#endif
