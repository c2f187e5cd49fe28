/* ctl/flush.c - `vipsec flush [open]`: what a dead daemon has left in the kernel's IPsec goes.
 * Needs no daemon, and refuses where one serves.
 */
#include <string.h>

#include "ctl/ctl.h"
#include "port/guard.h"
#include "xfrm/xfrm.h"

static void print_json(const struct ctl *ctl, const struct xfrm_flushed *x)
{
	json_t *out = json_pack("{s:i,s:s,s:i,s:n,s:{s:I,s:I,s:I}}", "schema", 1, "verb",
		ctl->verb, "code", EXIT_FINE, "error", "data", "sas", (json_int_t)x->sas,
		"policies", (json_int_t)x->policies, "kept", (json_int_t)x->kept);

	json_dumpf(out, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(out);
}

static void print_words(const struct xfrm_flushed *x)
{
	if (x->sas + x->policies + x->kept == 0)
		puts("nothing of vipsec's is in the kernel's IPsec");
	else
		printf("deleted from the kernel: %zu SA%s, %zu polic%s\n", x->sas,
			x->sas == 1 ? "" : "s", x->policies,
			x->policies == 1 ? "y" : "ies");
	if (x->kept > 0)
		printf("kept: %zu polic%s, since the guard (nft table inet " GUARD_TABLE
		       ") is not there and nothing else keeps out of the clear what they "
		       "protect (\"vipsec flush open\" deletes them too)\n",
			x->kept, x->kept == 1 ? "y" : "ies");
}

/* Policies are the last thing that stands where the guard has been taken away. */
int verb_flush(const struct ctl *ctl)
{
	struct xfrm_flushed done;
	char why[256] = "";
	bool open = ctl->argc == 1 && strcmp(ctl->argv[0], "open") == 0;

	if (ctl->argc > 0 && !open)
		return refuse(ctl, EXIT_WRONG, "flush [open]");
	if (xfrm_flush(!open && !guard_present(), &done, why, sizeof(why)) !=
		XFRM_FLUSHED)
		return refuse(ctl, EXIT_WRONG, why);
	if (ctl->json)
		print_json(ctl, &done);
	else
		print_words(&done);
	return EXIT_FINE;
}
