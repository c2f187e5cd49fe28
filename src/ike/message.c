/* ike/message.c - framing of what we send: responses, requests, answers without an SA, and
 * Notify payloads (RFC 7296 2.2, 2.3, 3.1, 3.10).
 *
 * A response is kept until the next request has come, a request until its answer has.
 * Leaves the contents to the exchanges, sealing to sk.c.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/notify_payload.h"

void octets_set(struct octets *o, struct span bytes)
{
	octets_free(o);
	if (bytes.len == 0)
		return;
	o->at = mem_new(bytes.len, 1);
	o->len = bytes.len;
	memcpy(o->at, bytes.at, bytes.len);
}

void octets_free(struct octets *o)
{
	free(o->at);
	*o = (struct octets){0};
}

struct span octets_span(const struct octets *o)
{
	return span_of(o->at, o->len);
}

struct ike_header ike_header_for(
	const struct ike_sa *sa, uint8_t exchange, bool response, uint32_t message_id)
{
	return (struct ike_header){
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.major = 2,
		.exchange = exchange,
		.initiator = sa->initiator,
		.response = response,
		.message_id = message_id,
	};
}

/* ---- responses */

void ike_reply_begin(struct exchange *x)
{
	struct ike_header h =
		ike_header_for(x->sa, x->header.exchange, true, x->header.message_id);

	x->out = message_begin(x->e->reply, sizeof(x->e->reply), &h);
	message_encrypt_as(&x->out, ike_sk_shape(x->sa));
}

void ike_reply_notify(struct exchange *x, uint16_t type, struct span data)
{
	x->e->counters.said_temporary_failure += type == N_TEMPORARY_FAILURE;
	ike_notify_write(&x->out, type, data);
}

void ike_reply_error(struct exchange *x, uint16_t type, struct span data)
{
	ike_reply_begin(x);
	ike_reply_notify(x, type, data);
}

/* RFC 7296 2.11: to where the request came from. */
void ike_reply_send(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct span datagrams =
		ike_flight_seal(x->e, sa, x->from, &x->out, &sa->response_whole);

	octets_set(&sa->response, datagrams);
	sa->response_asked = 0;
	sa->answered_ms = x->e->now_ms;
	sa->next_in++;
	ike_flight_send(x->e, x->from, datagrams);
}

/* The message is the request's mirror: its SPIs, its ID. Never longer than the request
 * that it answers by more than a few octets, and limited in number (RFC 7296 2.4). */
void ike_answer_stateless(struct exchange *x, uint16_t type, struct span data)
{
	struct ike_header h = x->header;

	if (!rate_allow(&x->e->stateless, x->e->now_ms))
		return;
	h.major = 2;
	h.minor = 0;
	h.initiator = !x->header.initiator;
	h.response = true;
	struct message m = message_begin(x->e->reply, sizeof(x->e->reply), &h);
	ike_notify_write(&m, type, data);
	struct span datagram = message_finish(&m);
	assert(datagram.len > 0);
	x->e->host.send(x->e->host.ctx, x->from, datagram);
}

/* ---- requests */

struct message ike_request_begin(
	struct ike_engine *e, struct ike_sa *sa, uint8_t exchange)
{
	struct ike_header h = ike_header_for(sa, exchange, false, sa->next_out);
	struct message m = message_begin(e->request, sizeof(e->request), &h);

	message_encrypt_as(&m, ike_sk_shape(sa));
	return m;
}

void ike_request_send(struct ike_engine *e, struct ike_sa *sa, struct message *m,
	uint8_t exchange, bool urgent)
{
	struct span datagrams = ike_flight_seal(e, sa, &sa->path, m, &sa->out.whole);

	ike_retransmit_start(e, sa, datagrams, sa->next_out, exchange, urgent);
	sa->next_out++;
}

/* ---- Notify */

void ike_notify_write(struct message *m, uint16_t type, struct span data)
{
	struct wire_notify n = {.type = type, .data = data};

	notify_payload_write(message_payload(m, PAYLOAD_NOTIFY), &n);
}

void ike_notify_write_ike(struct message *m, uint16_t type)
{
	struct wire_notify n = {.protocol = PROTO_IKE, .type = type};

	notify_payload_write(message_payload(m, PAYLOAD_NOTIFY), &n);
}

void ike_notify_write_child(
	struct message *m, uint16_t type, uint8_t protocol, uint32_t spi)
{
	const uint8_t octets[] = {(uint8_t)(spi >> 24), (uint8_t)(spi >> 16),
		(uint8_t)(spi >> 8), (uint8_t)spi};
	struct wire_notify n = {.protocol = protocol,
		.type = type,
		.spi = span_of(octets, sizeof(octets))};

	notify_payload_write(message_payload(m, PAYLOAD_NOTIFY), &n);
}

bool ike_notify_find_child(
	const struct payload_set *in, uint16_t type, uint8_t *protocol, uint32_t *spi)
{
	const struct payload *p = NULL;

	while ((p = payload_set_next(in, PAYLOAD_NOTIFY, p))) {
		struct wire_notify n;

		if (notify_payload_read(p->body, &n) != WIRE_OK || n.type != type)
			continue;
		struct reader r = rd_over(n.spi);
		*spi = rd_u32(&r);
		*protocol = n.protocol;
		return (n.protocol == PROTO_ESP || n.protocol == PROTO_AH) && rd_done(&r);
	}
	return false;
}

bool ike_notify_find(const struct payload_set *in, uint16_t type, struct span *data)
{
	const struct payload *p = NULL;

	while ((p = payload_set_next(in, PAYLOAD_NOTIFY, p))) {
		struct wire_notify n;

		if (notify_payload_read(p->body, &n) != WIRE_OK || n.type != type)
			continue;
		if (data)
			*data = n.data;
		return true;
	}
	return false;
}

/* RFC 7296 3.10.1: an error that we do not know is one, too. */
uint16_t ike_notify_error(const struct payload_set *in)
{
	const struct payload *p = NULL;

	while ((p = payload_set_next(in, PAYLOAD_NOTIFY, p))) {
		struct wire_notify n;

		if (notify_payload_read(p->body, &n) == WIRE_OK && n.type != 0 &&
			n.type <= N_ERROR_LAST)
			return n.type;
	}
	return 0;
}

static const struct {
	uint16_t type;
	enum ike_why why;
	const char *name, *advice;
} errors[] = {
	{N_UNSUPPORTED_CRITICAL_PAYLOAD, IKE_WHY_SYNTAX, "UNSUPPORTED_CRITICAL_PAYLOAD",
		"it does not know a payload that must be understood"},
	{N_INVALID_MAJOR_VERSION, IKE_WHY_SYNTAX, "INVALID_MAJOR_VERSION",
		"it does not speak IKEv2: look at its configuration"},
	{N_INVALID_SYNTAX, IKE_WHY_SYNTAX, "INVALID_SYNTAX",
		"it could not read our message"},
	{N_NO_PROPOSAL_CHOSEN, IKE_WHY_PROPOSAL, "NO_PROPOSAL_CHOSEN",
		"it accepts none of our proposals: compare algorithms and mode on both "
		"sides"},
	{N_INVALID_KE_PAYLOAD, IKE_WHY_PROPOSAL, "INVALID_KE_PAYLOAD",
		"it wants a key exchange group that no proposal of ours has"},
	{N_AUTHENTICATION_FAILED, IKE_WHY_AUTH, "AUTHENTICATION_FAILED",
		"its pre-shared key differs from ours, or it does not accept our "
		"certificate or identity: its own log says which"},
	{N_SINGLE_PAIR_REQUIRED, IKE_WHY_SELECTORS, "SINGLE_PAIR_REQUIRED",
		"it wants an SA for each pair of addresses: narrow the filter"},
	{N_NO_ADDITIONAL_SAS, IKE_WHY_BUSY, "NO_ADDITIONAL_SAS", "it has enough SAs"},
	{N_INTERNAL_ADDRESS_FAILURE, IKE_WHY_OTHER, "INTERNAL_ADDRESS_FAILURE",
		"it wants to hand out an address, which we do not ask for"},
	{N_FAILED_CP_REQUIRED, IKE_WHY_OTHER, "FAILED_CP_REQUIRED",
		"it wants to hand out an address, which we do not ask for"},
	{N_TS_UNACCEPTABLE, IKE_WHY_SELECTORS, "TS_UNACCEPTABLE",
		"none of its rules covers this traffic, or another peer has it: compare "
		"the filters on both sides, and look at its log"},
	{N_TEMPORARY_FAILURE, IKE_WHY_BUSY, "TEMPORARY_FAILURE", "it is busy"},
	{N_STATE_NOT_FOUND, IKE_WHY_OTHER, "STATE_NOT_FOUND",
		"it has forgotten which key exchange this belongs to"},
	{N_CHILD_SA_NOT_FOUND, IKE_WHY_OTHER, "CHILD_SA_NOT_FOUND",
		"it does not have that child"},
};

enum { N_ERRORS = sizeof(errors) / sizeof(errors[0]) };

const char *ike_notify_name(uint16_t type)
{
	for (unsigned i = 0; i < N_ERRORS; i++)
		if (errors[i].type == type)
			return errors[i].name;
	return "an error that we do not know";
}

const char *ike_notify_advice(uint16_t type)
{
	for (unsigned i = 0; i < N_ERRORS; i++)
		if (errors[i].type == type)
			return errors[i].advice;
	return "the peer refuses";
}

enum ike_why ike_notify_why(uint16_t type)
{
	for (unsigned i = 0; i < N_ERRORS; i++)
		if (errors[i].type == type)
			return errors[i].why;
	return IKE_WHY_OTHER;
}

/* ---- words for the log */

void ike_note(struct ike_engine *e, const struct ike_path *path, uint32_t id,
	const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	e->host.note(e->host.ctx, path, id, text);
}
