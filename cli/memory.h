/* SPDX-License-Identifier: MIT */
/* memory: makes the allocator give memory back, in programs that take large blocks and
 * free them again. */
#ifndef IHOP_CLI_MEMORY_H
#define IHOP_CLI_MEMORY_H

/* Call it once, before the first thread is started. Does nothing where the C library is
 * not glibc. */
void memory_tune(void);

#endif
