/* SPDX-License-Identifier: MIT */
/* release_trust: whether a release may be attached, and what it says of its own hash tree.
 *
 * Keys are looked at when a release is attached, at each boot, and never when a server is started
 * again: what is attached stays readable when keys change or vanish under it. Whoever can write to
 * the store of a system that runs may write to its memory as well; what an attacker has changed
 * before the system ran is found here.
 *
 * Errors do not name the release; kinds: ERR_ARCHIVE, ERR_DAMAGED, ERR_MEMORY, ERR_IO. Functions
 * may be used by any thread.
 */
#ifndef IHOP_ATTACH_RELEASE_TRUST_H
#define IHOP_ATTACH_RELEASE_TRUST_H

#include "attach/verity_table.h"
#include "base/err.h"
#include "format/image.h"
#include "signature/signed_image.h"
#include "store/store.h"

/* With keys: the release must be what they signed and published under this name. Without, nothing
 * is demanded. */
int release_trust_check(const struct image *image, const char *name,
                        const struct signature_demand *demand, struct err *e)
    __attribute__((warn_unused_result));

/* Whether the release may be attached by its version (store_floor_check_served); asked with keys.
 */
int release_trust_minimum(const struct store *store, const struct image *image, const char *name,
                          struct err *e) __attribute__((warn_unused_result));

/* Sets root hash and offset of the demand, if they are not given, to those that the release
 * records. ERR_ARCHIVE when it records none. */
int release_trust_verity(const struct image *image, struct verity_demand *demand, struct err *e)
    __attribute__((warn_unused_result));

#endif
