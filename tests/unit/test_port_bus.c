/* The group bus on a corosync of paper: what a change of CPG's becomes. */
#include "unit.h"

#include <corosync/cmap.h>
#include <corosync/cpg.h>

#include "port/bus.h"

enum { CHANGES_MAX = 4, LIST_MAX = 4 };

/* ---- corosync, as far as the bus calls it -------------------------------------------- */

static cpg_model_v1_data_t model;
static void *context;

cs_error_t cpg_model_initialize(
	cpg_handle_t *handle, cpg_model_t kind, cpg_model_data_t *data, void *ctx)
{
	assert_int_equal(kind, CPG_MODEL_V1);
	*handle = 7;
	memcpy(&model, data, sizeof(model));
	context = ctx;
	return CS_OK;
}

cs_error_t cpg_finalize(cpg_handle_t handle)
{
	(void)handle;
	return CS_OK;
}

cs_error_t cpg_context_set(cpg_handle_t handle, void *ctx)
{
	(void)handle;
	context = ctx;
	return CS_OK;
}

cs_error_t cpg_context_get(cpg_handle_t handle, void **ctx)
{
	(void)handle;
	*ctx = context;
	return CS_OK;
}

cs_error_t cpg_local_get(cpg_handle_t handle, unsigned int *nodeid)
{
	(void)handle;
	*nodeid = 1;
	return CS_OK;
}

cs_error_t cpg_fd_get(cpg_handle_t handle, int *fd)
{
	(void)handle;
	*fd = 3;
	return CS_OK;
}

cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name *group)
{
	(void)handle;
	(void)group;
	return CS_OK;
}

cs_error_t cpg_leave(cpg_handle_t handle, const struct cpg_name *group)
{
	(void)handle;
	(void)group;
	return CS_OK;
}

cs_error_t cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t how)
{
	(void)handle;
	(void)how;
	return CS_OK;
}

cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee,
	const struct iovec *iov, unsigned int n)
{
	(void)handle;
	(void)guarantee;
	(void)iov;
	(void)n;
	return CS_OK;
}

cs_error_t cmap_initialize(cmap_handle_t *handle)
{
	(void)handle;
	return CS_ERR_LIBRARY;
}

cs_error_t cmap_finalize(cmap_handle_t handle)
{
	(void)handle;
	return CS_OK;
}

cs_error_t cmap_get_uint32(cmap_handle_t handle, const char *key, uint32_t *value)
{
	(void)handle;
	(void)key;
	(void)value;
	return CS_ERR_NOT_EXIST;
}

const char *cs_strerror(cs_error_t err)
{
	(void)err;
	return "an error";
}

/* ---- what the bus told ------------------------------------------------------------------ */

struct change {
	uint8_t members[LIST_MAX], fresh[LIST_MAX];
	size_t n, n_fresh;
};

struct told {
	struct change at[CHANGES_MAX];
	unsigned n;
};

static void on_members(
	void *ctx, const uint8_t *members, size_t n, const uint8_t *fresh, size_t n_fresh)
{
	struct told *t = ctx;

	assert_true(t->n < CHANGES_MAX && n <= LIST_MAX && n_fresh <= LIST_MAX);
	struct change *c = &t->at[t->n++];
	c->n = n;
	c->n_fresh = n_fresh;
	if (n > 0)
		memcpy(c->members, members, n);
	if (n_fresh > 0)
		memcpy(c->fresh, fresh, n_fresh);
}

static void on_message(void *ctx, uint8_t from, struct span bytes)
{
	(void)ctx;
	(void)from;
	(void)bytes;
}

static void on_fd(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
}

static struct bus *bus_of(struct told *t)
{
	struct bus_handlers on = {.members = on_members,
		.message = on_message,
		.fd_changed = on_fd,
		.ctx = t};

	*t = (struct told){0};
	return bus_new("web", &on);
}

static void change(const struct cpg_address *list, size_t n,
	const struct cpg_address *left, size_t n_left, const struct cpg_address *joined,
	size_t n_joined)
{
	static const struct cpg_name group = {.length = 10, .value = "vipsec:web"};

	model.cpg_confchg_fn(7, &group, list, n, left, n_left, joined, n_joined);
}

static const struct cpg_address both[] = {
	{.nodeid = 1, .pid = 10}, {.nodeid = 2, .pid = 20}};

static void a_process_that_joins_is_told_apart_from_a_node_that_comes(void **state)
{
	static const struct cpg_address process[] = {
		{.nodeid = 2, .pid = 20, .reason = CPG_REASON_JOIN}};
	static const struct cpg_address node[] = {
		{.nodeid = 2, .pid = 20, .reason = CPG_REASON_NODEUP}};
	struct told t;
	struct bus *b = bus_of(&t);

	(void)state;
	change(both, 2, NULL, 0, process, 1);
	change(both, 2, NULL, 0, node, 1);
	assert_int_equal(t.n, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(t.at[i].n, 2);
	assert_int_equal(t.at[0].n_fresh, 1);
	assert_int_equal(t.at[0].fresh[0], 2);
	assert_int_equal(t.at[1].n_fresh, 0);
	bus_free(b);
}

/* A daemon ended and its successor joined between two changes: with one change alone
 * nobody would notice, and what the first owned would be its successor's. */
static void leave_and_join_of_one_node_are_two_changes(void **state)
{
	static const struct cpg_address old[] = {
		{.nodeid = 2, .pid = 20, .reason = CPG_REASON_PROCDOWN}};
	static const struct cpg_address new[] = {
		{.nodeid = 2, .pid = 21, .reason = CPG_REASON_JOIN}};
	struct told t;
	struct bus *b = bus_of(&t);

	(void)state;
	change(both, 2, old, 1, new, 1);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.at[0].n, 1);
	assert_int_equal(t.at[0].members[0], 1);
	assert_int_equal(t.at[0].n_fresh, 0);
	assert_int_equal(t.at[1].n, 2);
	assert_int_equal(t.at[1].members[1], 2);
	assert_int_equal(t.at[1].n_fresh, 1);
	assert_int_equal(t.at[1].fresh[0], 2);
	bus_free(b);
}

static void who_leaves_while_another_joins_is_one_change(void **state)
{
	static const struct cpg_address list[] = {{.nodeid = 1}, {.nodeid = 3}};
	static const struct cpg_address left[] = {
		{.nodeid = 2, .reason = CPG_REASON_NODEDOWN}};
	static const struct cpg_address joined[] = {
		{.nodeid = 3, .reason = CPG_REASON_NODEUP}};
	struct told t;
	struct bus *b = bus_of(&t);

	(void)state;
	change(list, 2, left, 1, joined, 1);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.at[0].n, 2);
	assert_int_equal(t.at[0].members[1], 3);
	bus_free(b);
}

static void numbers_beyond_255_are_no_members(void **state)
{
	static const struct cpg_address list[] = {{.nodeid = 1}, {.nodeid = 300}};
	static const struct cpg_address joined[] = {
		{.nodeid = 300, .reason = CPG_REASON_JOIN}};
	struct told t;
	struct bus *b = bus_of(&t);

	(void)state;
	change(list, 2, NULL, 0, joined, 1);
	assert_int_equal(t.at[0].n, 1);
	assert_int_equal(t.at[0].n_fresh, 0);
	bus_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_process_that_joins_is_told_apart_from_a_node_that_comes),
		cmocka_unit_test(leave_and_join_of_one_node_are_two_changes),
		cmocka_unit_test(who_leaves_while_another_joins_is_one_change),
		cmocka_unit_test(numbers_beyond_255_are_no_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
