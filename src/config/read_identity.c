/* config/read_identity.c - identities: certificates, keys, CAs and CRLs.
 *
 *	identity "mail" {
 *		cert "/etc/vipsec/certs/mail.pem";    our own first, then its issuers
 *		key "/etc/vipsec/private/mail.pem";   or a URI, "pkcs11:..."
 *		ca "/etc/vipsec/ca/";                 a file or a folder
 *		id "mail.example";                    default: of the certificate
 *		crl "/etc/vipsec/crl.pem";
 *		revocation off | if-available | strict;
 *		lapse end | keep;
 *	}
 *
 * Files are reached through struct config_files; what is in them is judged here, with the
 * place of the word that named them. Peers' certificates are judged by crypto/trust.c.
 */
#include "config/block.h"

#include <stdio.h>
#include <string.h>

enum { CHAIN_OCTETS_MAX = 32 * 1024, CAS_IN_FILE_MAX = TRUST_ANCHORS_MAX };

/* An identity while its block is read. */
struct reading {
	struct draft *d;
	struct config_identity *to;
	const struct word *file; /* the path that is being read */
	struct certificate *chain[CERT_CHAIN_MAX];
	size_t n;
	struct private_key *key;
	const struct word *cert_at, *key_at, *id_at;
	bool for_peers, trusts, crls; /* revocation or lapse is said; ca; crl */
	struct trust *trust;
	size_t found; /* in the file or folder: certificates, CRLs */
};

static const struct word *take_path(struct args *a)
{
	const struct word *path = arg_next(a, "a path in quotes");

	if (path == NULL || !arg_end(a))
		return NULL;
	if (path->quoted && path->text[0] == '/')
		return path;
	errors_add(a->d->errors, path->at, "expected an absolute path in quotes");
	return NULL;
}

static bool each_file(struct reading *r,
	void (*take)(void *to, const char *file, struct span bytes),
	const struct word *path)
{
	const struct config_files *files = r->d->files;
	char why[160] = "certificates cannot be read here";

	r->file = path;
	r->found = 0;
	if (files->each && files->each(files->ctx, path->text, take, r, why, sizeof(why)))
		return true;
	errors_add(r->d->errors, path->at, "\"%s\": %s", path->text, why);
	return false;
}

/* ---- cert */

static void take_chain(void *to, const char *file, struct span bytes)
{
	struct reading *r = to;

	(void)file;
	r->n += certificates_read(bytes, r->chain + r->n, CERT_CHAIN_MAX - r->n);
}

static void check_dates(struct reading *r)
{
	int64_t wall_s = r->d->files->wall_s, until_s;
	char date[CERT_DATE_MAX];

	if (wall_s == 0)
		return;
	until_s = certificate_not_after_s(r->chain[0]);
	certificate_date(until_s, date);
	if (until_s < wall_s && r->d->files->starting)
		errors_warn(r->d->errors, r->cert_at->at,
			"\"%s\": the certificate has expired, on %s: no peer believes "
			"it; "
			"renew it",
			r->cert_at->text, date);
	else if (until_s < wall_s)
		errors_add(r->d->errors, r->cert_at->at,
			"\"%s\": the certificate has expired, on %s: renew it",
			r->cert_at->text, date);
	else if (certificate_not_before_s(r->chain[0]) > wall_s)
		errors_warn(r->d->errors, r->cert_at->at,
			"\"%s\": the certificate is not valid before %s",
			r->cert_at->text,
			certificate_date(certificate_not_before_s(r->chain[0]), date));
}

static void check_chain(struct reading *r)
{
	const char *weakness = certificate_weakness(r->chain[0]);
	size_t octets = 0;

	for (size_t i = 0; i < r->n; i++)
		octets += certificate_der(r->chain[i]).len;
	if (octets > CHAIN_OCTETS_MAX)
		errors_add(r->d->errors, r->cert_at->at,
			"\"%s\": more than %d octets of certificates", r->cert_at->text,
			CHAIN_OCTETS_MAX);
	if (weakness)
		errors_add(r->d->errors, r->cert_at->at, "\"%s\": %s", r->cert_at->text,
			weakness);
	check_dates(r);
}

static void read_cert(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct reading *r = into;
	const struct word *path = take_path(a);

	(void)s;
	r->cert_at = path;
	if (path == NULL || !each_file(r, take_chain, path))
		return;
	if (r->n == 0)
		errors_add(d->errors, path->at,
			"\"%s\": no certificate in PEM or DER in it", path->text);
	else
		check_chain(r);
}

/* ---- key */

static void read_key(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct reading *r = into;
	const struct word *w = arg_next(a, "a path or URI in quotes");
	char why[200] = "keys cannot be read here";

	(void)s;
	if (w == NULL || !arg_end(a))
		return;
	if (!w->quoted || (w->text[0] != '/' && strchr(w->text, ':') == NULL)) {
		errors_add(
			d->errors, w->at, "expected an absolute path or a URI in quotes");
		return;
	}
	r->key_at = w;
	if (d->files->key)
		r->key = d->files->key(d->files->ctx, w->text, why, sizeof(why));
	if (!r->key)
		errors_add(d->errors, w->at, "\"%s\": %s", w->text, why);
}

/* ---- ca, crl */

static void make_trust(struct reading *r)
{
	if (!r->trust)
		r->trust = trust_new(r->to->revocation);
}

static void take_ca(struct reading *r, struct certificate *ca)
{
	char name[CERT_TEXT_MAX];
	int64_t wall_s = r->d->files->wall_s;

	if (!trust_add_anchor(r->trust, ca))
		errors_add(r->d->errors, r->file->at, "\"%s\": more than %d CAs",
			r->file->text, TRUST_ANCHORS_MAX);
	else if (wall_s != 0 && certificate_not_after_s(ca) < wall_s)
		errors_warn(r->d->errors, r->file->at, "\"%s\": the CA %s has expired",
			r->file->text, certificate_subject(ca, name));
}

static void take_cas(void *to, const char *file, struct span bytes)
{
	struct reading *r = to;
	struct certificate *cas[CAS_IN_FILE_MAX];
	size_t n = certificates_read(bytes, cas, CAS_IN_FILE_MAX);

	(void)file;
	for (size_t i = 0; i < n; i++) {
		take_ca(r, cas[i]);
		certificate_free(cas[i]);
	}
	r->found += n;
}

static void read_ca(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct reading *r = into;
	const struct word *path = take_path(a);

	(void)s;
	make_trust(r);
	r->trusts = true;
	if (path != NULL && each_file(r, take_cas, path) && r->found == 0)
		errors_add(d->errors, path->at,
			"\"%s\": no certificate in PEM or DER in it", path->text);
}

static void take_crls(void *to, const char *file, struct span bytes)
{
	struct reading *r = to;

	(void)file;
	r->found += trust_add_crls(r->trust, bytes);
}

static void read_crl(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct reading *r = into;
	const struct word *path = take_path(a);

	(void)s;
	make_trust(r);
	r->crls = true;
	if (path != NULL && each_file(r, take_crls, path) && r->found == 0)
		errors_add(d->errors, path->at, "\"%s\": no CRL in PEM or DER in it",
			path->text);
}

/* ---- id, revocation, lapse */

static void read_id(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct reading *r = into;
	const struct word *w = arg_next(a, "an identity such as \"mail.example\"");

	(void)s;
	if (w == NULL || !arg_end(a))
		return;
	r->id_at = w;
	if (strchr(w->text, '=') != NULL ? !dn_parse(w->text, &r->to->id)
					 : !identity_parse(w->text, &r->to->id) ||
						   identity_is_any(&r->to->id))
		errors_add(d->errors, w->at,
			"\"%s\" is not an identity: expected a host name, user@host, an "
			"address or a DN such as \"CN=mail,O=Example\"",
			w->text);
}

static void read_revocation(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {[REVOCATION_OFF] = "off",
		[REVOCATION_IF_AVAILABLE] = "if-available",
		[REVOCATION_STRICT] = "strict"};
	struct reading *r = into;
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)d, (void)s;
	r->for_peers = true;
	if (choice >= 0 && arg_end(a))
		r->to->revocation = (enum trust_revocation)choice;
}

static void read_lapse(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {[LAPSE_END] = "end", [LAPSE_KEEP] = "keep"};
	struct reading *r = into;
	int choice = arg_choice(a, words, COUNT_OF(words));

	(void)d, (void)s;
	r->for_peers = true;
	if (choice >= 0 && arg_end(a))
		r->to->lapse = (enum config_lapse)choice;
}

/* ---- the whole */

static void make_credential(struct reading *r, const struct stmt *s)
{
	struct errors *errors = r->d->errors;
	char text[IDENTITY_TEXT_MAX];

	if (!r->key_at || !r->cert_at) {
		if (r->key_at || r->cert_at)
			errors_add(errors, s->at, "identity \"%s\" has no %s",
				r->to->name, r->key_at ? "cert" : "key");
		return;
	}
	if (r->n == 0 || !r->key)
		return;
	r->to->credential = credential_new(r->chain, r->n, r->key);
	if (!r->to->credential)
		errors_add(errors, r->key_at->at,
			"\"%s\" is not the key of the certificate in \"%s\"",
			r->key_at->text, r->cert_at->text);
	if (!r->id_at && !certificate_first_name(r->chain[0], &r->to->id))
		errors_add(errors, r->cert_at->at,
			"\"%s\": the certificate has no name that fits into an identity",
			r->cert_at->text);
	else if (r->id_at && !certificate_has_name(r->chain[0], &r->to->id))
		errors_add(errors, r->id_at->at,
			"the certificate in \"%s\" is not for %s: its subjectAltName "
			"says "
			"otherwise",
			r->cert_at->text, identity_format(&r->to->id, text));
}

/* The order of statements means nothing: the mode may come last. */
static void make_complete(struct reading *r, const struct stmt *s)
{
	if (r->trust)
		trust_set_revocation(r->trust, r->to->revocation);
	if (r->trusts) {
		r->to->trust = trust_keep(r->trust);
	} else if (r->crls || r->for_peers) {
		errors_warn(r->d->errors, s->at,
			"identity \"%s\" has no ca: crl, revocation and lapse have no "
			"effect",
			r->to->name);
	}
	make_credential(r, s);
	if (!r->cert_at && !r->key_at && !r->trusts)
		errors_add(r->d->errors, s->at,
			"identity \"%s\" has neither cert and key nor ca", r->to->name);
}

void read_identity(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"cert", .read = read_cert},
		{"key", .read = read_key},
		{"ca", .read = read_ca, .many = true},
		{"crl", .read = read_crl, .many = true},
		{"id", .read = read_id},
		{"revocation", .read = read_revocation},
		{"lapse", .read = read_lapse},
	};
	struct config_identity *identity = &d->c->identities[d->c->n_identities];
	struct names names = names_identities(d);
	struct reading r = {.d = d, .to = identity};

	(void)into;
	if (!arg_name(a, "the identity's name", identity->name) || !arg_end(a) ||
		!names_claim(d, &names, identity->name, s->at))
		return;
	identity->revocation = REVOCATION_IF_AVAILABLE;
	d->identity_at[d->c->n_identities++] = s->at;
	block_read(d, s->body, "in identity", table, COUNT_OF(table), &r);
	if (!d->damaged)
		make_complete(&r, s);
	for (size_t i = 0; i < r.n; i++)
		certificate_free(r.chain[i]);
	private_key_free(r.key);
	trust_free(r.trust);
}
