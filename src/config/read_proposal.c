/* config/read_proposal.c - algorithms by name, and the proposal that is built in.
 *
 *   ike aes256gcm16-sha384-x25519, ...;    cipher - PRF - key exchange
 *       aes256gcm16-sha384-x25519-ke1_ecp384   and additional ones (RFC 9370 2.2.1)
 *   esp aes256gcm16, aes256-sha256, ...;   cipher, with integrity if it has none
 *   esp null-sha256, aes256gmac;           or integrity only
 *   ah sha256, sha512;                     by AH: behind, or in front of, those of ESP
 *   lifetime ike 4h child 1h;
 *   rekey bytes 100g packets 1g;           of a child SA, both ways together
 *   reauth 24h;
 *
 * RFC 7296 3.3.4: the administrator says which suites are acceptable; which algorithms there
 * are: algorithms.c.
 */
#include "config/block.h"

#include "config/algorithms.h"

static void read_ike(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_proposal *p = into;
	struct config_ike_suite suite;

	(void)s;
	do {
		const struct word *w =
			arg_next(a, "a suite such as aes256gcm16-sha384-x25519");

		if (w == NULL)
			return;
		if (!algorithms_ike(d, w, &suite))
			continue;
		if (p->n_ike == CONFIG_SUITES) {
			errors_add(
				d->errors, w->at, "more than %d suites", CONFIG_SUITES);
			return;
		}
		p->ike[p->n_ike++] = suite;
	} while (arg_more(a));
	(void)arg_end(a);
}

/* The peer has a say in which of them it will be. */
static void warn_of_mixture(struct draft *d, const struct word *w,
	const struct config_proposal *p, enum aead_alg next)
{
	if (p->n_esp == 0 ||
		aead_encrypts(p->esp[p->n_esp - 1].encr) == aead_encrypts(next))
		return;
	errors_warn(d->errors, w->at,
		"\"%s\" %s, and what stands before it does%s: the peer's choice decides "
		"whether anything is encrypted",
		w->text, aead_encrypts(next) ? "encrypts" : "does not encrypt",
		aead_encrypts(next) ? " not" : "");
}

typedef bool read_suite(
	struct draft *d, const struct word *w, struct config_esp_suite *out);

static void read_suites(struct draft *d, struct args *a, struct config_proposal *p,
	read_suite *read, const char *expected)
{
	struct config_esp_suite suite;

	do {
		const struct word *w = arg_next(a, expected);

		if (w == NULL)
			return;
		if (!read(d, w, &suite))
			continue;
		if (p->n_esp == CONFIG_SUITES) {
			errors_add(d->errors, w->at, "more than %d algorithms",
				CONFIG_SUITES);
			return;
		}
		warn_of_mixture(d, w, p, suite.encr);
		p->esp[p->n_esp++] = suite;
	} while (arg_more(a));
	(void)arg_end(a);
}

static void read_esp(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_proposal *p = into;

	p->esp_at = (struct config_place){s->at.line, s->at.column};
	read_suites(d, a, p, algorithms_esp, "a cipher such as aes256gcm16");
}

static void read_ah(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_proposal *p = into;

	p->ah_at = (struct config_place){s->at.line, s->at.column};
	read_suites(d, a, p, algorithms_ah, "an integrity algorithm such as sha256");
}

static void read_lifetime(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {"ike", "child"};
	static const uint64_t shortest_ms = 10 * 1000, longest_ms = 30ull * 86400 * 1000;
	struct config_proposal *p = into;
	uint64_t *lifetimes[] = {&p->lifetime_ike_ms, &p->lifetime_child_ms};

	(void)d, (void)s;
	do {
		int which = arg_choice(a, words, COUNT_OF(words));

		if (which < 0 ||
			!arg_duration(a, shortest_ms, longest_ms, lifetimes[which]))
			return;
	} while (a->at != NULL);
}

static void read_rekey(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {"bytes", "packets"};
	static const uint64_t least[] = {1000 * 1000, 1000};
	struct config_proposal *p = into;
	uint64_t *limits[] = {&p->rekey_bytes, &p->rekey_packets};

	(void)d, (void)s;
	do {
		int which = arg_choice(a, words, COUNT_OF(words));

		if (which < 0 || !arg_amount(a, least[which], limits[which]))
			return;
	} while (a->at != NULL);
}

static void read_reauth(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const uint64_t shortest_ms = 60 * 1000, longest_ms = 30ull * 86400 * 1000;
	struct config_proposal *p = into;

	(void)d, (void)s;
	if (arg_duration(a, shortest_ms, longest_ms, &p->reauth_ms))
		(void)arg_end(a);
}

/* ---- whole proposals -------------------------------------------------------------- */

static void builtin_lifetimes(struct config_proposal *p)
{
	p->lifetime_ike_ms = 4ull * 3600 * 1000;
	p->lifetime_child_ms = 3600ull * 1000;
}

void proposal_builtin(struct config_proposal *p)
{
	*p = (struct config_proposal){.name = "default"};
	algorithms_builtin_ike(p);
	algorithms_builtin_esp(p);
	builtin_lifetimes(p);
}

void read_proposal(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"ike", .read = read_ike},
		{"esp", .read = read_esp},
		{"ah", .read = read_ah},
		{"lifetime", .read = read_lifetime, .many = true},
		{"rekey", .read = read_rekey, .many = true},
		{"reauth", .read = read_reauth},
	};
	struct config_proposal *p = &d->c->proposals[d->c->n_proposals];
	struct names names = names_proposals(d);

	(void)into;
	if (!arg_name(a, "the proposal's name", p->name) || !arg_end(a) ||
		!names_claim(d, &names, p->name, s->at))
		return;
	d->proposal_at[d->c->n_proposals++] = s->at;
	builtin_lifetimes(p);
	block_read(d, s->body, "in proposal", table, COUNT_OF(table), p);
	/* what is not said is as in the built-in proposal */
	if (p->n_ike == 0)
		algorithms_builtin_ike(p);
	if (p->n_esp == 0)
		algorithms_builtin_esp(p);
}
