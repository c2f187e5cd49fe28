/* vlab-ctl - one connection to the vipsecd of this host, for a test that asks often.
 *
 * Standard input has one request a line (JSON, as `vipsec` sends them), standard output one
 * reply a line, or an empty line where there was none. Saves the start of a process for each
 * question. Leaves to the test what the replies mean.
 */
#include "config.h"

#include <errno.h>
#include <qb/qbipcc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "port/control.h"

static char buffer[CONTROL_MESSAGE_MAX + 4096];

static bool send_message(qb_ipcc_connection_t *conn, enum control_message id, char *text)
{
	size_t len = text ? strlen(text) : 0;
	struct qb_ipc_request_header head = {
		.id = (int32_t)id, .size = (int32_t)(sizeof(head) + len)};
	struct iovec iov[2] = {{&head, sizeof(head)}, {text, len}};
	ssize_t n;

	do
		n = qb_ipcc_sendv(conn, iov, text ? 2 : 1);
	while (n == -EAGAIN);
	return n >= 0;
}

/* Prints one reply, all its parts. False: the daemon is gone. */
static bool pass_reply(qb_ipcc_connection_t *conn)
{
	struct qb_ipc_response_header head;

	for (;;) {
		ssize_t n = qb_ipcc_recv(conn, buffer, sizeof(buffer), -1);
		if (n < (ssize_t)sizeof(head))
			return false;
		memcpy(&head, buffer, sizeof(head));
		fwrite(buffer + sizeof(head), 1, (size_t)n - sizeof(head), stdout);
		if (head.id == CONTROL_REPLY)
			return true;
		if (head.id != CONTROL_PART || !send_message(conn, CONTROL_MORE, NULL))
			return false;
	}
}

int main(void)
{
	qb_ipcc_connection_t *conn =
		qb_ipcc_connect(CONTROL_NAME, CONTROL_MESSAGE_MAX + 4096);
	char *line = NULL;
	size_t size = 0;
	bool good = conn != NULL;

	while (good && getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		good = send_message(conn, CONTROL_REQUEST, line) && pass_reply(conn);
		putchar('\n');
		fflush(stdout);
	}
	free(line);
	if (conn)
		qb_ipcc_disconnect(conn);
	return good ? 0 : 1;
}
