/* daemon/reload.h - the configuration comes into force.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_RELOAD_H
#define VIPSEC_DAEMON_RELOAD_H

#include "daemon/daemon.h"

/* Reads the configuration file anew. False: the running one stays; errors in report. */
bool reload_config(struct daemon *d, const struct config_report *report);
/* The node takes it over. */
void reload_take(struct daemon *d, struct config *c);

#endif
