/* daemon/tell.c - each event once into the journal, from there to everybody. */
#include "daemon/tell.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void send_entry(struct daemon *d, uint64_t client, const struct journal_entry *e)
{
	json_t *whole = journal_json(e);
	char *text = json_dumps(whole, JSON_COMPACT);

	if (text)
		(void)control_event(d->control, client, text, strlen(text));
	free(text);
	json_decref(whole);
}

void tell_effect(struct daemon *d, const struct effect *fx)
{
	const struct journal_entry *e = journal_add(d->journal, fx);

	for (size_t i = 0; e && i < CONTROL_CLIENTS_MAX; i++)
		if (d->followers[i])
			send_entry(d, d->followers[i], e);
}

void tell(struct daemon *d, enum effect_severity severity, const char *kind,
	const char *format, ...)
{
	struct effect fx = {.kind = FX_EVENT};
	va_list args;

	fx.u.event.severity = severity;
	fx.u.event.kind = kind;
	va_start(args, format);
	vsnprintf(fx.u.event.text, sizeof(fx.u.event.text), format, args);
	va_end(args);
	tell_effect(d, &fx);
}

/* As many followers as there are clients, each once. */
void tell_follower(struct daemon *d, uint64_t client)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (d->followers[i] && d->followers[i] != client)
			continue;
		d->followers[i] = client;
		return;
	}
}

void tell_no_more(struct daemon *d, uint64_t client)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (d->followers[i] == client)
			d->followers[i] = 0;
}
