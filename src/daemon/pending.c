/* daemon/pending.c - who waits for which token. */
#include "daemon/pending.h"

#include <stdio.h>
#include <string.h>

#include "daemon/look.h"

uint64_t pending_add(const struct request *r)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &r->d->pending[i];

		if (p->token)
			continue;
		*p = (struct pending){.token = ++r->d->last_token, .client = r->client};
		snprintf(p->verb, sizeof(p->verb), "%s", r->verb);
		return p->token;
	}
	return 0;
}

void pending_reply(struct daemon *d, uint64_t token, int code, const char *text)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &d->pending[i];

		if (p->token != token || token == 0)
			continue;
		struct request r = {.d = d, .client = p->client, .verb = p->verb};
		json_t *reply = answer_make(&r, code, code == 0 ? NULL : text,
			json_pack("{s:s}", "text", text));
		/* A release is worth nothing with a data thread that hangs: the agent's stop
		 * waits for its word, and kills a daemon that does not give it. */
		if (strcmp(p->verb, "vip-unbind") != 0 || !look_hold(d, p->client, reply))
			answer_send(d, p->client, reply);
		p->token = 0;
	}
}

void pending_gone(struct daemon *d, uint64_t client)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (d->pending[i].client == client)
			d->pending[i].token = 0;
}
