/* base/hostname.h - names of hosts as DNS has them: syntax alone, nothing is looked up.
 *
 * Floor 0.
 */
#ifndef VIPSEC_BASE_HOSTNAME_H
#define VIPSEC_BASE_HOSTNAME_H

#include <stdbool.h>

enum { HOSTNAME_MAX = 254 }; /* with the NUL */

/* In small letters and without a dot at its end. False, and out untouched: no host can be
 * called so (RFC 1123 2.1), or it is an address that was written wrongly. */
bool hostname_parse(const char *text, char out[HOSTNAME_MAX]);

#endif
