/* xfrm/trial.c - what this kernel can do, by trying.
 *
 * A trial SA is between documentation addresses and has a random key that is forgotten at
 * once, so nothing can use it; it is deleted right away.
 */
#include "config.h"

#include "xfrm/xfrm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "xfrm/algorithm.h"
#include "xfrm/sad.h"
#include "xfrm/request.h"
#include "xfrm/select.h"

enum { TRIAL_SPI = 0x76697073 };

static int try_sa(struct request_line *line, bool ah, enum aead_alg alg)
{
	const struct addr from = addr_v4(192, 0, 2, 254), to = addr_v4(192, 0, 2, 255);
	struct secret key = {.len = aead_keymat_len(alg)};
	struct request_sa sa;

	memset(&sa, 0, sizeof(sa));
	if (getrandom(key.b, key.len, 0) != (ssize_t)key.len)
		return errno;
	sa.info.id.daddr = select_addr(&to);
	sa.info.id.spi = htonl(TRIAL_SPI);
	sa.info.id.proto = ah ? IPPROTO_AH : IPPROTO_ESP;
	sa.info.saddr = select_addr(&from);
	sa.info.lft.hard_packet_limit = sa.info.lft.soft_packet_limit = XFRM_INF;
	sa.info.lft.hard_byte_limit = sa.info.lft.soft_byte_limit = XFRM_INF;
	sa.info.reqid = REQID_ASK;
	sa.info.sel.user = SELECT_USER;
	sa.info.family = AF_INET;
	sa.info.mode = XFRM_MODE_TRANSPORT;
	sa.alg = alg;
	sa.key = &key;
	sa.replay_window = 64;
	int err = request_sa_add(line, &sa);
	secret_wipe(&key);
	const struct request_name name = {.daddr = to, .spi = TRIAL_SPI, .ah = ah};
	if (err == 0)
		err = request_sa_delete(line, &name);
	return err;
}

static const char *words_of(bool ah, int err, const char *kernel)
{
	switch (err) {
	case EPROTONOSUPPORT:
		return ah ? "this kernel has no AH (CONFIG_INET_AH, module ah4)"
			  : "this kernel has no ESP (CONFIG_INET_ESP, module esp4)";
	case ENOSYS:
	case ENOENT:
		return ah ? "this kernel has not got it, or no AH at all"
			  : "this kernel has not got it, or no ESP at all";
	default:
		return kernel[0] ? kernel : strerror(err);
	}
}

bool xfrm_offers(bool ah, enum aead_alg alg, char *why, size_t why_cap)
{
	struct request_line *line;

	if (!algorithm_of(alg)) {
		snprintf(why, why_cap, "%s: the kernel has none such", aead_name(alg));
		return false;
	}
	line = request_open();
	if (!line) {
		snprintf(why, why_cap, "this kernel has no IPsec (CONFIG_XFRM_USER): %s",
			strerror(errno));
		return false;
	}
	int err = try_sa(line, ah, alg);
	if (err != 0)
		snprintf(why, why_cap, "%s%s: %s", ah ? "AH " : "",
			ah ? aead_mac_name(alg) : aead_name(alg),
			words_of(ah, err, request_why(line)));
	request_close(line);
	return err == 0;
}

/* Per network namespace, and without effect where nobody has a policy that asks for an SA. */
bool xfrm_hold_first_packets(void)
{
	int fd = open("/proc/sys/net/core/xfrm_larval_drop", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, "0\n", 2) == 2;

	if (fd >= 0)
		close(fd);
	return done;
}
