/* tests/unit/ike_rekey_lab.h - short names for what the tests of CREATE_CHILD_SA ask for. */
#ifndef VIPSEC_TESTS_IKE_REKEY_LAB_H
#define VIPSEC_TESTS_IKE_REKEY_LAB_H

#include "ike_lab.h"

#include "wire/notify_payload.h"

static inline struct ike_engine *engine(struct lab *lab, enum lab_side_name s)
{
	return lab->side[s].engine;
}

static inline uint32_t first_child(struct lab *lab, enum lab_side_name s)
{
	return ike_child_first(lab_sa(lab, s))->is.id;
}

static inline void set_pfs(
	struct lab_side *side, uint16_t first, uint16_t second, bool required)
{
	struct ike_proposals *p = &side->conn.proposals;

	p->pfs[0] = first;
	p->pfs[1] = second;
	p->n_pfs = second != KE_NONE ? 2 : 1;
	p->pfs_required = required;
}

static inline uint16_t error_in(struct lab *lab, const struct lab_datagram *d)
{
	struct payload_set set = lab_read(lab, d);

	return ike_notify_error(&set);
}

#endif
