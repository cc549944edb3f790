/* SPDX-License-Identifier: MIT */
/* holder: who has a file open, for messages about locks. For store/ alone. */
#ifndef IHOP_STORE_HOLDER_H
#define IHOP_STORE_HOLDER_H

#include "store/release_list.h"

/* Writes "process 123 (nbdkit)" and so on for the others that have the file of fd open,
 * or that none of them can be seen: /proc shows a user only the own ones. */
void store_holder_name(int fd, char text[STORE_HOLDER_SIZE]);

#endif
