/* xfrm/words.c - the kernel's answers in the words of whoever has to act.
 *
 * Linux tells apart: no such protocol (EPROTONOSUPPORT: no ESP, or AH), no such algorithm (ENOSYS:
 * its name is not known, nor in any module) and an algorithm that cannot be put together
 * (ENOENT: a part, like the maker of IVs, is missing). To the last two the answer is the same.
 */
#include "config.h"

#include "xfrm/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/explain.h"
#include "xfrm/algorithm.h"

enum { PARTS_MAX = 96 };

/* What the kernel's crypto puts it together from. */
static const char *parts_of(const struct words_sa *sa, char out[PARTS_MAX])
{
	const struct algorithm *a = algorithm_of(sa->alg);

	if (!a)
		return aead_name(sa->alg);
	if (sa->ah)
		snprintf(out, PARTS_MAX, "%s", a->mac);
	else if (a->aead)
		snprintf(out, PARTS_MAX, "%s, seqiv", a->aead);
	else
		snprintf(out, PARTS_MAX, "%s, %s, authenc, echainiv", a->cipher, a->mac);
	return out;
}

/* Whatever it is that a device, or a kernel that knows no such device, does not like. */
static bool is_of_offload(int err, const struct words_sa *sa)
{
	return (sa->offload == OFFLOAD_CRYPTO || sa->offload == OFFLOAD_PACKET) &&
	       (err == EOPNOTSUPP || err == EINVAL);
}

void words_of_sa(
	int err, const struct words_sa *sa, const char *kernel, char out[PLANE_WHY_MAX])
{
	const char *protocol = sa->ah ? "AH" : "ESP";
	bool six = sa->family == ADDR_V6;
	char parts[PARTS_MAX];

	if (is_of_offload(err, sa)) {
		snprintf(out, PLANE_WHY_MAX,
			"offload %s: %s; take a device that does it (ethtool -k: "
			"esp-hw-offload), or write offload auto",
			policy_offload_name(sa->offload),
			err == EINVAL && kernel[0] ? kernel
						   : "no device does it for this SA");
		return;
	}

	switch (err) {
	case EPROTONOSUPPORT:
		snprintf(out, PLANE_WHY_MAX,
			"this kernel has no %s for IPv%d: load its module (modprobe "
			"%s%d), or take a kernel with CONFIG_INET%s_%s",
			protocol, six ? 6 : 4, sa->ah ? "ah" : "esp", six ? 6 : 4,
			six ? "6" : "", protocol);
		break;
	case ENOSYS:
	case ENOENT:
		snprintf(out, PLANE_WHY_MAX,
			"this kernel's crypto lacks one of %s: load its module, or "
			"propose another algorithm",
			parts_of(sa, parts));
		break;
	case ENOMEM:
	case ENOBUFS:
		snprintf(out, PLANE_WHY_MAX,
			"the kernel has no memory left for an SA: free some, or have "
			"fewer peers");
		break;
	case EEXIST:
		snprintf(out, PLANE_WHY_MAX,
			"another program has an SA with this SPI in the kernel (ip xfrm "
			"state): delete it there");
		break;
	case ENOTUNIQ:
		snprintf(out, PLANE_WHY_MAX,
			"another peer behind this address has chosen the same SPI: it "
			"keeps it");
		break;
	case EADDRINUSE:
		snprintf(out, PLANE_WHY_MAX,
			"another peer is behind this NAT: of the planes only userspace "
			"can tell them apart");
		break;
	case EOVERFLOW:
		snprintf(out, PLANE_WHY_MAX,
			"its sequence numbers are used up: it is to be rekeyed");
		break;
	case ENODEV:
		snprintf(out, PLANE_WHY_MAX, "no rules are in force for it");
		break;
	default:
		snprintf(out, PLANE_WHY_MAX, "the kernel says: %s",
			kernel[0] ? kernel : strerror(err));
	}
}

void words_of_policy(int err, const char *kernel, char out[PLANE_WHY_MAX])
{
	if (err == ENOMEM || err == ENOBUFS)
		snprintf(out, PLANE_WHY_MAX,
			"the kernel has no memory left for a policy, and what it is for "
			"stays blocked: free some, or have fewer rules or peers");
	else
		snprintf(out, PLANE_WHY_MAX,
			"the kernel does not take a policy, and what it is for stays "
			"blocked: %s",
			kernel[0] ? kernel : strerror(err));
}
