/* xfrm/port4500.c - the non-ESP marker off, the rest a report. */
#include "config.h"

#include "xfrm/port4500.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/iana.h"
#include "base/mem.h"
#include "os/sockaddr.h"

enum { MARKER = 4, DATAGRAM_MAX = 65535, AT_ONCE = 16 };

static void hand_on(const struct local *l, const struct endpoint *from, const uint8_t *at,
	size_t len, struct reports *reports)
{
	struct plane_report r = {.kind = PLANE_IKE};

	r.u.ike.local = (struct endpoint){l->addr, IKE_NATT_PORT};
	r.u.ike.remote = *from;
	r.u.ike.bytes = mem_new(len, 1);
	r.u.ike.len = len;
	memcpy(r.u.ike.bytes, at, len);
	if (!reports_add_light(reports, &r))
		free(r.u.ike.bytes);
}

void port4500_read(const struct local *l, struct reports *reports)
{
	static uint8_t bytes[DATAGRAM_MAX];
	static const uint8_t marker[MARKER];

	for (int i = 0; i < AT_ONCE; i++) {
		struct sockaddr_storage name;
		socklen_t name_len = sizeof(name);
		struct endpoint from;
		ssize_t n = recvfrom(l->udp.fd, bytes, sizeof(bytes), MSG_DONTWAIT,
			(struct sockaddr *)&name, &name_len);
		if (n < 0)
			return;
		if (n > MARKER && memcmp(bytes, marker, MARKER) == 0 &&
			sockaddr_read(&name, &from))
			hand_on(l, &from, bytes + MARKER, (size_t)n - MARKER, reports);
	}
}
