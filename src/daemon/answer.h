/* daemon/answer.h - replies to the requests of `vipsec` and of the agents.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_ANSWER_H
#define VIPSEC_DAEMON_ANSWER_H

#include "daemon/daemon.h"

struct request {
	struct daemon *d;
	uint64_t client;
	const char *verb;
	json_t *args;
};

/* NULL: it has no such argument, or it is no text. */
const char *request_arg(const struct request *r, const char *name);

/* code: the exit status of `vipsec`. error may be NULL. Takes data over, NULL allowed. */
void answer(const struct request *r, int code, const char *error, json_t *data);
/* The two halves of it; whole is taken over. */
json_t *answer_make(const struct request *r, int code, const char *error, json_t *data);
void answer_send(struct daemon *d, uint64_t client, json_t *whole);

#endif
