/* wire/ts_payload.h - the Traffic Selector payloads (RFC 7296 3.13).
 *
 * Selectors of a type that we do not know, empty ranges, and those beyond TS_LIST_MAX are
 * left out: that can only narrow what the peer asks for. So the list may be empty, and
 * what to say to that (TS_UNACCEPTABLE) is the caller's.
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_TS_PAYLOAD_H
#define VIPSEC_WIRE_TS_PAYLOAD_H

#include "base/ts.h"
#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

enum wire_err ts_payload_read(struct reader body, struct ts_list *out) WIRE_CHECKED;
/* Every selector valid (ts_valid), at least one. */
void ts_payload_write(struct writer *w, const struct ts_list *l);

#endif
