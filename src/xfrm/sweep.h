/* xfrm/sweep.h - SAs in the kernel that are marked as ours, by their reqid and by their
 * selector, and are not: left by an earlier life, or by a deletion that failed.
 *
 * Floor 8. Results are 0 or an errno.
 */
#ifndef VIPSEC_XFRM_SWEEP_H
#define VIPSEC_XFRM_SWEEP_H

#include <stddef.h>

#include "xfrm/sad.h"

/* Deletes all of them. *n: how many there were. What an earlier life was asked for is ended,
 * so that this one is asked. */
int sweep_sas(struct request_line *line, size_t *n);
/* The same for those that the table does not have. Of each child seen_in and seen_out say then
 * whether the kernel has its halves, and not others in their place. *left: 0, or the errno of one
 * that does not go. */
int sweep_strays(struct sad *cs, int *left);

#endif
