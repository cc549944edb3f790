/* SPDX-License-Identifier: MIT */
#include "store/vouchers.h"

#include "base/cleanup.h"
#include "format/image.h"
#include "store/release_load.h"

#include <stdint.h>
#include <stdlib.h>

struct voucher {
    struct image image;
    uint32_t *sorted; /* its chunks in order of hash */
};

static int load_voucher(const struct store *store, const char *name, struct vouchers *v,
                        struct err *e)
{
    struct voucher *voucher = &v->items[v->count];
    struct err ignored = ERR_INIT;

    if (store_release_load(store, name, &voucher->image, NULL, &ignored) < 0)
        return 0;
    if (!voucher->image.has_archive) { /* one of ihop 0.1 */
        image_free(&voucher->image);
        return 0;
    }
    v->count++;
    voucher->sorted = chunk_table_sort_by_hash(&voucher->image.chunks, e);
    return voucher->sorted ? 0 : -1;
}

int vouchers_load(const struct store *store, struct vouchers *v, struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};

    *v = (struct vouchers){0};
    if (store_release_names(store, &names, e) < 0)
        return -1;
    v->items = calloc(names.count + 1, sizeof *v->items);
    if (!v->items)
        return err_nomem(e, "reading the releases");
    for (size_t i = 0; i < names.count; i++)
        if (load_voucher(store, names.names[i], v, e) < 0)
            return -1;
    return 0;
}

void vouchers_free(struct vouchers *v)
{
    for (size_t i = 0; i < v->count; i++) {
        image_free(&v->items[i].image);
        free(v->items[i].sorted);
    }
    free(v->items);
    *v = (struct vouchers){0};
}

bool vouchers_have(const struct vouchers *v, const struct chunk_table *chunks, size_t chunk)
{
    const uint8_t *hash = chunk_table_hash(chunks, chunk);

    for (size_t i = 0; i < v->count; i++) {
        const struct chunk_table *own = &v->items[i].image.chunks;

        if (own->hash_length == chunks->hash_length &&
            chunk_table_find(own, v->items[i].sorted, hash) != CHUNK_TABLE_NONE)
            return true;
    }
    return false;
}
