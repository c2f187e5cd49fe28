/* daemon/answer.c - the reply is {"schema": 1, "verb": V, "code": C, "error": TEXT or null,
 * "data": ...}.
 */
#include "daemon/answer.h"

#include <stdlib.h>
#include <string.h>

enum { SCHEMA = 1 };

const char *request_arg(const struct request *r, const char *name)
{
	return json_string_value(json_object_get(r->args, name));
}

void answer_send(struct daemon *d, uint64_t client, json_t *whole)
{
	static const char sorry[] =
		"{\"schema\":1,\"verb\":\"\",\"code\":1,"
		"\"error\":\"no answer could be made\",\"data\":null}";
	char *text = json_dumps(whole, JSON_COMPACT);

	if (!text || !control_reply(d->control, client, text, strlen(text)))
		(void)control_reply(d->control, client, sorry, sizeof(sorry) - 1);
	free(text);
	json_decref(whole);
}

json_t *answer_make(const struct request *r, int code, const char *error, json_t *data)
{
	return json_pack("{s:i,s:s,s:i,s:o,s:o}", "schema", SCHEMA, "verb", r->verb,
		"code", code, "error", error ? json_string(error) : json_null(), "data",
		data ? data : json_null());
}

void answer(const struct request *r, int code, const char *error, json_t *data)
{
	answer_send(r->d, r->client, answer_make(r, code, error, data));
}
