/* tests/unit/xfrm_lab.h - the kernel plane on a kernel of paper, with one VIP and one peer. */
#ifndef VIPSEC_TESTS_XFRM_LAB_H
#define VIPSEC_TESTS_XFRM_LAB_H

#include "fake_kernel.h"
#include "plane/plane.h"
#include "unit.h"

enum {
	LAB_SCOPE = 3,
	LAB_RULE = 7,
	LAB_CHILD = 21,
	LAB_SPI_IN = 0x1001,
	LAB_SPI_OUT = 0x1002
};

extern struct plane *lab_plane;
extern struct addr lab_own, lab_peer; /* the VIP, the peer: IPv4 */
extern struct policy_tags
	lab_tags; /* of the rule and of children; reset by lab_set_up() */

int lab_set_up(void **state);
int lab_tear_down(void **state);

/* The next report of this kind; others are passed over. */
struct plane_report lab_next(enum plane_report_kind kind);
/* The same, when the plane's own timer has brought it. */
struct plane_report lab_await(enum plane_report_kind kind);
/* Takes all that wait: none is of this kind. */
void lab_no_more(enum plane_report_kind kind);

/* All of the VIP's traffic is protected. block: but this address, which is blocked; NULL. */
void lab_give_policy(const struct addr *block);
void lab_add_child(enum policy_offload offload); /* that sends, too */
struct esp_usage lab_usage(void); /* of the child */

void lab_expect_words(const char *text, const char *a, const char *b);

#endif
