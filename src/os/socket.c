/* os/socket.c - setsockopt and its friends.
 *
 * A deaf socket is not closed, because the kernel would answer for it with "port
 * unreachable", and a peer may take that for the end.
 */
#include "config.h"

#include "os/socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

bool socket_set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

int socket_give_up(int fd)
{
	int err = errno;

	close(fd);
	errno = err;
	return -1;
}

/* A filter that lets nothing pass. */
void socket_deafen(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &nothing};

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void socket_hear_again(int fd)
{
	socket_set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

void socket_drain(int fd)
{
	uint8_t rest;

	while (recv(fd, &rest, sizeof(rest), MSG_DONTWAIT) >= 0)
		;
}
