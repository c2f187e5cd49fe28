/* ike/message_ids.c - an SA whose message IDs come to their end (RFC 7296 2.2).
 *
 * It is rekeyed well before, by the side whose requests use them up, or by the other if that
 * one does not. An SA that is still there when only some are left is closed: the Delete needs
 * one, too. The very last is never taken, so that none ever comes again.
 */
#include "ike/sa.h"

enum { GOODBYE_MS = 2000 };

static const uint32_t renew_from = 0xf0000000, renew_late_from = 0xf8000000,
		      closed_from = 0xffffff00;

void ike_ids_watch(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->state != STATE_UP || sa->ids_renewed ||
		(sa->next_out < renew_from && sa->next_in < renew_late_from))
		return;
	sa->ids_renewed = true;
	enum ike_err err = ike_rekey(e, e->now_ms, sa->id);
	(void)err; /* it is up */
}

bool ike_ids_used_up(const struct ike_sa *sa)
{
	return sa->state == STATE_UP &&
	       (sa->next_out >= closed_from || sa->next_in >= closed_from);
}

void ike_ids_close(struct ike_engine *e, struct ike_sa *sa)
{
	ike_note(e, &sa->path, sa->id,
		"the message IDs are used up, and it could not be rekeyed: the IKE SA is "
		"closed");
	ike_fail(sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_OTHER, 0);
	ike_command(e, sa, COMMAND_DELETE, GOODBYE_MS, 1);
}
