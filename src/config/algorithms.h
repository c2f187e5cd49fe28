/* config/algorithms.h - algorithms by the names that other implementations use, too.
 * Private to the room.
 */
#ifndef VIPSEC_CONFIG_ALGORITHMS_H
#define VIPSEC_CONFIG_ALGORITHMS_H

#include "config/draft.h"

/* A suite such as aes256gcm16-sha384-x25519, or aes256gcm16-sha384-x25519-ke1_ecp384. False:
 * the reason has been reported. */
bool algorithms_ike(struct draft *d, const struct word *w, struct config_ike_suite *out);
/* aes256gcm16, or aes256-sha256; without encryption null-sha256 and aes256gmac. */
bool algorithms_esp(struct draft *d, const struct word *w, struct config_esp_suite *out);
/* sha256: of AH. */
bool algorithms_ah(struct draft *d, const struct word *w, struct config_esp_suite *out);
/* What is offered and accepted when a proposal does not say. */
void algorithms_builtin_ike(struct config_proposal *p);
void algorithms_builtin_esp(struct config_proposal *p);

#endif
