/* xfrm/looking.h - who has sent and received what, from the kernel's counters.
 *
 * The kernel tells how much, not when. So it is asked several times a second, and what has
 * grown since has happened now: times are late by one look at most.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_LOOKING_H
#define VIPSEC_XFRM_LOOKING_H

#include "xfrm/sad.h"

/* Looks at every child. tell: ESP_INBOUND, the first packet has come; ESP_SEQ_SOFT, its numbers
 * are that far (the kernel says so by itself, but once, and that may be lost). cs->amiss is set
 * when a half of a child is not there any more, and when one is there that is no child's. */
void looking_round(struct sad *cs, uint64_t now_ms,
	void (*tell)(const struct sad_child *c, enum esp_notice_kind what, void *ctx),
	void *ctx);
/* The last look was so long, and is so short ago, that another would take more than a twentieth
 * of the time. */
bool looking_is_fresh(const struct sad *cs, uint64_t now_ms);
/* When to look again: soon where a first packet is awaited, as seldom as every five seconds
 * where a look takes long. UINT64_MAX: never. */
uint64_t looking_next_ms(const struct sad *cs);

#endif
