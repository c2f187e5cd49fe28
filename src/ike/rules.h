/* ike/rules.h - the table of what may happen. Private to ike/ (and to the tool that draws
 * docs/STATES.md).
 */
#ifndef VIPSEC_IKE_RULES_H
#define VIPSEC_IKE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ike_state {
	STATE_LARVAL, /* made a moment ago, known to nobody */
	STATE_INIT_SENT, /* initiator: IKE_SA_INIT is out */
	STATE_KEYING, /* initiator: IKE_INTERMEDIATE is out */
	STATE_AUTH_SENT, /* initiator: IKE_AUTH is out */
	STATE_HALF_KEYED, /* responder: IKE_SA_INIT is answered, more key exchanges are owed */
	STATE_HALF_OPEN, /* responder: nothing but IKE_AUTH is owed */
	STATE_UP, /* both have proved who they are */
	STATE_REKEYED, /* another one has its children; the peer is to delete it */
	STATE_DELETING, /* our Delete is out */
	STATE_GONE /* over; kept a while to repeat the last response */
};
#define IKE_STATES (STATE_GONE + 1)

enum ike_trigger { ON_REQUEST, ON_RESPONSE, ON_COMMAND };

/* What a handler makes of it. */
enum ike_verdict {
	VERDICT_THEN, /* the rule's next state */
	VERDICT_MORE, /* the one before it: additional key exchanges come first */
	VERDICT_LATER, /* as if it had not come: it will come again */
	VERDICT_STAY, /* as if nothing had come */
	VERDICT_CLOSE, /* over, and the peer knows: sa->failure says why */
	VERDICT_DELETE /* over, and the peer is to be told; sa->failure says why */
};

struct exchange;

struct ike_rule {
	const char *story;
	enum ike_state state;
	uint8_t exchange; /* enum ike_exchange; of ON_COMMAND: enum ike_command */
	enum ike_trigger on;
	uint64_t must, may; /* payloads; what is neither is not welcome */
	enum ike_verdict (*handle)(struct exchange *x);
	enum ike_state then;
};

/* In must: some Notify is an error; one says REKEY_SA; one says REDIRECT. */
#define RULE_ERROR (UINT64_C(1) << 63)
#define RULE_REKEY (UINT64_C(1) << 62)
#define RULE_REDIRECT (UINT64_C(1) << 61)

enum ike_match {
	MATCH_RULE,
	MATCH_NONE, /* such an exchange has no place in this state */
	MATCH_PAYLOADS /* it has, but not with these payloads */
};

/* The first rule for this state and trigger whose payloads are there. */
enum ike_match ike_rule_find(enum ike_state state, enum ike_trigger on, uint8_t exchange,
	uint64_t present, const struct ike_rule **out);

/* Of VERDICT_MORE. */
enum ike_state ike_state_before(enum ike_state then);

const char *ike_state_name(enum ike_state s);
const char *ike_state_story(enum ike_state s);
const struct ike_rule *ike_rules(size_t *n);

/* The handlers, each in the file of its exchange. */
enum ike_verdict ike_on_call(struct exchange *x);
enum ike_verdict ike_on_init_request(struct exchange *x);
enum ike_verdict ike_on_init_response(struct exchange *x);
enum ike_verdict ike_on_init_refusal(struct exchange *x);
enum ike_verdict ike_on_intermediate_request(struct exchange *x);
enum ike_verdict ike_on_intermediate_response(struct exchange *x);
enum ike_verdict ike_on_auth_request(struct exchange *x);
enum ike_verdict ike_on_auth_without_proof(struct exchange *x);
enum ike_verdict ike_on_auth_response(struct exchange *x);
enum ike_verdict ike_on_auth_child_refused(struct exchange *x);
enum ike_verdict ike_on_auth_request_childless(struct exchange *x);
enum ike_verdict ike_on_auth_response_childless(struct exchange *x);
enum ike_verdict ike_on_auth_redirected(struct exchange *x);
enum ike_verdict ike_on_auth_refusal(struct exchange *x);
enum ike_verdict ike_on_informational_request(struct exchange *x);
enum ike_verdict ike_on_informational_response(struct exchange *x);
enum ike_verdict ike_on_create_child_request(struct exchange *x);
enum ike_verdict ike_on_create_child_response(struct exchange *x);
enum ike_verdict ike_on_create_child_refusal(struct exchange *x);
enum ike_verdict ike_on_rekey_child_request(struct exchange *x);
enum ike_verdict ike_on_rekey_ike_request(struct exchange *x);
enum ike_verdict ike_on_rekey_ike_response(struct exchange *x);
enum ike_verdict ike_on_rekey_ike_late(struct exchange *x);
enum ike_verdict ike_on_followup_request(struct exchange *x);
enum ike_verdict ike_on_followup_response(struct exchange *x);
enum ike_verdict ike_on_followup_unknown(struct exchange *x);
enum ike_verdict ike_on_followup_late(struct exchange *x);
enum ike_verdict ike_on_inherit(struct exchange *x);
enum ike_verdict ike_on_retire(struct exchange *x);
enum ike_verdict ike_on_delete(struct exchange *x);
enum ike_verdict ike_on_informational_deleting(struct exchange *x);
enum ike_verdict ike_on_create_child_deleting(struct exchange *x);
enum ike_verdict ike_on_response_deleting(struct exchange *x);

#endif
