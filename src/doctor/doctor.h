/* doctor/doctor.h - what keeps IPsec from working on this machine, and what to do about it.
 *
 * Needs no daemon: why one does not start is among the questions. Reads, and tries what
 * leaves no trace; changes nothing.
 *
 * Floor 9. What `vipsec doctor` says.
 */
#ifndef VIPSEC_DOCTOR_DOCTOR_H
#define VIPSEC_DOCTOR_DOCTOR_H

#include "doctor/facts.h"
#include "doctor/findings.h"

/* file: of the configuration; daemon: what asking it has brought, but for the pid. */
void doctor_run(
	const char *file, const struct facts_daemon *daemon, struct findings *out);

#endif
