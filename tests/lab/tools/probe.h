/* tests/lab/tools/probe.h - the datagram that the lab's prober sends and its echo
 * service returns. Both run on one machine, so host byte order is good enough.
 */
#ifndef VLAB_PROBE_H
#define VLAB_PROBE_H

#include <stdint.h>

#define PROBE_MAGIC 0x76697073u
#define PROBE_NAME_LEN 16

struct probe {
	uint32_t magic;
	uint32_t stream; /* the prober's number of the stream */
	uint64_t seq; /* counts from 1 in each stream */
	uint64_t sent_ns; /* CLOCK_MONOTONIC at the prober */
	char node[PROBE_NAME_LEN]; /* filled in by the echo service: its name ... */
	char in_name[PROBE_NAME_LEN]; /* ... and the device that the request came in by */
};

#endif
