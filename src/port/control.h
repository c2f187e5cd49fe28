/* port/control.h - where `vipsec` and the agents reach the daemon (libqb IPC).
 *
 * One JSON object goes in, one comes back; a connection may stay open and be told of
 * events. Only root may connect: the kernel's word on the peer's uid decides.
 *
 * The rings between both are small, so that connecting is quick (their memory is locked
 * here). A reply that does not fit comes in parts: the client asks for each further one.
 *
 * Floor 7. Uses the libqb loop.
 */
#ifndef VIPSEC_PORT_CONTROL_H
#define VIPSEC_PORT_CONTROL_H

#include <qb/qbloop.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_NAME "vipsec"
enum {
	CONTROL_MESSAGE_MAX = 60 * 1024, /* text of one message */
	CONTROL_REPLY_MAX = 64 << 20, /* text of one reply, all its parts */
	CONTROL_CLIENTS_MAX = 64
};

/* How a message is framed on both sides: libqb's header, then the text without a NUL. */
enum control_message {
	CONTROL_REQUEST = 1,
	CONTROL_REPLY = 2, /* the whole, or the last part */
	CONTROL_EVENT = 3,
	CONTROL_MORE = 4, /* the next part, please; without text */
	CONTROL_PART = 5 /* of a reply that goes on */
};

struct control;

struct control_handlers {
	/* A request. Answer with control_reply(client, ...), now or later. */
	void (*request)(void *ctx, uint64_t client, const char *text, size_t len);
	/* The client is gone; replies to it are dropped from now on. */
	void (*gone)(void *ctx, uint64_t client);
	void *ctx;
};

/* NULL: the name is taken (another vipsecd runs) or the IPC cannot be set up; see why. */
struct control *control_new(qb_loop_t *loop, const struct control_handlers *handlers,
	char *why, size_t why_cap);
void control_free(struct control *c);
/* False when the client is gone or the text exceeds CONTROL_REPLY_MAX. */
bool control_reply(struct control *c, uint64_t client, const char *text, size_t len);
/* An event for one client that follows. A slow reader loses events, never delays us.
 * False when it was lost, or exceeds CONTROL_MESSAGE_MAX. */
bool control_event(struct control *c, uint64_t client, const char *text, size_t len);

#endif
