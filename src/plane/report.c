/* plane/report.c - a single-producer, single-consumer ring and an eventfd. */
#include "config.h"

#include "plane/report.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

enum { RING = 1024, LIGHT_MAX = 700, ANSWER_MAX = 950 };

struct report_ring {
	int fd;
	/* Both only grow; the place is the number modulo RING. */
	_Atomic uint32_t written, read;
	struct plane_report at[RING];
};

struct report_ring *report_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return NULL;
	struct report_ring *r = mem_new(1, sizeof(*r));
	r->fd = fd;
	return r;
}

void report_free(struct report_ring *r)
{
	struct plane_report left;

	while (report_pop(r, &left))
		free(report_lends(&left));
	close(r->fd);
	free(r);
}

void *report_lends(const struct plane_report *rep)
{
	if (rep->kind == PLANE_IKE)
		return rep->u.ike.bytes;
	return rep->kind == PLANE_REPLAY ? rep->u.replay.state : NULL;
}

bool report_push(
	struct report_ring *r, const struct plane_report *rep, enum report_weight w)
{
	static const uint32_t limits[] = {
		[REPORT_LIGHT] = LIGHT_MAX,
		[REPORT_ANSWER] = ANSWER_MAX,
		[REPORT_VITAL] = RING,
	};
	uint32_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
	uint32_t read = atomic_load_explicit(&r->read, memory_order_acquire);

	if (written - read >= limits[w])
		return false;
	r->at[written % RING] = *rep;
	atomic_store_explicit(&r->written, written + 1, memory_order_release);
	return true;
}

void report_wake(struct report_ring *r)
{
	uint64_t one = 1;
	ssize_t n = write(r->fd, &one, sizeof(one));

	(void)n; /* a full counter is raised already */
}

int report_fd(const struct report_ring *r)
{
	return r->fd;
}

bool report_pop(struct report_ring *r, struct plane_report *out)
{
	uint32_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
	uint32_t written = atomic_load_explicit(&r->written, memory_order_acquire);

	if (read == written)
		return false;
	*out = r->at[read % RING];
	atomic_store_explicit(&r->read, read + 1, memory_order_release);
	return true;
}

void report_unwake(struct report_ring *r)
{
	uint64_t raised;
	ssize_t n = read(r->fd, &raised, sizeof(raised));

	(void)n;
}

bool report_next(struct report_ring *r, struct plane_report *out)
{
	if (report_pop(r, out))
		return true;
	/* Lower the flag first: what is pushed behind it raises it again. */
	report_unwake(r);
	if (!report_pop(r, out))
		return false;
	/* More may have come with it, and the reader may pause here. */
	report_wake(r);
	return true;
}
