/* config/read_proposal.c - algorithms by name, and the proposal that is built in.
 *
 *   ike aes256gcm16-sha384-x25519, ...;    cipher - PRF - key exchange
 *   esp aes256gcm16, ...;                  cipher
 *   lifetime ike 4h child 1h;
 *   rekey bytes 100g packets 1g;           of a child SA, both ways together
 *   reauth 24h;
 *
 * RFC 7296 3.3.4: the administrator says which suites are acceptable. The names are those that other implementations use too. What is widely known and not
 * here is refused as such, so that nobody looks for a spelling mistake.
 */
#include "config/block.h"

#include "base/iana.h"
#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

struct algorithm {
	const char *name;
	unsigned id;
};

/* One part of a suite: what exists, in order of preference, and what does not. */
struct part {
	const char *what;
	const struct algorithm *known;
	size_t n_known;
	const char *const *elsewhere;
	size_t n_elsewhere;
};

static const struct algorithm ciphers[] = {
	{"aes256gcm16", AEAD_AES256_GCM16},
	{"aes128gcm16", AEAD_AES128_GCM16},
	{"chacha20poly1305", AEAD_CHACHA20_POLY1305},
};
static const char *const other_ciphers[] = {"aes128", "aes192", "aes256", "aes128cbc",
	"aes256cbc", "aes128ctr", "aes256ctr", "aes192gcm16", "aes128gcm8", "aes256gcm8",
	"aes128gcm12", "aes256gcm12", "aes128ccm16", "aes256ccm16", "aes128gmac",
	"aes256gmac", "camellia128", "camellia256", "3des", "des", "blowfish", "null"};

static const struct algorithm prfs[] = {
	{"sha384", PRF_SHA384},
	{"sha256", PRF_SHA256},
};
static const char *const other_prfs[] = {
	"sha512", "sha1", "md5", "aesxcbc", "aescmac", "prfsha1", "prfsha512"};

static const struct algorithm exchanges[] = {
	{"x25519", KE_CURVE25519},
	{"ecp256", KE_ECP_256},
	{"modp2048", KE_MODP_2048},
};
static const char *const other_exchanges[] = {"ecp384", "ecp521", "ecp192", "ecp224",
	"x448", "curve448", "modp768", "modp1024", "modp1536", "modp3072", "modp4096",
	"modp6144", "modp8192", "mlkem512", "mlkem768", "mlkem1024"};

static const struct part cipher_part = {
	"cipher", ciphers, COUNT_OF(ciphers), other_ciphers, COUNT_OF(other_ciphers)};
static const struct part prf_part = {
	"PRF", prfs, COUNT_OF(prfs), other_prfs, COUNT_OF(other_prfs)};
static const struct part exchange_part = {"key exchange", exchanges, COUNT_OF(exchanges),
	other_exchanges, COUNT_OF(other_exchanges)};

static void list_known(const struct part *part, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < part->n_known && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s", i > 0 ? ", " : "",
			part->known[i].name);
}

static bool is_elsewhere(const struct part *part, const char *name)
{
	for (size_t i = 0; i < part->n_elsewhere; i++) {
		if (strcmp(part->elsewhere[i], name) == 0)
			return true;
	}
	return false;
}

static bool part_find(struct draft *d, struct place at, const struct part *part,
	const char *name, unsigned *out)
{
	struct suggest s = suggest_for(name);
	char known[120], text[SUGGEST_TEXT_MAX] = "";

	for (size_t i = 0; i < part->n_known; i++) {
		if (strcmp(part->known[i].name, name) == 0) {
			*out = part->known[i].id;
			return true;
		}
		suggest_offer(&s, part->known[i].name);
	}
	list_known(part, known, sizeof(known));
	bool elsewhere = is_elsewhere(part, name);
	errors_add(d->errors, at,
		elsewhere ? "%s \"%s\" is not supported; there are %s%s"
			  : "unknown %s \"%s\"; there are %s%s",
		part->what, name, known, elsewhere ? "" : suggest_text(&s, text));
	return false;
}

/* Takes a word apart at the dashes. False unless it has exactly n parts. */
static bool split(const char *text, char parts[][TREE_WORD_MAX + 1], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(text, "-");
		bool last = text[len] == '\0';

		if (len == 0 || last != (i == n - 1))
			return false;
		memcpy(parts[i], text, len);
		parts[i][len] = '\0';
		text += len + 1;
	}
	return true;
}

static void read_ike(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_proposal *p = into;
	char parts[3][TREE_WORD_MAX + 1];
	unsigned encr, prf, ke;

	(void)s;
	do {
		const struct word *w =
			arg_next(a, "a suite such as aes256gcm16-sha384-x25519");

		if (w == NULL)
			return;
		if (!split(w->text, parts, 3)) {
			errors_add(d->errors, w->at,
				"\"%s\": expected CIPHER-PRF-KEYEXCHANGE, such as "
				"aes256gcm16-sha384-x25519",
				w->text);
			continue;
		}
		if (!part_find(d, w->at, &cipher_part, parts[0], &encr) ||
			!part_find(d, w->at, &prf_part, parts[1], &prf) ||
			!part_find(d, w->at, &exchange_part, parts[2], &ke))
			continue;
		if (p->n_ike == CONFIG_SUITES) {
			errors_add(
				d->errors, w->at, "more than %d suites", CONFIG_SUITES);
			return;
		}
		p->ike[p->n_ike++] = (struct config_ike_suite){
			(enum aead_alg)encr, (enum prf_alg)prf, (uint16_t)ke};
	} while (arg_more(a));
	(void)arg_end(a);
}

static void read_esp(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_proposal *p = into;
	char parts[2][TREE_WORD_MAX + 1];
	unsigned encr;

	(void)s;
	do {
		const struct word *w = arg_next(a, "a cipher such as aes256gcm16");

		if (w == NULL)
			return;
		if (split(w->text, parts, 2)) {
			errors_add(d->errors, w->at,
				"\"%s\": a key exchange in esp is `pfs yes` in the "
				"filter-action; its groups are those of ike",
				w->text);
			continue;
		}
		if (!part_find(d, w->at, &cipher_part, w->text, &encr))
			continue;
		if (p->n_esp == CONFIG_SUITES) {
			errors_add(
				d->errors, w->at, "more than %d ciphers", CONFIG_SUITES);
			return;
		}
		p->esp[p->n_esp++] = (struct config_esp_suite){(enum aead_alg)encr};
	} while (arg_more(a));
	(void)arg_end(a);
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

static void builtin_suites(struct config_proposal *p)
{
	static const struct {
		enum aead_alg encr;
		enum prf_alg prf;
	} pairs[] = {
		{AEAD_AES256_GCM16, PRF_SHA384},
		{AEAD_AES256_GCM16, PRF_SHA256},
		{AEAD_AES128_GCM16, PRF_SHA256},
		{AEAD_AES128_GCM16, PRF_SHA384},
		{AEAD_CHACHA20_POLY1305, PRF_SHA256},
	};

	/* the key exchange first: it is what a wrong guess costs a round trip for */
	for (size_t k = 0; k < COUNT_OF(exchanges); k++) {
		for (size_t i = 0; i < COUNT_OF(pairs); i++)
			p->ike[p->n_ike++] = (struct config_ike_suite){
				pairs[i].encr, pairs[i].prf, (uint16_t)exchanges[k].id};
	}
}

static void builtin_ciphers(struct config_proposal *p)
{
	for (size_t i = 0; i < COUNT_OF(ciphers); i++)
		p->esp[p->n_esp++] =
			(struct config_esp_suite){(enum aead_alg)ciphers[i].id};
}

static void builtin_lifetimes(struct config_proposal *p)
{
	p->lifetime_ike_ms = 4ull * 3600 * 1000;
	p->lifetime_child_ms = 3600ull * 1000;
}

void proposal_builtin(struct config_proposal *p)
{
	*p = (struct config_proposal){.name = "default"};
	builtin_suites(p);
	builtin_ciphers(p);
	builtin_lifetimes(p);
}

void read_proposal(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"ike", .read = read_ike},
		{"esp", .read = read_esp},
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
		builtin_suites(p);
	if (p->n_esp == 0)
		builtin_ciphers(p);
}
