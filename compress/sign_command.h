/* SPDX-License-Identifier: MIT */
/* sign_command: lets a command of the user's sign, such as one that asks an HSM. */
#ifndef IHOP_COMPRESS_SIGN_COMMAND_H
#define IHOP_COMPRESS_SIGN_COMMAND_H

#include "base/err.h"
#include "signature/ed25519.h"

#include <stddef.h>
#include <stdint.h>

/* Runs command by /bin/sh. Its standard input is a file with the message, which it can open again
 * as /dev/stdin and ask for its size; its standard output must be the 64 bytes of the signature and
 * no more; its standard error and terminal are ours, so that it can ask for a PIN. Waits until it
 * has ended, however long that takes. Not verified here. ERR_IO, which tells how it ended. */
int sign_command_run(const char *command, const void *message, size_t size,
                     uint8_t signature[ED25519_SIGNATURE_SIZE], struct err *e)
    __attribute__((warn_unused_result));

#endif
