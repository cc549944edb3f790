/* SPDX-License-Identifier: MIT */
/* layout: whether a directory is a store, or may become one. For store/ alone.
 *
 * A store of ours has .ihop/format. A store of ihop 0.1 has chunks/ with directories of four
 * digits; a directory named chunks alone proves nothing, as source trees have such, too. A
 * new layout is made in an empty directory only. Functions return -1 with errno when
 * something cannot be examined. Thread-safe.
 */
#ifndef IHOP_STORE_LAYOUT_H
#define IHOP_STORE_LAYOUT_H

#include <stdbool.h>

/* Whether a directory without .ihop/format is a store of ihop 0.1: chunks/ is empty or holds
 * chunks of that layout, or a program of ours has written there before; or there is no
 * chunks/ any more, but releases and nothing else. */
int store_layout_is_original(int root_fd, bool *original) __attribute__((warn_unused_result));

/* Whether there is nothing but lost+found and what a first clone leaves when it is killed
 * before .ihop/format has its name. */
int store_layout_is_vacant(int root_fd, bool *vacant) __attribute__((warn_unused_result));

#endif
