/* node/tell.c - words to the outside: events, answers to commands, things to store.
 *
 * Leaves to others: rate limits. Whoever tells what a stranger can cause asks a rate
 * first.
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void node_tell(struct node *n, enum effect_severity severity, const char *kind,
	const struct scope *s, const struct endpoint *peer, uint32_t ike,
	const char *format, ...)
{
	struct effect *f =
		effects_add(n->out, FX_EVENT, s ? s->id : (uint16_t)n->n_scopes);
	va_list args;

	f->u.event.severity = severity;
	f->u.event.kind = kind;
	f->u.event.ike = ike;
	if (s)
		memcpy(f->u.event.vip, s->name, sizeof(f->u.event.vip));
	if (peer)
		f->u.event.peer = *peer;
	va_start(args, format);
	vsnprintf(f->u.event.text, sizeof(f->u.event.text), format, args);
	va_end(args);
}

void node_reply(struct node *n, uint64_t token, int code, const char *format, ...)
{
	struct effect *f = effects_add(n->out, FX_REPLY, 0);
	va_list args;

	f->u.reply.token = token;
	f->u.reply.code = code;
	va_start(args, format);
	vsnprintf(f->u.reply.text, sizeof(f->u.reply.text), format, args);
	va_end(args);
}

void node_store(struct node *n, const char *name, struct span bytes)
{
	struct effect *f = effects_add(n->out, FX_STORE, 0);

	snprintf(f->u.blob.name, sizeof(f->u.blob.name), "%s", name);
	f->u.blob.len = bytes.len;
	if (bytes.len > 0) {
		f->u.blob.bytes = mem_new(1, bytes.len);
		memcpy(f->u.blob.bytes, bytes.at, bytes.len);
	}
}
