/* SPDX-License-Identifier: MIT */
/* fuzz: the entry that libFuzzer and replay_main.c call. */
#ifndef IHOP_TESTS_FUZZ_FUZZ_H
#define IHOP_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input. */
#define FUZZ_ASSERT(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

#endif
