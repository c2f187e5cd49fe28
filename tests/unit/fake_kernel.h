/* tests/unit/fake_kernel.h - a kernel's IPsec in memory, behind xfrm/request.h and
 * xfrm/events.h, and its routing behind routing/steering.h: what the kernel plane does is
 * looked at without root and without ESP.
 *
 * A test that links this has no request*.c, no events.c, no holding.c and no steering.c.
 */
#ifndef VIPSEC_TESTS_FAKE_KERNEL_H
#define VIPSEC_TESTS_FAKE_KERNEL_H

#include "routing/steering.h"
#include "xfrm/events.h"
#include "xfrm/holding.h"
#include "xfrm/request.h"

enum { FAKE_MAX = 4096 };

struct fake_sa {
	struct request_sa sa; /* key, replay: NULL */
	struct request_counts counts;
	uint64_t added_s;
	struct request_replay replay; /* its oseq is that of counts when asked for */
};

enum { FAKE_HELD_MAX = 256, FAKE_ENDED_MAX = 64 };

/* What is steered for a scope. */
struct fake_steered {
	bool set;
	size_t n_addrs;
	unsigned refills;
};

struct fake_kernel {
	/* What it holds before it is an SA's: packets not read yet, numbers let go, in order. */
	bool cannot_hold;
	struct holding_packet early[FAKE_HELD_MAX];
	uint32_t let_go[FAKE_HELD_MAX];
	size_t n_early, n_let_go;
	uint32_t held_spi; /* added last; 0: removed again */
	bool cannot_steer, steer_fails; /* not at all; this time */
	bool steering_open, steering_was_cleared;
	struct fake_steered steered[SCOPE_MAX];
	unsigned refreshes;
	bool steering_lost; /* rules are away: told, and mended */
	struct fake_sa sas[FAKE_MAX];
	struct request_policy policies[FAKE_MAX]; /* oldest first */
	size_t n_sas, n_policies;
	size_t sa_room, policy_room; /* ENOMEM beyond */
	int open_error; /* of request_open() */
	int lock_error; /* of lock_take() */
	int sa_error, delete_error; /* of each request; 0: none */
	int life_error; /* of request_sa_life_set() */
	int replay_error; /* of request_sa_replay() */
	uint16_t sa_error_family; /* sa_error only for these; 0: for all */
	int offload_error; /* of an SA that is to be offloaded */
	enum policy_offload device; /* what it can do at most */
	const char *words; /* of the kernel, to an error; NULL: none */
	bool tells_numbers; /* somebody listens (events_hear_numbers) */
	uint32_t ended[FAKE_ENDED_MAX]; /* larval SAs, in order */
	size_t n_ended;
	uint64_t now_s; /* the wall clock */
	unsigned dumps, dump_ms; /* of SAs: how many, how long each takes */
	unsigned requests; /* that changed something */
	unsigned last_sa_gone, last_policy_gone; /* their numbers among them */
	void (*on_delete)(void); /* while an SA is being deleted */
};

extern struct fake_kernel fake;

void fake_reset(void);
struct fake_sa *fake_find_sa(const struct addr *daddr, uint32_t spi);
/* The first that the kernel would ask for a packet between two IPv4 addresses. */
const struct request_policy *fake_policy_for(
	const struct addr *src, const struct addr *dst, uint8_t dir);
/* The kernel says so next. */
void fake_event(enum event_kind kind);
void fake_say(const struct kernel_event *ev);
/* A packet comes that the kernel holds. */
void fake_early(const struct holding_packet *p);
/* Somebody takes routing rules away. */
void fake_lose_steering(void);
/* Adds what somebody else has made. */
void fake_add_sa(const struct addr *daddr, uint32_t spi, uint32_t reqid, uint32_t user);
void fake_add_policy(const struct request_policy *p);
void fake_remove_policy(const struct request_policy *p);

#endif
