/* ike/rules.c - the table of what may happen. Handlers say how.
 *
 * One row: in this state, on this exchange, with these payloads, that handler decides, and
 * this is the next state. The dispatcher takes the first row whose payloads are there; it
 * has looked at their presence before a handler runs. docs/STATES.md is drawn from here.
 */
#include "ike/rules.h"

#include "ike/sa.h"

#define P(type) PAYLOAD_BIT(PAYLOAD_##type)

/* What peers may add anywhere, to be ignored (RFC 7296 1.2, 2.5, 3.12, 4). */
#define EXTRAS (P(NOTIFY) | P(VENDOR))
/* IKE_AUTH of peers that could do more than we ask for. */
#define AUTH_EXTRAS                                                                   \
	(EXTRAS | P(CERT) | P(CERTREQ) | P(CP) | P(EAP) | P(IDI) | P(IDR) | P(AUTH) | \
		P(SA) | P(TSI) | P(TSR))
/* CREATE_CHILD_SA whose contents do not matter. */
#define ANYTHING (EXTRAS | P(SA) | P(KE) | P(NONCE) | P(TSI) | P(TSR) | P(CP))
#define A_CHILD (P(SA) | P(NONCE) | P(TSI) | P(TSR))
#define A_FIRST_CHILD (P(SA) | P(TSI) | P(TSR))
#define AN_IKE_SA (P(SA) | P(NONCE) | P(KE))

static const struct ike_rule rules[] = {
	{"call a peer", STATE_LARVAL, COMMAND_CALL, ON_COMMAND, 0, 0, ike_on_call,
		STATE_INIT_SENT},
	{"answer a stranger", STATE_LARVAL, IKE_SA_INIT, ON_REQUEST,
		P(SA) | P(KE) | P(NONCE), EXTRAS | P(CERTREQ), ike_on_init_request,
		STATE_HALF_OPEN},

	{"prove who we are", STATE_INIT_SENT, IKE_SA_INIT, ON_RESPONSE,
		P(SA) | P(KE) | P(NONCE), EXTRAS | P(CERTREQ), ike_on_init_response,
		STATE_AUTH_SENT},
	{"ask again, as the peer wants it", STATE_INIT_SENT, IKE_SA_INIT, ON_RESPONSE,
		P(NOTIFY), EXTRAS, ike_on_init_refusal, STATE_INIT_SENT},

	{"exchange further keys with the caller", STATE_HALF_KEYED, IKE_INTERMEDIATE,
		ON_REQUEST, 0, EXTRAS | P(KE), ike_on_intermediate_request,
		STATE_HALF_OPEN},
	{"answer what else it may be for", STATE_HALF_OPEN, IKE_INTERMEDIATE, ON_REQUEST,
		0, EXTRAS, ike_on_intermediate_request, STATE_HALF_OPEN},
	{"be refused", STATE_KEYING, IKE_INTERMEDIATE, ON_RESPONSE, RULE_ERROR,
		EXTRAS | P(KE), ike_on_auth_refusal, STATE_GONE},
	{"exchange further keys, and prove who we are", STATE_KEYING, IKE_INTERMEDIATE,
		ON_RESPONSE, P(KE), EXTRAS, ike_on_intermediate_response,
		STATE_AUTH_SENT},
	{"take it back", STATE_KEYING, COMMAND_DELETE, ON_COMMAND, 0, 0, ike_on_delete,
		STATE_DELETING},

	{"believe the caller", STATE_HALF_OPEN, IKE_AUTH, ON_REQUEST,
		P(IDI) | P(AUTH) | P(SA) | P(TSI) | P(TSR), AUTH_EXTRAS,
		ike_on_auth_request, STATE_UP},
	{"believe the caller, who asks for no child yet", STATE_HALF_OPEN, IKE_AUTH,
		ON_REQUEST, P(IDI) | P(AUTH), AUTH_EXTRAS & ~A_FIRST_CHILD,
		ike_on_auth_request_childless, STATE_UP},
	{"refuse a caller without proof (EAP)", STATE_HALF_OPEN, IKE_AUTH, ON_REQUEST,
		P(IDI), AUTH_EXTRAS & ~P(AUTH), ike_on_auth_without_proof, STATE_GONE},
	{"let go of a caller whose child cannot be", STATE_HALF_OPEN, COMMAND_DELETE,
		ON_COMMAND, 0, 0, ike_on_delete, STATE_DELETING},

	{"believe the peer that we called", STATE_AUTH_SENT, IKE_AUTH, ON_RESPONSE,
		P(IDR) | P(AUTH) | P(SA) | P(TSI) | P(TSR), AUTH_EXTRAS,
		ike_on_auth_response, STATE_UP},
	{"be refused the child", STATE_AUTH_SENT, IKE_AUTH, ON_RESPONSE,
		P(IDR) | P(AUTH) | RULE_ERROR, AUTH_EXTRAS, ike_on_auth_child_refused,
		STATE_DELETING},
	{"be refused", STATE_AUTH_SENT, IKE_AUTH, ON_RESPONSE, RULE_ERROR, AUTH_EXTRAS,
		ike_on_auth_refusal, STATE_GONE},
	{"be sent to another gateway", STATE_AUTH_SENT, IKE_AUTH, ON_RESPONSE,
		P(IDR) | P(AUTH) | RULE_REDIRECT, AUTH_EXTRAS, ike_on_auth_redirected,
		STATE_DELETING},
	{"believe the peer, and ask for the child then", STATE_AUTH_SENT, IKE_AUTH,
		ON_RESPONSE, P(IDR) | P(AUTH), AUTH_EXTRAS & ~A_FIRST_CHILD,
		ike_on_auth_response_childless, STATE_UP},

	{"take it back", STATE_AUTH_SENT, COMMAND_DELETE, ON_COMMAND, 0, 0, ike_on_delete,
		STATE_DELETING},

	{"take a probe, a Delete, a notice", STATE_UP, INFORMATIONAL, ON_REQUEST, 0,
		EXTRAS | P(DELETE) | P(CP), ike_on_informational_request, STATE_UP},
	{"hear that the peer lives", STATE_UP, INFORMATIONAL, ON_RESPONSE, 0,
		EXTRAS | P(DELETE) | P(CP), ike_on_informational_response, STATE_UP},
	{"make a new child in the place of one", STATE_UP, CREATE_CHILD_SA, ON_REQUEST,
		A_CHILD | RULE_REKEY, EXTRAS | P(KE) | P(CP), ike_on_rekey_child_request,
		STATE_UP},
	{"make a further child", STATE_UP, CREATE_CHILD_SA, ON_REQUEST, A_CHILD,
		EXTRAS | P(KE) | P(CP), ike_on_create_child_request, STATE_UP},
	{"make a new IKE SA in the place of this", STATE_UP, CREATE_CHILD_SA, ON_REQUEST,
		AN_IKE_SA, EXTRAS, ike_on_rekey_ike_request, STATE_REKEYED},
	{"get the child that was asked for", STATE_UP, CREATE_CHILD_SA, ON_RESPONSE,
		A_CHILD, EXTRAS | P(KE) | P(CP), ike_on_create_child_response, STATE_UP},
	{"get the IKE SA that was asked for", STATE_UP, CREATE_CHILD_SA, ON_RESPONSE,
		AN_IKE_SA, EXTRAS, ike_on_rekey_ike_response, STATE_REKEYED},
	{"be refused it", STATE_UP, CREATE_CHILD_SA, ON_RESPONSE, RULE_ERROR, ANYTHING,
		ike_on_create_child_refusal, STATE_UP},
	{"be refused it later", STATE_UP, IKE_FOLLOWUP_KE, ON_RESPONSE, RULE_ERROR,
		EXTRAS | P(KE), ike_on_create_child_refusal, STATE_UP},
	{"exchange further keys for what was asked for", STATE_UP, IKE_FOLLOWUP_KE,
		ON_RESPONSE, P(KE), EXTRAS, ike_on_followup_response, STATE_REKEYED},
	{"exchange further keys for what the peer makes", STATE_UP, IKE_FOLLOWUP_KE,
		ON_REQUEST, P(KE), EXTRAS, ike_on_followup_request, STATE_REKEYED},
	{"say goodbye", STATE_UP, COMMAND_DELETE, ON_COMMAND, 0, 0, ike_on_delete,
		STATE_DELETING},

	{"inherit from an IKE SA that is rekeyed", STATE_LARVAL, COMMAND_INHERIT,
		ON_COMMAND, 0, 0, ike_on_inherit, STATE_UP},
	{"leave the children to another", STATE_UP, COMMAND_RETIRE, ON_COMMAND, 0, 0,
		ike_on_retire, STATE_REKEYED},
	{"take a Delete, a probe", STATE_REKEYED, INFORMATIONAL, ON_REQUEST, 0,
		EXTRAS | P(DELETE) | P(CP), ike_on_informational_request, STATE_REKEYED},
	{"hear that the peer lives", STATE_REKEYED, INFORMATIONAL, ON_RESPONSE, 0,
		EXTRAS | P(DELETE) | P(CP), ike_on_informational_response, STATE_REKEYED},
	{"refuse, since another is there for it", STATE_REKEYED, CREATE_CHILD_SA,
		ON_REQUEST, 0, ANYTHING, ike_on_create_child_deleting, STATE_REKEYED},
	{"know of no such exchange", STATE_REKEYED, IKE_FOLLOWUP_KE, ON_REQUEST, 0,
		EXTRAS | P(KE), ike_on_followup_unknown, STATE_REKEYED},
	{"say goodbye", STATE_REKEYED, COMMAND_DELETE, ON_COMMAND, 0, 0, ike_on_delete,
		STATE_DELETING},

	{"answer while leaving", STATE_DELETING, INFORMATIONAL, ON_REQUEST, 0,
		EXTRAS | P(DELETE) | P(CP), ike_on_informational_deleting,
		STATE_DELETING},
	{"refuse while leaving", STATE_DELETING, CREATE_CHILD_SA, ON_REQUEST, 0, ANYTHING,
		ike_on_create_child_deleting, STATE_DELETING},
	{"give back an IKE SA that comes too late", STATE_DELETING, CREATE_CHILD_SA,
		ON_RESPONSE, AN_IKE_SA, EXTRAS, ike_on_rekey_ike_late, STATE_GONE},
	{"hear what is not wanted any more", STATE_DELETING, CREATE_CHILD_SA, ON_RESPONSE,
		0, ANYTHING, ike_on_response_deleting, STATE_GONE},
	{"know of no such exchange", STATE_DELETING, IKE_FOLLOWUP_KE, ON_REQUEST, 0,
		EXTRAS | P(KE), ike_on_followup_unknown, STATE_DELETING},
	{"give back what comes too late", STATE_DELETING, IKE_FOLLOWUP_KE, ON_RESPONSE, 0,
		EXTRAS | P(KE), ike_on_followup_late, STATE_GONE},
	{"hear goodbye", STATE_DELETING, INFORMATIONAL, ON_RESPONSE, 0,
		EXTRAS | P(DELETE) | P(CP), ike_on_response_deleting, STATE_GONE},
};

static bool fits(const struct ike_rule *r, uint64_t present)
{
	uint64_t welcome = r->must | r->may | RULE_ERROR | RULE_REKEY | RULE_REDIRECT;

	return (present & r->must) == r->must && (present & ~welcome) == 0;
}

enum ike_match ike_rule_find(enum ike_state state, enum ike_trigger on, uint8_t exchange,
	uint64_t present, const struct ike_rule **out)
{
	enum ike_match match = MATCH_NONE;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct ike_rule *r = &rules[i];

		if (r->state != state || r->on != on || r->exchange != exchange)
			continue;
		if (fits(r, present)) {
			*out = r;
			return MATCH_RULE;
		}
		match = MATCH_PAYLOADS;
	}
	return match;
}

/* Where additional key exchanges were agreed on (RFC 9370 2.2.2). */
enum ike_state ike_state_before(enum ike_state then)
{
	return then == STATE_AUTH_SENT   ? STATE_KEYING
	       : then == STATE_HALF_OPEN ? STATE_HALF_KEYED
					 : then;
}

const struct ike_rule *ike_rules(size_t *n)
{
	*n = sizeof(rules) / sizeof(rules[0]);
	return rules;
}

/* The deadline of a state is ike_sa.expire_ms; what comes of it is in the story. */
static const struct {
	const char *name, *story;
} states[IKE_STATES] = {
	[STATE_LARVAL] = {"larval", "made a moment ago, known to nobody"},
	[STATE_INIT_SENT] = {"calling", "initiator; IKE_SA_INIT is out. After "
					"give_up_ms: closed (TIMEOUT, or REFUSED "
					"when the peer said no)"},
	[STATE_KEYING] = {"keying",
		"initiator; an additional key exchange (IKE_INTERMEDIATE) is out. After "
		"15 s, or give_up_ms if that is sooner: closed (TIMEOUT)"},
	[STATE_HALF_KEYED] = {"half-keyed",
		"responder; IKE_SA_INIT is answered, and additional key exchanges are "
		"owed. After 30 s: forgotten"},
	[STATE_AUTH_SENT] = {"proving", "initiator; IKE_AUTH is out. After 15 s, or "
					"give_up_ms if that is sooner: "
					"closed (TIMEOUT), with a Delete as the "
					"last word"},
	[STATE_HALF_OPEN] = {"half-open",
		"responder; nothing but IKE_AUTH is owed. 30 s after IKE_SA_INIT: "
		"forgotten"},
	[STATE_UP] = {"up", "both have proved who they are; how long a silent peer is "
			    "believed is the node's to say"},
	[STATE_REKEYED] = {"rekeyed",
		"another IKE SA has its children and waits. After 60 s without the "
		"peer's Delete (10 s if it is new and has lost to the other, or the "
		"other is gone), and if something has come over the other: deleted"},
	[STATE_DELETING] = {"deleting", "our Delete is out. After the wait: closed"},
	[STATE_GONE] = {"gone", "closed; for 10 s it repeats its last response to a peer "
				"that did not get it"},
};

const char *ike_state_name(enum ike_state s)
{
	return states[s].name;
}

const char *ike_state_story(enum ike_state s)
{
	return states[s].story;
}
