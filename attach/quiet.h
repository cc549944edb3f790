/* SPDX-License-Identifier: MIT */
/* quiet: a moment in which no request of a device is under way, so that its server can be replaced
 * without one that the kernel would send again only after its timeout.
 *
 * Device-mapper devices that lie on it are suspended for that moment; without any, a pause between
 * requests is waited for. Which ones are suspended is written to the device's record first: whoever
 * takes over from a keeper that dies in between resumes them. One thread at a time.
 */
#ifndef IHOP_ATTACH_QUIET_H
#define IHOP_ATTACH_QUIET_H

#include "attach/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Waits for the moment, for some seconds at most, and holds it as long as suspended devices can.
 * False: there was none, so replacing the server costs a timeout; suspended devices are so all
 * the same. *since_ms, of io_now_ms, tells since when reads wait: since the devices were to be
 * suspended, or else since now. A record that cannot be written keeps it from suspending. */
bool quiet_begin(const char *directory, unsigned index, struct record *record, uint64_t *since_ms)
    __attribute__((warn_unused_result));

/* Resumes what the record says is suspended, and writes the record. A device that is gone is left
 * out. Also for the keeper that takes over. */
void quiet_end(const char *directory, unsigned index, struct record *record);

#endif
