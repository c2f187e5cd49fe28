/* daemon/keylog_none.c - what a production build has in place of keylog.c. */
#include <stdio.h>

#include "daemon/keylog.h"

bool keylog_open(const char *path, char *why, size_t why_cap)
{
	(void)path;
	snprintf(why, why_cap, "-k needs a test build (configure --enable-key-log)");
	return false;
}

const struct ike_key_sink *keylog_sink(void)
{
	return NULL;
}

void keylog_child(const struct esp_child *c)
{
	(void)c;
}
