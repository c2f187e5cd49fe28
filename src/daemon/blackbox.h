/* daemon/blackbox.h - the last log lines, debug ones included, for the day it crashes.
 *
 * Lines are kept in this process's memory whatever the log level is. When a signal ends
 * us that is our own fault (SIGSEGV, SIGABRT of an assertion, ..), they are written to
 * DIR/crash.log before the signal takes its course. Lines hold no secrets.
 *
 * Floor 9. One for each process.
 */
#ifndef VIPSEC_DAEMON_BLACKBOX_H
#define VIPSEC_DAEMON_BLACKBOX_H

#define BLACKBOX_FILE "crash.log"

/* Behind qb_log_init(). dir: absolute, and private to root. Returns libqb's log target, whose
 * filter is the caller's business; -1: none. */
int blackbox_open(const char *dir);

#endif
