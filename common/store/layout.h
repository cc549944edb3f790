/* SPDX-License-Identifier: MIT */
/* layout: whether a directory is a store, or may become one. Internal to store/.
 *
 * A store of ours has .ihop/format. One of the original ihop has chunks/ with its directories
 * of four digits; a directory named chunks alone proves nothing, as source trees have such,
 * too. A new layout is made in an empty directory only. Functions return 1, 0, or -1 with
 * errno. Thread-safe.
 */
#ifndef IHOP_STORE_LAYOUT_H
#define IHOP_STORE_LAYOUT_H

/* The original's store, in a directory that has no .ihop/format: chunks/ is empty or holds
 * chunks of its kind, or a program of ours has written there before; or there is no
 * chunks/ any more, but releases and nothing else. */
int store_layout_is_original(int root_fd) __attribute__((warn_unused_result));

/* Nothing is there but lost+found and what the first clone leaves when it is killed
 * before .ihop/format has its name. */
int store_layout_is_vacant(int root_fd) __attribute__((warn_unused_result));

#endif
