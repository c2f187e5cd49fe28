/* tests/bench/figures.h - time, and how figures are printed. */
#ifndef VIPSEC_BENCH_FIGURES_H
#define VIPSEC_BENCH_FIGURES_H

#include <stddef.h>

/* Processor time of this program, in ns. */
double figures_now_ns(void);
/* Sorts at. */
double figures_median(double *at, size_t n);
/* "1.23 (1.10-1.40)": median, least, greatest, each divided by per. Sorts at. The text is
 * good until the fourth next call. */
const char *figures_spread(double *at, size_t n, double per, int digits);
/* Octets of heap in use. */
double figures_heap(void);

#endif
