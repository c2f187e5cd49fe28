/* xfrm/asking.h - what the requests of request.h are made of.
 *
 * Floor 8. Private to request.c, request_sa.c and request_policy.c. A message has room for all
 * that is put into it.
 */
#ifndef VIPSEC_XFRM_ASKING_H
#define VIPSEC_XFRM_ASKING_H

#include <netlink/handlers.h>

#include "xfrm/request.h"

enum { OFFLOAD_FLAG_PACKET = 4 }; /* XFRM_OFFLOAD_PACKET, of Linux 6.2 */

/* A message of this type that begins with head. Free with nlmsg_free(). */
struct nl_msg *request_message(int type, int flags, const void *head, size_t len);
/* Attributes. */
void request_put(struct nl_msg *m, int type, const void *value, size_t len);
void request_put_if_id(struct nl_msg *m, uint32_t if_id); /* 0: none */

/* Sends m, which is wiped (it may hold keys) and freed, and waits for the answer. each: of
 * each message that comes before that; NULL: none does. Result: 0 or an errno. */
int request_ask(
	struct request_line *l, struct nl_msg *m, nl_recvmsg_msg_cb_t each, void *ctx);

#endif
