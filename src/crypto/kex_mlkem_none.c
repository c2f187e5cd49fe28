/* crypto/kex_mlkem_none.c - in the place of kex_mlkem.c, where OpenSSL has no ML-KEM. */
#include "crypto/kex_group.h"

const struct kex_group *const kex_groups_mlkem[] = {NULL};
