/* daemon/look.h - requests that wait for the data thread.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_LOOK_H
#define VIPSEC_DAEMON_LOOK_H

#include "daemon/answer.h"

bool look_open(struct daemon *d); /* false: errno */
void look_close(struct daemon *d);
/* Calls run when the data thread has told its counters. insist: not without that;
 * otherwise after a second all the same. False: no room to wait. */
bool look_before(
	const struct request *r, void (*run)(const struct request *r), bool insist);
/* Sends the reply (taken over) when the data thread has answered, and not without. False:
 * no room to wait; the reply is still the caller's. */
bool look_hold(struct daemon *d, uint64_t client, json_t *reply);
void look_known(struct daemon *d); /* all PLANE_USAGE have come */
void look_gone(struct daemon *d, uint64_t client);

#endif
