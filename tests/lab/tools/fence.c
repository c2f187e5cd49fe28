/* fence_vlab - fence agent for the lab's power switch.
 *
 * Speaks the fence agent protocol (options on standard input as name=value, or -o/-n) to
 * Pacemaker, and one line each way over a Unix socket to the lab, which plays the switch:
 *   request: ACTION PLUG ASKING_HOST      answer: STATUS [TEXT]
 * The socket is reached through the file system, thus out of band: no cut cable hides it.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SWITCH_SOCKET "/run/vlab/power"
#define ANSWER_WAIT_S 15

static const char metadata[] =
	"<?xml version=\"1.0\"?>\n"
	"<resource-agent name=\"fence_vlab\" shortdesc=\"The lab's power switch\">\n"
	"<longdesc>Cuts the power of a host of the lab.</longdesc><vendor-url/>\n"
	"<parameters>\n"
	"<parameter name=\"action\" unique=\"0\" required=\"0\"><getopt mixed=\"-o\"/>"
	"<content type=\"string\" default=\"off\"/><shortdesc "
	"lang=\"en\">action</shortdesc>"
	"</parameter>\n"
	"<parameter name=\"plug\" unique=\"0\" required=\"0\"><getopt mixed=\"-n\"/>"
	"<content type=\"string\"/><shortdesc lang=\"en\">host</shortdesc></parameter>\n"
	"</parameters>\n"
	"<actions><action name=\"on\" automatic=\"0\"/><action name=\"off\"/>"
	"<action name=\"reboot\"/><action name=\"status\"/><action name=\"list\"/>"
	"<action name=\"monitor\"/><action name=\"metadata\"/></actions>\n"
	"</resource-agent>\n";

struct wish {
	char action[32];
	char plug[64];
};

static void set_option(struct wish *w, const char *name, const char *value)
{
	if (strcmp(name, "action") == 0 || strcmp(name, "-o") == 0)
		snprintf(w->action, sizeof(w->action), "%s", value);
	if (strcmp(name, "plug") == 0 || strcmp(name, "-n") == 0)
		snprintf(w->plug, sizeof(w->plug), "%s", value);
	if (strcmp(name, "nodename") == 0 && w->plug[0] == '\0')
		snprintf(w->plug, sizeof(w->plug), "%s", value);
}

static void read_options(struct wish *w)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *eq = strchr(line, '=');
		if (eq == NULL)
			continue;
		*eq = '\0';
		set_option(w, line, eq + 1);
	}
}

static int ask_switch(const struct wish *w)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = SWITCH_SOCKET};
	struct timeval limit = {.tv_sec = ANSWER_WAIT_S};
	char text[256];
	char me[64] = "?";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		fprintf(stderr, "fence_vlab: the power switch does not answer\n");
		return 1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	gethostname(me, sizeof(me) - 1);
	int n = snprintf(text, sizeof(text), "%s %s %s\n", w->action,
		w->plug[0] != '\0' ? w->plug : "-", me);
	if (write(fd, text, (size_t)n) != n)
		return 1;
	ssize_t got = read(fd, text, sizeof(text) - 1);
	if (got <= 0)
		return 1;
	text[got] = '\0';
	char *rest = text;
	long status = strtol(text, &rest, 10);
	if (*rest == ' ')
		fputs(rest + 1, stdout);
	return (int)status;
}

int main(int argc, char **argv)
{
	struct wish w = {.action = "reboot"};

	if (argc > 1) {
		for (int i = 1; i + 1 < argc; i += 2)
			set_option(&w, argv[i], argv[i + 1]);
	} else {
		read_options(&w);
	}
	if (strcmp(w.action, "metadata") == 0) {
		fputs(metadata, stdout);
		return 0;
	}
	return ask_switch(&w);
}
