/* node/scope.h - scopes (virtual IPs, the host) and the places they consist of.
 *
 * A place is one address of a scope and has its own life (place.c). Private to the room.
 *
 * Floor 4.
 */
#ifndef VIPSEC_NODE_SCOPE_H
#define VIPSEC_NODE_SCOPE_H

#include "node/claim.h"
#include "node/node.h"
#include "node/view.h"

enum { HOST_PLACES_MAX = 64 };

struct place {
	struct addr addr;
	enum node_addr_state seen;
	enum vip_state state; /* assigned by place_event() alone */
	uint64_t since_ms;
	bool started; /* told to, since the address is there */
	uint8_t stray; /* was here before this member, its owner, was lost; 0: no */
	bool asked; /* our CLAIM is on its way */
	bool returning; /* our RELEASE is on its way */
	bool owns; /* we hold the claim and owe its RELEASE */
	bool sockets;
	bool leaving; /* its SAs are being taken down; it is not bound before that is done */
	bool mute; /* ... and nothing more is sent meanwhile */
	uint64_t due_ms; /* RELEASING: leave by then; 0: not armed */
	unsigned announced; /* copies, since announcing began */
	uint64_t announce_ms; /* the next copy; 0: none */
};

struct rule_use { /* one negotiate rule of the scope */
	uint32_t rule;
	struct spd *spd; /* its entries alone, for narrowing */
};

struct scope {
	uint16_t id;
	bool is_host;
	char name[POLICY_NAME_MAX];
	enum config_bind bind;
	struct spd *spd; /* NULL: no policy */
	struct rule_use *uses; /* most specific first */
	unsigned n_uses;
	struct ike_answer *answer; /* to an IKE_SA_INIT: host_answer_of() */
	struct place *places;
	unsigned n_places;
	bool steered; /* FX_POLICY was given */
	bool gate_open;
	unsigned gate_closings; /* not acknowledged yet */
	uint64_t gate_alarm_ms; /* they should be, by then */
	bool gate_stuck; /* they are not, and it was told */
};

/* ---- scope.c ------------------------------------------------------------- */

void scope_init(struct scope *s, const struct config *c, uint16_t id);
void scope_wipe(struct scope *s);
struct scope *scope_by_name(struct node *n, const char *name); /* NULL: none */
struct place *scope_place(const struct scope *s, const struct addr *addr);
/* NULL: the address belongs to no scope. */
struct scope *scope_of_addr(struct node *n, const struct addr *addr, struct place **out);
/* A bound one of this family: that of the address, or else any. NULL: none. */
struct place *scope_bound_place(
	const struct scope *s, const struct addr *best, uint8_t family);
/* The host's places come and go with the machine's addresses. NULL: full. */
struct place *scope_add_place(struct scope *s, const struct addr *addr);
bool scope_serves(const struct scope *s); /* at some address */
/* What the rule says of itself; NULL: not a negotiate rule of this scope. */
const struct rule_use *scope_use(const struct scope *s, uint32_t rule);
/* Of the host: all the time. Else while an address is bound. Gives the FX_POLICY. */
void scope_steer(struct node *n, struct scope *s);
/* A new number for the IVs, on disk before the gate opens. */
void scope_next_activation(struct node *n);

/* ---- gate.c ---------------------------------------------------------------- */

#define GATE_STUCK_TEXT "the data plane does not say that it has stopped sending"
void scope_open_gate(struct node *n, struct scope *s);
void scope_close_gate(struct node *n, struct scope *s);
/* Warns of closings that are not acknowledged in time. */
void gates_settle(struct node *n);
uint64_t gates_due_ms(const struct node *n);

/* ---- announce.c ------------------------------------------------------------- */

/* Now, and a few times more. */
void place_announce(struct node *n, const struct scope *s, struct place *p);
/* All that we own, after a split has healed. */
void announce_owned(struct node *n);
void announce_settle(struct node *n, const struct scope *s, struct place *p);

/* ---- place.c: the life cycle ------------------------------------------------ */

enum place_happening {
	PLACE_PRESENT,
	PLACE_TENTATIVE,
	PLACE_GONE,
	PLACE_READY, /* everything that binding needs is there */
	PLACE_UNFIT, /* quorum or claim was lost */
	PLACE_START,
	PLACE_STOP,
	PLACE_DUE, /* the time of a release has come */
	PLACE_CLOSE /* the daemon ends */
};

void place_event(
	struct node *n, struct scope *s, struct place *p, enum place_happening what);
void place_see(
	struct node *n, struct scope *s, struct place *p, enum node_addr_state seen);
/* before: the claims of the last membership. */
void places_on_members(struct node *n, const struct claims *before);
/* Says RELEASE; the claim counts as lost until it has come round. */
void place_return_claim(struct node *n, struct place *p);
bool place_serves(const struct place *p); /* BOUND or RELEASING */
/* Binds what can be bound, mutes what must be, finishes what is leaving. */
void places_settle(struct node *n);
uint64_t places_due_ms(const struct node *n);
/* Why it is not bound; empty when it is. */
void place_reason(const struct node *n, const struct scope *s, const struct place *p,
	char *out, size_t cap);
void held_store(struct node *n);

/* ---- release.c --------------------------------------------------------------- */

enum leave_how {
	LEAVE_MUTE, /* nothing may be sent any more */
	LEAVE_LOST, /* the address is gone: copies of the Delete, no answers awaited */
	LEAVE_HERE /* the address is still there: Deletes, answers awaited */
};

void release_begin(struct node *n, struct scope *s, struct place *p, enum leave_how how);
/* True when nothing is left and nothing more can be sent; closes the sockets. */
bool release_finish(struct node *n, struct scope *s, struct place *p);
/* At once and for good: the place is leaving the configuration. Its claim stays ours until
 * release_owe(), to be called behind the last of a scope, has closed the gate, and the
 * data thread has acknowledged that. */
void release_now(struct node *n, struct scope *s, struct place *p);
void release_owe(struct node *n, struct scope *s);
/* A closing of this scope's gate was acknowledged. */
void release_owed(struct node *n, uint16_t scope);

#endif
