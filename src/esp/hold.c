/* esp/hold.c - packets that wait a moment for their SA.
 *
 * RFC 4301 5.1 leaves it to the implementation whether a packet that triggers IKE is
 * queued or dropped. Leaves to outbound.c which SA a packet gets, and whether it may go.
 */
#include "esp/hold.h"

#include "base/mem.h"
#include "base/secret.h"

#include <stdlib.h>

static struct held *held_of(struct list *item)
{
	return list_entry(item, struct held, link);
}

static void held_free(struct held *p)
{
	list_del(&p->link);
	wipe(p->room, ESP_ROOM_BEFORE + p->len);
	free(p);
}

static void free_all(struct list *l)
{
	list_each_safe(item, l) held_free(held_of(item));
}

void hold_init(struct hold *h)
{
	*h = (struct hold){.n = 0};
	list_init(&h->waiting);
	list_init(&h->released);
}

void hold_wipe(struct hold *h)
{
	free_all(&h->waiting);
	free_all(&h->released);
	h->n = h->octets = 0;
}

static void drop(struct hold *h, struct held *p)
{
	h->n--;
	h->octets -= p->len;
	h->dropped++;
	held_free(p);
}

void hold_begin(struct hold *h, uint64_t now_ms)
{
	free_all(&h->released);
	/* The oldest stands first. */
	while (!list_empty(&h->waiting)) {
		struct held *p = held_of(h->waiting.next);
		if (now_ms - p->since_ms < HOLD_MS)
			break;
		drop(h, p);
	}
}

static bool same_key(const struct hold_key *a, const struct hold_key *b)
{
	return a->scope == b->scope && a->rule == b->rule && a->owner == b->owner &&
	       addr_equal(&a->peer, &b->peer);
}

static bool has_room(const struct hold *h, const struct hold_key *k, size_t len)
{
	unsigned of_key = 0;

	if (h->n >= HOLD_PACKETS || h->octets + len > HOLD_OCTETS)
		return false;
	list_each(item, &h->waiting) of_key += same_key(&held_of(item)->key, k);
	return of_key < HOLD_EACH;
}

bool hold_put(struct hold *h, const struct hold_key *k, struct span packet, bool fragment,
	uint64_t now_ms)
{
	if (!has_room(h, k, packet.len))
		return false;
	struct held *p =
		mem_new(1, sizeof(*p) + ESP_ROOM_BEFORE + packet.len + ESP_ROOM_AFTER);
	p->key = *k;
	p->since_ms = now_ms;
	p->fragment = fragment;
	p->len = packet.len;
	memcpy(p->room + ESP_ROOM_BEFORE, packet.at, packet.len);
	list_add(&h->waiting, &p->link);
	h->n++;
	h->octets += packet.len;
	return true;
}

void hold_release(struct hold *h, struct held *p)
{
	list_del(&p->link);
	list_add(&h->released, &p->link);
	h->n--;
	h->octets -= p->len;
}

void hold_drop_scope(struct hold *h, uint16_t scope)
{
	list_each_safe(item, &h->waiting)
	{
		struct held *p = held_of(item);
		if (p->key.scope == scope)
			drop(h, p);
	}
}
