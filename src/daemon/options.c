/* daemon/options.c - getopt, help and defaults of vipsecd. */
#include "daemon/options.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "config.h"

static const char help[] =
	"usage: vipsecd [-fdhV] [-c FILE] [-l FILE] [-r DIR] [-s DIR]\n"
	"  -f       stay in the foreground and log to standard error\n"
	"  -d       log at debug level\n"
	"  -c FILE  configuration (" SYSCONFDIR "/vipsec/vipsec.conf)\n"
	"  -l FILE  log to this file instead of syslog\n"
	"  -r DIR   runtime directory (" RUNDIR ")\n"
	"  -s DIR   state directory (" LOCALSTATEDIR "/lib/vipsec)\n"
	"  -k FILE  test builds only (configure --enable-key-log): write session keys\n"
	"  -V       version\n"
	"Without -f it detaches once the protection is up and the configuration in "
	"force.\n";

static bool take(struct options *o, int c)
{
	switch (c) {
	case 'f':
		o->foreground = true;
		return true;
	case 'd':
		o->log_level = LOG_DEBUG;
		return true;
	case 'c':
		o->config = optarg;
		return true;
	case 'l':
		o->log_file = optarg;
		return true;
	case 'r':
		o->run_dir = optarg;
		return true;
	case 's':
		o->state_dir = optarg;
		return true;
	case 'k':
		o->key_log = optarg;
		return true;
	default:
		return false;
	}
}

/* The daemon leaves its directory: what was said from here must mean the same there. Kept
 * as long as the process lives. */
static bool make_absolute(const char **path)
{
	char here[PATH_MAX], *whole;

	if (!*path || **path == '/')
		return true;
	if (!getcwd(here, sizeof(here)) || asprintf(&whole, "%s/%s", here, *path) < 0) {
		perror("vipsecd: the current directory");
		return false;
	}
	*path = whole;
	return true;
}

static bool make_all_absolute(struct options *o)
{
	return make_absolute(&o->config) && make_absolute(&o->log_file) &&
	       make_absolute(&o->run_dir) && make_absolute(&o->state_dir) &&
	       make_absolute(&o->key_log);
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){
		.config = SYSCONFDIR "/vipsec/vipsec.conf",
		.run_dir = RUNDIR,
		.state_dir = LOCALSTATEDIR "/lib/vipsec",
		.log_level = LOG_INFO,
	};
	for (int c; (c = getopt(argc, argv, "fdhVc:l:r:s:k:")) != -1;) {
		if (c == 'h') {
			fputs(help, stdout);
			return OPTIONS_DONE;
		}
		if (c == 'V') {
			puts(PACKAGE_STRING);
			return OPTIONS_DONE;
		}
		if (!take(o, c)) {
			fputs(help, stderr);
			return OPTIONS_WRONG;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vipsecd: unexpected argument '%s'\n%s", argv[optind],
			help);
		return OPTIONS_WRONG;
	}
	return make_all_absolute(o) ? OPTIONS_RUN : OPTIONS_WRONG;
}
