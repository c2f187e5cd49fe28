/* config/read_vip.c - the blocks vip and secret.
 *
 * A secret's key is read from its file here, so that `check` finds what the daemon would
 * find. How a file is read, and who else may read it, is left to the caller
 * (struct config_files).
 */
#include "config/block.h"

#include <string.h>

enum {
	SHORT_PSK = 16, /* octets; below that a guess is within reach */
	GOOD_PPK = 32 /* RFC 8784: 256 bits, against quantum computers */
};

/* ---- vip --------------------------------------------------------------------- */

static bool addr_can_be_vip(const struct addr *a)
{
	static const struct addr unset;
	bool zero = memcmp(a->b, unset.b, sizeof(a->b)) == 0;
	bool link_local =
		a->family == ADDR_V6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;

	return !zero && !link_local && !addr_is_multicast(a);
}

/* The VIP that has this address, or NULL. */
static const struct config_vip *addr_owner(const struct config *c, const struct addr *a)
{
	for (unsigned i = 0; i < c->n_vips; i++) {
		for (unsigned k = 0; k < c->vips[i].n_addrs; k++) {
			if (addr_equal(&c->vips[i].addrs[k], a))
				return &c->vips[i];
		}
	}
	return NULL;
}

static bool addr_accept(struct draft *d, const struct config_vip *vip,
	const struct word *w, struct addr *out)
{
	const struct config_vip *owner = addr_owner(d->c, out);

	if (!addr_can_be_vip(out)) {
		errors_add(d->errors, w->at, "%s cannot be a virtual IP", w->text);
		return false;
	}
	if (owner != NULL) {
		errors_add(d->errors, w->at,
			"address %s is used twice; first by vip \"%s\" at line %u",
			w->text, owner->name, d->vip_at[owner - d->c->vips].line);
		return false;
	}
	if (vip->n_addrs == CONFIG_VIP_ADDRS) {
		errors_add(d->errors, w->at, "a vip has at most %d addresses",
			CONFIG_VIP_ADDRS);
		return false;
	}
	return true;
}

static void read_address(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_vip *vip = into;

	(void)s;
	do {
		const struct word *w = a->at;
		struct addr addr;

		if (!arg_addr(a, &addr))
			return;
		if (addr_accept(d, vip, w, &addr))
			vip->addrs[vip->n_addrs++] = addr;
	} while (arg_more(a));
	(void)arg_end(a);
}

static void read_bind(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {
		[BIND_ADDRESS] = "address", [BIND_AGENT] = "agent"};
	struct config_vip *vip = into;
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)d, (void)s;
	if (choice >= 0 && arg_end(a))
		vip->bind = (enum config_bind)choice;
}

static void read_drain_to(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_vip *vip = into;

	(void)s;
	do {
		const struct word *w = a->at;
		struct addr addr;

		if (!arg_addr(a, &addr))
			return;
		struct addr *slot = &vip->drain_to[addr.family == ADDR_V6];
		if (!addr_can_be_vip(&addr) || addr_is_set(slot)) {
			errors_add(d->errors, w->at,
				addr_is_set(slot)
					? "%s: one address of each family is enough"
					: "%s: no gateway can be there",
				w->text);
			return;
		}
		*slot = addr;
	} while (arg_more(a));
	(void)arg_end(a);
}

static void read_vip_mark(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_vip *vip = into;

	(void)s;
	read_output_mark(d, a, &vip->tags, &d->vip_tags_at[vip - d->c->vips].mark);
}

static void read_vip_if_id(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_vip *vip = into;

	(void)s;
	read_if_id(d, a, &vip->tags, &d->vip_tags_at[vip - d->c->vips].if_id);
}

void read_vip(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"address", .read = read_address},
		{"bind", .read = read_bind},
		{"drain-to", .read = read_drain_to},
		{"output-mark", .read = read_vip_mark},
		{"if-id", .read = read_vip_if_id},
	};
	struct config_vip *vip = &d->c->vips[d->c->n_vips];
	struct names names = names_vips(d);
	unsigned before = d->errors->n_errors;

	(void)into;
	if (!arg_name(a, "the vip's name", vip->name) || !arg_end(a) ||
		!names_claim(d, &names, vip->name, s->at))
		return;
	vip->policy = CONFIG_NO_POLICY;
	d->vip_at[d->c->n_vips++] = s->at;
	block_read(d, s->body, "in vip", table, COUNT_OF(table), vip);
	if (vip->n_addrs == 0 && d->errors->n_errors == before && !d->damaged)
		errors_add(d->errors, s->at, "vip \"%s\" has no address", vip->name);
}

/* ---- secret ------------------------------------------------------------------- */

/* A key file made with an editor ends in a newline that nobody meant. All else is the key,
 * without a terminator (RFC 7296 2.15). */
static void drop_newline(struct secret *s)
{
	if (s->len > 0 && s->b[s->len - 1] == '\n')
		s->b[--s->len] = 0;
	if (s->len > 0 && s->b[s->len - 1] == '\r')
		s->b[--s->len] = 0;
}

static void load_psk(struct draft *d, const struct word *path, struct secret *out)
{
	char why[160] = "cannot be read";

	if (!d->files->read(d->files->ctx, path->text, out, why, sizeof(why))) {
		errors_add(d->errors, path->at, "\"%s\": %s", path->text, why);
		return;
	}
	drop_newline(out);
	if (out->len == 0)
		errors_add(d->errors, path->at, "\"%s\" is empty", path->text);
	else if (out->len < SHORT_PSK)
		errors_warn(d->errors, path->at,
			"the key in \"%s\" is shorter than %d octets and can be guessed",
			path->text, SHORT_PSK);
}

/* ppk id "NAME" file "PATH": RFC 8784, an identifier of type PPK_ID_FIXED. */
static void read_ppk(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_ppk *ppk = &((struct draft_secret *)into)->ppk;

	(void)s;
	if (!arg_expect(a, "id"))
		return;
	const struct word *id = arg_next(a, "the identifier that both sides give it");
	if (id == NULL || !arg_expect(a, "file"))
		return;
	const struct word *path = arg_next(a, "a path in quotes");
	if (path == NULL || !arg_end(a))
		return;
	if (strlen(id->text) == 0 || strlen(id->text) > CONFIG_PPK_MAX) {
		errors_add(d->errors, id->at, "a PPK's id has 1 to %d octets",
			CONFIG_PPK_MAX);
		return;
	}
	strcpy(ppk->id, id->text);
	if (!path->quoted || path->text[0] != '/') {
		errors_add(d->errors, path->at, "expected an absolute path in quotes");
		return;
	}
	load_psk(d, path, &ppk->key);
	if (ppk->key.len > CONFIG_PPK_MAX)
		errors_add(d->errors, path->at, "a PPK has at most %d octets",
			CONFIG_PPK_MAX);
	else if (ppk->key.len > SHORT_PSK && ppk->key.len < GOOD_PPK)
		errors_warn(d->errors, path->at,
			"the PPK in \"%s\" is shorter than the %d octets of RFC 8784 6",
			path->text, GOOD_PPK);
}

static void read_psk(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct draft_secret *secret = into;

	(void)s;
	if (a->at != NULL && a->at->quoted) {
		errors_add(d->errors, a->at->at,
			"a key is not written into this file: psk file \"/path\"");
		return;
	}
	if (!arg_expect(a, "file"))
		return;
	const struct word *path = arg_next(a, "a path in quotes");
	if (path == NULL || !arg_end(a))
		return;
	if (!path->quoted || path->text[0] != '/')
		errors_add(d->errors, path->at, "expected an absolute path in quotes");
	else
		load_psk(d, path, &secret->psk);
}

void read_secret(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"psk", .read = read_psk},
		{"ppk", .read = read_ppk},
	};
	struct draft_secret *secret = &d->secrets[d->n_secrets];
	struct names names = names_secrets(d);

	(void)into;
	if (!arg_name(a, "the secret's name", secret->name) || !arg_end(a) ||
		!names_claim(d, &names, secret->name, s->at))
		return;
	d->secret_at[d->n_secrets++] = s->at;
	if (s->body == NULL && !d->damaged)
		errors_add(d->errors, s->end, "secret \"%s\" holds no psk", secret->name);
	block_read(d, s->body, "in secret", table, COUNT_OF(table), secret);
}
