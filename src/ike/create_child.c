/* ike/create_child.c - CREATE_CHILD_SA (RFC 7296 1.3, 2.8, 2.25).
 *
 * An IKE SA has the one child that IKE_AUTH made. Another child, a rekeyed one and a
 * rekeyed IKE SA are refused (RFC 7296 1.3: a minimal implementation may); at the end of
 * a lifetime the IKE SA is deleted and begun anew.
 */
#include "ike/sa.h"

enum ike_verdict ike_on_create_child_request(struct exchange *x)
{
	ike_reply_notify(x, N_NO_ADDITIONAL_SAS, span_of(NULL, 0));
	return VERDICT_THEN;
}

/* RFC 7296 2.25.2: the SA is being closed. */
enum ike_verdict ike_on_create_child_deleting(struct exchange *x)
{
	ike_reply_notify(x, N_TEMPORARY_FAILURE, span_of(NULL, 0));
	return VERDICT_THEN;
}
