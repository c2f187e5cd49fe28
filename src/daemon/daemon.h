/* daemon/daemon.h - what vipsecd is made of, and how its files call each other.
 *
 * main.c assembles, feed.c and feed_cluster.c turn the world into events, carry.c turns
 * effects into the world, command.c answers `vipsec` (look.c: once the data thread has
 * answered), report.c puts views into JSON.
 *
 * Floor 8. One thread (the data path has its own, behind plane.h).
 */
#ifndef VIPSEC_DAEMON_DAEMON_H
#define VIPSEC_DAEMON_DAEMON_H

#include <jansson.h>
#include <qb/qbloop.h>

#include "base/rate.h"
#include "daemon/activation.h"
#include "daemon/journal.h"
#include "daemon/options.h"
#include "daemon/store.h"
#include "node/node.h"
#include "node/view.h"
#include "plane/plane.h"
#include "port/bus.h"
#include "port/control.h"
#include "port/quorum.h"

struct watch;
struct sockets;

#define DAEMON_TUN "vipsec0"
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
	json_t *args;
	json_t *ready; /* the reply, when only its time has not come; NULL: run verb */
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

	struct plane *plane;
	struct watch *watch;
	struct sockets *sockets;
	struct announcer *announcer;
	struct bus *bus; /* NULL: backend none */
	struct quorum *quorum;
	int bus_fd, quorum_fd; /* as polled; -1: none */
	int guard_fd; /* tells when the guard's table is touched; -1: none */
	char *guard_listing; /* the table as we left it; NULL: not known */
	struct rate guard_words;
	uint64_t refused; /* reports of PLANE_REFUSED */
	uint64_t renew_ms; /* an SA that was refused is not begun anew before */
	struct control *control;
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
	char plane_note[160]; /* which plane serves, and why */
};

/* feed.c */
void feed(struct daemon *d, struct node_event *ev); /* sets the time */
/* Opens the ports and gives the node its configuration (taken over), what was stored, and
 * the addresses that are here. */
bool feed_open(struct daemon *d, struct config *c, char *why, size_t why_cap);
void feed_close(struct daemon *d);
/* feed_cluster.c: the group and the quorum. Leaving does nothing without a cluster. */
void feed_join_cluster(struct daemon *d, const char *name);
void feed_leave_cluster(struct daemon *d);
/* feed_guard.c: the guard's table stays as it was last applied. */
void feed_watch_guard(struct daemon *d);
void feed_unwatch_guard(struct daemon *d);
void feed_guard_applied(struct daemon *d);
/* Reads the configuration file anew. False: the running one stays; errors in report. */
bool feed_config(struct daemon *d, const struct config_report *report);

/* carry.c */
void carry_all(struct daemon *d);
/* An event of the daemon's own: logged, kept, and told to those who follow. */
void daemon_tell(struct daemon *d, enum effect_severity severity, const char *kind,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The guard follows the configuration, bound or not. False: the old one stays; see why. */
bool carry_guard(const struct config *c, char *why, size_t why_cap);

/* command.c */
void command_request(void *ctx, uint64_t client, const char *text, size_t len);
void command_gone(void *ctx, uint64_t client);
void command_run(struct daemon *d, uint64_t client, const char *verb, json_t *args);
void command_send(struct daemon *d, uint64_t client, json_t *whole); /* taken over */
void command_reply(struct daemon *d, uint64_t token, int code, const char *text);
void command_event(struct daemon *d, const struct journal_entry *e);

/* report.c: each returns a new JSON value. Times are milliseconds; ages, not instants. */
json_t *report_status(struct daemon *d); /* degraded when its "problems" are not empty */
json_t *report_vips(struct daemon *d);
json_t *report_rules(struct daemon *d);
/* report_peers.c */
json_t *report_peers(struct daemon *d, const char *vip); /* vip NULL: all */
json_t *report_ikes(struct daemon *d);
json_t *report_children(struct daemon *d);

#endif
