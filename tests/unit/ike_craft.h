/* tests/unit/ike_craft.h - messages that an engine has written, taken apart and put
 * together otherwise. */
#ifndef VIPSEC_TESTS_IKE_CRAFT_H
#define VIPSEC_TESTS_IKE_CRAFT_H

#include "ike_seen.h"

/* The first message of a call by A, which does not arrive. */
static inline struct lab_datagram *first_message(struct lab *lab)
{
	lab->filter = lab_drop_all;
	lab_call(lab, A);
	lab->filter = NULL;
	return &lab->log[0];
}

static inline struct payload_set read_clear(
	const struct lab_datagram *d, struct ike_header *h)
{
	struct payload_set set;
	struct reader payloads;

	assert_int_equal(ike_header_read(bytes_of(d), h, &payloads), WIRE_OK);
	assert_int_equal(payload_set_read(payloads, h->next_payload, &set), WIRE_OK);
	return set;
}

static inline void inject_from_a(struct lab *lab, struct span bytes)
{
	lab_inject(lab, A, &lab->side[A].conn.path, bytes);
	lab_run(lab, 1);
}

static inline void copy_payload(struct message *m, const struct payload *p)
{
	struct reader body = p->body;

	wr_bytes(message_payload(m, p->type), rd_rest(&body));
}

static inline struct lab_fate drop_from_b(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){.copies = d->from != B, .ms = 1};
}

static inline struct lab_fate drop_ike_auth(struct lab *lab, const struct lab_datagram *d)
{
	enum { EXCHANGE_AT = 18 };

	(void)lab;
	return (struct lab_fate){.copies = d->bytes[EXCHANGE_AT] != IKE_AUTH, .ms = 1};
}

/* A has called and proves itself, B has not heard the proof; *auth is what it says. From
 * here on A hears nothing, so that its SA stays for crafting. */
static inline void half_way(struct lab *lab, struct payload_set *auth)
{
	lab->filter = drop_ike_auth;
	lab_call(lab, A);
	lab_run(lab, 3);
	lab->filter = drop_from_b;
	assert_int_equal(lab_sa(lab, A)->state, STATE_AUTH_SENT);
	assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_OPEN);
	if (auth)
		*auth = lab_read(lab, lab_last(lab));
}

/* The error in what B has answered last; 0: none. A Delete may have followed. */
static inline uint16_t error_from_b(struct lab *lab)
{
	enum { FLAGS_AT = 19, RESPONSE = 0x20 };

	for (unsigned i = lab->n_log; i-- > 0;) {
		const struct lab_datagram *d = &lab->log[i];

		if (d->from != B || (d->bytes[FLAGS_AT] & RESPONSE) == 0)
			continue;
		struct payload_set set = lab_read(lab, d);

		return ike_notify_error(&set);
	}
	fail_msg("B has not answered");
	return 0;
}

#endif
