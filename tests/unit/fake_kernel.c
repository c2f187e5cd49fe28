/* tests/unit/fake_kernel.c - tables, and the answers that Linux gives. */
#include "fake_kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xfrm/lock.h"
#include "xfrm/select.h"

struct fake_kernel fake;

struct request_line {
	char why[REQUEST_WHY_MAX];
};

static struct request_line the_line;
static int events_fd;
static struct kernel_event waiting;
static int early_fd = -1;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.now_s = 1000;
	fake.sa_room = fake.policy_room = FAKE_MAX;
}

static int say(struct request_line *l, int err)
{
	snprintf(l->why, sizeof(l->why), "%s",
		err == 0     ? ""
		: fake.words ? fake.words
			     : strerror(err));
	return err;
}

/* ---- the line ------------------------------------------------------------------------ */

struct request_line *request_open(void)
{
	errno = fake.open_error;
	return fake.open_error ? NULL : &the_line;
}

void request_close(struct request_line *l)
{
	(void)l;
}

uint32_t request_port(const struct request_line *l)
{
	(void)l;
	return 1;
}

const char *request_why(const struct request_line *l)
{
	return l->why;
}

int lock_take(void)
{
	errno = fake.lock_error;
	return fake.lock_error ? -1 : dup(STDERR_FILENO);
}

void lock_leave(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* ---- what it holds ----------------------------------------------------------------------- */

struct holding {
	char nothing;
};

static struct holding the_holding;

struct holding *holding_open(char *why, size_t cap)
{
	early_fd = fake.cannot_hold ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (early_fd < 0)
		snprintf(why, cap, "no such tables");
	return early_fd < 0 ? NULL : &the_holding;
}

void holding_close(struct holding *h)
{
	if (h)
		close(early_fd);
}

int holding_fd(const struct holding *h)
{
	(void)h;
	return early_fd;
}

bool holding_add(struct holding *h, uint32_t spi, uint64_t ms)
{
	(void)h, (void)ms;
	fake.held_spi = spi;
	return true;
}

void holding_remove(struct holding *h, uint32_t spi)
{
	(void)h;
	if (fake.held_spi == spi)
		fake.held_spi = 0;
}

bool holding_next(struct holding *h, struct holding_packet *out)
{
	(void)h;
	if (fake.n_early == 0)
		return false;
	*out = fake.early[0];
	memmove(&fake.early[0], &fake.early[1], --fake.n_early * sizeof(fake.early[0]));
	return true;
}

void holding_release(struct holding *h, uint32_t number)
{
	(void)h;
	if (fake.n_let_go < FAKE_HELD_MAX)
		fake.let_go[fake.n_let_go++] = number;
}

/* ---- routing ----------------------------------------------------------------------------- */

struct steering {
	int fd;
};

static struct steering the_steering;

struct steering *steering_open(
	struct device *device, uint32_t mark, char *why, size_t why_cap)
{
	(void)device, (void)mark;
	if (fake.cannot_steer)
		snprintf(why, why_cap, "no such rules");
	else
		the_steering.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fake.steering_open = !fake.cannot_steer;
	return fake.cannot_steer ? NULL : &the_steering;
}

void steering_close(struct steering *s, bool keep)
{
	(void)keep;
	fake.steering_open = false;
	close(s->fd);
}

void steering_clear(void)
{
	fake.steering_was_cleared = true;
}

bool steering_set(struct steering *s, uint16_t scope, const struct spd *spd,
	const struct addr *addrs, size_t n_addrs, char *why, size_t why_cap)
{
	(void)s, (void)addrs;
	if (spd && fake.steer_fails) {
		snprintf(why, why_cap, "cannot steer: no room");
		return false;
	}
	fake.steered[scope] = (struct fake_steered){.set = spd, .n_addrs = n_addrs};
	return true;
}

void steering_refill(struct steering *s, uint16_t scope)
{
	(void)s;
	fake.steered[scope].refills++;
}

void steering_refresh(struct steering *s)
{
	(void)s;
	fake.refreshes++;
}

int steering_fd(const struct steering *s)
{
	return s->fd;
}

void fake_lose_steering(void)
{
	const uint64_t one = 1;

	fake.steering_lost = true;
	if (write(the_steering.fd, &one, sizeof(one)) < 0)
		abort();
}

bool steering_touched(struct steering *s)
{
	uint64_t n;

	return read(s->fd, &n, sizeof(n)) > 0;
}

void steering_mend(struct steering *s, struct steering_found *found)
{
	(void)s;
	*found = (struct steering_found){
		.scope = STEERING_NO_SCOPE, .rules = fake.steering_lost};
	fake.steering_lost = false;
}

/* ---- early packets --------------------------------------------------------------------------- */

void fake_early(const struct holding_packet *p)
{
	const uint64_t one = 1;

	if (fake.n_early == FAKE_HELD_MAX || write(early_fd, &one, sizeof(one)) < 0)
		return;
	fake.early[fake.n_early++] = *p;
}

/* ---- its words ---------------------------------------------------------------------------- */

int events_open(void)
{
	events_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return events_fd;
}

void events_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void events_hear_numbers(int fd, bool on)
{
	(void)fd;
	fake.tells_numbers = on;
}

void events_read(int fd, uint32_t own,
	void (*each)(const struct kernel_event *ev, void *ctx), void *ctx)
{
	uint64_t times;

	(void)own;
	if (read(fd, &times, sizeof(times)) == sizeof(times))
		each(&waiting, ctx);
}

void fake_say(const struct kernel_event *ev)
{
	const uint64_t one = 1;

	waiting = *ev;
	if (write(events_fd, &one, sizeof(one)) < 0)
		return;
}

void fake_event(enum event_kind kind)
{
	fake_say(&(struct kernel_event){.kind = kind});
}

bool events_hold_first_packets(void)
{
	return true;
}

/* ---- SAs ------------------------------------------------------------------------------- */

struct fake_sa *fake_find_sa(const struct addr *daddr, uint32_t spi)
{
	const xfrm_address_t at = select_addr(daddr);

	for (size_t i = 0; i < fake.n_sas; i++) {
		const struct xfrm_usersa_info *info = &fake.sas[i].sa.info;
		if (info->id.spi == htonl(spi) && info->family == select_family(daddr) &&
			memcmp(&info->id.daddr, &at, sizeof(at)) == 0)
			return &fake.sas[i];
	}
	return NULL;
}

void fake_add_sa(const struct addr *daddr, uint32_t spi, uint32_t reqid, uint32_t user)
{
	struct xfrm_usersa_info *info = &fake.sas[fake.n_sas].sa.info;

	memset(&fake.sas[fake.n_sas++], 0, sizeof(fake.sas[0]));
	info->id.daddr = select_addr(daddr);
	info->id.spi = htonl(spi);
	info->id.proto = IPPROTO_ESP;
	info->family = select_family(daddr);
	info->reqid = reqid;
	info->sel.user = user;
}

static struct xfrm_replay_state_esn *head_of(struct request_replay *r)
{
	return (struct xfrm_replay_state_esn *)(void *)r->bytes;
}

static void begin_replay(struct fake_sa *sa)
{
	const uint32_t words = (sa->sa.replay_window + 31) / 32;
	const struct xfrm_replay_state_esn head = {
		.replay_window = sa->sa.replay_window, .bmp_len = words};

	sa->replay.len = sizeof(head) + words * sizeof(uint32_t);
	memcpy(sa->replay.bytes, &head, sizeof(head));
	sa->counts.seq_out = sa->sa.seq_out;
}

static bool is_ah(const struct fake_sa *sa)
{
	return sa->sa.info.id.proto == IPPROTO_AH;
}

static struct fake_sa *find(const struct request_name *name)
{
	struct fake_sa *sa = fake_find_sa(&name->daddr, name->spi);

	return sa && is_ah(sa) == name->ah ? sa : NULL;
}

int request_sa_add(struct request_line *l, const struct request_sa *sa)
{
	struct addr daddr = select_addr_read(&sa->info.id.daddr, sa->info.family);

	if (fake.sa_error != 0 &&
		(fake.sa_error_family == 0 || fake.sa_error_family == sa->info.family))
		return say(l, fake.sa_error);
	if (fake.offload_error != 0 && sa->offload != OFFLOAD_NO)
		return say(l, fake.offload_error);
	if (fake_find_sa(&daddr, ntohl(sa->info.id.spi)))
		return say(l, EEXIST);
	if (fake.n_sas == fake.sa_room)
		return say(l, ENOMEM);
	fake.requests++;
	struct fake_sa *new = &fake.sas[fake.n_sas++];
	*new = (struct fake_sa){.sa = *sa, .added_s = fake.now_s};
	begin_replay(new);
	if (sa->replay && sa->replay->len == new->replay.len)
		new->replay = *sa->replay;
	new->sa.key = NULL;
	new->sa.replay = NULL;
	if (sa->offload <= fake.device) {
		new->counts.offload = sa->offload;
		new->counts.ifindex = 5;
	}
	return say(l, 0);
}

int request_sa_delete(struct request_line *l, const struct request_name *name)
{
	struct fake_sa *sa = find(name);

	if (fake.delete_error != 0)
		return say(l, fake.delete_error);
	if (!sa)
		return say(l, ESRCH);
	memmove(sa, sa + 1, (size_t)(&fake.sas[fake.n_sas] - (sa + 1)) * sizeof(*sa));
	fake.n_sas--;
	fake.last_sa_gone = ++fake.requests;
	if (fake.on_delete)
		fake.on_delete();
	return say(l, 0);
}

int request_sa_get(struct request_line *l, const struct request_name *name,
	struct request_counts *out)
{
	const struct fake_sa *sa = find(name);

	if (!sa)
		return say(l, ESRCH);
	*out = sa->counts;
	return say(l, 0);
}

int request_sa_replay(struct request_line *l, const struct request_name *name,
	struct request_replay *out)
{
	struct fake_sa *sa = find(name);

	memset(out, 0, sizeof(*out));
	if (!sa || fake.replay_error != 0)
		return say(l, sa ? fake.replay_error : ESRCH);
	*out = sa->replay;
	if (out->len > 0) {
		head_of(out)->oseq = (uint32_t)sa->counts.seq_out;
		head_of(out)->oseq_hi = (uint32_t)(sa->counts.seq_out >> 32);
	}
	return say(l, 0);
}

int request_sa_replay_set(struct request_line *l, const struct request_name *name,
	const struct request_replay *replay)
{
	struct fake_sa *sa = find(name);

	if (!sa)
		return say(l, ESRCH);
	if (replay->len != sa->replay.len)
		return say(l, EINVAL);
	sa->replay = *replay;
	fake.requests++;
	return say(l, 0);
}

int request_sa_watch(struct request_line *l, const struct request_name *name,
	const struct request_watch *w)
{
	struct fake_sa *sa = find(name);

	if (!sa)
		return say(l, ESRCH);
	sa->sa.watch = *w;
	fake.requests++;
	return say(l, 0);
}

int request_sa_life(struct request_line *l, const struct request_name *name,
	struct xfrm_lifetime_cur *out)
{
	const struct fake_sa *sa = find(name);

	if (!sa)
		return say(l, ESRCH);
	*out = (struct xfrm_lifetime_cur){.bytes = sa->counts.bytes,
		.packets = sa->counts.packets,
		.add_time = sa->added_s};
	return say(l, 0);
}

int request_sa_life_set(struct request_line *l, const struct request_name *name,
	const struct xfrm_lifetime_cur *life)
{
	struct fake_sa *sa = find(name);

	if (!sa || fake.life_error != 0)
		return say(l, sa ? fake.life_error : ESRCH);
	sa->counts.bytes = life->bytes;
	sa->counts.packets = life->packets;
	sa->added_s = life->add_time;
	fake.requests++;
	return say(l, 0);
}

int request_larval_end(struct request_line *l, const struct request_larval *larval)
{
	if (fake.n_ended < FAKE_ENDED_MAX)
		fake.ended[fake.n_ended++] = larval->seq;
	return say(l, 0);
}

uint64_t request_clock_s(void)
{
	return fake.now_s;
}

int request_sa_each(struct request_line *l, bool ah,
	void (*each)(const struct xfrm_usersa_info *sa,
		const struct request_counts *counts, void *ctx),
	void *ctx)
{
	fake.dumps++;
	(void)poll(NULL, 0, (int)fake.dump_ms);
	for (size_t i = 0; i < fake.n_sas; i++)
		if (is_ah(&fake.sas[i]) == ah)
			each(&fake.sas[i].sa.info, &fake.sas[i].counts, ctx);
	return say(l, 0);
}

/* ---- policies ---------------------------------------------------------------------------- */

/* As the kernel compares: the whole selector, octet by octet. */
static struct request_policy *find_policy(
	const struct xfrm_selector *sel, uint8_t dir, uint32_t if_id)
{
	for (size_t i = 0; i < fake.n_policies; i++)
		if (fake.policies[i].dir == dir && fake.policies[i].if_id == if_id &&
			memcmp(&fake.policies[i].sel, sel, sizeof(*sel)) == 0)
			return &fake.policies[i];
	return NULL;
}

void fake_add_policy(const struct request_policy *p)
{
	fake.policies[fake.n_policies++] = *p;
}

static void remove_policy(struct request_policy *p)
{
	memmove(p, p + 1,
		(size_t)(&fake.policies[fake.n_policies] - (p + 1)) * sizeof(*p));
	fake.n_policies--;
}

void fake_remove_policy(const struct request_policy *p)
{
	struct request_policy *there = find_policy(&p->sel, p->dir, p->if_id);

	if (there)
		remove_policy(there);
}

static bool addr_in(const xfrm_address_t *net, unsigned bits, const struct addr *a)
{
	uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits), have;

	memcpy(&have, a->b, sizeof(have));
	return ((ntohl(have) ^ ntohl(net->a4)) & mask) == 0;
}

const struct request_policy *fake_policy_for(
	const struct addr *src, const struct addr *dst, uint8_t dir)
{
	const struct request_policy *best = NULL;

	for (size_t i = 0; i < fake.n_policies; i++) {
		const struct request_policy *p = &fake.policies[i];
		if (p->dir == dir && p->sel.family == AF_INET && p->sel.proto == 0 &&
			addr_in(&p->sel.saddr, p->sel.prefixlen_s, src) &&
			addr_in(&p->sel.daddr, p->sel.prefixlen_d, dst) &&
			(!best || p->priority < best->priority))
			best = p;
	}
	return best;
}

int request_policy_set(struct request_line *l, const struct request_policy *p)
{
	struct request_policy *old = find_policy(&p->sel, p->dir, p->if_id);

	if (!old && fake.n_policies == fake.policy_room)
		return say(l, ENOMEM);
	if (old)
		remove_policy(old);
	fake.requests++;
	fake_add_policy(p);
	return say(l, 0);
}

int request_policy_delete(struct request_line *l, const struct xfrm_selector *sel,
	uint8_t dir, uint32_t if_id)
{
	struct request_policy *p = find_policy(sel, dir, if_id);

	if (fake.delete_error != 0)
		return say(l, fake.delete_error);
	if (!p)
		return say(l, ENOENT);
	remove_policy(p);
	fake.last_policy_gone = ++fake.requests;
	return say(l, 0);
}

int request_policy_each(struct request_line *l,
	void (*each)(const struct request_policy *p, void *ctx), void *ctx)
{
	for (size_t i = 0; i < fake.n_policies; i++)
		each(&fake.policies[i], ctx);
	return say(l, 0);
}
