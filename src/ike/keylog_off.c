/* ike/keylog_off.c - what keylog.c is in every build but those for tests: nothing. */
#include "ike/sa.h"

void ike_set_key_sink(struct ike_engine *e, const struct ike_key_sink *sink)
{
	(void)e;
	(void)sink;
}

void ike_keylog(struct ike_engine *e, const struct ike_sa *sa, struct span sk_ei,
	struct span sk_er)
{
	(void)e;
	(void)sa;
	(void)sk_ei;
	(void)sk_er;
}
