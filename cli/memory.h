/* SPDX-License-Identifier: MIT */
/* memory: makes the allocator return memory to the system, in programs that allocate large
 * blocks and free them again. */
#ifndef IHOP_CLI_MEMORY_H
#define IHOP_CLI_MEMORY_H

/* To be called once, before the first thread is started. Does nothing with a C library other
 * than glibc. */
void memory_tune(void);

#endif
