/* doctor/look_setup.c - the configuration and what it names, files, clock, pid file. */
#include "doctor/look.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include "os/clock.h"
#include "port/files.h"

static void take_line(void *ctx, const char *text)
{
	struct facts_config *x = ctx;
	const size_t room = sizeof(x->lines) / sizeof(x->lines[0]);

	if (x->n < room)
		snprintf(x->lines[x->n++], sizeof(x->lines[0]), "%s", text);
}

static bool asks_for_ah(const struct config *c)
{
	for (unsigned i = 0; i < c->n_rules; i++) {
		const struct config_proposal *p = &c->proposals[c->rules[i].proposal];

		for (unsigned k = 0;
			c->rules[i].action == POLICY_NEGOTIATE && k < p->n_esp; k++)
			if (p->esp[k].ah)
				return true;
	}
	return false;
}

/* As the daemon reads it when it starts: an expired certificate is no reason not to. */
void look_config(struct patient *p)
{
	struct facts_config *x = &p->config_facts;
	struct config_report report = {.line = take_line, .ctx = x};
	struct files_source from = {.report = &report, .starting = true};

	snprintf(x->file, sizeof(x->file), "%s", p->file);
	p->config = files_load_config(p->file, &from, &report);
	x->usable = p->config != NULL;
	if (!p->config)
		return;
	p->wants_ah = asks_for_ah(p->config);
	x->vips = p->config->n_vips;
	x->policies = p->config->n_policies;
	x->rules = p->config->n_rules;
}

/* ---- files ------------------------------------------------------------------------ */

static void look_file(struct facts_files *x, const char *path, bool secret)
{
	struct fact_file *file = &x->at[x->n++];
	struct stat st;

	*file = (struct fact_file){.secret = secret};
	snprintf(file->path, sizeof(file->path), "%s", path);
	file->there = stat(path, &st) == 0;
	if (!file->there)
		return;
	file->foreign = st.st_uid != 0 && st.st_uid != geteuid();
	file->mode = st.st_mode & 07777;
}

/* Secrets and keys themselves are judged when the configuration is read. */
void look_files(const struct patient *p, struct facts_files *x)
{
	x->n = 0;
	look_file(x, p->file, false);
	look_file(x, SYSCONFDIR "/vipsec", false);
	look_file(x, SYSCONFDIR "/vipsec/secrets", true);
	look_file(x, SYSCONFDIR "/vipsec/private", true);
	look_file(x, LOCALSTATEDIR "/lib/vipsec", true);
	look_file(x, RUNDIR, false);
}

/* ---- certificates ------------------------------------------------------------------- */

static void add_certificate(struct facts_certificates *x, const char *identity, bool ca,
	const struct certificate *c)
{
	if (x->n == FACTS_MAX)
		return;
	struct fact_certificate *one = &x->at[x->n++];
	snprintf(one->identity, sizeof(one->identity), "%s", identity);
	certificate_subject(c, one->subject);
	one->ca = ca;
	one->not_before_s = certificate_not_before_s(c);
	one->not_after_s = certificate_not_after_s(c);
}

void look_certificates(const struct patient *p, struct facts_certificates *x)
{
	const struct config *c = p->config;

	x->n = 0;
	x->now_s = (int64_t)(clock_wall_ms() / 1000);
	x->warning_ms = c ? c->tuning.expiry_warning_ms : 0;
	for (unsigned i = 0; c && i < c->n_identities; i++) {
		const struct config_identity *id = &c->identities[i];
		for (size_t k = 0; id->credential && k < credential_count(id->credential);
			k++)
			add_certificate(
				x, id->name, k > 0, credential_at(id->credential, k));
		for (size_t k = 0; id->trust && k < trust_count(id->trust); k++)
			add_certificate(x, id->name, true, trust_at(id->trust, k));
	}
}

/* ---- the clock ------------------------------------------------------------------------ */

void look_clock(const struct patient *p, struct facts_clock *x)
{
	struct timex t = {.modes = 0};

	*x = (struct facts_clock){.wall_s = (int64_t)(clock_wall_ms() / 1000)};
	x->known = adjtimex(&t) >= 0;
	x->synchronised = x->known && (t.status & STA_UNSYNC) == 0;
	x->needed = p->config && p->config->n_identities > 0;
}

/* ---- the pid file --------------------------------------------------------------------- */

/* The name too: the number may be another's by now. */
void look_pid(struct patient *p)
{
	char path[64], name[32];

	p->daemon.pid = (int)look_number(RUNDIR "/vipsecd.pid", 0);
	snprintf(path, sizeof(path), "/proc/%d/comm", p->daemon.pid);
	p->daemon.pid_alive = p->daemon.pid > 0 && look_text(path, name, sizeof(name)) &&
			      strncmp(name, "vipsecd", 7) == 0;
}
