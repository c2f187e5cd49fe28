/* daemon/journal.h - what happened: log lines, and the last events for `vipsec events`.
 *
 * A line starts with vip= peer= ike=, then the kind and the text. The ring keeps the last
 * JOURNAL_KEEP events of severity info and above.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_JOURNAL_H
#define VIPSEC_DAEMON_JOURNAL_H

#include <jansson.h>

#include "daemon/options.h"
#include "node/effects.h"

enum { JOURNAL_KEEP = 1000 };

struct journal_entry {
	uint64_t number; /* 1, 2, ..; 0: empty slot */
	uint64_t wall_ms;
	enum effect_severity severity;
	const char *kind;
	char vip[POLICY_NAME_MAX];
	struct endpoint peer;
	uint32_t ike;
	char text[EVENT_TEXT_MAX];
};

struct journal {
	uint64_t last;
	struct journal_entry ring[JOURNAL_KEEP];
};

/* Sets up libqb's log for the whole process: stderr, a file, or syslog; and the black
 * box. */
void journal_open_log(const struct options *o);
void journal_set_level(int priority); /* LOG_ERR .. LOG_DEBUG */
/* "error", "warning", "notice", "info", "debug"; -1 when it is none of these. */
int journal_level_of(const char *name);

/* Logs, keeps, and returns the entry (for followers). NULL for debug events. */
const struct journal_entry *journal_add(struct journal *j, const struct effect *event);
/* A line about the daemon itself. */
void journal_say(enum effect_severity severity, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
json_t *journal_json(const struct journal_entry *e);
/* Calls each from number `from` on, oldest first. */
void journal_each(const struct journal *j, uint64_t from,
	void (*each)(void *ctx, const struct journal_entry *e), void *ctx);

#endif
