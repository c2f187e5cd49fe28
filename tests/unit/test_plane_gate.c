/* test_plane_gate.c - the plane's own data thread while its gate is flipped 100,000 times.
 *
 *   feeder:  packet packet packet ...            (a socket pair stands in for the TUN)
 *   loop:    open(n) ... close -> turn   ...   [closed turn]   look at the wire   open(n+1)
 *   thread:        seal, send            acknowledge
 *
 * The wire is UDP on loopback, where what was sent is there when the call returns. Each
 * packet says in its IV under which activation it was sealed, so no timing enters the
 * verdict: behind the acknowledgement of closing n, nothing may come with n or less.
 */
#include "unit.h"
#include "../esp_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "plane/thread.h"

enum {
	FLIPS = 100000,
	ACKNOWLEDGED = 4, /* every so many openings are closed with an acknowledgement */
	PAYLOAD = 10,
	IV_AT = 8 /* behind SPI and sequence number */
};

struct stage {
	struct data data;
	struct snapshot snapshot;
	int feed, wire;
	_Atomic bool done;
	uint8_t packet[64];
	size_t packet_len;
	uint64_t last_iv, packets;
	uint32_t closed; /* activations up to this one: closing acknowledged */
};

/* ---- the stage ------------------------------------------------------------------ */

static int bind_loopback(uint16_t *port)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	*port = ntohs(name.sin_port);
	return fd;
}

static struct local *loopback_local(const struct addr *addr)
{
	struct local *l = mem_new(1, sizeof(*l));
	uint16_t port;

	l->addr = *addr;
	l->esp.local = l->ah.local = l->udp.local = l;
	l->esp.fd = bind_loopback(&port);
	l->ah.fd = bind_loopback(&port);
	l->udp.fd = bind_loopback(&port);
	l->udp.udp = true;
	atomic_init(&l->holders, 1);
	list_init(&l->link);
	list_init(&l->listening);
	return l;
}

static void give(struct stage *s, struct order *o)
{
	order_give(s->data.orders, o);
}

static void give_policy(struct stage *s, const struct addr *inner, const struct addr *far)
{
	struct order *o = order_new(ORDER_POLICY);
	const struct spd_entry *x, *y;

	o->u.policy.spd = spd_new();
	lab_rule(o->u.policy.spd, ts_host(inner), ts_host(far), POLICY_NEGOTIATE,
		POLICY_TUNNEL, LAB_RULE);
	assert_int_equal(spd_seal(o->u.policy.spd, &x, &y), POLICY_OK);
	o->u.policy.addrs[0] = *inner;
	o->u.policy.n_addrs = 1;
	give(s, o);
}

static void give_sa(struct stage *s, const struct endpoint *remote)
{
	struct lab l = {.o = {.alg = AEAD_AES128_GCM16,
				.mode = POLICY_TUNNEL,
				.esn = true,
				.encap = true,
				.window = 64}};
	struct order *o = order_new(ORDER_SA_ADD);

	l.a.inner = addr_v4(192, 0, 2, 1);
	l.b.inner = addr_v4(192, 0, 2, 2);
	l.a.outer = l.b.outer = remote->addr;
	o->u.add.child = mem_new(1, sizeof(*o->u.add.child));
	*o->u.add.child = lab_child(&l, true);
	o->u.add.child->soft_seq = UINT64_MAX;
	o->u.add.child->remote = *remote;
	give(s, o);
}

static void set_stage(struct stage *s)
{
	struct addr inner = addr_v4(192, 0, 2, 1), far = addr_v4(192, 0, 2, 2);
	struct endpoint remote = {.addr = addr_v4(127, 0, 0, 1)};
	struct seeded_entropy seed;
	struct entropy entropy = unit_entropy(&seed);
	struct order *bind_order = order_new(ORDER_BIND);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0); /* as the TUN's */
	s->feed = pair[1];
	s->wire = bind_loopback(&remote.port);
	s->data.tun_fd = pair[0];
	s->data.dp = esp_dp_new(&entropy);
	s->data.orders = order_queue_new();
	s->data.reports = report_new();
	s->data.snapshot = &s->snapshot;
	pthread_mutex_init(&s->snapshot.lock, NULL);
	assert_int_equal(data_init(&s->data, &entropy), 0);
	give_policy(s, &inner, &far);
	bind_order->u.local = loopback_local(&remote.addr);
	give(s, bind_order);
	give_sa(s, &remote);
	struct esp_packet p = lab_udp(0, &inner, 5000, &far, 143, PAYLOAD);
	assert_true(p.len <= sizeof(s->packet));
	memcpy(s->packet, p.at, p.len);
	s->packet_len = p.len;
}

static void clear_stage(struct stage *s)
{
	data_wipe(&s->data);
	esp_dp_free(s->data.dp);
	order_queue_free(s->data.orders);
	report_free(s->data.reports);
	pthread_mutex_destroy(&s->snapshot.lock);
	close(s->data.tun_fd);
	close(s->feed);
	close(s->wire);
}

static void *feed(void *arg)
{
	struct stage *s = arg;

	while (!atomic_load(&s->done))
		if (send(s->feed, s->packet, s->packet_len, MSG_NOSIGNAL) < 0)
			break;
	return NULL;
}

/* ---- the loop's part --------------------------------------------------------------- */

static void look_at(struct stage *s, const uint8_t *at, size_t len)
{
	uint64_t iv = 0;

	assert_true(len > IV_AT + 8);
	for (size_t i = 0; i < 8; i++)
		iv = iv << 8 | at[IV_AT + i];
	uint32_t activation = (uint32_t)(iv >> 40) & 0xffff;
	if (activation <= s->closed)
		fail_msg("activation %u on the wire, closed up to %u", activation,
			s->closed);
	assert_true(iv > s->last_iv);
	s->last_iv = iv;
	s->packets++;
}

static void look_at_wire(struct stage *s)
{
	uint8_t bytes[256];
	ssize_t n;

	while ((n = recv(s->wire, bytes, sizeof(bytes), 0)) >= 0)
		look_at(s, bytes, (size_t)n);
	assert_int_equal(errno, EAGAIN);
}

static void await_packet(struct stage *s)
{
	struct pollfd p = {.fd = s->wire, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 30000), 1);
}

static void await_closed(struct stage *s, uint32_t turn)
{
	struct pollfd p = {.fd = report_fd(s->data.reports), .events = POLLIN};
	struct plane_report r;

	for (;;) {
		while (report_pop(s->data.reports, &r))
			if (r.kind == PLANE_GATE_CLOSED && r.u.gate.turn == turn)
				return;
		assert_int_equal(poll(&p, 1, 30000), 1);
		report_unwake(s->data.reports);
	}
}

static void close_and_look(struct stage *s, struct esp_gate *gate, uint32_t activation)
{
	struct order *o = order_new(ORDER_GATE_CLOSED);
	uint32_t turn = esp_gate_close(gate);

	o->u.gate.turn = turn;
	give(s, o);
	await_closed(s, turn);
	look_at_wire(s); /* what left before: the last look at this activation */
	s->closed = activation;
}

static void nothing_leaves_behind_the_acknowledgement(void **state)
{
	static struct stage s;
	pthread_t thread, feeder;

	(void)state;
	set_stage(&s);
	struct esp_gate *gate = esp_dp_gate(s.data.dp, 0);
	assert_int_equal(pthread_create(&thread, NULL, data_run, &s.data), 0);
	assert_int_equal(pthread_create(&feeder, NULL, feed, &s), 0);
	for (uint16_t n = 1; n <= FLIPS / 2; n++) {
		(void)esp_gate_open(gate, n);
		if (n % ACKNOWLEDGED != 0) {
			(void)esp_gate_close(gate);
			continue;
		}
		if (n % (16 * ACKNOWLEDGED) == 0)
			await_packet(&s);
		close_and_look(&s, gate, n);
	}
	atomic_store(&s.done, true);
	shutdown(s.feed, SHUT_RDWR); /* the feeder may wait for room */
	pthread_join(feeder, NULL);
	give(&s, order_new(ORDER_STOP));
	pthread_join(thread, NULL);
	look_at_wire(&s);
	assert_true(s.packets >= FLIPS / 2 / (16 * ACKNOWLEDGED));
	print_message("# %lu packets on the wire\n", (unsigned long)s.packets);
	clear_stage(&s);
}

/* Closed means closed for what was in the TUN already, too. */
static void a_closed_gate_sends_nothing_at_all(void **state)
{
	static struct stage s;
	pthread_t thread;

	(void)state;
	set_stage(&s);
	assert_int_equal(pthread_create(&thread, NULL, data_run, &s.data), 0);
	for (int i = 0; i < 8; i++)
		assert_true(send(s.feed, s.packet, s.packet_len, 0) > 0);
	for (;;) {
		struct esp_counters c;
		pthread_mutex_lock(&s.snapshot.lock);
		c = s.snapshot.totals.esp;
		pthread_mutex_unlock(&s.snapshot.lock);
		if (c.drop_gate == 8)
			break;
		poll(NULL, 0, 1);
	}
	give(&s, order_new(ORDER_STOP));
	pthread_join(thread, NULL);
	look_at_wire(&s);
	assert_int_equal(s.packets, 0);
	clear_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_gate_sends_nothing_at_all),
		cmocka_unit_test(nothing_leaves_behind_the_acknowledgement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
