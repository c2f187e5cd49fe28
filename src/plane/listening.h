/* plane/listening.h - the sockets that the data thread reads.
 *
 * Floor 7. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_LISTENING_H
#define VIPSEC_PLANE_LISTENING_H

#include "plane/data.h"

void listening_add(struct data *d, struct local *l); /* takes one hold over */
void listening_remove(struct data *d, struct local *l); /* and lets go */
/* NULL: no such address is bound. */
struct local *listening_find(struct data *d, const struct addr *a);
/* s may point to what is freed already. */
bool listening_has(struct data *d, const struct local_socket *s);

#endif
