/* config/key_exchanges.h - key exchanges by name. Private to the room. */
#ifndef VIPSEC_CONFIG_KEY_EXCHANGES_H
#define VIPSEC_CONFIG_KEY_EXCHANGES_H

#include "config/draft.h"

/* first: the one of IKE_SA_INIT. False: the reason has been reported. */
bool key_exchange_find(
	struct draft *d, struct place at, const char *name, bool first, unsigned *out);
/* ke1_NAME to ke7_NAME, or something that is meant so. */
bool key_exchange_is_more(const char *part);
bool key_exchange_add_more(
	struct draft *d, struct place at, const char *part, struct config_ike_suite *out);
/* Those that are offered when a proposal does not say, best first. */
enum { KEY_EXCHANGES_BUILTIN = 5 };
uint16_t key_exchange_builtin(size_t n);

#endif
