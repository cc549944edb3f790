/* SPDX-License-Identifier: MIT */
/* cut-file: prints the size of each chunk of standard input, one a line, as one chunker cuts it
 * (JOBS 0) or as JOBS workers do.
 *
 *     cut-file ALGORITHM FILTER-BITS MIN MAX WINDOW JOBS <FILE
 */
#include "base/io.h"
#include "base/limits.h"
#include "chunker/cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNKS ((size_t)1 << 20)

static uint32_t sizes[CHUNKS];
static uint64_t count;

static int note_size(void *user, const struct cut_chunk *chunk, struct err *e)
{
    (void)user;
    if (chunk->index >= CHUNKS)
        return err_set(e, ERR_USAGE, "more than %zu chunks", CHUNKS);
    sizes[chunk->index] = (uint32_t)chunk->size;
    return 0;
}

static int cut_in_one(const struct chunker_config *config, struct err *e)
{
    static uint8_t data[64 * 1024];
    struct chunker *c = chunker_new(config, e);
    ssize_t size;

    if (!c)
        return -1;
    while ((size = io_read_full(STDIN_FILENO, data, sizeof data)) > 0) {
        for (size_t at = 0, n; at < (size_t)size; at += n) {
            bool boundary;

            n = chunker_push(c, data + at, (size_t)size - at, &boundary);
            if (count < CHUNKS)
                sizes[count] += (uint32_t)n;
            count += boundary;
        }
    }
    chunker_free(c);
    return size < 0 || count >= CHUNKS ? err_set(e, ERR_IO, "cannot read it all") : 0;
}

static int cut_in_parallel(const struct chunker_config *config, unsigned jobs, struct err *e)
{
    const struct cut_options options = {.jobs = jobs, .name = "standard input", .chunk = note_size};
    uint64_t size;

    return cut_input(STDIN_FILENO, config, &options, &size, e);
}

int main(int argc, char **argv)
{
    static const char *const algorithms[] = {"buzhash", "rollsum", "fixed"};
    struct chunker_config config = {0};
    struct err e = ERR_INIT;
    uint32_t numbers[5];
    int r;

    if (argc != 7)
        return 2;
    while (strcmp(algorithms[config.algorithm], argv[1]) != 0)
        if (++config.algorithm > IMAGE_FIXED_SIZE)
            return 2;
    for (int i = 0; i < 5; i++)
        numbers[i] = (uint32_t)strtoul(argv[2 + i], NULL, 10);
    config.filter_bits = numbers[0];
    config.min_size = numbers[1];
    config.max_size = numbers[2];
    config.window_size = numbers[3];
    r = numbers[4] == 0 ? cut_in_one(&config, &e) : cut_in_parallel(&config, numbers[4], &e);
    if (r < 0) {
        fprintf(stderr, "cut-file: %s\n", e.text);
        return err_exit_code(e.kind);
    }
    for (size_t i = 0; i < CHUNKS && sizes[i] > 0; i++)
        printf("%u\n", sizes[i]);
    return 0;
}
