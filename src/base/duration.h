/* base/duration.h - "5m", "150ms", "1h30m" and back.
 *
 * Floor 0.
 */
#ifndef VIPSEC_BASE_DURATION_H
#define VIPSEC_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#define DURATION_TEXT_MAX 40

/* Units ms s m h d, largest first, a bare number is refused. False: malformed or
 * beyond ten years. */
bool duration_parse(const char *text, uint64_t *out_ms);
/* The shortest text that parses to the same value; "0s" for 0. */
const char *duration_format(uint64_t ms, char out[DURATION_TEXT_MAX]);

#endif
