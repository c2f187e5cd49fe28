/* tests/unit/test_xfrm_request.c - what is said to the kernel, attribute by attribute. */
#include "config.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "xfrm/request.h"
#include "xfrm/select.h"

enum { PACKET = 4 }; /* XFRM_OFFLOAD_PACKET */

static struct request_sa an_sa(struct secret *key)
{
	const uint8_t bytes[20] = {7};
	struct addr to = unit_addr("198.51.100.1");
	struct request_sa sa;

	memset(&sa, 0, sizeof(sa));
	assert_true(secret_set(key, span_of(bytes, sizeof(bytes))));
	sa.info.id.daddr = select_addr(&to);
	sa.info.id.spi = htonl(0x1001);
	sa.info.id.proto = 50;
	sa.info.family = AF_INET;
	sa.alg = AEAD_AES128_GCM16;
	sa.key = key;
	sa.esn = true;
	sa.replay_window = 64;
	return sa;
}

static struct nlattr *find(struct nl_msg *m, size_t head, int type)
{
	return nlmsg_find_attr(nlmsg_hdr(m), (int)head, type);
}

static struct nlattr *of_sa(struct nl_msg *m, int type)
{
	return find(m, sizeof(struct xfrm_usersa_info), type);
}

static void an_sa_says_no_more_than_it_must(void **state)
{
	struct secret key;
	struct request_sa sa = an_sa(&key);
	struct nl_msg *m = request_sa_message(&sa);
	const struct xfrm_usersa_info *info = nlmsg_data(nlmsg_hdr(m));

	(void)state;
	assert_int_equal(nlmsg_hdr(m)->nlmsg_type, XFRM_MSG_NEWSA);
	assert_int_equal(ntohl(info->id.spi), 0x1001);
	assert_true(info->flags & XFRM_STATE_ESN);
	assert_non_null(of_sa(m, XFRMA_ALG_AEAD));
	assert_non_null(of_sa(m, XFRMA_REPLAY_ESN_VAL));
	assert_null(of_sa(m, XFRMA_SET_MARK));
	assert_null(of_sa(m, XFRMA_IF_ID));
	assert_null(of_sa(m, XFRMA_OFFLOAD_DEV));
	assert_null(of_sa(m, XFRMA_ENCAP));
	nlmsg_free(m);
}

/* Of NULL with HMAC the kernel is told the HMAC alone, at its length: 256 bits of key, of whose
 * tag 128 are sent (RFC 4868 2.3, 2.6). */
static void an_sa_of_ah(void **state)
{
	const uint8_t bytes[32] = {9};
	struct secret key;
	struct request_sa sa = an_sa(&key);
	struct xfrm_algo_auth alg;

	(void)state;
	assert_true(secret_set(&key, span_of(bytes, sizeof(bytes))));
	sa.info.id.proto = IPPROTO_AH;
	sa.alg = AEAD_NULL_SHA256;
	struct nl_msg *m = request_sa_message(&sa);
	const struct xfrm_usersa_info *info = nlmsg_data(nlmsg_hdr(m));
	const struct nlattr *a = of_sa(m, XFRMA_ALG_AUTH_TRUNC);
	assert_int_equal(info->id.proto, IPPROTO_AH);
	assert_non_null(a);
	memcpy(&alg, nla_data(a), sizeof(alg));
	assert_string_equal(alg.alg_name, "hmac(sha256)");
	assert_int_equal(alg.alg_key_len, 256);
	assert_int_equal(alg.alg_trunc_len, 128);
	assert_null(of_sa(m, XFRMA_ALG_CRYPT));
	assert_null(of_sa(m, XFRMA_ALG_AEAD));
	nlmsg_free(m);
	/* ESP without encryption says that it has none. */
	sa.info.id.proto = IPPROTO_ESP;
	m = request_sa_message(&sa);
	assert_non_null(of_sa(m, XFRMA_ALG_CRYPT));
	assert_non_null(of_sa(m, XFRMA_ALG_AUTH_TRUNC));
	nlmsg_free(m);
}

static void tags_of_an_sa(void **state)
{
	struct secret key;
	struct request_sa sa = an_sa(&key);

	(void)state;
	sa.tags = (struct policy_tags){.mark = 0x10, .mask = 0xff, .if_id = 7};
	struct nl_msg *m = request_sa_message(&sa);
	assert_int_equal(nla_get_u32(of_sa(m, XFRMA_SET_MARK)), 0x10);
	assert_int_equal(nla_get_u32(of_sa(m, XFRMA_SET_MARK_MASK)), 0xff);
	assert_int_equal(nla_get_u32(of_sa(m, XFRMA_IF_ID)), 7);
	nlmsg_free(m);
	/* To mark with zero is not the same as to set no mark. */
	sa.tags = (struct policy_tags){.mark = 0, .mask = UINT32_MAX};
	m = request_sa_message(&sa);
	assert_int_equal(nla_get_u32(of_sa(m, XFRMA_SET_MARK)), 0);
	assert_null(of_sa(m, XFRMA_IF_ID));
	nlmsg_free(m);
}

static uint8_t offload_flags(enum policy_offload offload, bool inbound)
{
	struct secret key;
	struct request_sa sa = an_sa(&key);
	struct xfrm_user_offload o;

	sa.offload = offload;
	sa.inbound = inbound;
	struct nl_msg *m = request_sa_message(&sa);
	struct nlattr *a = of_sa(m, XFRMA_OFFLOAD_DEV);
	assert_non_null(a);
	assert_int_equal(nla_len(a), sizeof(o));
	memcpy(&o, nla_data(a), sizeof(o));
	assert_int_equal(o.ifindex, 0); /* the kernel's route knows it */
	nlmsg_free(m);
	return o.flags;
}

static void offload_of_an_sa(void **state)
{
	(void)state;
	assert_int_equal(offload_flags(OFFLOAD_CRYPTO, false), 0);
	assert_int_equal(offload_flags(OFFLOAD_CRYPTO, true), XFRM_OFFLOAD_INBOUND);
	assert_int_equal(offload_flags(OFFLOAD_PACKET, false), PACKET);
	assert_int_equal(
		offload_flags(OFFLOAD_PACKET, true), PACKET | XFRM_OFFLOAD_INBOUND);
}

/* What is written is read back as it was. */
static void a_policy_there_and_back(void **state)
{
	struct request_policy p, back;

	(void)state;
	memset(&p, 0, sizeof(p));
	p.sel.family = AF_INET;
	p.sel.user = SELECT_USER;
	p.dir = XFRM_POLICY_OUT;
	p.priority = 1089;
	p.if_id = 7;
	p.offload_ifindex = 5;
	p.has_tmpl = true;
	p.tmpl.reqid = 0x76000001;
	struct nl_msg *m = request_policy_message(&p);
	assert_true(request_policy_read(nlmsg_hdr(m), &back));
	assert_int_equal(back.if_id, 7);
	assert_int_equal(back.offload_ifindex, 5);
	assert_int_equal(back.priority, 1089);
	assert_int_equal(back.sel.user, SELECT_USER);
	assert_true(back.has_tmpl && back.tmpl.reqid == 0x76000001);
	nlmsg_free(m);
	p.if_id = p.offload_ifindex = 0;
	m = request_policy_message(&p);
	const size_t head = sizeof(struct xfrm_userpolicy_info);
	assert_null(find(m, head, XFRMA_IF_ID));
	assert_null(find(m, head, XFRMA_OFFLOAD_DEV));
	nlmsg_free(m);
}

/* ---- a way to the kernel that fails ------------------------------------------------------- */

static bool cannot_connect, loses_answer;

int __wrap_nl_connect(struct nl_sock *s, int protocol);
int __real_nl_connect(struct nl_sock *s, int protocol);
int __wrap_nl_recvmsgs(struct nl_sock *s, struct nl_cb *cb);
int __real_nl_recvmsgs(struct nl_sock *s, struct nl_cb *cb);

int __wrap_nl_connect(struct nl_sock *s, int protocol)
{
	errno = ENOMEM;
	return cannot_connect ? -NLE_NOMEM : __real_nl_connect(s, protocol);
}

/* It has come, and is not read. */
int __wrap_nl_recvmsgs(struct nl_sock *s, struct nl_cb *cb)
{
	if (!loses_answer)
		return __real_nl_recvmsgs(s, cb);
	loses_answer = false;
	return -NLE_NOMEM;
}

static int ask_for_one(struct request_line *line)
{
	const struct request_name name = {unit_addr("198.51.100.1"), 0x1001, false};
	struct request_counts counts;

	return request_sa_get(line, &name, &counts);
}

/* The kernel refuses that with another word. */
static int lose_answer(struct request_line *line)
{
	const struct request_name name = {unit_addr("198.51.100.1"), 0x1001, false};
	const struct request_replay nothing = {0};

	loses_answer = true;
	return request_sa_replay_set(line, &name, &nothing);
}

/* The answer to one request is not that to the next. What it is here depends on who asks:
 * there is no such SA, or no right to know. */
static void what_fails_once_does_not_fail_for_ever(void **state)
{
	struct request_line *line = request_open();

	(void)state;
	if (!line)
		skip(); /* no IPsec in this kernel */
	const int usual = ask_for_one(line);
	assert_true(usual == ESRCH || usual == EPERM);
	const uint32_t port = request_port(line);
	assert_int_equal(ask_for_one(line), usual);
	assert_int_equal(request_port(line), port); /* a refusal is an answer */
	assert_int_equal(lose_answer(line), EIO);
	assert_int_equal(ask_for_one(line), usual);
	cannot_connect = true;
	assert_int_equal(lose_answer(line), EIO);
	assert_int_equal(ask_for_one(line), ENOMEM);
	cannot_connect = false;
	assert_int_equal(ask_for_one(line), usual);
	assert_int_equal(ask_for_one(line), usual);
	request_close(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fails_once_does_not_fail_for_ever),
		cmocka_unit_test(an_sa_says_no_more_than_it_must),
		cmocka_unit_test(an_sa_of_ah),
		cmocka_unit_test(tags_of_an_sa),
		cmocka_unit_test(offload_of_an_sa),
		cmocka_unit_test(a_policy_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
