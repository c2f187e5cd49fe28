/* daemon/values.c - single values as JSON: addresses, ages, names of scopes and rules. */
#include "daemon/values.h"

#include <stdio.h>

json_t *value_endpoint(const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_MAX];

	return addr_is_set(&e->addr) ? json_string(endpoint_format(e, text))
				     : json_null();
}

json_t *value_addr(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return json_string(addr_format(a, text));
}

json_t *value_identity(const struct identity *id)
{
	char text[IDENTITY_TEXT_MAX];

	return json_string(identity_format(id, text));
}

json_t *value_age(uint64_t now_ms, uint64_t at_ms)
{
	if (at_ms == 0)
		return json_null();
	return json_integer((json_int_t)(now_ms > at_ms ? now_ms - at_ms : 0));
}

json_t *value_hex(uint64_t value, int digits)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llx", digits, (unsigned long long)value);
	return json_string(text);
}

json_t *value_ts_list(const struct ts_list *l)
{
	json_t *out = json_array();
	char text[TS_TEXT_MAX];

	for (unsigned i = 0; i < l->n; i++)
		json_array_append_new(out, json_string(ts_format(&l->at[i], text)));
	return out;
}

json_t *value_count(uint64_t count)
{
	return json_integer((json_int_t)count);
}

const char *value_scope_name(struct daemon *d, uint16_t scope)
{
	const struct config *c = node_config(d->node);

	if (!c || scope >= c->n_vips)
		return "host";
	return c->vips[scope].name;
}

const char *value_rule_name(struct daemon *d, uint32_t rule)
{
	const struct config *c = node_config(d->node);

	return c && rule < c->n_rules ? c->rules[rule].name : "?";
}
