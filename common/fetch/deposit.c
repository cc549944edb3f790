/* SPDX-License-Identifier: MIT */
#include "fetch/deposit.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/sparse.h"

/* The free space is looked at again after this many bytes, because others write to the file
 * system, too. */
#define LOOK_AGAIN (4 * MIB)
#define FILE_COST  8192 /* bytes that a file, and maybe its directory, takes beyond its data */

static int over_max_write(struct deposit *d, struct err *e)
{
    char budget[TEXT_SIZE_BYTES];

    d->over_budget = true;
    return err_set(e, ERR_SPACE,
                   "%s would write more than --max-write allows, %s (%llu bytes): it stopped after "
                   "%llu bytes, which stay in the store",
                   d->what, text_size(d->max_write, budget), (unsigned long long)d->max_write,
                   (unsigned long long)d->written);
}

/* Checks --min-free; needs the lock. */
static int check_free(struct deposit *d, uint64_t cost, struct err *e)
{
    char wanted[TEXT_SIZE_BYTES];
    uint64_t bytes, inodes;

    if (cost <= d->allowance) {
        d->allowance -= cost;
        return 0;
    }
    if (store_free_space(d->store, &bytes, &inodes, e) < 0)
        return -1;
    if (bytes < d->min_free + d->on_its_way || bytes - d->min_free - d->on_its_way < cost) {
        d->over_budget = d->short_of_space = true;
        return err_set(e, ERR_SPACE,
                       "%s would leave less free than --min-free asks for, %s (%llu bytes): it "
                       "stopped with %llu bytes free; what was written stays in the store",
                       d->what, text_size(d->min_free, wanted), (unsigned long long)d->min_free,
                       (unsigned long long)bytes);
    }
    d->allowance = min_u64(bytes - d->min_free - d->on_its_way - cost, LOOK_AGAIN);
    return 0;
}

static int take(struct deposit *d, uint64_t bytes, struct err *e)
{
    LOCK_SCOPE(&d->lock);

    if (bytes > d->max_write - d->written)
        return over_max_write(d, e);
    if (d->min_free > 0 && check_free(d, bytes + FILE_COST, e) < 0)
        return -1;
    d->written += bytes;
    d->on_its_way += bytes + FILE_COST;
    return 0;
}

static void has_arrived(struct deposit *d, uint64_t bytes)
{
    LOCK_SCOPE(&d->lock);

    d->on_its_way -= bytes + FILE_COST;
}

int deposit_add(struct deposit *d, const uint8_t *hash, size_t hash_length, const uint8_t *data,
                size_t size, struct err *e)
{
    uint64_t bytes = data ? store_stored_bytes(data, size) : 0;
    int r;

    if (take(d, bytes, e) < 0)
        return -1;
    r = store_writer_add(d->writer, hash, hash_length, data, size, e);
    has_arrived(d, bytes);
    return r;
}
