/* doctor/apart.h - what may hang, or must not touch this process, is done in another one.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DOCTOR_APART_H
#define VIPSEC_DOCTOR_APART_H

#include <stdbool.h>
#include <stddef.h>

/* Runs work in a child, which fills facts (len octets, no pointers). False: it did not end
 * within ms, or not well; facts are then untouched. */
bool apart_run(void (*work)(void *facts, const void *ctx), const void *ctx, void *facts,
	size_t len, unsigned ms);

#endif
