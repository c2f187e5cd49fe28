/* node/gateway.h - gateways that we are sent to by name, while their addresses are asked for.
 * Private to the room.
 *
 * Floor 4.
 */
#ifndef VIPSEC_NODE_GATEWAY_H
#define VIPSEC_NODE_GATEWAY_H

#include "base/hostname.h"
#include "base/list.h"
#include "base/rate.h"

#include <stdint.h>

struct name;
struct node;
struct peer;

enum {
	GATEWAY_ASKS_MAX = 8, /* questions under way; resolvers have room for more */
	GATEWAY_WAIT_MS = 3000 /* then the old gateway has to serve */
};

/* A question, until its answer comes: nobody may be waiting for it any more. */
struct gateway_ask {
	uint32_t id; /* as in FX_RESOLVE; 0: a free place */
	char name[HOSTNAME_MAX];
	uint64_t until_ms;
	struct list peers; /* peer.sent_on */
};

void gateways_init(struct node *n);
/* NULL: p may be sent to that name; else why not. */
const char *gateway_refusal(const struct node *n, const struct peer *p, const char *name);
/* Which gateway_refusal() has let pass. */
void gateway_ask(struct node *n, struct peer *p, const char *name);
/* p waits to know where it is sent. */
bool gateway_awaited(const struct peer *p);
void gateway_forget(struct peer *p); /* it goes nowhere */
/* The answer to a question of that id: what is usable of it; if nothing, why. */
void gateway_resolved(
	struct node *n, uint32_t id, const struct name *found, const char *why);
void gateways_settle(struct node *n);
uint64_t gateways_due_ms(const struct node *n);

#endif
