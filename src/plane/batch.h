/* plane/batch.h - packets on their way: a batch, what the kernel wants to be told of each
 * to send or receive many at once, and the memory in which they lie.
 *
 * Floor 7. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_BATCH_H
#define VIPSEC_PLANE_BATCH_H

#include <sys/socket.h>

#include "esp/esp.h"

enum {
	BATCH_PACKET_MAX = 65536,
	/* traffic class, mark and, with AH over IPv6, extension headers */
	BATCH_CONTROL = 224
};

/* Datagrams of one size to one peer that leave as one message, which the kernel cuts up
 * (UDP_SEGMENT); the last may be shorter. */
struct run {
	const struct esp_packet *first;
	size_t len; /* of all of them */
	size_t control_len; /* of the message's control, without the size */
	bool complete;
};

struct batch {
	struct esp_batch packets;
	struct run runs[ESP_BATCH_MAX]; /* beside messages */
	struct mmsghdr messages[ESP_BATCH_MAX];
	struct iovec vectors[ESP_BATCH_MAX];
	struct sockaddr_storage names[ESP_BATCH_MAX];
	_Alignas(struct cmsghdr) uint8_t control[ESP_BATCH_MAX][BATCH_CONTROL];
	/* For receiving, written once; what the kernel changes is put back before the next
	 * call, for as many as it filled. */
	struct mmsghdr in_messages[ESP_BATCH_MAX];
	struct iovec in_vectors[ESP_BATCH_MAX];
	unsigned filled;
	uint8_t *slab;
};

struct batch *batch_new(void);
void batch_free(struct batch *b); /* wipes it: there was plaintext in it */
/* Where packet i is read: BATCH_PACKET_MAX octets, with room around them so that esp/ can
 * seal in place. */
uint8_t *batch_slot(struct batch *b, unsigned i);

#endif
