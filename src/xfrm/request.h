/* xfrm/request.h - what is asked of the kernel's IPsec, message by message.
 *
 * Built on libnl's core: libnl-xfrm lacks several of the messages, reads others wrongly,
 * and frees keys without wiping them. Each request is answered before the call returns.
 *
 * Floor 8. Results are 0 or an errno; why (if not NULL) gets the kernel's own words.
 */
#ifndef VIPSEC_XFRM_REQUEST_H
#define VIPSEC_XFRM_REQUEST_H

#include <linux/types.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "policy/policy.h"

struct nl_msg;
struct nlmsghdr;
struct request_line;

enum { REQUEST_WHY_MAX = 96 };

struct request_line *request_open(void); /* NULL: errno */
void request_close(struct request_line *l);
uint32_t request_port(const struct request_line *l); /* nl_pid of what we cause */
/* Of the last failure; that something to be deleted was not there is none. */
const char *request_why(const struct request_line *l);

/* ---- SAs ---------------------------------------------------------------------------- */

/* Numbers sent and received so far, and which of the last 4096 were (RFC 4303 3.4.3): as the
 * kernel has it, a struct xfrm_replay_state_esn with its bitmap. */
enum { REQUEST_WINDOW_MAX = 4096 };
struct request_replay {
	size_t len; /* 0: not known */
	uint8_t bytes[sizeof(struct xfrm_replay_state_esn) + REQUEST_WINDOW_MAX / 8];
};

/* When the kernel is to tell of an SA's numbers: after so many packets. 0: not for that. (It would
 * by time, too, but only from the first telling on.) */
struct request_watch {
	uint32_t packets;
};

struct request_sa {
	/* id.proto: ESP or AH; replay_window 0: the one below counts */
	struct xfrm_usersa_info info;
	enum aead_alg alg; /* AH: NULL with HMAC, of which the kernel is told the HMAC */
	const struct secret *key; /* keying material as KEYMAT has it: key, then salt */
	bool encap; /* RFC 3948 */
	uint16_t encap_sport, encap_dport;
	bool esn;
	uint32_t replay_window; /* packets, up to 4096; 0: no check */
	uint64_t seq_out; /* last number sent; 0: none yet */
	const struct request_replay *replay; /* goes on with it; NULL: begins */
	struct policy_tags tags;
	bool inbound;
	enum policy_offload offload; /* to the device that the route leads to; not AUTO */
	struct request_watch watch;
};

struct request_counts {
	uint64_t bytes, packets;
	uint32_t replayed, forged;
	uint64_t seq_out, seq_in; /* highest so far */
	enum policy_offload offload; /* what a device does: NO, CRYPTO or PACKET */
	uint32_t ifindex; /* which; 0: none */
};

/* By what the kernel knows an SA. */
struct request_name {
	struct addr daddr;
	uint32_t spi;
	bool ah; /* else ESP */
};

int request_sa_add(struct request_line *l, const struct request_sa *sa);
/* The message that it sends: keys are in it. Free with nlmsg_free(). */
struct nl_msg *request_sa_message(const struct request_sa *sa);
int request_sa_delete(struct request_line *l, const struct request_name *sa);
/* ESRCH: it is not there. */
int request_sa_get(struct request_line *l, const struct request_name *sa,
	struct request_counts *out);
int request_sa_replay(struct request_line *l, const struct request_name *sa,
	struct request_replay *out);
/* The window's size must be that of the SA. */
int request_sa_replay_set(struct request_line *l, const struct request_name *sa,
	const struct request_replay *replay);
int request_sa_watch(struct request_line *l, const struct request_name *sa,
	const struct request_watch *w);
/* What it has counted, and when it was made and used first, by the wall clock. */
int request_sa_life(struct request_line *l, const struct request_name *sa,
	struct xfrm_lifetime_cur *out);
/* Gives it another life: what it counts after the life was read is lost. */
int request_sa_life_set(struct request_line *l, const struct request_name *sa,
	const struct xfrm_lifetime_cur *life);
uint64_t request_clock_s(void); /* what the kernel would write into one made now */
/* An SA that the kernel has asked for, and waits for; it has no SPI yet. */
struct request_larval {
	struct xfrm_id id;
	xfrm_address_t saddr;
	uint16_t family; /* of both */
	uint32_t seq, reqid, if_id;
	uint8_t mode;
};

/* It waits no longer. */
int request_larval_end(struct request_line *l, const struct request_larval *larval);
/* Every SA of ESP, or of AH, whoever made it. */
int request_sa_each(struct request_line *l, bool ah,
	void (*each)(const struct xfrm_usersa_info *sa,
		const struct request_counts *counts, void *ctx),
	void *ctx);

/* ---- policies -------------------------------------------------------------------------- */

struct request_policy {
	struct xfrm_selector sel;
	uint8_t dir; /* XFRM_POLICY_OUT, ... */
	uint8_t action; /* XFRM_POLICY_ALLOW, XFRM_POLICY_BLOCK */
	uint32_t priority;
	uint32_t if_id; /* 0: none */
	uint32_t
		offload_ifindex; /* the device that has its SAs, with OFFLOAD_PACKET; 0: none */
	bool has_tmpl;
	struct xfrm_user_tmpl tmpl;
};

/* Makes, or replaces the one with this selector and direction. */
int request_policy_set(struct request_line *l, const struct request_policy *p);
struct nl_msg *request_policy_message(const struct request_policy *p);
int request_policy_delete(struct request_line *l, const struct xfrm_selector *sel,
	uint8_t dir, uint32_t if_id);
int request_policy_each(struct request_line *l,
	void (*each)(const struct request_policy *p, void *ctx), void *ctx);

/* A policy as a message of the kernel has it. False: it is none. */
bool request_policy_read(struct nlmsghdr *h, struct request_policy *out);

#endif
