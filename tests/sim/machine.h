/* tests/sim/machine.h - one machine: power, addresses, disk, guard, and the daemon on it.
 *
 * The daemon is a real node and a real dataplane; the machine is what port/, plane/ and
 * daemon/ are in the product: it feeds events and carries out effects. The data thread is
 * a queue of its own: gates change at once, all other orders a little later, in order.
 *
 * machine.c: power, daemon, addresses. deeds.c: effects. path.c: packets and the guard.
 */
#ifndef VIPSEC_SIM_MACHINE_H
#define VIPSEC_SIM_MACHINE_H

#include "base/list.h"
#include "node/node.h"
#include "node/view.h"
#include "sim/scenario.h"
#include "sim/world.h"

struct packet;

enum { DISK_FILES = 8, LOCAL_ADDRS = 8, CHILDREN_MAX = 1024, WAITING_MAX = 4096 };

struct disk_file {
	char name[64];
	uint8_t *bytes;
	size_t len;
};

struct local_addr {
	struct addr addr;
	enum node_addr_state state;
};

struct order { /* to the data thread */
	struct list link;
	uint64_t at_ms;
	struct effect fx; /* owns its spd or child */
	uint32_t turn; /* of a closed gate */
};

struct installed { /* a child in the dataplane */
	uint32_t id, spi_out;
	uint16_t scope;
	struct endpoint remote;
	uint64_t key_out; /* a hash of it */
	unsigned mtu; /* of its path, as it was told; 0: not yet */
	uint64_t waning_ms; /* seen without a child of the node's; 0: with one */
};

struct machine {
	unsigned index;
	char name[16];
	uint8_t member;
	char *config_text;
	bool edited; /* which of its two texts that is */
	struct config *guard; /* whose rules the guard holds; NULL: none since boot */
	struct spd *guard_spd[VIPS_MAX + 1];
	struct disk_file disk[DISK_FILES];
	struct local_addr addrs[LOCAL_ADDRS];
	unsigned n_addrs;

	bool powered, frozen; /* frozen: the whole machine stands still */
	bool stopped; /* SIGSTOP: the daemon alone stands still */
	bool resting; /* the daemon was ended on purpose */
	unsigned lives; /* daemons started */
	struct stream dice; /* the daemon's randomness */
	struct node *node; /* NULL: no daemon */
	struct esp_dp *dp;
	struct effects fx;
	uint64_t due_ms; /* tick that is planned */
	unsigned same_ms; /* ticks within one millisecond */
	struct list orders;
	uint64_t orders_ms; /* the last one's time */
	struct addr sockets[LOCAL_ADDRS];
	unsigned n_sockets;
	struct installed installed[CHILDREN_MAX];
	unsigned n_installed;

	struct action waiting[WAITING_MAX]; /* what came while it stood still */
	unsigned n_waiting;
};

void machine_init(struct sim *s, unsigned index, const char *name, char *config_text);
void machine_free(struct machine *m);
void machine_power_on(struct sim *s, struct machine *m);
void machine_power_off(struct sim *s, struct machine *m);
void machine_freeze(struct sim *s, struct machine *m, bool frozen);
void machine_daemon_start(struct sim *s, struct machine *m);
void machine_reload(struct sim *s, struct machine *m, char *config_text);
void machine_daemon_kill(struct sim *s, struct machine *m); /* SIGKILL */
void machine_daemon_stop(struct sim *s, struct machine *m, bool stopped); /* SIGSTOP */
/* The machine stands still: the action waits with it, or is lost with it. */
bool machine_defers(struct sim *s, struct machine *m, struct action *a);
/* Daemon there and running. */
bool machine_serves(const struct machine *m);
void machine_feed(struct sim *s, struct machine *m, struct node_event *ev);
void machine_tick_plan(struct sim *s, struct machine *m);
void machine_addr_set(struct sim *s, struct machine *m, const struct addr *a,
	enum node_addr_state state);
bool machine_has_addr(const struct machine *m, const struct addr *a, bool usable);
bool machine_has_socket(const struct machine *m, const struct addr *a);
/* BIND, UNBIND, UP, DOWN, TUNE, SHUTDOWN. */
void machine_command(struct sim *s, struct machine *m, enum node_event_kind kind,
	const char *vip, const char *key, const char *value);

/* deeds.c */
void machine_carry(struct sim *s, struct machine *m);
void machine_orders_drop(struct machine *m);
void machine_orders_now(struct sim *s, struct machine *m);
void machine_notices(struct sim *s, struct machine *m);
/* Peers behind one NAT may have chosen the same SPI; port 0: whichever. */
struct installed *machine_child_of(
	struct machine *m, uint32_t spi, const struct endpoint *to);

/* path.c */
void machine_guard_up(struct machine *m, const struct config *c);
void machine_guard_down(struct machine *m);
enum policy_action machine_guard_says(const struct machine *m, enum policy_direction d,
	const struct endpoint *src, const struct endpoint *dst);
/* An application sends a UDP datagram. */
/* What waited for an SA and need not any more goes out. */
void machine_release(struct sim *s, struct machine *m);
void machine_app_send(struct sim *s, struct machine *m, const struct endpoint *src,
	const struct endpoint *dst, struct span payload);
/* Something came from the network; p stays the caller's. */
void machine_receive(struct sim *s, struct machine *m, const struct packet *p);

#endif
