/* A member and a client, driven through node_step() in every order that the input asks for.
 *
 * The input is a list of deeds: two octets each, what and how. The members' group, quorum,
 * addresses, datagrams (delivered, doubled, lost), reports of the data path, an operator's
 * words, reloads and time. After each step what must always hold is asserted: effects fit
 * together (sockets, SAs), nobody sends without quorum, nothing is due for ever.
 */
#include "node/cluster_msg.h"
#include "node/node.h"
#include "node/view.h"
#include "replica/peers.h"

#include "base/iana.h"
#include "wire/ike_header.h"
#include "wire/ke_payload.h"
#include "wire/message.h"
#include "wire/notify_payload.h"
#include "wire/payload.h"
#include "wire/redirect.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMBER, CLIENT, NODES };
enum { CHILDREN = 64, WAITING = 64, SOCKETS = 8, DEEDS_MAX = 400, SPIN_MAX = 500 };

struct packet {
	unsigned to;
	struct endpoint local, remote;
	bool natt;
	uint8_t *bytes;
	size_t len;
};

struct child {
	uint32_t id;
	struct addr local;
};

struct machine {
	struct node *node;
	struct seeded_entropy seed;
	struct addr sockets[SOCKETS];
	unsigned n_sockets;
	struct child child[CHILDREN];
	unsigned n_child;
	unsigned closings; /* not acknowledged */
	bool gate[8], exited;
	uint32_t ask; /* a name that it wants resolved; 0: none */
};

struct world {
	uint64_t now_ms;
	struct machine m[NODES];
	struct packet net[WAITING];
	unsigned n_net;
	struct packet bus[WAITING]; /* what the member said to the group */
	unsigned n_bus;
	bool quorate, joined;
	bool strict; /* the member was one of a cluster before this step, too */
};

#define PSK "secret \"s\" { psk file \"/k\"; }\n"
#define VIP_RULES                                                                        \
	PSK "filter-list \"f\" { from vip \"v\" to any mirrored; }\n"                    \
	    "filter-action \"a\" { negotiate require; mode transport; }\n"               \
	    "policy \"p\" { rule \"r\" { match \"f\"; action \"a\"; auth psk \"s\"; } }" \
	    "assign policy \"p\" to vip \"v\";\n"

static const char *const member_confs[] = {
	"cluster { backend corosync; name \"w\"; }\n"
	"vip \"v\" { address 192.0.2.10, 192.0.2.11; }\n" VIP_RULES,
	"cluster { backend corosync; name \"w\"; takeover wait; }\n"
	"vip \"v\" { address 192.0.2.10; bind agent; }\n" VIP_RULES,
	"cluster { backend corosync; name \"w\"; }\n"
	"vip \"u\" { address 192.0.2.11; }\nvip \"v\" { address 192.0.2.10; "
	"}\n" VIP_RULES,
	"cluster { backend none; }\nvip \"v\" { address 192.0.2.10; }\n" VIP_RULES,
};

static const char client_conf[] =
	"cluster { backend none; }\n" PSK
	"filter-list \"f\" { from me to 192.0.2.0/24 mirrored; }\n"
	"filter-action \"a\" { negotiate require; mode transport; }\n"
	"policy \"p\" { rule \"r\" { match \"f\"; action \"a\"; auth psk \"s\"; "
	"redirect accept 192.0.2.0/24; } }\n"
	"assign policy \"p\" to host;\n";

/* The member in tunnel mode, and a client that finds it by name. */
static const char tunnel_conf[] =
	"cluster { backend corosync; name \"w\"; }\n"
	"vip \"v\" { address 192.0.2.10, 192.0.2.11; }\n" PSK
	"filter-list \"f\" { from vip \"v\" to any mirrored; }\n"
	"filter-action \"a\" { negotiate require; mode tunnel; }\n"
	"policy \"p\" { rule \"r\" { match \"f\"; action \"a\"; auth psk \"s\" "
	"local-id \"gw\" remote-id any; } }\n"
	"assign policy \"p\" to vip \"v\";\n";
static const char named_conf[] =
	"cluster { backend none; }\n" PSK
	"filter-list \"f\" { from me to 192.0.2.0/24 mirrored; }\n"
	"filter-action \"a\" { negotiate require; mode tunnel to gw.example.net; }\n"
	"policy \"p\" { rule \"r\" { match \"f\"; action \"a\"; auth psk \"s\" "
	"remote-id \"gw\"; } }\n"
	"assign policy \"p\" to host;\n";

/* ---- carrying out, and what must hold ---------------------------------------------------- */

static bool has_socket(const struct machine *m, const struct addr *a)
{
	for (unsigned i = 0; i < m->n_sockets; i++)
		if (addr_equal(&m->sockets[i], a))
			return true;
	return false;
}

static unsigned child_index(const struct machine *m, uint32_t id)
{
	unsigned i = 0;

	while (i < m->n_child && m->child[i].id != id)
		i++;
	return i;
}

static void keep(struct packet *list, unsigned *n, struct packet p, uint8_t **bytes)
{
	if (*n == WAITING)
		return; /* lost */
	p.bytes = *bytes;
	*bytes = NULL;
	list[(*n)++] = p;
}

static bool clustered(const struct machine *m)
{
	return node_config(m->node)->cluster.backend == BACKEND_COROSYNC;
}

static void on_send(struct world *w, struct machine *m, struct effect *f)
{
	const struct ike_path *path = &f->u.send.path;
	struct packet p = {.to = m == &w->m[MEMBER] ? CLIENT : MEMBER,
		.local = path->remote,
		.remote = path->local,
		.natt = path->natt,
		.len = f->u.send.len};

	assert(has_socket(m, &path->local.addr));
	if (m == &w->m[MEMBER] && w->strict && clustered(m))
		assert(w->quorate && w->joined);
	keep(w->net, &w->n_net, p, &f->u.send.bytes);
}

static void on_sockets(struct machine *m, const struct effect *f)
{
	const struct addr *a = &f->u.sockets.addr;

	assert(has_socket(m, a) != f->u.sockets.open);
	if (f->u.sockets.open) {
		assert(m->n_sockets < SOCKETS);
		m->sockets[m->n_sockets++] = *a;
		return;
	}
	for (unsigned i = 0; i < m->n_sockets; i++)
		if (addr_equal(&m->sockets[i], a))
			m->sockets[i--] = m->sockets[--m->n_sockets];
}

static void carry_out(struct world *w, struct machine *m, struct effect *f)
{
	unsigned i;

	switch (f->kind) {
	case FX_SEND:
		on_send(w, m, f);
		break;
	case FX_SOCKETS:
		on_sockets(m, f);
		break;
	case FX_GATE:
		assert(m->gate[f->scope % 8] != f->u.gate.open);
		m->gate[f->scope % 8] = f->u.gate.open;
		m->closings += !f->u.gate.open;
		break;
	case FX_SA_ADD:
		assert(child_index(m, f->u.child->id) == m->n_child);
		assert(m->n_child < CHILDREN);
		m->child[m->n_child++] = (struct child){
			.id = f->u.child->id, .local = f->u.child->local.addr};
		break;
	case FX_SA_ACTIVATE:
		assert(child_index(m, f->u.id) < m->n_child);
		break;
	case FX_SA_DELETE:
		i = child_index(m, f->u.id);
		assert(i < m->n_child);
		m->child[i] = m->child[--m->n_child];
		break;
	case FX_CLUSTER_SEND:
		keep(w->bus, &w->n_bus, (struct packet){.len = f->u.blob.len},
			&f->u.blob.bytes);
		break;
	case FX_RESOLVE:
		m->ask = f->u.resolve.id;
		break;
	case FX_EXIT:
		m->exited = true;
		break;
	default:
		break;
	}
}

/* No quorum, no group: nothing of the VIP may be alive. */
static void check(const struct world *w)
{
	const struct machine *m = &w->m[MEMBER];

	if (clustered(m) && !(w->quorate && w->joined))
		assert(m->n_child == 0 && !m->gate[0]);
	for (unsigned k = 0; k < NODES; k++)
		for (unsigned i = 0; i < w->m[k].n_child; i++)
			assert(has_socket(&w->m[k], &w->m[k].child[i].local));
}

static void step(struct world *w, unsigned i, struct node_event *ev)
{
	struct effects fx;

	if (w->m[i].exited)
		return;
	ev->now_ms = w->now_ms;
	w->strict = node_config(w->m[MEMBER].node) && clustered(&w->m[MEMBER]);
	effects_init(&fx);
	node_step(w->m[i].node, ev, &fx);
	for (size_t k = 0; k < fx.n; k++)
		carry_out(w, &w->m[i], &fx.at[k]);
	effects_free(&fx);
	check(w);
}

/* ---- deeds --------------------------------------------------------------------------------- */

static bool fake_read(
	void *ctx, const char *path, struct secret *out, char *why, size_t why_cap)
{
	(void)ctx;
	(void)path;
	(void)why;
	(void)why_cap;
	return secret_set(out, span_text("a key that is long enough for anybody\n"));
}

static void fake_line(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void configure(struct world *w, unsigned i, const char *text)
{
	const struct config_files files = {.read = fake_read};
	const struct config_report report = {.line = fake_line};
	struct node_event ev = {.kind = NODE_CONFIG};

	if (w->m[i].exited)
		return;
	ev.u.config = config_parse("fuzz", span_text(text), &files, &report);
	assert(ev.u.config);
	step(w, i, &ev);
}

static const struct addr *member_addr(uint8_t how)
{
	static const struct addr addrs[] = {
		{.family = ADDR_V4, .b = {192, 0, 2, 10}},
		{.family = ADDR_V4, .b = {192, 0, 2, 11}},
	};

	return &addrs[how & 1];
}

static void deed_time(struct world *w, uint8_t how)
{
	uint64_t until = w->now_ms + (uint64_t)how * how * how / 16;

	for (unsigned spins = 0; spins < SPIN_MAX; spins++) {
		struct node_event ev = {.kind = NODE_TICK};
		uint64_t due[NODES];
		for (unsigned i = 0; i < NODES; i++)
			due[i] = w->m[i].exited ? UINT64_MAX
						: node_next_due_ms(w->m[i].node);
		unsigned i = due[MEMBER] <= due[CLIENT] ? MEMBER : CLIENT;
		if (due[i] > until)
			break;
		if (due[i] > w->now_ms)
			w->now_ms = due[i];
		step(w, i, &ev);
		/* Time must come on: nothing stays due after it was done. */
		assert(w->m[i].exited || node_next_due_ms(w->m[i].node) > w->now_ms);
	}
	if (until > w->now_ms)
		w->now_ms = until;
}

static void deed_address(struct world *w, uint8_t how)
{
	struct node_event ev = {.kind = NODE_ADDRESS};

	ev.u.address.addr = *member_addr(how);
	ev.u.address.state = (enum node_addr_state)((how >> 1) % 3);
	step(w, MEMBER, &ev);
}

static void deed_members(struct world *w, uint8_t how)
{
	struct node_event ev = {.kind = NODE_MEMBERS};
	uint8_t members[3];

	for (uint8_t i = 0; i < 3; i++)
		if (how >> i & 1)
			members[ev.u.members.n++] = (uint8_t)(i + 1);
	ev.u.members.members = members;
	w->joined = how & 1;
	step(w, MEMBER, &ev);
}

static void deed_quorum(struct world *w, uint8_t how)
{
	struct node_event ev = {.kind = NODE_QUORUM};

	ev.u.quorate = w->quorate = how & 1;
	step(w, MEMBER, &ev);
}

static void group_message(struct world *w, uint8_t from, struct span bytes)
{
	struct node_event ev = {.kind = NODE_MESSAGE};

	ev.u.message.from = from;
	ev.u.message.bytes = bytes;
	step(w, MEMBER, &ev);
}

static void deed_foreign_message(struct world *w, uint8_t how)
{
	static const uint8_t hash[32] = {1};
	uint8_t bytes[4096], journal[2200], members[32] = {(uint8_t)(how >> 5 << 1)};
	struct writer w1 = wr_over(bytes, sizeof(bytes));
	struct writer w2 = wr_over(journal, sizeof(journal));
	struct replica_peer p = {.vip = "v", .rule = "r", .local = *member_addr(how)};

	p.remote = (struct endpoint){.addr = addr_v4(198, 51, 100, how), .port = 500};
	replica_write_put(&w2, &p);
	switch (how >> 1 & 3) {
	case 0:
		cluster_write_hello(&w1, hash, members, member_addr(how), how >> 3 & 1);
		break;
	case 1:
		cluster_write_addr(&w1, CLUSTER_CLAIM, member_addr(how));
		break;
	case 2:
		cluster_write_addr(&w1, CLUSTER_RELEASE, member_addr(how));
		break;
	default:
		cluster_write_peers(&w1, wr_span(&w2));
		break;
	}
	group_message(w, (uint8_t)(2 + (how >> 4 & 1)), wr_span(&w1));
}

static void deed_own_messages(struct world *w, uint8_t how)
{
	for (unsigned n = how; n-- > 0 && w->n_bus > 0;) {
		struct packet p = w->bus[0];
		memmove(w->bus, w->bus + 1, --w->n_bus * sizeof(p));
		group_message(w, 1, span_of(p.bytes, p.len));
		free(p.bytes);
	}
}

/* In place of the answer to the client's call: N(REDIRECT, a name, Ni). */
static void stranger(struct world *w, uint8_t how)
{
	static const char *const names[] = {
		"gw.example.net", "gw2.example.net", "GW.example.net.", "192.0.2.11"};
	uint8_t bytes[512], data[300];
	struct wire_redirect to = {
		.type = GATEWAY_FQDN, .name = span_text(names[how & 3])};
	struct writer w1 = wr_over(data, sizeof(data));
	struct node_event ev = {.kind = NODE_DATAGRAM};
	const struct packet *p = &w->net[0];
	struct ike_header h;
	struct reader payloads;
	struct payload_set set;

	if (w->n_net == 0 || p->to != MEMBER || p->natt ||
		ike_header_read(span_of(p->bytes, p->len), &h, &payloads) != WIRE_OK ||
		h.exchange != IKE_SA_INIT || h.response ||
		payload_set_read(payloads, h.next_payload, &set) != WIRE_OK)
		return;
	const struct payload *nonce = payload_set_first(&set, PAYLOAD_NONCE);
	if (!nonce || nonce_payload_read(nonce->body, &to.nonce) != WIRE_OK)
		return;
	h.initiator = false;
	h.response = true;
	struct message m = message_begin(bytes, sizeof(bytes), &h);
	redirect_write(&w1, &to);
	const struct wire_notify n = {.type = N_REDIRECT, .data = wr_span(&w1)};
	notify_payload_write(message_payload(&m, PAYLOAD_NOTIFY), &n);
	ev.u.datagram.local = p->remote;
	ev.u.datagram.remote = p->local;
	ev.u.datagram.bytes = message_finish(&m);
	step(w, CLIENT, &ev);
}

static void deed_network(struct world *w, uint8_t how)
{
	if (how < 4)
		stranger(w, how);
	for (unsigned n = how >> 2; n-- > 0 && w->n_net > 0;) {
		struct packet p = w->net[0];
		struct node_event ev = {.kind = NODE_DATAGRAM};
		memmove(w->net, w->net + 1, --w->n_net * sizeof(p));
		ev.u.datagram.local = p.local;
		ev.u.datagram.remote = p.remote;
		ev.u.datagram.natt = p.natt;
		ev.u.datagram.bytes = span_of(p.bytes, p.len);
		for (unsigned copies = (how + 1) & 3; copies > 0; copies--)
			step(w, p.to, &ev);
		free(p.bytes);
	}
}

static void deed_command(struct world *w, uint8_t how)
{
	static const enum node_event_kind kinds[] = {NODE_BIND, NODE_UNBIND, NODE_UP,
		NODE_DOWN, NODE_TUNE, NODE_TUNE, NODE_TUNE, NODE_SHUTDOWN};
	static const char *const keys[] = {
		"nlbs-flags", "idle-timeout-failover", "idle-lifetime", "idle-timeout"};
	static const char *const values[] = {"1", "1s", "10s", "default"};
	struct node_event ev = {.kind = kinds[how & 7]};

	if (ev.kind == NODE_SHUTDOWN && how != UINT8_MAX)
		return; /* once in a while */
	ev.u.command.vip = how & 64 ? "host" : "v";
	ev.u.command.key = keys[how >> 3 & 3];
	ev.u.command.value = values[how >> 5 & 3];
	step(w, how & 64 ? CLIENT : MEMBER, &ev);
}

static void deed_notice(struct world *w, uint8_t how)
{
	unsigned i = how & 1;
	struct machine *m = &w->m[i];
	struct node_event ev = {.kind = NODE_NOTICE};
	struct esp_notice *n = &ev.u.notice;

	n->kind = (enum esp_notice_kind)((how >> 1) % 6);
	n->id = m->n_child > 0 ? m->child[how % m->n_child].id : how;
	n->flow.local = i == CLIENT ? addr_v4(198, 51, 100, 7) : *member_addr(how >> 4);
	n->flow.remote = i == CLIENT ? *member_addr(how >> 4) : addr_v4(198, 51, 100, 7);
	n->remote.addr = n->flow.remote;
	n->remote.port = (uint16_t)(4500 + (how >> 6));
	step(w, i, &ev);
}

static void deed_usage(struct world *w, uint8_t how)
{
	struct machine *m = &w->m[how & 1];
	struct node_event ev = {.kind = NODE_USAGE};
	struct esp_usage *u = &ev.u.usage;

	if (m->n_child == 0)
		return;
	u->id = m->child[(how >> 1) % m->n_child].id;
	u->as_of_ms = w->now_ms;
	u->bytes_in = (uint64_t)1 << (how >> 3);
	u->last_out_ms = w->now_ms;
	u->last_in_ms = how & 16 ? w->now_ms : 0;
	u->unanswered_since_ms = how & 32 ? w->now_ms - (how & 31) : 0;
	step(w, how & 1, &ev);
}

static void deed_gate(struct world *w, uint8_t how)
{
	struct node_event ev = {.kind = NODE_GATE_CLOSED};
	struct machine *m = &w->m[MEMBER];

	if (m->closings == 0)
		return;
	m->closings--;
	ev.u.gate.scope = how & 1;
	step(w, MEMBER, &ev);
}

static void deed_reload(struct world *w, uint8_t how)
{
	if (how >= 240) {
		configure(w, MEMBER, tunnel_conf);
		configure(w, CLIENT, named_conf);
	} else if (how < 200) {
		configure(w, MEMBER, member_confs[how & 3]);
	} else {
		configure(w, CLIENT, client_conf);
	}
}

/* To the last question, or to none that was asked. */
static void deed_resolved(struct world *w, uint8_t how)
{
	static const struct addr wrong = {.family = ADDR_V4, .b = {127, 0, 0, 1}};
	const struct addr found[] = {*member_addr(how >> 2), wrong,
		addr_v4(203, 0, 113, how), *member_addr(how >> 3)};
	struct node_event ev = {.kind = NODE_RESOLVED};

	ev.u.resolved.id = w->m[CLIENT].ask + (how >> 7 & how >> 6 & 1);
	ev.u.resolved.addrs = found + (how >> 4 & 1);
	ev.u.resolved.n = how & 3;
	ev.u.resolved.ttl_s = how;
	ev.u.resolved.why = "silent";
	step(w, CLIENT, &ev);
}

static void (*const deeds[])(struct world *, uint8_t) = {deed_time, deed_address,
	deed_members, deed_quorum, deed_foreign_message, deed_own_messages, deed_network,
	deed_command, deed_notice, deed_usage, deed_gate, deed_reload, deed_time,
	deed_network, deed_own_messages, deed_resolved};

static void birth(struct world *w)
{
	struct node_event ev = {.kind = NODE_ADDRESS};

	w->now_ms = 1000;
	for (unsigned i = 0; i < NODES; i++) {
		struct node_params p = {.member = (uint8_t)(i + 1)};
		p.entropy = entropy_seeded(&w->m[i].seed, i + 1);
		w->m[i].node = node_new(&p);
	}
	configure(w, MEMBER, member_confs[0]);
	configure(w, CLIENT, client_conf);
	ev.u.address.addr = addr_v4(198, 51, 100, 7);
	ev.u.address.state = NODE_ADDR_PRESENT;
	step(w, CLIENT, &ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));

	assert(w);
	if (size > 2 * DEEDS_MAX)
		size = 2 * DEEDS_MAX;
	birth(w);
	for (size_t i = 0; i + 1 < size; i += 2)
		deeds[data[i] & 15](w, data[i + 1]);
	for (unsigned i = 0; i < NODES; i++)
		node_free(w->m[i].node);
	for (unsigned i = 0; i < w->n_net; i++)
		free(w->net[i].bytes);
	for (unsigned i = 0; i < w->n_bus; i++)
		free(w->bus[i].bytes);
	free(w);
	return 0;
}
