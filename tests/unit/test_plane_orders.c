/* test_plane_orders.c - the loop's orders and the packets that come at the same time.
 *
 * RFC 7296 2.8: as soon as the peer has our answer it may send on the new SA. The order to
 * receive on it was given before the answer left; a packet that was read together with
 * older ones must not be judged before that order is obeyed.
 */
#include "config.h"

#include "unit.h"
#include "../esp_lab.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "plane/batch.h"
#include "plane/data.h"
#include "plane/path.h"

enum { SCOPE = 0, OCTETS = 100 };

static struct lab l;
static struct data d;
static struct local *local; /* 192.0.2.2, as far as the plane knows */
static int tun, network; /* the other ends */

static int udp_socket(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*at);

	*at = (struct sockaddr_in){.sin_family = AF_INET};
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

static void make_local(void)
{
	struct sockaddr_in at, theirs;

	local = mem_new(1, sizeof(*local));
	local->addr = l.b.outer;
	local->scope = SCOPE;
	local->holders = 2; /* the loop's thread, and ours */
	local->udp =
		(struct local_socket){.local = local, .fd = udp_socket(&at), .udp = true};
	local->esp = (struct local_socket){.local = local, .fd = udp_socket(&theirs)};
	local->ah = (struct local_socket){.local = local, .fd = udp_socket(&theirs)};
	network = udp_socket(&theirs);
	assert_int_equal(connect(network, (struct sockaddr *)&at, sizeof(at)), 0);
	list_add(&d.listening, &local->listening);
}

/* B's data thread, but for the thread; its SA is not there yet. */
static int setup(void **state)
{
	static struct seeded_entropy seed;
	struct entropy e = entropy_seeded(&seed, 7);
	int pair[2];

	(void)state;
	lab_init(&l, (struct lab_options){.mode = POLICY_TUNNEL, .encap = true});
	assert_int_equal(esp_dp_delete(l.b.dp, LAB_ID), ESP_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	tun = pair[1];
	d = (struct data){.dp = l.b.dp,
		.children = children_new(l.b.dp, &e),
		.batch = batch_new(),
		.orders = order_queue_new(),
		.reports = report_new(),
		.tun_fd = pair[0],
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.toobig = {-1, -1}};
	list_init(&d.listening);
	make_local();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (!list_empty(&d.listening))
		local_let_go(local);
	local_let_go(local);
	close(network);
	close(tun);
	close(d.tun_fd);
	close(d.epoll);
	order_queue_free(d.orders);
	report_free(d.reports);
	batch_free(d.batch);
	children_free(d.children);
	lab_free(&l);
	return 0;
}

static void order_sa(void)
{
	struct order *o = order_new(ORDER_SA_ADD);

	o->u.add.child = mem_new(1, sizeof(*o->u.add.child));
	*o->u.add.child = lab_child(&l, false);
	order_give(d.orders, o);
}

static void peer_sends(void)
{
	struct esp_packet p = lab_a_to_b(&l, 0, OCTETS);

	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	assert_int_equal(send(network, p.at, p.len, 0), (ssize_t)p.len);
}

static bool arrives(void)
{
	uint8_t room[2048];

	return recv(tun, room, sizeof(room), MSG_DONTWAIT) > OCTETS;
}

static void an_order_that_waits_is_obeyed_first(void **state)
{
	(void)state;
	peer_sends();
	order_sa();
	path_from_network(&d, &local->udp, LAB_NOW);
	assert_true(arrives());
	peer_sends();
	path_from_network(&d, &local->udp, LAB_NOW);
	assert_true(arrives());
}

static void without_one_the_sa_is_not_known(void **state)
{
	(void)state;
	peer_sends();
	path_from_network(&d, &local->udp, LAB_NOW);
	assert_false(arrives());
	order_sa();
	path_from_network(&d, &local->udp, LAB_NOW);
	assert_false(arrives()); /* it was judged */
}

/* The socket may go with an order that is obeyed on the way. */
static void what_an_unbound_address_got_is_let_go(void **state)
{
	struct order *o = order_new(ORDER_UNBIND);

	(void)state;
	peer_sends();
	order_sa();
	o->u.local = local;
	order_give(d.orders, o);
	path_from_network(&d, &local->udp, LAB_NOW);
	assert_false(arrives());
	assert_true(list_empty(&d.listening));
}

static void it_is_seen_whether_some_wait(void **state)
{
	struct list all;

	(void)state;
	list_init(&all);
	assert_false(order_waits(d.orders));
	order_give(d.orders, order_new(ORDER_USAGE));
	order_give(d.orders, order_new(ORDER_USAGE));
	assert_true(order_waits(d.orders));
	order_take_all(d.orders, &all);
	assert_false(order_waits(d.orders));
	list_each_safe(item, &all) order_free(list_entry(item, struct order, link));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_order_that_waits_is_obeyed_first),
		TEST(without_one_the_sa_is_not_known),
		TEST(what_an_unbound_address_got_is_let_go),
		TEST(it_is_seen_whether_some_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
