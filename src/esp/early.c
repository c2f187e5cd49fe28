/* esp/early.c - packets that come before their SA.
 *
 * Obeys RFC 7296 2.8 in what the initiator of an SA can do about the time between the
 * peer's first packet on it and its own being ready. Leaves to inbound.c what becomes of a
 * packet; that the request should be repeated, too, is the node's to decide.
 */
#include "esp/early.h"

#include "base/mem.h"

#include <stdlib.h>

static struct early_packet *packet_of(struct list *item)
{
	return list_entry(item, struct early_packet, link);
}

static void free_all(struct list *l)
{
	list_each_safe(item, l)
	{
		list_del(item);
		free(packet_of(item));
	}
}

void early_init(struct early *e)
{
	*e = (struct early){.n = 0};
	list_init(&e->waiting);
	list_init(&e->taken);
}

void early_wipe(struct early *e)
{
	free_all(&e->waiting);
	free_all(&e->taken);
	e->n = 0;
}

static void drop_oldest(struct early *e)
{
	struct early_packet *p = packet_of(e->waiting.next);

	list_del(&p->link);
	e->n--;
	e->dropped++;
	free(p);
}

void early_begin(struct early *e, uint64_t now_ms)
{
	free_all(&e->taken);
	while (e->n > 0 && now_ms - packet_of(e->waiting.next)->since_ms >= EARLY_MS)
		drop_oldest(e);
}

bool early_put(struct early *e, const struct esp_packet *p, uint32_t spi, uint64_t now_ms)
{
	struct early_packet *copy;

	if (p->len > EARLY_LEN_MAX)
		return false;
	if (e->n == EARLY_PACKETS)
		drop_oldest(e);
	copy = mem_new(1, sizeof(*copy));
	copy->since_ms = now_ms;
	copy->spi = spi;
	copy->packet = *p;
	copy->packet.at = copy->room + ESP_ROOM_BEFORE;
	memcpy(copy->packet.at, p->at, p->len);
	list_add(&e->waiting, &copy->link);
	e->n++;
	return true;
}

void early_take(struct early *e, struct early_packet *p)
{
	list_del(&p->link);
	list_add(&e->taken, &p->link);
	e->n--;
}
