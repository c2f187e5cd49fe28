/* plane/thread.h - the data thread: its birth, its rounds, its end.
 *
 * Floor 7. Private to tun.c.
 */
#ifndef VIPSEC_PLANE_THREAD_H
#define VIPSEC_PLANE_THREAD_H

#include "plane/data.h"

/* 0, or an errno. Fills what is not given: batch, children, epoll. */
int data_init(struct data *d, const struct entropy *e);
void data_wipe(struct data *d); /* after the thread has ended */
void *data_run(void *data); /* until ORDER_STOP */

#endif
