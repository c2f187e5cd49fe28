/* daemon/systemd.h - sd_notify where libsystemd is there, nothing where it is not.
 * systemd.c is compiled with it, systemd_none.c without.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_SYSTEMD_H
#define VIPSEC_DAEMON_SYSTEMD_H

void systemd_ready(void);

#endif
