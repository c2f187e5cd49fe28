/* daemon/keylog.h - session keys for tshark and scapy, in test builds only.
 *
 * keylog.c is compiled with configure --enable-key-log, keylog_none.c without: a
 * production vipsecd has no code that could write a key.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_KEYLOG_H
#define VIPSEC_DAEMON_KEYLOG_H

#include <stdbool.h>

#include "esp/esp.h"
#include "ike/ike.h"

/* False when this build cannot (why says so) or the file cannot be opened. */
bool keylog_open(const char *path, char *why, size_t why_cap);
/* NULL when no file is open. */
const struct ike_key_sink *keylog_sink(void);
/* Two lines, "esp SPI SRC DST ALG KEYMAT" in hexadecimal, in and out. */
void keylog_child(const struct esp_child *c);

#endif
