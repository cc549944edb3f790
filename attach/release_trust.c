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

int release_trust_minimum(const struct store *store, const struct image *image, const char *name,
                          struct err *e)
{
    struct facts facts;

    return facts_read(image, &facts, e) < 0
               ? -1
               : store_floor_check_served(store, name, facts.version, e);
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
