/* xfrm/handover.c - the table in nft's own words (libnftables).
 *
 * The context is kept, unlike the guard's: the table goes with it. What it has cached it
 * checks against the kernel's generation each time.
 */
#include "config.h"

#include "xfrm/handover.h"

#include <inttypes.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/iana.h"
#include "base/mem.h"

#define SET "inet vipsec-early awaited"

enum { COMMAND_MAX = 512 };

struct handover {
	struct nft_ctx *nft;
	const char *said; /* by the last command, if it failed */
};

/* Priority 400: behind everybody's filters. 1: the queue, 2: the port of ESP in UDP. */
static const char table[] =
	"table inet vipsec-early {\n"
	"	flags owner;\n"
	"	set awaited { typeof esp spi; flags timeout; }\n"
	"	chain input {\n"
	"		type filter hook input priority 400; policy accept;\n"
	"		esp spi @awaited queue flags bypass to %1$u\n"
	"		ah spi @awaited queue flags bypass to %1$u\n"
	"		udp dport %2$u @th,64,32 @awaited queue flags bypass to %1$u\n"
	"	}\n"
	"}\n";

static bool run(struct handover *h, const char *command)
{
	bool done = nft_run_cmd_from_buffer(h->nft, command) == 0;

	/* Read, it begins anew; unread, it would grow. */
	h->said = done ? "" : nft_ctx_get_error_buffer(h->nft);
	return done;
}

struct handover *handover_open(uint16_t queue, char *why, size_t cap)
{
	struct handover *h = mem_new(1, sizeof(*h));
	char command[COMMAND_MAX];

	h->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!h->nft) {
		snprintf(why, cap, "no memory for libnftables");
		free(h);
		return NULL;
	}
	nft_ctx_buffer_output(h->nft);
	nft_ctx_buffer_error(h->nft);
	snprintf(command, sizeof(command), table, queue, IKE_NATT_PORT);
	if (run(h, command))
		return h;
	snprintf(why, cap, "%.*s", (int)strcspn(h->said, "\n"), h->said);
	handover_close(h);
	return NULL;
}

void handover_close(struct handover *h)
{
	if (!h)
		return;
	nft_ctx_free(h->nft);
	free(h);
}

bool handover_await(struct handover *h, uint32_t spi, uint64_t ms)
{
	char command[COMMAND_MAX];

	snprintf(command, sizeof(command),
		"add element " SET " { %" PRIu32 " timeout %" PRIu64 "ms }", spi, ms);
	return run(h, command);
}

void handover_forget(struct handover *h, uint32_t spi)
{
	char command[COMMAND_MAX];

	snprintf(command, sizeof(command), "delete element " SET " { %" PRIu32 " }", spi);
	(void)run(h, command);
}
