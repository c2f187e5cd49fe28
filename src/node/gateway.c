/* node/gateway.c - a gateway that we are sent to by name (RFC 5685 9.2, type FQDN): its
 * addresses are asked for, and the first that the rule accepts is gone to.
 *
 * A name says no more than an address would: what it leads to has to be on the rule's list of
 * addresses, and to prove itself. If it leads to nothing of the kind, or if that is not known
 * within three seconds, the gateway that had sent us on has to serve us.
 *
 * Whoever is on the path to a gateway can make up the first answer to a call, and so have us
 * ask for names. They are few at once, and few a second; who comes too late stays where it is.
 * A question is over when its answer comes, and not before, since until then it takes a place
 * in the resolver as well. Peers that are sent to one name share the question.
 *
 * Leaves to others: who may be sent, and going (redirect.c); asking (names.c).
 */
#include "node/core.h"

#include <stdio.h>

enum { BURST = 16, PER_SECOND = 2 };

static const char not_in_time[] = "its name is not resolved within 3 s";

void gateways_init(struct node *n)
{
	for (unsigned i = 0; i < GATEWAY_ASKS_MAX; i++)
		list_init(&n->gateway_asks[i].peers);
	rate_init(&n->gateway_rate, BURST, PER_SECOND, 0);
}

bool gateway_awaited(const struct peer *p)
{
	return !list_empty(&p->sent_on);
}

void gateway_forget(struct peer *p)
{
	list_del(&p->sent_on);
}

/* ---- the questions --------------------------------------------------------------------- */

static unsigned place_of_name(const struct node *n, const char *name)
{
	unsigned i = 0;

	while (i < GATEWAY_ASKS_MAX &&
		(n->gateway_asks[i].id == 0 ||
			strcmp(n->gateway_asks[i].name, name) != 0))
		i++;
	return i;
}

/* id 0: a free one. */
static unsigned place_of_id(const struct node *n, uint32_t id)
{
	unsigned i = 0;

	while (i < GATEWAY_ASKS_MAX && n->gateway_asks[i].id != id)
		i++;
	return i;
}

const char *gateway_refusal(const struct node *n, const struct peer *p, const char *name)
{
	char host[HOSTNAME_MAX];

	if (!hostname_parse(name, host))
		return "no host can have that name";
	if (gateway_awaited(p))
		return "it is sent to a name already, whose address is asked for";
	unsigned same = place_of_name(n, host);
	if (same < GATEWAY_ASKS_MAX)
		return n->gateway_asks[same].until_ms > n->now_ms ? NULL : not_in_time;
	return place_of_id(n, 0) < GATEWAY_ASKS_MAX
		       ? NULL
		       : "too many names are asked for at the moment";
}

static struct gateway_ask *begin(struct node *n, const char *name)
{
	unsigned free_place = place_of_id(n, 0);

	if (free_place == GATEWAY_ASKS_MAX || !rate_allow(&n->gateway_rate, n->now_ms))
		return NULL;
	struct gateway_ask *a = &n->gateway_asks[free_place];
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->until_ms = n->now_ms + GATEWAY_WAIT_MS;
	a->id = name_ask(n, a->name);
	return a;
}

static void stay(struct node *n, struct peer *p, const char *name, const char *why)
{
	char text[EVENT_TEXT_MAX], again[SAID_TEXT_MAX];

	redirect_stay(n, p);
	snprintf(text, sizeof(text), "rule %s: redirected to %.100s, and not gone: %s",
		n->config->rules[p->rule].name, name, why);
	if (node_may_say(n, &p->tell, p->scope, &p->remote.addr, text, again))
		node_tell(n, EVENT_NOTICE, "ike-note", &n->scopes[p->scope], &p->remote,
			0, "%s%s", text, again);
}

void gateway_ask(struct node *n, struct peer *p, const char *name)
{
	char host[HOSTNAME_MAX];

	if (!hostname_parse(name, host))
		return;
	unsigned same = place_of_name(n, host);
	struct gateway_ask *a =
		same < GATEWAY_ASKS_MAX ? &n->gateway_asks[same] : begin(n, host);
	if (a)
		list_add(&a->peers, &p->sent_on);
	else
		stay(n, p, name, "too many names were asked for just now");
}

/* ---- the answers ----------------------------------------------------------------------- */

static void go_or_stay(struct node *n, struct peer *p, const char *name,
	const struct name *found, const char *why)
{
	struct ike_gateway to = {.addr = {0}};

	snprintf(to.name, sizeof(to.name), "%s", name);
	for (unsigned i = 0; i < found->n; i++) {
		to.addr = found->addrs[i];
		const char *no = redirect_why_not(n, p, &to);
		if (!no) {
			redirect_go(n, p, &to);
			return;
		}
		why = i == 0 ? no : why;
	}
	stay(n, p, name, why);
}

void gateway_resolved(
	struct node *n, uint32_t id, const struct name *found, const char *why)
{
	unsigned at = id != 0 ? place_of_id(n, id) : GATEWAY_ASKS_MAX;

	if (at == GATEWAY_ASKS_MAX)
		return; /* nobody has asked */
	struct gateway_ask *a = &n->gateway_asks[at];
	a->id = 0;
	while (!list_empty(&a->peers)) {
		struct peer *p = list_entry(a->peers.next, struct peer, sent_on);
		gateway_forget(p);
		go_or_stay(n, p, a->name, found, why);
	}
}

void gateways_settle(struct node *n)
{
	for (unsigned i = 0; i < GATEWAY_ASKS_MAX; i++) {
		struct gateway_ask *a = &n->gateway_asks[i];
		while (a->until_ms <= n->now_ms && !list_empty(&a->peers)) {
			struct peer *p = list_entry(a->peers.next, struct peer, sent_on);
			gateway_forget(p);
			stay(n, p, a->name, not_in_time);
		}
	}
}

uint64_t gateways_due_ms(const struct node *n)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < GATEWAY_ASKS_MAX; i++)
		if (!list_empty(&n->gateway_asks[i].peers) &&
			n->gateway_asks[i].until_ms < due)
			due = n->gateway_asks[i].until_ms;
	return due;
}
