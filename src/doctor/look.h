/* doctor/look.h - reading facts from the machine.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DOCTOR_LOOK_H
#define VIPSEC_DOCTOR_LOOK_H

#include "doctor/facts.h"
#include "doctor/findings.h"

struct own_address {
	struct addr addr;
	bool is_host; /* else a VIP's */
};

/* What the looks share. */
struct patient {
	const char *file;
	struct config *config; /* NULL: not usable */
	struct facts_config config_facts;
	struct facts_daemon daemon;
	struct facts_esp esp;
	bool in_kernel; /* who carries ESP, or would */
	bool wants_ah; /* some rule would use it */
	struct own_address own[FACTS_MAX]; /* and, with a host's policy, those of links */
	size_t n_own;
};

/* look_setup.c */
void look_config(struct patient *p);
void look_files(const struct patient *p, struct facts_files *x);
void look_certificates(const struct patient *p, struct facts_certificates *x);
void look_clock(const struct patient *p, struct facts_clock *x);
void look_pid(struct patient *p);

/* look_machine.c */
void look_privileges(struct facts_privileges *x);
void look_esp(struct patient *p);
void look_crypto(const struct patient *p, struct facts_crypto *x);
void look_tun(const struct patient *p, struct facts_tun *x);

/* look_network.c */
void look_links(const struct patient *p, struct facts_links *x);
void look_own(struct patient *p);
size_t look_own_addrs(const struct patient *p, struct addr out[FACTS_MAX]);
void look_forwarding(const struct patient *p, struct facts_forwarding *x);

/* look_ports.c */
void look_ports(const struct patient *p, struct facts_ports *x);

/* look_policies.c */
void look_policies(const struct patient *p, struct facts_policies *x);

/* look_helps.c */
void look_helps(const struct patient *p, struct facts_helps *x);

/* look_guard.c */
void look_guard(const struct patient *p, struct facts_guard *x);

/* look_cluster.c */
void look_cluster(const struct patient *p, struct facts_cluster *x);

/* look_file.c: a small file's number, or otherwise; its beginning, false: it is empty or
 * not there. */
long look_number(const char *path, long otherwise);
bool look_text(const char *path, char *out, size_t cap);

#endif
