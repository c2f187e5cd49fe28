/* daemon/options.h - the command line of vipsecd.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_OPTIONS_H
#define VIPSEC_DAEMON_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *config; /* -c, /etc/vipsec/vipsec.conf */
	const char *run_dir; /* -r, /run/vipsec: pid file, held VIPs */
	const char *state_dir; /* -s, /var/lib/vipsec: peers, activation, crash.log */
	const char *log_file; /* -l; NULL: syslog */
	const char *key_log; /* -k, in builds with --enable-key-log; NULL: none */
	bool foreground; /* -f: do not detach, log to stderr */
	int log_level; /* syslog priority, LOG_INFO; -d: LOG_DEBUG */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/* Prints help or what is wrong by itself. The strings live as long as argv. */
enum options_result options_parse(struct options *o, int argc, char **argv);

#endif
