/* figures.c - see figures.h. */
#define _DEFAULT_SOURCE
#include "bench/figures.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double figures_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double figures_median(double *at, size_t n)
{
	qsort(at, n, sizeof(*at), by_value);
	return at[n / 2];
}

const char *figures_spread(double *at, size_t n, double per, int digits)
{
	static char texts[4][64];
	static unsigned next;
	char *text = texts[next++ % 4];
	double m = figures_median(at, n);

	snprintf(text, sizeof(texts[0]), "%.*f (%.*f-%.*f)", digits, m / per, digits,
		at[0] / per, digits, at[n - 1] / per);
	return text;
}

double figures_heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)m.uordblks + (double)m.hblkhd;
}
