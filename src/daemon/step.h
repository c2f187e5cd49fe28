/* daemon/step.h - the node takes one step, and the world follows.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_STEP_H
#define VIPSEC_DAEMON_STEP_H

#include "daemon/daemon.h"

/* Sets the time of ev, steps the node, carries out what follows, sets its timer. Not from
 * inside of itself. */
void step_node(struct daemon *d, struct node_event *ev);
bool step_open(struct daemon *d); /* the node's timer; false: errno */
void step_close(struct daemon *d);

#endif
