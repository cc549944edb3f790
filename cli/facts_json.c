/* SPDX-License-Identifier: MIT */
#include "cli/facts_json.h"

#include "base/text.h"
#include "format/facts.h"

static json_t *json_types(const struct facts *f)
{
    json_t *types = json_array();
    size_t at = 0, size;
    const char *name;

    while ((name = facts_next_type(f, &at, &size)))
        json_array_append_new(types, json_stringn(name, size));
    return types;
}

void facts_to_json(json_t *object, const struct image *image)
{
    struct facts f;
    struct err why = ERR_INIT;
    char hex[2 * FACTS_DIGEST_MAX + 1];

    if (facts_read(image, &f, &why) < 0) {
        json_set_text(object, "facts_error", why.text);
        return;
    }
    if (f.has_version)
        json_set_number(object, "version", f.version);
    if (f.has_minimum)
        json_set_number(object, "minimum_version", f.minimum);
    if (f.has_compatible)
        json_object_set_new(object, "compatible", json_types(&f));
    if (!f.has_verity)
        return;
    text_hex(f.root_hash, f.root_hash_size, hex);
    json_set_text(object, "verity_root_hash", hex);
    json_set_number(object, "verity_hash_offset", f.hash_offset);
}
