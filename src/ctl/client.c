/* ctl/client.c - the libqb IPC client: one JSON object out, one back.
 *
 * libqb waits for ever in places (connecting to a stopped daemon is one), so one alarm
 * bounds the whole call: an agent's monitor must come back whatever state the daemon is
 * in.
 */
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
	char *text; /* of a reply, its parts put together; heap */
	size_t len;
};

/* For the handler of the alarm. */
static volatile sig_atomic_t for_scripts;

static void on_alarm(int signal)
{
	static const char text[] = "vipsec: vipsecd does not answer\n";
	static const char json[] = "{\"schema\":1,\"verb\":\"\",\"code\":69,\"error\":"
				   "\"vipsecd does not answer\",\"data\":null}\n";

	(void)signal;
	if (for_scripts && write(STDOUT_FILENO, json, sizeof(json) - 1) < 0)
		_exit(EXIT_ABSENT);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_ABSENT);
	_exit(EXIT_ABSENT);
}

/* 0: no more. */
static void bound_by(unsigned ms)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval t = {.it_value = {.tv_sec = (time_t)(ms / 1000),
				      .tv_usec = (suseconds_t)(ms % 1000) * 1000}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

struct client *client_connect(const struct ctl *ctl)
{
	struct client *c = calloc(1, sizeof(*c));
	char text[128];

	if (!c)
		abort();
	for_scripts = ctl->json;
	bound_by(ctl->timeout_ms);
	c->conn = qb_ipcc_connect(CONTROL_NAME, CONTROL_MESSAGE_MAX + 4096);
	if (c->conn)
		return c;
	if (errno == EACCES)
		snprintf(text, sizeof(text), "only root may talk to vipsecd");
	else
		snprintf(text, sizeof(text), "vipsecd is not running here (%s)",
			strerror(errno));
	client_close(c);
	refuse(ctl, EXIT_ABSENT, text);
	return NULL;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	if (c->conn)
		qb_ipcc_disconnect(c->conn);
	bound_by(0);
	free(c->text);
	free(c);
}

static bool send_message(struct client *c, enum control_message id, char *text)
{
	size_t len = text ? strlen(text) : 0;
	struct qb_ipc_request_header head = {
		.id = (int32_t)id, .size = (int32_t)(sizeof(head) + len)};
	struct iovec iov[2] = {{&head, sizeof(head)}, {text, len}};
	ssize_t n;

	do
		n = qb_ipcc_sendv(c->conn, iov, text ? 2 : 1);
	while (n == -EAGAIN);
	return n >= 0;
}

static bool send_request(struct client *c, const char *verb, json_t *args)
{
	json_t *whole =
		json_pack("{s:s,s:o}", "verb", verb, "args", args ? args : json_object());
	char *text = whole ? json_dumps(whole, JSON_COMPACT) : NULL;
	bool sent = text && send_message(c, CONTROL_REQUEST, text);

	free(text);
	json_decref(whole);
	return sent;
}

/* Adds the text of a received message to c->text. The message's kind; 0: not one. */
static int take_message(struct client *c, ssize_t n)
{
	struct qb_ipc_response_header head;

	if (n < (ssize_t)sizeof(head))
		return 0;
	memcpy(&head, c->buffer, sizeof(head));
	size_t len = (size_t)n - sizeof(head);
	char *text = realloc(c->text, c->len + len + 1);
	if (!text)
		abort();
	memcpy(text + c->len, c->buffer + sizeof(head), len);
	c->text = text;
	c->len += len;
	return head.id;
}

static json_t *receive(struct client *c)
{
	int kind;

	c->len = 0;
	do {
		kind = take_message(
			c, qb_ipcc_recv(c->conn, c->buffer, sizeof(c->buffer), -1));
		if (kind == CONTROL_PART && !send_message(c, CONTROL_MORE, NULL))
			return NULL;
	} while (kind == CONTROL_PART);
	return kind == CONTROL_REPLY ? json_loadb(c->text, c->len, 0, NULL) : NULL;
}

json_t *client_ask(
	const struct ctl *ctl, struct client *c, const char *verb, json_t *args)
{
	json_t *reply = send_request(c, verb, args) ? receive(c) : NULL;

	if (!reply)
		refuse(ctl, EXIT_ABSENT, "vipsecd went away");
	return reply;
}

json_t *client_event(struct client *c)
{
	bound_by(0);
	for (;;) {
		ssize_t n = qb_ipcc_event_recv(c->conn, c->buffer, sizeof(c->buffer), -1);

		if (n == -EAGAIN || n == -ETIMEDOUT || n == -EINTR)
			continue;
		c->len = 0;
		if (take_message(c, n) != CONTROL_EVENT)
			return NULL;
		return json_loadb(c->text, c->len, 0, NULL);
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
	struct client *c = client_connect(ctl);

	*reply = *data = NULL;
	if (!c) {
		json_decref(args);
		return EXIT_ABSENT;
	}
	*reply = client_ask(ctl, c, verb, args);
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
