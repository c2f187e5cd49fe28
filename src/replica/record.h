/* replica/record.h - one peer record as octets; private to the room.
 *
 * Floor 3.
 */
#ifndef VIPSEC_REPLICA_RECORD_H
#define VIPSEC_REPLICA_RECORD_H

#include "replica/peers.h"
#include "wire/reader.h"

enum { ENTRY_PUT = 1, ENTRY_DROP = 2 };
enum { ENTRY_HEADER = 3 }; /* kind, length of the body */

void record_write(struct writer *w, const struct replica_peer *p);
/* r holds exactly one record; false when it is malformed, *out is then not to be used. */
bool record_read(struct reader *r, struct replica_peer *out);

void record_write_addr(struct writer *w, const struct addr *a);
struct addr record_read_addr(struct reader *r, bool *sane);

#endif
