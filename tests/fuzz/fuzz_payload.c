/* tests/fuzz/fuzz_payload.c - one payload: a target for each, by -DFUZZ_PAYLOAD=type.
 *
 * What was accepted is written again and must give the same octets, but for those that are
 * reserved. */
#include "base/iana.h"
#include "wire/auth_payload.h"
#include "wire/fragment.h"
#include "wire/ke_payload.h"
#include "wire/notify_payload.h"
#include "wire/redirect.h"
#include "wire/ts_payload.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[1 << 17];

static void try_ke(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));
	struct wire_ke ke, back;

	if (ke_payload_read(rd_over(body), &ke) != WIRE_OK)
		return;
	ke_payload_write(&w, &ke);
	assert(ke_payload_read(rd_over(wr_span(&w)), &back) == WIRE_OK);
	assert(ke.group == back.group && span_equal(ke.public, back.public));
}

static void try_nonce(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));
	struct span nonce;

	if (nonce_payload_read(rd_over(body), &nonce) != WIRE_OK)
		return;
	nonce_payload_write(&w, nonce);
	assert(span_equal(wr_span(&w), body));
}

static void try_id(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));
	struct identity id, back;
	char text[IDENTITY_TEXT_MAX];

	if (id_payload_read(rd_over(body), &id) != WIRE_OK)
		return;
	id_payload_write(&w, &id);
	assert(id_payload_read(rd_over(wr_span(&w)), &back) == WIRE_OK);
	assert(identity_equal(&id, &back));
	assert(identity_parse(identity_format(&id, text), &back));
	assert(identity_equal(&id, &back));
}

static void try_auth(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));
	struct wire_auth auth, back;

	if (auth_payload_read(rd_over(body), &auth) != WIRE_OK)
		return;
	auth_payload_write(&w, &auth);
	assert(auth_payload_read(rd_over(wr_span(&w)), &back) == WIRE_OK);
	assert(auth.method == back.method && span_equal(auth.data, back.data));
}

/* Of whatever type the notice is. */
static void try_redirect(struct span data)
{
	struct writer w = wr_over(out, sizeof(out));
	struct wire_redirect r;

	if (redirect_read(data, &r) != WIRE_OK)
		return;
	assert((r.name.len > 0) != addr_is_set(&r.addr));
	redirect_write(&w, &r);
	assert(span_equal(wr_span(&w), data));
}

static void try_notify(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));
	struct wire_notify n;

	if (notify_payload_read(rd_over(body), &n) != WIRE_OK)
		return;
	notify_payload_write(&w, &n);
	assert(span_equal(wr_span(&w), body));
	try_redirect(n.data);
}

static void try_delete(struct span body)
{
	static uint32_t spis[UINT16_MAX];
	struct writer w = wr_over(out, sizeof(out));
	struct wire_delete d;

	if (delete_payload_read(rd_over(body), &d) != WIRE_OK)
		return;
	for (uint16_t i = 0; i < d.n; i++)
		spis[i] = wire_delete_spi(&d, i);
	if (d.protocol == PROTO_IKE)
		delete_payload_write_ike(&w);
	else
		delete_payload_write_child(&w, d.protocol, spis, d.n);
	assert(span_equal(wr_span(&w), body));
}

static void try_vendor(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));

	vendor_payload_write(&w, vendor_payload_read(rd_over(body)));
	assert(span_equal(wr_span(&w), body));
}

static void try_ts(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));
	struct ts_list l, back;
	char text[TS_TEXT_MAX];

	if (ts_payload_read(rd_over(body), &l) != WIRE_OK || l.n == 0)
		return;
	for (unsigned i = 0; i < l.n; i++) {
		assert(ts_valid(&l.at[i]) && ts_contains(&l.at[i], &l.at[i]));
		ts_format(&l.at[i], text);
	}
	ts_payload_write(&w, &l);
	assert(ts_payload_read(rd_over(wr_span(&w)), &back) == WIRE_OK);
	assert(ts_list_equal(&l, &back));
}

/* A datagram with one SK or SKF payload of these octets, and none of them opened. */
static void try_encrypted(struct span body, uint8_t type)
{
	const struct ike_header h = {.spi_i = 1, .spi_r = 2, .major = 2};
	struct message m = message_begin(out, sizeof(out), &h);
	struct ike_header back;
	struct reader payloads, text;
	struct payload_set set;
	struct sk_sealed sk;
	struct fragment f;

	wr_bytes(message_payload(&m, type), body);
	struct span datagram = message_finish(&m);
	if (datagram.len == 0 || ike_header_read(datagram, &back, &payloads) != WIRE_OK ||
		payload_set_read(payloads, back.next_payload, &set) != WIRE_OK)
		return;
	const struct payload *p = payload_set_first(&set, type);
	assert(p);
	if (type == PAYLOAD_SKF &&
		fragment_read(datagram, p, sk_shape_aead, &f) == WIRE_OK)
		assert(f.number > 0 && f.number <= f.total);
	if (type == PAYLOAD_SK && sk_payload_read(datagram, p, &sk) == WIRE_OK &&
		sk_payload_strip(sk.sealed, &text) == WIRE_OK)
		assert(rd_left(&text) < sk.sealed.len);
}

static void try_sk(struct span body)
{
	try_encrypted(body, PAYLOAD_SK);
}

static void try_skf(struct span body)
{
	try_encrypted(body, PAYLOAD_SKF);
}

static const struct {
	uint8_t type;
	void (*try)(struct span body);
} payloads[] = {
	{PAYLOAD_KE, try_ke},
	{PAYLOAD_NONCE, try_nonce},
	{PAYLOAD_IDI, try_id},
	{PAYLOAD_AUTH, try_auth},
	{PAYLOAD_NOTIFY, try_notify},
	{PAYLOAD_DELETE, try_delete},
	{PAYLOAD_VENDOR, try_vendor},
	{PAYLOAD_TSI, try_ts},
	{PAYLOAD_SK, try_sk},
	{PAYLOAD_SKF, try_skf},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		if (payloads[i].type == FUZZ_PAYLOAD && size < UINT16_MAX)
			payloads[i].try(span_of(data, size));
	return 0;
}
