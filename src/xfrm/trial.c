/* xfrm/trial.c - what this kernel can do, by trying.
 *
 * A trial SA is between documentation addresses and has a random key that is forgotten at
 * once, so nothing can use it; it is deleted right away.
 */
#include "config.h"

#include "xfrm/xfrm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xfrm/algorithm.h"
#include "xfrm/sad.h"
#include "xfrm/request.h"
#include "xfrm/select.h"
#include "xfrm/words.h"

enum { TRIAL_SPI = 0x76697073 };

static int try_sa(
	struct request_line *line, bool ah, enum aead_alg alg, const struct addr ends[2])
{
	struct secret key = {.len = aead_keymat_len(alg)};
	struct request_sa sa;

	memset(&sa, 0, sizeof(sa));
	if (getrandom(key.b, key.len, 0) != (ssize_t)key.len)
		return errno;
	sa.info.saddr = select_addr(&ends[0]);
	sa.info.id.daddr = select_addr(&ends[1]);
	sa.info.id.spi = htonl(TRIAL_SPI);
	sa.info.id.proto = ah ? IPPROTO_AH : IPPROTO_ESP;
	sa.info.lft.hard_packet_limit = sa.info.lft.soft_packet_limit = XFRM_INF;
	sa.info.lft.hard_byte_limit = sa.info.lft.soft_byte_limit = XFRM_INF;
	sa.info.reqid = REQID_ASK;
	sa.info.sel.user = SELECT_USER;
	sa.info.family = select_family(&ends[0]);
	sa.info.mode = XFRM_MODE_TRANSPORT;
	sa.alg = alg;
	sa.key = &key;
	sa.replay_window = 64;
	const struct request_name name = {.daddr = ends[1], .spi = TRIAL_SPI, .ah = ah};
	/* One of a trial that was cut short. */
	(void)request_sa_delete(line, &name);
	int err = request_sa_add(line, &sa);
	secret_wipe(&key);
	if (err == 0)
		err = request_sa_delete(line, &name);
	return err;
}

/* Set aside for documentation: nobody has these. */
static void ends_of(enum addr_family family, struct addr ends[2])
{
	static const uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

	ends[0] = addr_v4(192, 0, 2, 254);
	ends[1] = addr_v4(192, 0, 2, 255);
	if (family == ADDR_V4)
		return;
	ends[0] = ends[1] = addr_from_bytes(six, sizeof(six));
	ends[1].b[15] = 2;
}

/* Where the kernel has no IPv6 nobody needs either for it. */
static bool has_family(enum addr_family family)
{
	int fd = family == ADDR_V4 ? -1 : socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return family == ADDR_V4 || fd >= 0;
}

/* A kernel looks for the algorithm first. Where it has no ESP (AH) either, whatever the
 * algorithm, that is the thing to say. */
static int without_protocol(
	struct request_line *line, bool ah, const struct addr ends[2], int err)
{
	enum aead_alg another = ah ? AEAD_NULL_SHA256 : AEAD_AES128_SHA256;

	bool of_algorithm = err == ENOSYS || err == ENOENT;

	if (of_algorithm && try_sa(line, ah, another, ends) == EPROTONOSUPPORT)
		return EPROTONOSUPPORT;
	return err;
}

static bool offers(struct request_line *line, bool ah, enum aead_alg alg,
	enum addr_family family, char words[PLANE_WHY_MAX])
{
	struct addr ends[2];

	if (!has_family(family))
		return true;
	ends_of(family, ends);
	int err = without_protocol(line, ah, ends, try_sa(line, ah, alg, ends));
	if (err != 0)
		words_of_sa(err,
			&(struct words_sa){.ah = ah, .alg = alg, .family = family},
			request_why(line), words);
	return err == 0;
}

bool xfrm_offers(bool ah, enum aead_alg alg, char *why, size_t why_cap)
{
	struct request_line *line;
	char words[PLANE_WHY_MAX];

	if (!algorithm_of(alg)) {
		snprintf(why, why_cap, "%s: the kernel has none such", aead_name(alg));
		return false;
	}
	line = request_open();
	if (!line) {
		snprintf(why, why_cap,
			"this kernel has no IPsec (module xfrm_user, CONFIG_XFRM_USER): "
			"%s",
			strerror(errno));
		return false;
	}
	bool done = offers(line, ah, alg, ADDR_V4, words) &&
		    offers(line, ah, alg, ADDR_V6, words);
	if (!done)
		snprintf(why, why_cap, "%s%s: %s", ah ? "AH " : "",
			ah ? aead_mac_name(alg) : aead_name(alg), words);
	request_close(line);
	return done;
}
