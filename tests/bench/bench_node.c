/* bench_node.c - what many peers cost: memory, and processor time for each event, for the
 * answer to `vipsec status`, for a reload, and for taking over.
 *
 *     bench_node [PEERS]
 *
 * One node with 100, 1,000 and 10,000 (PEERS) peers, each with an IKE SA and a child in a
 * real data path. What grows with the number of peers shows in the ratio to the first
 * line. Then a crash: a member that has heard of 1,000 peers over the bus calls all of
 * them.
 */
#include "bench/figures.h"
#include "bench/member.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/report.h"
#include "daemon/values.h"

enum { REPEATS = 9, EVENTS = 500, DEFAULT_PEERS = 10000, TAKEN_OVER = 1000 };

/* ---- events ---------------------------------------------------------------------- */

/* ns each, of EVENTS in a row; the clock is read around them all. */
static double repeat(struct world *w, struct node_event *ev)
{
	struct member *m = &w->member[0];
	double t = figures_now_ns();

	for (unsigned i = 0; i < EVENTS; i++) {
		ev->now_ms = w->now_ms;
		if (ev->kind == NODE_USAGE) {
			ev->u.usage.id = m->children[i * 7919u % m->n_children];
			ev->u.usage.packets_in++;
		}
		node_step(m->node, ev, &m->fx);
		effects_clear(&m->fx);
	}
	return (figures_now_ns() - t) / EVENTS;
}

/* A liveness request (RFC 7296 1.4) of one peer after another: opened, answered, sealed. */
static double probe(struct world *w)
{
	struct member *m = &w->member[0];
	double ns = m->step_ns;
	uint64_t steps = m->steps;

	for (unsigned i = 0; i < EVENTS; i++) {
		struct end *c = &w->clients;
		enum ike_err err =
			ike_probe(c->engine, w->now_ms, c->ikes[i * 7919u % c->n_ikes]);
		assert(err == IKE_OK);
		world_run(w, w->now_ms, NULL);
	}
	return (m->step_ns - ns) / (double)(m->steps - steps);
}

static double answer_status(struct world *w)
{
	struct daemon *d = calloc(1, sizeof(*d));
	double t = figures_now_ns();

	assert(d != NULL);
	d->node = w->member[0].node;
	json_t *peers = report_peers(d, NULL);
	char *text = json_dumps(peers, JSON_COMPACT);
	t = figures_now_ns() - t;
	assert(json_array_size(peers) == w->member[0].n_children);
	json_decref(peers);
	free(text);
	free(d);
	return t;
}

static double reload(struct world *w)
{
	struct node_event ev = {.kind = NODE_CONFIG};
	double t = figures_now_ns();

	ev.u.config = member_config(false);
	t = figures_now_ns() - t;
	t += member_step(&w->member[0], &ev);
	world_run(w, w->now_ms + 1, NULL);
	return t;
}

/* ---- a number of peers --------------------------------------------------------------- */

struct cost {
	double heap, path_heap; /* octets a peer; path: of which in the data path */
	double tick_ns, usage_ns, probe_ns, status_ns, reload_ns;
};

static double middle(struct world *w, double (*measure)(struct world *))
{
	double at[REPEATS];

	for (unsigned i = 0; i < REPEATS; i++)
		at[i] = measure(w);
	return figures_median(at, REPEATS);
}

static double tick(struct world *w)
{
	return repeat(w, &(struct node_event){.kind = NODE_TICK});
}

static double usage(struct world *w)
{
	return repeat(w, &(struct node_event){.kind = NODE_USAGE});
}

static void weigh(struct world *w, double before, unsigned n, struct cost *c)
{
	struct member *m = &w->member[0];

	end_wipe(&w->clients);
	mail_free(&m->out);
	double whole = figures_heap();
	for (size_t i = 0; i < m->n_children; i++) {
		enum esp_err err = esp_dp_delete(m->dp, m->children[i]);
		assert(err == ESP_OK);
	}
	c->path_heap = (whole - figures_heap()) / n;
	c->heap = (whole - before) / n;
	end_init(&w->clients, 200);
}

static struct cost cost_of(unsigned n)
{
	struct world *w = calloc(1, sizeof(*w));
	struct cost c = {0};

	assert(w != NULL);
	world_init(w);
	world_start(w, 0, false);
	world_give_vip(w, 0);
	world_run(w, w->now_ms + 1000, NULL);
	double before = figures_heap();
	world_connect(w, n);
	world_run(w, w->now_ms + 3000, NULL);
	assert(member_peers_up(&w->member[0]) == n && w->member[0].n_children == n);
	c.tick_ns = middle(w, tick);
	c.usage_ns = middle(w, usage);
	c.probe_ns = middle(w, probe);
	c.status_ns = middle(w, answer_status);
	c.reload_ns = middle(w, reload);
	weigh(w, before, n, &c);
	world_free(w);
	free(w);
	return c;
}

/* The AEAD contexts of one IKE SA and one child: nobody can do with less. */
static double bare_contexts(void)
{
	enum { N = 1000, EACH = 4 };
	static struct aead *a[N * EACH];
	static const uint8_t key[16 + AEAD_SALT_LEN] = {1};
	double before = figures_heap();

	for (unsigned i = 0; i < N * EACH; i++)
		a[i] = aead_new(AEAD_AES128_GCM16, span_of(key, sizeof(key)));
	double octets = (figures_heap() - before) / N;
	for (unsigned i = 0; i < N * EACH; i++)
		aead_free(a[i]);
	return octets;
}

static void print_cost(unsigned n, const struct cost *c, const struct cost *first)
{
	printf("%6u  %6.2f (%5.2f)  %6.2f x%-5.2f %6.2f x%-5.2f %6.2f x%-5.2f  %8.2f "
	       "x%-5.2f %8.2f x%-5.2f\n",
		n, c->heap / 1024, c->path_heap / 1024, c->tick_ns / 1e3,
		c->tick_ns / first->tick_ns, c->usage_ns / 1e3,
		c->usage_ns / first->usage_ns, c->probe_ns / 1e3,
		c->probe_ns / first->probe_ns, c->status_ns / 1e6,
		c->status_ns / first->status_ns, c->reload_ns / 1e6,
		c->reload_ns / first->reload_ns);
}

static void many_peers(unsigned most)
{
	const unsigned counts[] = {100, 1000, most};
	double bare = bare_contexts();
	struct cost c[3];

	printf("one node, medians of %d; x: times the first line\n", REPEATS);
	printf(" peers   KiB a peer      us a tick     us a usage   us a liveness   ms "
	       "for "
	       "status    ms for reload\n");
	for (size_t i = 0; i < 3; i++) {
		c[i] = cost_of(counts[i]);
		print_cost(counts[i], &c[i], &c[0]);
	}
	printf("a peer: IKE SA, child SA, and what the node knows of it (in brackets the "
	       "data path's part);\nits four AEAD contexts alone take %.2f KiB: ratio "
	       "%.2f\n",
		bare / 1024, c[2].heap / bare);
}

/* ---- a crash --------------------------------------------------------------------------- */

static bool all_back(struct world *w)
{
	return w->clients.up >= 2 * TAKEN_OVER;
}

static void take_over(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert(w != NULL);
	world_init(w);
	world_start(w, 0, true);
	world_start(w, 1, true);
	world_group(w);
	world_give_vip(w, 0);
	world_run(w, w->now_ms + 1000, NULL);
	world_connect(w, TAKEN_OVER);
	world_run(w, w->now_ms + 10000, NULL);
	assert(w->clients.up == TAKEN_OVER);
	world_end_member(w, 0);
	struct member *m = &w->member[1];
	double ns = m->step_ns;
	uint64_t steps = m->steps;
	world_group(w);
	world_give_vip(w, 1);
	world_run(w, w->now_ms + 60000, all_back);
	assert(all_back(w));
	printf("a crash, and the new owner has called %d peers: %.1f ms of processor "
	       "time in "
	       "%llu steps,\n%.1f us a peer (no network, no waiting: compare with "
	       "bench_ike)\n",
		TAKEN_OVER, (m->step_ns - ns) / 1e6,
		(unsigned long long)(m->steps - steps),
		(m->step_ns - ns) / 1e3 / TAKEN_OVER);
	world_free(w);
	free(w);
}

int main(int argc, char **argv)
{
	unsigned most = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : DEFAULT_PEERS;

	if (most == 0 || most > 20000) {
		fprintf(stderr, "usage: bench_node [PEERS]   1 to 20000\n");
		return 2;
	}
	many_peers(most);
	take_over();
	return 0;
}
