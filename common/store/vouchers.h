/* SPDX-License-Identifier: MIT */
/* vouchers: which releases vouch for chunks of a store that is not trusted.
 *
 * In a store that ihop 0.1 may write to, a chunk with its name and its size may still have
 * wrong content. But one that belongs to a release that we published there was hashed and
 * made durable at that time, so it need not be hashed again. For store/ alone; loading is
 * for one thread, asking for any number.
 */
#ifndef IHOP_STORE_VOUCHERS_H
#define IHOP_STORE_VOUCHERS_H

#include "base/err.h"
#include "format/chunk_table.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct vouchers {
    struct voucher *items;
    size_t count;
};

/* Reads all releases of ours. One that cannot be read vouches for nothing. Kinds: ERR_IO,
 * ERR_MEMORY. The caller frees *v in any case. */
int vouchers_load(const struct store *store, struct vouchers *v, struct err *e)
    __attribute__((warn_unused_result));
void vouchers_free(struct vouchers *v);

/* Whether a release has the chunk with this number in chunks. */
bool vouchers_have(const struct vouchers *v, const struct chunk_table *chunks, size_t chunk);

#endif
