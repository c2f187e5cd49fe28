/* tests/sim/pacemaker.h - where the virtual IPs are, and who is switched off.
 *
 * Not Pacemaker's code but its timing: an agent's start takes some 60 ms, a monitor comes
 * once a second, nothing is taken over from a node before that node is surely off.
 */
#ifndef VIPSEC_SIM_PACEMAKER_H
#define VIPSEC_SIM_PACEMAKER_H

#include "sim/scenario.h"
#include "sim/world.h"

struct machine;

enum { NOWHERE = -1 };

enum phase { PHASE_DOWN, PHASE_STARTING, PHASE_STARTED, PHASE_STOPPING };

struct resource { /* the group of one VIP */
	enum phase phase;
	int home; /* where it is, or begins to be */
	int next; /* where it shall be after the stop; NOWHERE: anywhere */
	int stray; /* where its address is besides; NOWHERE: nowhere */
	int strayed; /* where that was last */
	uint64_t strayed_ms; /* and until when it counts; UINT64_MAX: no end yet */
	unsigned turn; /* steps of an older turn do nothing */
	uint64_t since_ms;
};

struct pacemaker {
	struct stream dice;
	struct resource vips[VIPS_MAX];
	bool known[NODES_MAX]; /* came into the ring, and was not fenced since */
	bool fencing[NODES_MAX]; /* is about to be fenced */
	unsigned winner; /* of two halves that both have quorum: who fences first */
	unsigned silent[MACHINES_MAX]; /* monitors that its daemon did not answer */
};

void pm_init(struct sim *s);
void pm_on_ring(struct sim *s); /* rings or power have changed */
void pm_move(struct sim *s, unsigned vip);
/* On some node a VIP's address goes or comes by hand. */
void pm_pull(struct sim *s, unsigned vip);
void pm_stray(struct sim *s, unsigned vip, unsigned node, bool there); /* stray.c */
void pm_stray_over(struct sim *s, unsigned vip, unsigned node); /* by fencing */
void pm_restart_daemon(struct sim *s, struct machine *m);
void pm_quit(struct sim *s, struct machine *m); /* FX_EXIT was given */
bool pm_all_started(const struct sim *s);
/* Where the VIP is; NULL: nowhere. */
struct machine *pm_home(struct sim *s, unsigned vip);
const char *pm_vip_name(unsigned vip);

#endif
