/* ctl/ctl.h - what the verbs of `vipsec` share.
 *
 * A verb is one row of the table in main.c and one function in a file of its own. It asks
 * the daemon (ask), prints for people or passes the reply through (--json), and returns
 * the exit code: 0 ok, 1 error, 3 degraded, 7 not bound, 69 the daemon is not there.
 *
 * Floor 10.
 */
#ifndef VIPSEC_CTL_CTL_H
#define VIPSEC_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	EXIT_FINE = 0,
	EXIT_WRONG = 1,
	EXIT_DEGRADED = 3,
	EXIT_UNBOUND = 7,
	EXIT_ABSENT = 69
};

struct ctl {
	const char *verb; /* as typed */
	bool json; /* --json: print the daemon's reply as it is */
	bool follow; /* --follow, which only events takes */
	unsigned timeout_ms; /* bounds the whole call, connecting included */
	int argc; /* what follows the verb */
	char **argv;
};

/* ---- client.c: the daemon at the other end ---- */

struct client;

/* NULL when there is no daemon; has already said so. From here until the
 * closing, or the first client_event(), timeout_ms may pass: then this process says that
 * the daemon does not answer and exits with EXIT_ABSENT. */
struct client *client_connect(const struct ctl *ctl);
void client_close(struct client *c);
/* Takes args over. The reply, or NULL when the daemon went away; has already said so. */
json_t *client_ask(
	const struct ctl *ctl, struct client *c, const char *verb, json_t *args);
/* The next event; NULL when the daemon went away. Waits for ever. */
json_t *client_event(struct client *c);

/* Connects, asks, prints errors, and with --json prints the reply. *data is borrowed from
 * the reply, which the caller releases with json_decref(*reply). Returns the exit code;
 * *data is NULL when there is nothing (more) to print. */
int ask(const struct ctl *ctl, const char *verb, json_t *args, json_t **reply,
	json_t **data);
/* The same for verbs whose reply is one line of text. */
int ask_and_say(const struct ctl *ctl, const char *verb, json_t *args);

/* ---- refuse.c ---- */

/* Says what is wrong, to scripts too; returns code. */
int refuse(const struct ctl *ctl, int code, const char *text);

/* ---- print.c: figures for people ---- */

const char *text_of(const json_t *object, const char *name); /* "-" when absent */
json_int_t number_of(const json_t *object, const char *name);
/* "never", "12s", "3m10s" in rotating storage (8 at once). */
const char *age_of(const json_t *object, const char *name);
const char *bytes_text(json_int_t bytes); /* "1.4 MB", same storage */
/* Of a peer or a child SA: " (integrity only, not encrypted)", or nothing. */
const char *plain_of(const json_t *object);
void print_vip(const json_t *vip);
void print_vips(const json_t *vips);
void print_offload(const json_t *sa); /* nothing where there is none */
void print_peers(const json_t *peers);
void print_names(const json_t *names);
void print_event(const json_t *event);

/* ---- the verbs, one file each ---- */

int verb_status(const struct ctl *ctl);
int verb_show(const struct ctl *ctl);
int verb_sas(const struct ctl *ctl);
int verb_events(const struct ctl *ctl);
int verb_vip(const struct ctl *ctl);
int verb_up(const struct ctl *ctl);
int verb_down(const struct ctl *ctl);
int verb_rekey(const struct ctl *ctl);
int verb_tune(const struct ctl *ctl);
int verb_drain(const struct ctl *ctl);
int verb_undrain(const struct ctl *ctl);
int verb_reload(const struct ctl *ctl);
int verb_doctor(const struct ctl *ctl);
int verb_check(const struct ctl *ctl);
int verb_explain(const struct ctl *ctl);
int verb_flush(const struct ctl *ctl);
int verb_log(const struct ctl *ctl);
int verb_ping(const struct ctl *ctl);

#endif
