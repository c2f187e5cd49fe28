/* daemon/lockfile.h - one vipsecd at a time, and who it is.
 *
 * RUNDIR/vipsecd.pid holds "PID START\n", START being field 22 of /proc/PID/stat: the
 * agent's stop kills by both, so that it never hits a process that took over the number.
 * The file is locked as long as the daemon lives; a lock, unlike a file, dies with it.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_LOCKFILE_H
#define VIPSEC_DAEMON_LOCKFILE_H

#include <stddef.h>

/* A descriptor to keep open, or -1 and the reason. Makes the directory (0755). */
int lockfile_take(const char *dir, char *why, size_t why_cap);
/* Writes the caller's own pid and start time: after the last fork. */
void lockfile_write(int fd);
/* Empties the file on a clean exit, so that nobody looks for us. */
void lockfile_clear(int fd);

#endif
