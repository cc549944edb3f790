/* SPDX-License-Identifier: MIT */
#include "store/chunk_put.h"

#include "store/batch.h"
#include "store/chunk_file.h"
#include "store/staging.h"

/* Gives the one staged file its name. */
static int commit_file(const struct staging *s, const char *file, struct err *e)
{
    struct batch b = {0};
    int r = batch_append(&b, file, 0, e);

    if (r == 0) {
        r = batch_commit(s->store, s->fd, &b, e);
        if (r < 0)
            staging_mark_failed(s);
    }
    batch_free(&b);
    return r;
}

int store_chunk_put(const struct store *store, const uint8_t *hash, size_t hash_length,
                    const uint8_t *data, size_t size, struct err *e)
{
    char file[STORE_CHUNK_FILE_SIZE];
    uint64_t ignored = 0;
    struct staging s;
    int r;

    if (staging_make(store, &s, e) < 0)
        return -1;
    store_chunk_file(hash, hash_length, file);
    r = staging_write(&s, file, data, size, &ignored, e);
    if (r == 0)
        r = commit_file(&s, file, e);
    staging_remove(&s);
    return r;
}
