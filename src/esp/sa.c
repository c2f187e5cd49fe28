/* esp/sa.c - an SA's keys, numbers and IVs.
 *
 * Obeys RFC 4303 2.2, 2.2.1, 3.3.3 and RFC 4302 3.3.2 (numbers start at 1 and never wrap), RFC
 * 4106 3.1 and 5 and RFC 7634 2 (an IV is never used twice with a key). The IV is member 8 | activation 16 |
 * counter 40: no two members, and no two lives of one, can make the same.
 */
#include "esp/sa.h"

#include "base/mem.h"
#include "esp/ah.h"
#include "wire/writer.h"

#include <assert.h>
#include <stdlib.h>

enum { IV_MEMBER_SHIFT = 56, IV_ACTIVATION_SHIFT = 40 };
static const uint64_t IV_COUNTER_MAX = (UINT64_C(1) << IV_ACTIVATION_SHIFT) - 1;

struct esp_sa *sa_new(const struct esp_child *c)
{
	struct esp_sa *sa = mem_new(1, sizeof *sa);

	list_init(&sa->in_scope);
	list_init(&sa->of_peer);
	list_init(&sa->watch.link);
	sa->id = sa->usage.id = c->id;
	sa->rule = c->rule;
	sa->spi_in = c->spi_in;
	sa->spi_out = c->spi_out;
	sa->scope = c->scope;
	sa->mode = c->mode;
	sa->ah = c->ah;
	sa->encap = c->encap;
	sa->esn = c->esn;
	sa->tags = c->tags;
	sa->local = c->local;
	sa->remote = sa->told_remote = c->remote;
	sa->local_ts = c->local_ts;
	sa->remote_ts = c->remote_ts;
	sa->member = c->member;
	sa->soft_seq = c->soft_seq;
	esp_replay_init(&sa->replay, esp_replay_window(c->replay_window), c->esn);
	sa->seal = aead_new(c->alg, secret_span(&c->key_out));
	sa->open = aead_new(c->alg, secret_span(&c->key_in));
	sa->shape = aead_shape(c->alg);
	sa->composed = aead_mac_key_len(c->alg) != 0;
	if (sa->seal == NULL || sa->open == NULL) {
		sa_free(sa);
		return NULL;
	}
	return sa;
}

void sa_free(struct esp_sa *sa)
{
	list_del(&sa->in_scope);
	list_del(&sa->watch.link);
	aead_free(sa->seal);
	aead_free(sa->open);
	esp_replay_wipe(&sa->replay);
	free(sa);
}

bool sa_selects(const struct esp_sa *sa, const struct flow *f)
{
	/* The outer header of a transport mode packet is the inner one. */
	if (sa->mode == POLICY_TRANSPORT &&
		!(addr_equal(&f->local, &sa->local.addr) &&
			addr_equal(&f->remote, &sa->remote.addr)))
		return false;
	return ts_lists_match(&sa->local_ts, &sa->remote_ts, f);
}

enum sa_answer sa_stamp(struct esp_sa *sa, uint16_t activation, struct sa_stamp *out)
{
	uint64_t seq_max = sa->esn ? UINT64_MAX : UINT32_MAX;

	if (sa->sent && activation < sa->iv_activation)
		return SA_STALE;
	if (!sa->sent || activation != sa->iv_activation) {
		sa->sent = true;
		sa->iv_activation = activation;
		sa->iv_counter = 0;
	}
	if (sa->usage.seq_out >= seq_max || sa->iv_counter > IV_COUNTER_MAX)
		return SA_EXHAUSTED;
	out->seq = ++sa->usage.seq_out;
	out->iv = (uint64_t)sa->member << IV_MEMBER_SHIFT |
		  (uint64_t)activation << IV_ACTIVATION_SHIFT | sa->iv_counter++;
	return SA_GO;
}

size_t sa_before_text(const struct esp_sa *sa)
{
	return ESP_IV_AT + (size_t)sa->shape.iv_len;
}

size_t sa_align(const struct esp_sa *sa)
{
	return sa->shape.block_len > ESP_ALIGN ? sa->shape.block_len : ESP_ALIGN;
}

/* What remains, rounded down to the alignment, less the trailer. AH has neither. */
size_t sa_text_room(const struct esp_sa *sa, size_t octets)
{
	size_t around =
		sa->ah ? ah_len(sa) : sa_before_text(sa) + (size_t)sa->shape.tag_len;
	size_t align = sa->ah ? 1 : sa_align(sa), trailer = sa->ah ? 0 : ESP_TRAILER_LEN;

	if (octets < around + align)
		return 0;
	return (octets - around) / align * align - trailer;
}

void sa_aad(const struct esp_sa *sa, uint32_t spi, uint64_t seq, struct sa_aad *out)
{
	struct writer w = wr_over(out->store, sizeof out->store);
	uint32_t upper = (uint32_t)(seq >> 32);

	wr_u32(&w, spi);
	if (sa->esn && !sa->composed)
		wr_u32(&w, upper);
	wr_u32(&w, (uint32_t)seq);
	out->clear = wr_span(&w);
	if (sa->esn && sa->composed)
		wr_u32(&w, upper);
	assert(wr_ok(&w));
	struct span all = wr_span(&w);
	out->tail = span_of(all.at + out->clear.len, all.len - out->clear.len);
}
