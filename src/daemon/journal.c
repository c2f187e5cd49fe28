/* daemon/journal.c - libqb's log, and the ring of recent events. */
#include "daemon/journal.h"

#include <qb/qbdefs.h>
#include <qb/qblog.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "daemon/blackbox.h"
#include "os/clock.h"

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[EVENT_DEBUG] = {"debug", LOG_DEBUG},
	[EVENT_INFO] = {"info", LOG_INFO},
	[EVENT_NOTICE] = {"notice", LOG_NOTICE},
	[EVENT_WARNING] = {"warning", LOG_WARNING},
	[EVENT_ERROR] = {"error", LOG_ERR},
};
enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

int journal_level_of(const char *name)
{
	for (int i = 0; i < LEVELS; i++)
		if (strcmp(levels[i].name, name) == 0)
			return levels[i].priority;
	return -1;
}

static int blackbox = -1; /* libqb's log is the process's, and so is its box */

/* Our own lines from this priority on; of libqb's only what goes wrong: it has a dozen
 * lines for each client that comes and goes. */
static void set_filter(int32_t target, int priority)
{
	int theirs = priority < LOG_WARNING ? priority : LOG_WARNING;

	qb_log_filter_ctl(
		target, QB_LOG_FILTER_CLEAR_ALL, QB_LOG_FILTER_FILE, "*", LOG_TRACE);
	qb_log_filter_ctl(
		target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", (uint8_t)theirs);
	qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FUNCTION,
		"journal_add", (uint8_t)priority);
	qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FUNCTION,
		"journal_say", (uint8_t)priority);
}

void journal_set_level(int priority)
{
	for (int32_t target = 0; target < QB_LOG_TARGET_MAX; target++)
		if (target != blackbox)
			set_filter(target, priority);
}

void journal_open_log(const struct options *o)
{
	qb_log_init("vipsecd", LOG_DAEMON, (uint8_t)o->log_level);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, !o->foreground && !o->log_file);
	qb_log_ctl(QB_LOG_STDERR, QB_LOG_CONF_ENABLED, o->foreground && !o->log_file);
	qb_log_format_set(QB_LOG_STDERR, "%T %p %b");
	if (o->log_file) {
		int32_t target = qb_log_file_open(o->log_file);

		if (target >= 0) {
			qb_log_format_set(target, "%T vipsecd[%P] %p %b");
			qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
		}
	}
	journal_set_level(o->log_level);
	blackbox = blackbox_open(o->state_dir);
	if (blackbox >= 0)
		set_filter(blackbox, LOG_DEBUG);
}

static void keep(struct journal *j, const struct effect *ev)
{
	struct journal_entry *e = &j->ring[++j->last % JOURNAL_KEEP];

	*e = (struct journal_entry){
		.number = j->last,
		.wall_ms = clock_wall_ms(),
		.severity = ev->u.event.severity,
		.kind = ev->u.event.kind,
		.peer = ev->u.event.peer,
		.ike = ev->u.event.ike,
	};
	memcpy(e->vip, ev->u.event.vip, sizeof(e->vip));
	memcpy(e->text, ev->u.event.text, sizeof(e->text));
}

const struct journal_entry *journal_add(struct journal *j, const struct effect *ev)
{
	char peer[ENDPOINT_TEXT_MAX] = "-";

	if (addr_is_set(&ev->u.event.peer.addr))
		endpoint_format(&ev->u.event.peer, peer);
	qb_log_from_external_source(__func__, __FILE__, "vip=%s peer=%s ike=%u %s: %s",
		(uint8_t)levels[ev->u.event.severity].priority, __LINE__, 0,
		ev->u.event.vip[0] ? ev->u.event.vip : "-", peer, ev->u.event.ike,
		ev->u.event.kind, ev->u.event.text);
	if (ev->u.event.severity == EVENT_DEBUG)
		return NULL;
	keep(j, ev);
	return &j->ring[j->last % JOURNAL_KEEP];
}

void journal_say(enum effect_severity severity, const char *format, ...)
{
	char text[640];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	qb_log_from_external_source(__func__, __FILE__, "vip=- peer=- ike=0 %s",
		(uint8_t)levels[severity].priority, __LINE__, 0, text);
}

json_t *journal_json(const struct journal_entry *e)
{
	char peer[ENDPOINT_TEXT_MAX] = "";

	if (addr_is_set(&e->peer.addr))
		endpoint_format(&e->peer, peer);
	return json_pack("{s:i,s:I,s:I,s:s,s:s,s:s,s:s,s:I,s:s}", "schema", 1, "number",
		(json_int_t)e->number, "time_ms", (json_int_t)e->wall_ms, "severity",
		levels[e->severity].name, "kind", e->kind, "vip", e->vip, "peer", peer,
		"ike", (json_int_t)e->ike, "text", e->text);
}

void journal_each(const struct journal *j, uint64_t from,
	void (*each)(void *ctx, const struct journal_entry *e), void *ctx)
{
	uint64_t oldest = j->last >= JOURNAL_KEEP ? j->last - JOURNAL_KEEP + 1 : 1;

	for (uint64_t n = from > oldest ? from : oldest; n <= j->last; n++)
		each(ctx, &j->ring[n % JOURNAL_KEEP]);
}
