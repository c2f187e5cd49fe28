/* tests/unit/ike_crowd.c - see ike_crowd.h. */
#include "ike_crowd.h"

#include <stdlib.h>

#include "base/mem.h"

/* ---- letters */

static void put(
	struct crowd *c, bool to_b, const struct ike_path *sent, struct span bytes)
{
	if (c->first + c->n == c->cap) {
		size_t cap = 64 + 2 * c->n;
		struct crowd_letter *more = mem_new(cap, sizeof(*more));

		if (c->n > 0)
			memcpy(more, c->queue + c->first, c->n * sizeof(*more));
		free(c->queue);
		c->queue = more;
		c->cap = cap;
		c->first = 0;
	}
	struct crowd_letter *l = &c->queue[c->first + c->n++];
	*l = (struct crowd_letter){.to_b = to_b, .path = *sent, .len = bytes.len};
	l->path.local = sent->remote;
	l->path.remote = sent->local;
	l->bytes = mem_new(1, bytes.len);
	memcpy(l->bytes, bytes.at, bytes.len);
}

static void on_elsewhere(struct lab *lab, const struct ike_path *path, struct span bytes)
{
	struct crowd *c = lab->elsewhere_ctx;

	c->answers++;
	put(c, false, path, bytes);
}

void crowd_go(struct crowd *c)
{
	while (c->n > 0) {
		struct crowd_letter l = c->queue[c->first++];

		c->n--;
		if (!c->arrives || c->arrives(c, &l))
			ike_receive(l.to_b ? c->lab->side[B].engine : c->engine,
				c->lab->now_ms, &l.path, span_of(l.bytes, l.len));
		free(l.bytes);
	}
	c->first = 0;
}

void crowd_throw(struct crowd *c, const struct addr *from, struct span bytes)
{
	struct ike_path path = c->lab->side[B].conn.path;

	path.remote = (struct endpoint){*from, IKE_PORT};
	ike_receive(c->lab->side[B].engine, c->lab->now_ms, &path, bytes);
}

/* ---- their host */

static void on_send(void *ctx, const struct ike_path *path, struct span bytes)
{
	put(ctx, true, path, bytes);
}

static uint32_t on_new_spi(void *ctx, bool asked)
{
	const struct crowd *c = ctx;

	(void)asked;
	return 0x500000 + c->engine->last_child;
}

static void on_child_up(void *ctx, const struct ike_child *child)
{
	struct crowd *c = ctx;

	(void)child;
	c->up++;
}

static void on_child_down(void *ctx, uint32_t ike, uint32_t child, enum ike_close why)
{
	(void)ctx;
	(void)ike;
	(void)child;
	(void)why;
}

static void on_info(void *ctx, const struct ike_info *sa)
{
	(void)ctx;
	(void)sa;
}

static void on_closed(void *ctx, const struct ike_info *sa, const struct ike_failure *why)
{
	(void)ctx;
	(void)sa;
	(void)why;
}

static void on_note(
	void *ctx, const struct ike_path *path, uint32_t ike, const char *text)
{
	(void)ctx;
	(void)path;
	(void)ike;
	(void)text;
}

/* ---- a crowd */

static struct ike_engine *engine_new(struct crowd *c)
{
	struct ike_host host = {.ctx = c,
		.send = on_send,
		.new_spi = on_new_spi,
		.established = on_info,
		.child_up = on_child_up,
		.child_down = on_child_down,
		.closed = on_closed,
		.moved = on_info,
		.note = on_note};
	struct ike_params params = {.entropy = entropy_seeded(&c->seed, 77), .member = 9};

	return ike_new(&params, &host);
}

struct crowd *crowd_new(struct lab *lab)
{
	struct crowd *c = mem_new(1, sizeof(*c));

	c->lab = lab;
	c->engine = engine_new(c);
	c->conn = lab->side[A].conn;
	lab->elsewhere = on_elsewhere;
	lab->elsewhere_ctx = c;
	return c;
}

void crowd_forget(struct crowd *c)
{
	ike_forget_scope(c->engine, c->lab->now_ms, c->conn.path.scope);
}

void crowd_free(struct crowd *c)
{
	c->arrives = NULL;
	while (c->n > 0) {
		free(c->queue[c->first++].bytes);
		c->n--;
	}
	free(c->queue);
	ike_free(c->engine);
	free(c);
}

struct addr crowd_addr(unsigned n, bool v6)
{
	struct addr a = unit_addr("2001:db8:f00d::1");

	if (!v6)
		return addr_v4(
			198, (uint8_t)(18 + (n >> 16)), (uint8_t)(n >> 8), (uint8_t)n);
	a.b[6] = (uint8_t)(n >> 8);
	a.b[7] = (uint8_t)n;
	return a;
}

void crowd_call(struct crowd *c, const struct addr *from)
{
	struct ts here = ts_host(from);

	c->conn.path.local = (struct endpoint){*from, IKE_PORT};
	c->conn.local_id = identity_is_any(&c->name) ? identity_from_addr(from) : c->name;
	c->conn.local_ts.at[0] = here;
	ike_initiate(c->engine, c->lab->now_ms, &c->conn);
}
