/* plane/batch.c - one slab, allocated once, in slots of the largest packet and its room. */
#include "config.h"

#include "plane/batch.h"

#include <stdlib.h>

#include "base/mem.h"

enum { SLOT = ESP_ROOM_BEFORE + BATCH_PACKET_MAX + ESP_ROOM_AFTER };

uint8_t *batch_slot(struct batch *b, unsigned i)
{
	return b->slab + (size_t)i * SLOT + ESP_ROOM_BEFORE;
}

struct batch *batch_new(void)
{
	struct batch *b = mem_new(1, sizeof(*b));

	b->slab = mem_new(ESP_BATCH_MAX, SLOT);
	for (unsigned i = 0; i < ESP_BATCH_MAX; i++) {
		b->in_vectors[i] = (struct iovec){batch_slot(b, i), BATCH_PACKET_MAX};
		b->in_messages[i].msg_hdr = (struct msghdr){
			.msg_name = &b->names[i],
			.msg_iov = &b->in_vectors[i],
			.msg_iovlen = 1,
			.msg_control = b->control[i],
		};
	}
	b->filled = ESP_BATCH_MAX;
	return b;
}

void batch_free(struct batch *b)
{
	wipe(b->slab, (size_t)ESP_BATCH_MAX * SLOT);
	free(b->slab);
	free(b);
}
