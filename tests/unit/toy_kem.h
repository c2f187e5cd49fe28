/* tests/unit/toy_kem.h - an OpenSSL provider that has something by the names of ML-KEM: of the
 * same sizes, called in the same way, and no secret at all.
 *
 * It stands in where OpenSSL has none (before 3.5), so that the glue in crypto/kex_mlkem.c and
 * its way through IKE can be tried. What ML-KEM itself does is not tried by it.
 */
#ifndef VIPSEC_TESTS_TOY_KEM_H
#define VIPSEC_TESTS_TOY_KEM_H

/* For this process; beside OpenSSL's own. */
void toy_kem_load(void);
void toy_kem_unload(void);

#endif
