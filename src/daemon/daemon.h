/* daemon/daemon.h - what vipsecd is made of.
 *
 * Who calls whom, from the top: main.c assembles; feed.c, feed_cluster.c and command.c hear
 * the world, step.c steps the node, carry.c carries out what it decided; pending.c,
 * look.c, answer.c and tell.c speak to `vipsec` and to the log.
 *
 * Floor 9. One thread (the data path has its own, behind plane.h).
 */
#ifndef VIPSEC_DAEMON_DAEMON_H
#define VIPSEC_DAEMON_DAEMON_H

#include <jansson.h>
#include <qb/qbloop.h>

#include "base/rate.h"
#include "daemon/activation.h"
#include "daemon/journal.h"
#include "daemon/mending.h"
#include "daemon/options.h"
#include "daemon/store.h"
#include "node/node.h"
#include "node/view.h"
#include "plane/plane.h"
#include "port/bus.h"
#include "port/control.h"
#include "port/keys.h"
#include "port/quorum.h"
#include "routing/device.h"

struct request;
struct watch;
struct sockets;
struct fetcher;
struct resolver;

#define DAEMON_TUN DEVICE_NAME
enum { DAEMON_MARK = 0x76697073 }; /* "vips": SO_MARK of our own datagrams */

enum { PENDING_MAX = 64 };

/* A command whose answer comes later, as FX_REPLY. */
struct pending {
	uint64_t token; /* 0: free */
	uint64_t client;
	char verb[24];
};

/* A request that waits for the data thread (look.c). */
struct look {
	uint64_t client; /* 0: free */
	char verb[24];
	void (*run)(const struct request *r);
	json_t *args;
	json_t *ready; /* the reply, when only its time has not come; NULL: run */
	uint64_t asked_ms;
	bool insist; /* no answer without the data thread's */
	bool late; /* it has been waited for long enough */
};

struct daemon {
	struct options options;
	qb_loop_t *loop;
	struct node *node;
	struct effects fx;
	bool stepping; /* inside node_step or its effects: nothing may feed another event */
	bool closing; /* NODE_SHUTDOWN was fed */
	bool exiting; /* FX_EXIT was carried out */
	uint8_t member;
	uint32_t failover_ms;
	uint64_t started_ms;
	uint64_t config_wall_ms; /* when the running configuration was loaded */
	int timer_fd; /* the node's deadline */
	int housekeeping_fd; /* every 100 ms for bus and quorum; -1: no cluster */
	uint64_t due_ms; /* what timer_fd is set to */

	bool lost; /* the data path's interface */
	bool in_kernel; /* the plane is the kernel's */
	struct plane *plane;
	struct watch *watch;
	struct sockets *sockets;
	struct fetcher *fetcher; /* NULL: nothing was ever fetched */
	struct resolver *resolver; /* NULL: no rule ever had a name */
	struct announcer *announcer;
	struct bus *bus; /* NULL: backend none */
	struct quorum *quorum;
	int bus_fd, quorum_fd; /* as polled; -1: none */
	int guard_fd; /* tells when the guard's table is touched; -1: none */
	char *guard_listing; /* the table as we left it; NULL: not known */
	struct rate guard_words;
	struct mending mending;
	uint64_t refused; /* reports of PLANE_REFUSED and PLANE_TROUBLED */
	struct control *control;
	struct keys keys; /* private keys that were loaded */
	struct store store; /* outlives the machine's restart */
	struct store boot_store; /* of this boot only */
	struct activation activation;
	struct journal *journal;

	uint64_t followers[CONTROL_CLIENTS_MAX]; /* `events --follow`; 0: free */
	struct pending pending[PENDING_MAX];
	uint64_t last_token;
	struct look looks[PENDING_MAX];
	int look_fd; /* their patience */
	bool stalled; /* the data thread does not answer */
	char plane_note[2 * PLANE_WHY_MAX]; /* which plane serves, and why */
};

#endif
