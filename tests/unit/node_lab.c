/* tests/unit/node_lab.c - the laboratory of node_lab.h: nodes live, are told things, and
 * are looked at.
 */
#include "node_lab.h"

#include "base/iana.h"
#include "base/mem.h"
#include "config_files.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- life of a node ---------------------------------------------------------------------------- */

struct lab *lab_new(void)
{
	struct lab *l = mem_new(1, sizeof(*l));

	l->now_ms = LAB_BEGINS_MS;
	for (unsigned i = 0; i < LAB_NODES; i++)
		l->node[i].lab = l;
	return l;
}

void lab_kill(struct lab *l, unsigned i)
{
	struct lab_node *m = &l->node[i];

	node_free(m->node);
	m->node = NULL;
	m->n_sockets = 0;
	for (unsigned k = 0; k < m->n_child; k++)
		esp_child_wipe(&m->child[k].c);
	m->n_child = 0;
	memset(m->gate, 0, sizeof(m->gate));
}

void lab_free(struct lab *l)
{
	for (unsigned i = 0; i < LAB_NODES; i++) {
		lab_kill(l, i);
		for (unsigned k = 0; k < 4; k++)
			free(l->node[i].stored[k].bytes);
	}
	for (unsigned i = 0; i < l->n_queue; i++)
		if (!l->queue[i].taken)
			free(l->queue[i].bytes);
	free(l);
}

static struct config *parse(const struct lab *l, const char *text)
{
	static const struct config_files fake = {.read = fake_read};
	struct reported report = {.len = 0};
	const struct config_report to = {.line = keep_line, .ctx = &report};
	struct config *c = config_parse(
		"lab.conf", span_text(text), l->files ? l->files : &fake, &to);

	if (!c)
		fail_msg("%s", report.text);
	return c;
}

void lab_reload(struct lab *l, unsigned i, const char *config)
{
	struct node_event ev = {.kind = NODE_CONFIG};

	ev.u.config = parse(l, config);
	lab_step(l, i, &ev);
}

void lab_fetched(struct lab *l, unsigned i, struct span answer)
{
	struct node_event ev = {.kind = NODE_FETCHED};

	ev.u.fetched.id = l->node[i].fetch;
	ev.u.fetched.bytes = answer;
	lab_step(l, i, &ev);
}

void lab_resolved(
	struct lab *l, unsigned i, const char *addrs, uint32_t ttl_s, const char *why)
{
	struct node_event ev = {.kind = NODE_RESOLVED};
	struct addr got[32];
	char one[ADDR_TEXT_MAX];
	size_t n = 0;

	for (const char *at = addrs + strspn(addrs, " "); *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		snprintf(one, sizeof(one), "%.*s", (int)len, at);
		assert_true(n < 32);
		got[n++] = unit_addr(one);
		at += len;
	}
	ev.u.resolved.id = l->node[i].ask;
	ev.u.resolved.addrs = got;
	ev.u.resolved.n = n;
	ev.u.resolved.ttl_s = ttl_s;
	ev.u.resolved.why = why;
	lab_step(l, i, &ev);
}

static void birth(struct lab *l, unsigned i)
{
	struct lab_node *m = &l->node[i];
	struct node_params params = {.member = (uint8_t)(i + 1)};

	m->member = params.member;
	params.entropy = entropy_seeded(&m->seed, i + 1);
	m->node = node_new(&params);
	m->reply_code = -1;
	m->exited = false;
}

void lab_start(struct lab *l, unsigned i, const char *config)
{
	birth(l, i);
	lab_reload(l, i, config);
}

void lab_restart(struct lab *l, unsigned i, const char *config)
{
	birth(l, i);
	l->node[i].seed.state += 77; /* another life, other numbers */
	for (unsigned k = 0; k < 4; k++) {
		struct lab_stored *s = &l->node[i].stored[k];
		struct node_event ev = {.kind = NODE_RESTORE};
		ev.u.restore.name = s->name;
		ev.u.restore.bytes = span_of(s->bytes, s->len);
		if (s->name[0])
			lab_step(l, i, &ev);
	}
	lab_reload(l, i, config);
}

void lab_address(struct lab *l, unsigned i, const char *addr, enum node_addr_state state)
{
	struct node_event ev = {.kind = NODE_ADDRESS};

	ev.u.address.addr = unit_addr(addr);
	ev.u.address.state = state;
	lab_step(l, i, &ev);
}

void lab_group(struct lab *l, unsigned nodes)
{
	struct node_event ev = {.kind = NODE_MEMBERS};

	l->n_members = 0;
	for (unsigned i = 0; i < LAB_NODES; i++)
		if (nodes >> i & 1)
			l->members[l->n_members++] = (uint8_t)(i + 1);
	ev.u.members.members = l->members;
	ev.u.members.n = l->n_members;
	ev.u.members.fresh = l->fresh;
	ev.u.members.n_fresh = l->n_fresh;
	for (unsigned i = 0; i < LAB_NODES; i++) {
		if (!(nodes >> i & 1))
			continue;
		lab_step(l, i, &ev);
		lab_quorum(l, i, true);
	}
}

void lab_quorum(struct lab *l, unsigned i, bool quorate)
{
	struct node_event ev = {.kind = NODE_QUORUM};

	ev.u.quorate = quorate;
	lab_step(l, i, &ev);
}

void lab_command(struct lab *l, unsigned i, enum node_event_kind kind, const char *vip)
{
	struct node_event ev = {.kind = kind};

	ev.u.command.token = 1;
	ev.u.command.vip = vip;
	lab_step(l, i, &ev);
}

void lab_tune(struct lab *l, unsigned i, const char *key, const char *value)
{
	struct node_event ev = {.kind = NODE_TUNE};

	ev.u.command.token = 1;
	ev.u.command.key = key;
	ev.u.command.value = value;
	lab_step(l, i, &ev);
}

/* ---- traffic --------------------------------------------------------------------------------------- */

void lab_acquire_flow(struct lab *l, unsigned i, uint16_t scope, const struct flow *flow)
{
	struct node_event ev = {.kind = NODE_NOTICE};
	struct esp_notice *n = &ev.u.notice;
	struct spd *spd = config_spd(node_config(l->node[i].node), scope);

	n->kind = ESP_ACQUIRE;
	n->scope = scope;
	n->flow = *flow;
	const struct spd_entry *e = spd_lookup(spd, POLICY_OUT, &n->flow);
	assert_true(e && e->action == POLICY_NEGOTIATE);
	n->rule = e->rule;
	spd_free(spd);
	lab_step(l, i, &ev);
}

void lab_acquire(struct lab *l, unsigned i, uint16_t scope, const char *local,
	const char *remote, uint16_t port)
{
	const struct flow flow = {.local = unit_addr(local),
		.remote = unit_addr(remote),
		.proto = IP_TCP,
		.ports_known = true,
		.local_port = 40000,
		.remote_port = port};

	lab_acquire_flow(l, i, scope, &flow);
}

struct lab_child *lab_sender(struct lab *l, unsigned i, uint32_t rule)
{
	struct lab_node *m = &l->node[i];
	struct lab_child *c = NULL;

	for (unsigned k = 0; k < m->n_child; k++)
		if (m->child[k].active && m->child[k].c.rule == rule &&
			(!c || m->child[k].turn > c->turn))
			c = &m->child[k];
	return c;
}

bool lab_receives(struct lab *l, unsigned i, uint32_t spi)
{
	const struct lab_node *m = &l->node[i];

	for (unsigned k = 0; k < m->n_child; k++)
		if (m->child[k].c.spi_in == spi)
			return true;
	return false;
}

struct esp_usage *lab_usage(struct lab *l, unsigned i)
{
	assert_int_equal(l->node[i].n_child, 1);
	return &l->node[i].child[0].usage;
}

/* ---- looking --------------------------------------------------------------------------------------- */

enum vip_state lab_vip(struct lab *l, unsigned i, uint16_t scope)
{
	struct vip_view v;

	assert_true(node_look_vip(l->node[i].node, scope, &v));
	return v.state;
}

static bool count_up(const struct peer_view *v, void *ctx)
{
	unsigned *n = ctx;

	if (v->state == PEER_UP)
		(*n)++;
	return true;
}

unsigned lab_up(struct lab *l, unsigned i)
{
	unsigned n = 0;

	node_each_peer(l->node[i].node, count_up, &n);
	return n;
}

struct only {
	struct peer_view view;
	unsigned n;
};

static bool keep_only(const struct peer_view *v, void *ctx)
{
	struct only *o = ctx;

	o->view = *v;
	o->n++;
	return true;
}

struct peer_view lab_peer(struct lab *l, unsigned i)
{
	struct only o = {.n = 0};

	node_each_peer(l->node[i].node, keep_only, &o);
	assert_int_equal(o.n, 1);
	return o.view;
}

static bool line_has(const char *line, size_t len, const char *text)
{
	size_t want = strlen(text);

	for (size_t i = 0; i + want <= len; i++)
		if (memcmp(line + i, text, want) == 0)
			return true;
	return false;
}

int lab_line(struct lab *l, unsigned i, const char *text, unsigned nth)
{
	int at = 0;

	for (const char *line = l->node[i].log; *line; at++) {
		size_t len = strcspn(line, "\n");
		if (line_has(line, len, text) && nth-- == 0)
			return at;
		line += len + 1;
	}
	return -1;
}

unsigned lab_count(struct lab *l, unsigned i, const char *text)
{
	unsigned n = 0;

	while (lab_line(l, i, text, n) >= 0)
		n++;
	return n;
}

void lab_forget_log(struct lab *l, unsigned i)
{
	l->node[i].log_len = 0;
	l->node[i].log[0] = '\0';
}
