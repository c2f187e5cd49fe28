/* plane/path.h - packets between the TUN and the network, a batch at a time.
 *
 * Floor 6. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_PATH_H
#define VIPSEC_PLANE_PATH_H

#include <stdbool.h>
#include <stdint.h>

struct data;
struct local_socket;
struct path;

struct path *path_new(void);
void path_free(struct path *p);

/* Each handles at most one batch. */
void path_from_tun(struct data *d, uint64_t now_ms);
void path_from_network(struct data *d, struct local_socket *s, uint64_t now_ms);
/* Packets that waited for an SA; at once after orders, before anything else goes out. */
void path_release(struct data *d, uint64_t now_ms);
/* ICMP errors for path MTU that the packet socket saw. */
void path_read_toobig(struct data *d, uint64_t now_ms);
/* ICMP errors and local ones that the kernel queued on a socket. */
void path_read_errors(struct data *d, const struct local_socket *s, uint64_t now_ms);

#endif
