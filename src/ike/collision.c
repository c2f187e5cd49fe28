/* ike/collision.c - two exchanges that make the same thing at once (RFC 7296 2.8.1, 2.8.2).
 *
 *	A                                   B
 *	req1: N(REKEY_SA), SA, Ni1  -->
 *	                            <--  req2: N(REKEY_SA), SA, Ni2
 *	resp2: SA, Nr1  -->
 *	                            <--  resp1: SA, Nr2
 *
 * Both are answered as usual. Of the two new SAs the one that was made with the lowest of
 * the four nonces goes, deleted by who asked for it; who asked for the other one deletes
 * the old SA. Where additional key exchanges are to follow there is nothing to delete yet, and
 * who asked for it does not go on (RFC 9370 2.2.4). Here is only who has lost; what follows from it is in rekey_child.c and
 * rekey_ike.c.
 */
#include "ike/sa.h"

void ike_collision_note(
	struct task *t, const struct child *child, const struct nonce *lower)
{
	t->rival = child->is.id;
	t->rival_lower = *lower;
}

bool ike_collision_lost(
	const struct ike_engine *e, const struct task *t, const struct nonce *lower)
{
	const struct child *rival = ike_child_by_id(e, t->rival);

	/* The peer may have deleted its own already: then it knows that it has lost. A further
	 * child that is not there yet is not waited for. */
	return rival && (rival->state != CHILD_ASKED || t->kind == TASK_REKEY_CHILD) &&
	       nonce_cmp(lower, &t->rival_lower) < 0;
}

bool ike_collision_lost_ike(const struct ike_sa *sa, const struct nonce *lower)
{
	const struct ike_sa *rival = sa->rival;
	const struct nonce *theirs = rival ? nonce_lower(&rival->nonce_i, &rival->nonce_r)
				     : ike_follow_makes_ike(sa)
					     ? ike_follow_lower(sa->follow)
					     : NULL;

	return theirs && nonce_cmp(lower, theirs) < 0;
}
