/* doctor/judge.h - from facts to findings.
 *
 * A judgement sees nothing but its facts, so a test can make them up; who reads them from
 * the machine is in look.h. Each says "ok" when there is nothing wrong, and else one line
 * for each thing with what to do.
 *
 * Floor 9. No reading, no clock, no heap.
 */
#ifndef VIPSEC_DOCTOR_JUDGE_H
#define VIPSEC_DOCTOR_JUDGE_H

#include <stdint.h>

#include "base/addr.h"
#include "base/ts.h"
#include "config/config.h"
#include "doctor/facts.h"
#include "doctor/findings.h"

/* judge_machine.c */
void judge_privileges(const struct facts_privileges *x, struct findings *f);
void judge_esp(const struct facts_esp *x, struct findings *f);
/* Where the kernel carries the packets; says nothing elsewhere. */
void judge_helps(const struct facts_helps *x, struct findings *f);
void judge_crypto(const struct facts_crypto *x, struct findings *f);
void judge_tun(const struct facts_tun *x, struct findings *f);
void judge_clock(const struct facts_clock *x, struct findings *f);

/* judge_network.c */
void judge_policies(const struct facts_policies *x, struct findings *f);
/* Where the kernel carries the packets; says nothing elsewhere. */
void judge_passing(const struct facts_links *x, struct findings *f);
void judge_ports(const struct facts_ports *x, struct findings *f);
void judge_mtu(const struct facts_links *x, struct findings *f);
void judge_forwarding(const struct facts_forwarding *x, struct findings *f);
void judge_rp_filter(const struct facts_links *x, struct findings *f);

/* judge_setup.c */
void judge_config(const struct facts_config *x, struct findings *f);
void judge_files(const struct facts_files *x, struct findings *f);
void judge_certificates(const struct facts_certificates *x, struct findings *f);
void judge_guard(const struct facts_guard *x, struct findings *f);
void judge_cluster(const struct facts_cluster *x, struct findings *f);
void judge_daemon(const struct facts_daemon *x, struct findings *f);

#endif
