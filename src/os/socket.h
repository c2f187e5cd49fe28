/* os/socket.h - what plane/ and port/ do to sockets alike: options, giving one up that
 * could not be set up, and making one deaf whose address has gone.
 *
 * Floor 5.
 */
#ifndef VIPSEC_OS_SOCKET_H
#define VIPSEC_OS_SOCKET_H

#include <stdbool.h>

bool socket_set_int(int fd, int level, int name, int value); /* false: errno */
/* Closes any descriptor and keeps errno, which says why; returns -1. */
int socket_give_up(int fd);

/* Deaf: nothing more is received, nor answered with ICMP, and sending goes on. */
void socket_deafen(int fd);
void socket_hear_again(int fd);
/* What has been received already is thrown away. */
void socket_drain(int fd);

#endif
