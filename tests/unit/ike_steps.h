/* tests/unit/ike_steps.h - what tests of two IKE SAs do again and again. */
#ifndef VIPSEC_TESTS_IKE_STEPS_H
#define VIPSEC_TESTS_IKE_STEPS_H

#include "ike_lab.h"

static inline struct ike_engine *engine(struct lab *lab, enum lab_side_name s)
{
	return lab->side[s].engine;
}

/* Loses what one side sends, or answers, while the switch is on. */
struct loss {
	enum lab_side_name of;
	bool on, answers_only;
};

enum { FLAGS_AT = 19, FLAG_RESPONSE = 0x20 };

static inline struct lab_fate lose(struct lab *lab, const struct lab_datagram *d)
{
	const struct loss *l = lab->filter_ctx;
	bool loses = l->on && d->from == l->of &&
		     (!l->answers_only || (d->bytes[FLAGS_AT] & FLAG_RESPONSE));

	return (struct lab_fate){.copies = !loses, .ms = 1};
}

static inline void lose_of(struct lab *lab, struct loss *l, enum lab_side_name s)
{
	*l = (struct loss){.of = s, .on = true};
	lab->filter = lose;
	lab->filter_ctx = l;
}

static inline void probe(struct lab *lab, enum lab_side_name s, const struct ike_sa *sa)
{
	assert_int_equal(ike_probe(engine(lab, s), lab->now_ms, sa->id), IKE_OK);
}

static inline struct ike_sa *by_id(struct lab *lab, uint32_t id)
{
	return ike_sa_by_id(engine(lab, A), id);
}

#endif
