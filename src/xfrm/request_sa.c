/* xfrm/request_sa.c - XFRM messages (linux/xfrm.h) about SAs, there and back. */
#include "config.h"

#include <arpa/inet.h>
#include <linux/udp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/iana.h"
#include "base/secret.h"
#include "xfrm/algorithm.h"
#include "xfrm/asking.h"
#include "xfrm/select.h"

enum { WINDOW_WORD_BITS = 32, LARVAL_SPI_MIN = 256 };

/* ---- adding --------------------------------------------------------------------------------- */

/* An algorithm's attribute is a head, the key's length in bits, and the key. */
static void put_alg(
	struct nl_msg *m, int type, const char *name, uint32_t tag_bits, struct span key)
{
	uint8_t room[sizeof(struct xfrm_algo_aead) + SECRET_MAX];
	struct xfrm_algo_aead head = {
		.alg_key_len = (uint32_t)(8 * key.len), .alg_icv_len = tag_bits};
	struct xfrm_algo plain = {.alg_key_len = head.alg_key_len};
	size_t len = type == XFRMA_ALG_CRYPT ? sizeof(plain) : sizeof(head);

	snprintf(head.alg_name, sizeof(head.alg_name), "%s", name);
	snprintf(plain.alg_name, sizeof(plain.alg_name), "%s", name);
	memcpy(room, type == XFRMA_ALG_CRYPT ? (const void *)&plain : &head, len);
	memcpy(room + len, key.at, key.len);
	request_put(m, type, room, len + key.len);
	wipe(room, sizeof(room));
}

_Static_assert(sizeof(struct xfrm_algo_aead) == sizeof(struct xfrm_algo_auth),
	"name, length of the key, length of the tag");

static void put_algorithm(struct nl_msg *m, const struct request_sa *sa)
{
	const struct algorithm *a = algorithm_of(sa->alg);
	struct span key = secret_span(sa->key);
	size_t mac_len = aead_mac_key_len(sa->alg);
	struct span cipher = span_of(key.at, key.len - mac_len);

	if (a->aead) {
		put_alg(m, XFRMA_ALG_AEAD, a->aead, a->tag_bits, key);
		return;
	}
	if (sa->info.id.proto != IPPROTO_AH)
		put_alg(m, XFRMA_ALG_CRYPT, a->cipher, 0, cipher);
	put_alg(m, XFRMA_ALG_AUTH_TRUNC, a->mac, a->tag_bits,
		span_of(key.at + cipher.len, mac_len));
}

/* The long form, for every SA: the 32 packets of the short one are too few. */
static void put_replay(struct nl_msg *m, const struct request_sa *sa)
{
	struct xfrm_replay_state_esn state = {.oseq = (uint32_t)sa->seq_out,
		.oseq_hi = sa->esn ? (uint32_t)(sa->seq_out >> 32) : 0,
		.replay_window = sa->replay_window,
		.bmp_len = (sa->replay_window + WINDOW_WORD_BITS - 1) / WINDOW_WORD_BITS};
	struct request_replay r = {
		.len = sizeof(state) + state.bmp_len * sizeof(uint32_t)};

	memcpy(r.bytes, &state, sizeof(state));
	if (sa->replay && sa->replay->len == r.len)
		r = *sa->replay;
	request_put(m, XFRMA_REPLAY_ESN_VAL, r.bytes, r.len);
}

static void put_encap(struct nl_msg *m, const struct request_sa *sa)
{
	struct xfrm_encap_tmpl e;

	memset(&e, 0, sizeof(e));
	e.encap_type = UDP_ENCAP_ESPINUDP;
	e.encap_sport = htons(sa->encap_sport);
	e.encap_dport = htons(sa->encap_dport);
	request_put(m, XFRMA_ENCAP, &e, sizeof(e));
}

/* Somebody else's ears make the kernel tell of SAs that have said nothing about it, of each
 * second packet: ours always say when. */
static void put_watch(struct nl_msg *m, const struct request_watch *w)
{
	const uint32_t packets = w->packets != 0 ? w->packets : 1u << 30, never = 0;

	request_put(m, XFRMA_REPLAY_THRESH, &packets, sizeof(packets));
	request_put(m, XFRMA_ETIMER_THRESH, &never, sizeof(never));
}

static void put_tags(struct nl_msg *m, const struct policy_tags *t)
{
	if (t->mask != 0) {
		request_put(m, XFRMA_SET_MARK, &t->mark, sizeof(t->mark));
		request_put(m, XFRMA_SET_MARK_MASK, &t->mask, sizeof(t->mask));
	}
	request_put_if_id(m, t->if_id);
}

/* Without an interface's number the kernel takes the one that its route leads to. */
static void put_offload(struct nl_msg *m, const struct request_sa *sa)
{
	struct xfrm_user_offload o = {.flags = 0};

	if (sa->offload == OFFLOAD_NO)
		return;
	o.flags = (uint8_t)((sa->inbound ? XFRM_OFFLOAD_INBOUND : 0) |
			    (sa->offload == OFFLOAD_PACKET ? OFFLOAD_FLAG_PACKET : 0));
	request_put(m, XFRMA_OFFLOAD_DEV, &o, sizeof(o));
}

struct nl_msg *request_sa_message(const struct request_sa *sa)
{
	struct xfrm_usersa_info info = sa->info;

	info.flags = (uint8_t)(info.flags | (sa->esn ? XFRM_STATE_ESN : 0));
	struct nl_msg *m = request_message(XFRM_MSG_NEWSA,
		NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &info,
		sizeof(info));
	put_algorithm(m, sa);
	put_replay(m, sa);
	put_watch(m, &sa->watch);
	if (sa->encap)
		put_encap(m, sa);
	put_tags(m, &sa->tags);
	put_offload(m, sa);
	return m;
}

int request_sa_add(struct request_line *l, const struct request_sa *sa)
{
	return request_ask(l, request_sa_message(sa), NULL, NULL);
}

/* ---- deleting, reading ---------------------------------------------------------------------- */

static struct xfrm_usersa_id id_of(const struct request_name *sa)
{
	struct xfrm_usersa_id id;

	memset(&id, 0, sizeof(id)); /* the kernel is sent all of it */
	id.daddr = select_addr(&sa->daddr);
	id.spi = htonl(sa->spi);
	id.family = select_family(&sa->daddr);
	id.proto = sa->ah ? IPPROTO_AH : IPPROTO_ESP;
	return id;
}

int request_sa_delete(struct request_line *l, const struct request_name *sa)
{
	struct xfrm_usersa_id id = id_of(sa);

	return request_ask(l,
		request_message(
			XFRM_MSG_DELSA, NLM_F_REQUEST | NLM_F_ACK, &id, sizeof(id)),
		NULL, NULL);
}

static void read_offload(
	struct nlmsghdr *h, const struct xfrm_usersa_info *sa, struct request_counts *out)
{
	struct nlattr *a = nlmsg_find_attr(h, sizeof(*sa), XFRMA_OFFLOAD_DEV);
	struct xfrm_user_offload o;

	if (!a || nla_len(a) < (int)sizeof(o))
		return;
	memcpy(&o, nla_data(a), sizeof(o));
	out->ifindex = (uint32_t)o.ifindex;
	out->offload = o.flags & OFFLOAD_FLAG_PACKET ? OFFLOAD_PACKET : OFFLOAD_CRYPTO;
}

static void read_counts(
	struct nlmsghdr *h, const struct xfrm_usersa_info *sa, struct request_counts *out)
{
	struct nlattr *replay = nlmsg_find_attr(h, sizeof(*sa), XFRMA_REPLAY_ESN_VAL);

	*out = (struct request_counts){.bytes = sa->curlft.bytes,
		.packets = sa->curlft.packets,
		.replayed = sa->stats.replay + sa->stats.replay_window,
		.forged = sa->stats.integrity_failed};
	read_offload(h, sa, out);
	if (!replay || nla_len(replay) < (int)sizeof(struct xfrm_replay_state_esn))
		return;
	const struct xfrm_replay_state_esn *r = nla_data(replay);
	out->seq_out = (uint64_t)r->oseq_hi << 32 | r->oseq;
	out->seq_in = (uint64_t)r->seq_hi << 32 | r->seq;
}

struct sa_reader {
	void (*each)(const struct xfrm_usersa_info *sa,
		const struct request_counts *counts, void *ctx);
	void *ctx;
};

static int on_sa(struct nl_msg *m, void *arg)
{
	const struct sa_reader *reader = arg;
	struct nlmsghdr *h = nlmsg_hdr(m);
	struct request_counts counts;

	if (h->nlmsg_type != XFRM_MSG_NEWSA ||
		nlmsg_datalen(h) < (int)sizeof(struct xfrm_usersa_info))
		return NL_OK;
	const struct xfrm_usersa_info *sa = nlmsg_data(h);
	read_counts(h, sa, &counts);
	reader->each(sa, &counts, reader->ctx);
	return NL_OK;
}

static void take_counts(
	const struct xfrm_usersa_info *sa, const struct request_counts *counts, void *ctx)
{
	(void)sa;
	*(struct request_counts *)ctx = *counts;
}

int request_sa_get(
	struct request_line *l, const struct request_name *sa, struct request_counts *out)
{
	struct xfrm_usersa_id id = id_of(sa);
	struct sa_reader reader = {.each = take_counts, .ctx = out};

	/* With an acknowledgement behind it, so that the answer has an end. */
	return request_ask(l,
		request_message(
			XFRM_MSG_GETSA, NLM_F_REQUEST | NLM_F_ACK, &id, sizeof(id)),
		on_sa, &reader);
}

/* ---- their numbers -------------------------------------------------------------------------- */

static struct nl_msg *about_numbers(int type, int flags, const struct request_name *sa)
{
	struct xfrm_aevent_id id;

	memset(&id, 0, sizeof(id));
	id.sa_id = id_of(sa);
	return request_message(type, NLM_F_REQUEST | NLM_F_ACK | flags, &id, sizeof(id));
}

static int on_replay(struct nl_msg *m, void *arg)
{
	struct nlmsghdr *h = nlmsg_hdr(m);
	struct nlattr *replay =
		nlmsg_find_attr(h, sizeof(struct xfrm_aevent_id), XFRMA_REPLAY_ESN_VAL);
	struct request_replay *r = arg;

	if (h->nlmsg_type != XFRM_MSG_NEWAE || !replay ||
		nla_len(replay) > (int)sizeof(r->bytes))
		return NL_OK;
	r->len = (size_t)nla_len(replay);
	memcpy(r->bytes, nla_data(replay), r->len);
	return NL_OK;
}

int request_sa_replay(
	struct request_line *l, const struct request_name *sa, struct request_replay *out)
{
	memset(out, 0, sizeof(*out));
	/* This, and not the SA itself, which would come with its keys. */
	return request_ask(l, about_numbers(XFRM_MSG_GETAE, 0, sa), on_replay, out);
}

int request_sa_replay_set(struct request_line *l, const struct request_name *sa,
	const struct request_replay *replay)
{
	struct nl_msg *m = about_numbers(XFRM_MSG_NEWAE, NLM_F_REPLACE, sa);

	request_put(m, XFRMA_REPLAY_ESN_VAL, replay->bytes, replay->len);
	return request_ask(l, m, NULL, NULL);
}

int request_sa_watch(struct request_line *l, const struct request_name *sa,
	const struct request_watch *w)
{
	struct nl_msg *m = about_numbers(XFRM_MSG_NEWAE, NLM_F_REPLACE, sa);

	put_watch(m, w);
	return request_ask(l, m, NULL, NULL);
}

/* ---- their lives ---------------------------------------------------------------------------- */

static int on_life(struct nl_msg *m, void *arg)
{
	struct nlmsghdr *h = nlmsg_hdr(m);
	struct nlattr *life =
		nlmsg_find_attr(h, sizeof(struct xfrm_aevent_id), XFRMA_LTIME_VAL);

	if (h->nlmsg_type == XFRM_MSG_NEWAE && life &&
		nla_len(life) >= (int)sizeof(struct xfrm_lifetime_cur))
		memcpy(arg, nla_data(life), sizeof(struct xfrm_lifetime_cur));
	return NL_OK;
}

int request_sa_life(struct request_line *l, const struct request_name *sa,
	struct xfrm_lifetime_cur *out)
{
	*out = (struct xfrm_lifetime_cur){0};
	return request_ask(l, about_numbers(XFRM_MSG_GETAE, 0, sa), on_life, out);
}

int request_sa_life_set(struct request_line *l, const struct request_name *sa,
	const struct xfrm_lifetime_cur *life)
{
	struct nl_msg *m = about_numbers(XFRM_MSG_NEWAE, NLM_F_REPLACE, sa);

	request_put(m, XFRMA_LTIME_VAL, life, sizeof(*life));
	return request_ask(l, m, NULL, NULL);
}

uint64_t request_clock_s(void)
{
	return (uint64_t)time(NULL);
}

/* ---- those that do not come ----------------------------------------------------------------- */

static void take_spi(
	const struct xfrm_usersa_info *sa, const struct request_counts *counts, void *ctx)
{
	(void)counts;
	*(__be32 *)ctx = sa->id.spi;
}

/* What has no SPI cannot be deleted: it gets one. The kernel finds it by its number, or, when
 * PF_KEY has given it another one, by the rest; where it is gone, one is made and deleted. */
int request_larval_end(struct request_line *l, const struct request_larval *larval)
{
	struct xfrm_userspi_info ask_spi;
	struct xfrm_usersa_id id;
	struct sa_reader reader = {.each = take_spi, .ctx = &id.spi};

	memset(&id, 0, sizeof(id));
	id.daddr = larval->id.daddr;
	id.family = larval->family;
	id.proto = larval->id.proto;
	memset(&ask_spi, 0, sizeof(ask_spi));
	ask_spi.min = LARVAL_SPI_MIN;
	ask_spi.max = UINT32_MAX;
	ask_spi.info.id = larval->id;
	ask_spi.info.family = larval->family;
	ask_spi.info.saddr = larval->saddr;
	ask_spi.info.seq = larval->seq;
	ask_spi.info.reqid = larval->reqid;
	ask_spi.info.mode = larval->mode;
	struct nl_msg *m = request_message(
		XFRM_MSG_ALLOCSPI, NLM_F_REQUEST | NLM_F_ACK, &ask_spi, sizeof(ask_spi));
	request_put_if_id(m, larval->if_id);
	int err = request_ask(l, m, on_sa, &reader);
	if (err != 0)
		return err;
	return request_ask(l,
		request_message(
			XFRM_MSG_DELSA, NLM_F_REQUEST | NLM_F_ACK, &id, sizeof(id)),
		NULL, NULL);
}

/* ---- all of them ---------------------------------------------------------------------------- */

int request_sa_each(struct request_line *l, bool ah,
	void (*each)(const struct xfrm_usersa_info *sa,
		const struct request_counts *counts, void *ctx),
	void *ctx)
{
	struct xfrm_usersa_id id;
	struct sa_reader reader = {.each = each, .ctx = ctx};
	const uint8_t proto = ah ? IPPROTO_AH : IPPROTO_ESP;

	memset(&id, 0, sizeof(id));
	struct nl_msg *m = request_message(
		XFRM_MSG_GETSA, NLM_F_REQUEST | NLM_F_DUMP, &id, sizeof(id));

	request_put(m, XFRMA_PROTO, &proto, sizeof(proto));
	return request_ask(l, m, on_sa, &reader);
}
