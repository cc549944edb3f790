/* SPDX-License-Identifier: MIT */
/* lock_holder: which processes have a file open, for messages about locks. Thread-safe. */
#ifndef IHOP_STORE_LOCK_HOLDER_H
#define IHOP_STORE_LOCK_HOLDER_H

#define LOCK_HOLDER_SIZE 128

/* Writes "process 123 (nbdkit), process 124 (nbdkit)" for the other processes that have the
 * file of fd open, or that there is one that cannot be seen: /proc shows users only their
 * own processes. */
void lock_holder_name(int fd, char text[LOCK_HOLDER_SIZE]);

#endif
