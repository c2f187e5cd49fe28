/* ctl/client.c - the libqb IPC client: one JSON object out, one back. */
#include <errno.h>
#include <qb/qbipcc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "port/control.h"

struct client {
	qb_ipcc_connection_t *conn;
	char buffer[CONTROL_MESSAGE_MAX + 4096];
};

/* libqb waits for ever for a daemon that is stopped or stuck to let us in. */
static void on_no_answer(int sig)
{
	static const char text[] = "vipsec: vipsecd does not answer\n";

	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_ABSENT);
}

static void set_alarm(unsigned ms)
{
	struct itimerval when = {.it_value = {.tv_sec = (time_t)(ms / 1000),
					 .tv_usec = (suseconds_t)(ms % 1000) * 1000}};

	setitimer(ITIMER_REAL, &when, NULL);
}

struct client *client_connect(unsigned timeout_ms)
{
	struct client *c = malloc(sizeof(*c));

	if (!c)
		abort();
	signal(SIGALRM, on_no_answer);
	set_alarm(timeout_ms);
	c->conn = qb_ipcc_connect(CONTROL_NAME, CONTROL_MESSAGE_MAX + 4096);
	set_alarm(0);
	if (c->conn)
		return c;
	if (errno == EACCES)
		fprintf(stderr, "vipsec: only root may talk to vipsecd\n");
	else
		fprintf(stderr, "vipsec: vipsecd is not running here (%s)\n",
			strerror(errno));
	free(c);
	return NULL;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	qb_ipcc_disconnect(c->conn);
	free(c);
}

/* A message is libqb's header and the text. */
static json_t *parse(const struct client *c, ssize_t n)
{
	size_t head = sizeof(struct qb_ipc_response_header);

	if (n < (ssize_t)head)
		return NULL;
	return json_loadb(c->buffer + head, (size_t)n - head, 0, NULL);
}

static bool send_request(struct client *c, const char *verb, json_t *args)
{
	json_t *whole =
		json_pack("{s:s,s:o}", "verb", verb, "args", args ? args : json_object());
	char *text = json_dumps(whole, JSON_COMPACT);
	size_t len = strlen(text);
	struct qb_ipc_request_header head = {
		.id = CONTROL_REQUEST, .size = (int32_t)(sizeof(head) + len)};
	struct iovec iov[2] = {{&head, sizeof(head)}, {text, len}};
	ssize_t n;

	do
		n = qb_ipcc_sendv(c->conn, iov, 2);
	while (n == -EAGAIN);
	free(text);
	json_decref(whole);
	return n >= 0;
}

json_t *client_ask(struct client *c, const char *verb, json_t *args, unsigned timeout_ms)
{
	if (!send_request(c, verb, args)) {
		fprintf(stderr, "vipsec: vipsecd went away\n");
		return NULL;
	}
	ssize_t n = qb_ipcc_recv(c->conn, c->buffer, sizeof(c->buffer), (int)timeout_ms);
	json_t *reply = parse(c, n);
	if (!reply)
		fprintf(stderr, "vipsec: %s\n",
			n == -ETIMEDOUT || n == -EAGAIN ? "vipsecd does not answer"
							: "vipsecd went away");
	return reply;
}

json_t *client_event(struct client *c)
{
	for (;;) {
		ssize_t n = qb_ipcc_event_recv(c->conn, c->buffer, sizeof(c->buffer), -1);

		if (n == -EAGAIN || n == -ETIMEDOUT || n == -EINTR)
			continue;
		return parse(c, n);
	}
}

static void complain(const json_t *reply)
{
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (error)
		fprintf(stderr, "vipsec: %s\n", error);
}

int ask(const struct ctl *ctl, const char *verb, json_t *args, json_t **reply,
	json_t **data)
{
	struct client *c = client_connect(ctl->timeout_ms);

	*reply = *data = NULL;
	if (!c) {
		json_decref(args);
		return EXIT_ABSENT;
	}
	*reply = client_ask(c, verb, args, ctl->timeout_ms);
	client_close(c);
	if (!*reply)
		return EXIT_ABSENT;
	if (ctl->json) {
		json_dumpf(*reply, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		complain(*reply);
		*data = json_object_get(*reply, "data");
	}
	return (int)json_integer_value(json_object_get(*reply, "code"));
}

int ask_and_say(const struct ctl *ctl, const char *verb, json_t *args)
{
	json_t *reply, *data;
	int code = ask(ctl, verb, args, &reply, &data);
	const char *text = json_string_value(json_object_get(data, "text"));

	if (code == EXIT_FINE && text && text[0])
		puts(text);
	json_decref(reply);
	return code;
}
