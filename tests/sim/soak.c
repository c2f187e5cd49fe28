/* tests/sim/soak.c - a month of ordinary days: nothing fails but IKE messages now and then,
 * SAs are renewed, each hour by both sides at once, and there is traffic all the time.
 *
 * No small question may go unanswered (rule 10), SAs must pair up again and again (11), and
 * of the heap no more may be in use at the end than on the second day. What the simulator
 * itself remembers has its size from the beginning.
 */
#include "sim/soak.h"

#include "base/mem.h"
#include "sim/run.h"

#include <malloc.h>
#include <stdio.h>

enum { HOUR_MS = 3600000, DAY_H = 24 };
/* ESP keys live an hour, those of IKE four, and either twice that with bad luck. Some
 * ninety packets a second. */
enum { ESP_TURN_H = 3, IKE_TURN_H = 12, ESP_ROOM = 1000000, IKE_ROOM = 50000 };
enum { QUESTIONS_KEPT = 4096, HEAP_TOLERANCE = 64 * 1024 };

struct soak {
	struct sim *sim;
	uint64_t day;
	size_t heap_most; /* today */
	size_t heap_second_day;
	uint64_t asked, judged; /* before today */
};

static size_t heap_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static size_t kept(const struct sim *s)
{
	size_t n = 0;

	for (unsigned i = 0; i < s->n_machines; i++)
		n += node_count_kept(s->machines[i].node);
	return n;
}

static void count_rekeys(struct sim *s)
{
	s->counts.rekeyed_children = s->counts.rekeyed_ikes = 0;
	s->counts.crossed_children = s->counts.crossed_ikes = 0;
	s->counts.crossed_further = s->counts.said_busy = s->counts.said_not_found = 0;
	for (unsigned i = 0; i < s->n_machines; i++)
		rekeys_count(s, &s->machines[i]);
}

static void print_day(struct soak *k)
{
	const struct counts *c = &k->sim->counts;

	count_rekeys(k->sim);
	printf("day %2llu: %llu asked, %llu judged, %llu lost; rekeyed so far: "
	       "%llu children, %llu IKE SAs, %llu of them crossed; heap %zu KiB at most, "
	       "%zu things kept\n",
		(unsigned long long)k->day, (unsigned long long)(c->app_sent - k->asked),
		(unsigned long long)(c->judged - k->judged),
		(unsigned long long)c->lost_at_expiry,
		(unsigned long long)c->rekeyed_children,
		(unsigned long long)c->rekeyed_ikes,
		(unsigned long long)(c->crossed_children + c->crossed_ikes),
		k->heap_most / 1024, kept(k->sim));
	fflush(stdout);
	k->asked = c->app_sent;
	k->judged = c->judged;
}

/* Both sides are told to at the same moment, so that their requests cross. */
static void order_rekeys(struct sim *s, unsigned hour)
{
	const char *what = hour % 6 == 0 ? "ike" : "child";
	struct machine *home = pm_home(s, 0);

	if (home)
		machine_command(s, home, NODE_REKEY, pm_vip_name(0), what, "");
	for (unsigned i = 0; i < s->sc.n_peers; i++)
		machine_command(s, sim_peer(s, i), NODE_REKEY, "host", what, "");
}

static void live_a_day(struct soak *k)
{
	struct sim *s = k->sim;

	k->day++;
	k->heap_most = 0;
	for (unsigned h = 0; h < DAY_H && !s->world.failed; h++) {
		world_run(s, world_later(&s->world, HOUR_MS));
		order_rekeys(s, h);
		size_t now = heap_in_use();
		if (now > k->heap_most)
			k->heap_most = now;
	}
	print_day(k);
	if (k->day == 2)
		k->heap_second_day = k->heap_most;
	if (k->day > 2 && k->heap_most > k->heap_second_day + HEAP_TOLERANCE)
		violation(s, "8: %zu octets of heap on day %llu, %zu on the second",
			k->heap_most, (unsigned long long)k->day, k->heap_second_day);
	if (s->counts.lost_at_expiry > 0)
		violation(s, "10: something was lost at the end of an SA");
}

static struct sim *begin(uint64_t seed)
{
	struct sim *s = mem_new(1, sizeof(*s));

	world_init(s, seed, false);
	scenario_soak(&s->sc);
	traffic_forget(s, QUESTIONS_KEPT);
	hashes_forget(&s->check.ivs, (uint64_t)ESP_TURN_H * HOUR_MS, ESP_ROOM);
	hashes_forget(&s->check.numbers, (uint64_t)ESP_TURN_H * HOUR_MS, ESP_ROOM);
	hashes_forget(&s->check.messages, (uint64_t)IKE_TURN_H * HOUR_MS, IKE_ROOM);
	run_build(s);
	world_run(s, world_later(&s->world, RUN_START_MS));
	check_begin_quiet(s);
	run_until(s, run_all_back, check_longest_ms(s));
	rekeys_begin(s);
	return s;
}

int soak_run(uint64_t days, uint64_t seed)
{
	struct soak k = {.sim = begin(seed)};
	struct sim *s = k.sim;

	while (k.day < days && !s->world.failed)
		live_a_day(&k);
	if (!s->world.failed)
		check_end(s);
	bool failed = s->world.failed;
	if (failed)
		printf("FAILED on day %llu, after %llu s: %s\n",
			(unsigned long long)k.day,
			(unsigned long long)(s->world.failed_ms / 1000), s->world.why);
	printf("seed %llu hash %016llx\n", (unsigned long long)seed,
		(unsigned long long)s->world.hash);
	printf("%d passed, %d failed, 0 skipped\n", !failed, failed);
	run_end(s);
	return failed;
}
