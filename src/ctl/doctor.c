/* ctl/doctor.c - `vipsec doctor [FILE]`: what is wrong here, and what to do. Needs no daemon.
 *
 * The daemon, if there is one, is asked from a child: one that hangs must not take the doctor
 * with it.
 */
#include <string.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "doctor/apart.h"
#include "doctor/doctor.h"

#include <stdlib.h>

enum { ASKING_MS = 3000, GRACE_MS = 1000 };

static void take_status(struct facts_daemon *x, const json_t *status)
{
	const json_t *problems = json_object_get(status, "problems"), *one;
	const size_t room = sizeof(x->problems) / sizeof(x->problems[0]);
	size_t i;

	x->in_kernel = strcmp(text_of(json_object_get(status, "dataplane"), "name"),
			       "kernel") == 0;
	snprintf(x->config, sizeof(x->config), "%s",
		text_of(json_object_get(status, "config"), "file"));
	json_array_foreach(problems, i, one) if (x->n_problems < room)
		snprintf(x->problems[x->n_problems++], sizeof(x->problems[0]), "%s",
			json_string_value(one));
}

/* Left as it is, "silent", when the daemon does not answer: then this process ends. */
static void ask_daemon(void *facts, const void *ctx)
{
	const struct ctl quiet = {.verb = "status", .timeout_ms = ASKING_MS};
	struct facts_daemon *x = facts;
	json_t *reply, *data;
	int code = ask(&quiet, "status", NULL, &reply, &data);

	(void)ctx;
	x->state = code == EXIT_ABSENT ? DAEMON_ABSENT : DAEMON_THERE;
	if (data)
		take_status(x, data);
	json_decref(reply);
}

static int code_of(const struct findings *f)
{
	if (f->count[GRADE_BAD] > 0)
		return EXIT_WRONG;
	return f->count[GRADE_WARN] > 0 ? EXIT_DEGRADED : EXIT_FINE;
}

static json_t *findings_json(const struct findings *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n; i++)
		json_array_append_new(
			list, json_pack("{s:s,s:s,s:s,s:s}", "grade",
				      grade_name(f->at[i].grade), "topic", f->at[i].topic,
				      "text", f->at[i].text, "advice", f->at[i].advice));
	return list;
}

static void print_json(const struct findings *f, const char *file)
{
	json_t *out = json_pack("{s:i,s:s,s:i,s:n,s:{s:s,s:i,s:i,s:i,s:o}}", "schema", 1,
		"verb", "doctor", "code", code_of(f), "error", "data", "file", file, "ok",
		(int)f->count[GRADE_OK], "warn", (int)f->count[GRADE_WARN], "bad",
		(int)f->count[GRADE_BAD], "findings", findings_json(f));

	json_dumpf(out, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(out);
}

static void print_lines(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		printf("%-5s %-14s %s%s%s\n", grade_name(f->at[i].grade), f->at[i].topic,
			f->at[i].text, f->at[i].advice[0] ? " -> " : "", f->at[i].advice);
}

int verb_doctor(const struct ctl *ctl)
{
	struct findings *f;
	struct facts_daemon daemon = {.state = DAEMON_SILENT};
	const char *file = SYSCONFDIR "/vipsec/vipsec.conf";

	if (ctl->argc > 1)
		return refuse(ctl, EXIT_WRONG, "doctor [FILE]");
	if (!apart_run(ask_daemon, NULL, &daemon, sizeof(daemon), ASKING_MS + GRACE_MS))
		daemon.state = DAEMON_SILENT;
	if (ctl->argc == 1)
		file = ctl->argv[0];
	else if (daemon.config[0])
		file = daemon.config;
	f = mem_new(1, sizeof(*f));
	doctor_run(file, &daemon, f);
	if (ctl->json)
		print_json(f, file);
	else
		print_lines(f);
	int code = code_of(f);
	free(f);
	return code;
}
