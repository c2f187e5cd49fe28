/* xfrm/sweep.h - the SAs that an earlier life of ours has left in the kernel.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_SWEEP_H
#define VIPSEC_XFRM_SWEEP_H

#include <stddef.h>

struct request_line;

/* Deletes each SA that is marked as ours: by its reqid, and by its selector. *n: how many
 * there were. What an earlier life was asked for is ended, so that this one is asked. Result:
 * 0 or an errno. */
int sweep_sas(struct request_line *line, size_t *n);

#endif
