/* port/guard_text.h - the guard's table as nft text; private to guard*.c.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PORT_GUARD_TEXT_H
#define VIPSEC_PORT_GUARD_TEXT_H

#include <stdio.h>

#include "port/guard.h"

/* Counters named clear_in_SCOPE and so on begin at what they were; counts has one for
 * each of scopes 0..SCOPE_MAX. */
void guard_write(
	FILE *out, const struct guard_rules *rules, const struct guard_counts *counts);

/* guard_quotes.c: the chains that judge what leaving ICMP errors quote, and the way there
 * for those that leave in clear. */
void guard_write_quotes(FILE *out, const struct guard_rules *rules);
void guard_write_quotes_jump(FILE *out);

#endif
