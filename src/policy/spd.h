/* policy/spd.h - what the files of this room share about the SPD; not for others.
 *
 * Floor 1.
 */
#ifndef VIPSEC_POLICY_SPD_H
#define VIPSEC_POLICY_SPD_H

#include "base/iana.h"
#include "policy/policy.h"

/* Bounds memory (some 1 MB) and the time of a lookup, which is a walk. */
#define SPD_ENTRIES_MAX 4096

struct spd {
	struct spd_entry *at;
	size_t n, cap;
	bool sealed;
};

bool spd_entry_covers(
	const struct spd_entry *e, enum policy_direction d, const struct flow *f);

#endif
