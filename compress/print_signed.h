/* SPDX-License-Identifier: MIT */
/* print_signed: prints what a signer elsewhere signs: the header of an archive before its checksum,
 * which is a file for minisign, or the 64 bytes of that checksum, which are a message for an HSM.
 */
#ifndef IHOP_COMPRESS_PRINT_SIGNED_H
#define IHOP_COMPRESS_PRINT_SIGNED_H

#include "base/err.h"
#include "compress/options.h"

/* Prints them on stdout, after the header was found good. ERR_USAGE when that is a terminal;
 * ERR_ARCHIVE, and the kinds of a reader (reader/reader.h). */
int print_signed_run(const struct compress_options *o, struct err *e)
    __attribute__((warn_unused_result));

#endif
