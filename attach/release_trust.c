/* SPDX-License-Identifier: MIT */
#include "attach/release_trust.h"

#include "base/text.h"
#include "format/facts.h"
#include "store/floor.h"

int release_trust_check(const struct image *image, const char *name,
                        const struct signature_demand *demand, struct err *e)
{
    return demand->keys ? signed_image_check_release(image, name, demand, e) : 0;
}

int release_trust_minimum(const struct store *store, const struct image *image, struct err *e)
{
    uint64_t minimum = store_floor_for_boot(store, NULL);
    struct facts facts;

    if (facts_read(image, &facts, e) < 0)
        return -1;
    return facts.version >= minimum
               ? 0
               : err_set(e, ERR_ARCHIVE,
                         "its version is %llu, below %llu, the minimum of its store",
                         (unsigned long long)facts.version, (unsigned long long)minimum);
}

int release_trust_verity(const struct image *image, struct verity_demand *demand, struct err *e)
{
    struct facts facts;

    if (!demand->recorded)
        return 0;
    if (facts_read(image, &facts, e) < 0)
        return -1;
    if (!facts.has_verity)
        return err_set(e, ERR_ARCHIVE,
                       "it records no root hash: make its archive with ihop-compress --verity, or "
                       "give --verity=roothash=HEX,offset=BYTES");
    text_hex(facts.root_hash, facts.root_hash_size, demand->root_hash);
    demand->offset = facts.hash_offset;
    return 0;
}
