/* base/mem.h - heap memory that is there, or the process is not.
 *
 * Nothing below floor 5 can go on sensibly without the few kilobytes it asks for, and
 * no caller lets a peer choose a size; so running out is our own fault and aborts.
 *
 * Floor 0. Release with free().
 */
#ifndef VIPSEC_BASE_MEM_H
#define VIPSEC_BASE_MEM_H

#include <stddef.h>

/* Zeroed room for n items. Never NULL; n and size > 0. */
void *mem_new(size_t n, size_t size);
/* A copy of text. Never NULL. */
char *mem_text(const char *text);

#endif
