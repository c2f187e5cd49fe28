/* plane_words.h - words of a command into values, for vlab-plane. What is no such value ends
 * the program, and says so.
 */
#ifndef VLAB_PLANE_WORDS_H
#define VLAB_PLANE_WORDS_H

#include "base/secret.h"
#include "base/ts.h"
#include "crypto/aead.h"

_Noreturn void die(const char *what, const char *word);

struct addr addr_word(const char *word);
uint32_t number_word(const char *word);
uint64_t long_word(const char *word);
/* "10.0.0.0/8", "10.0.0.0/8,6,143" or "10.0.0.0/8,6,143,145" */
struct ts ts_word(const char *word);
/* Several of them, with + between */
void ts_words(const char *word, struct ts_list *out);
enum aead_alg alg_word(const char *word);

/* Behind the words that have a place there may be some of the form NAME=VALUE, in any order.
 * NULL: not this one. */
const char *option(char **w, int n, const char *name);
uint32_t option_number(char **w, int n, const char *name, uint32_t otherwise);

/* Keys are made from small numbers, so that both ends agree. */
void key_from(uint32_t seed, enum aead_alg alg, struct secret *out);

#endif
