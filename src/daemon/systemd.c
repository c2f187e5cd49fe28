/* daemon/systemd.c - tells systemd, when it started us with Type=notify. */
#include "daemon/systemd.h"

#include <systemd/sd-daemon.h>

void systemd_ready(void)
{
	sd_notify(0, "READY=1");
}
