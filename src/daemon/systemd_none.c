/* daemon/systemd_none.c - built without libsystemd: there is nobody to tell. */
#include "daemon/systemd.h"

void systemd_ready(void)
{
}
