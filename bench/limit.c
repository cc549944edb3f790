/* SPDX-License-Identifier: MIT */
/* limit: the least that a clone can take on this machine.
 *
 *     bench-limit ARCHIVE DIRECTORY [RELEASE...]
 *
 * Decodes and hashes the chunks of a local archive on all cores, writes one file
 * for each into a staging directory, syncs the file system, renames them, and syncs
 * again. Chunks that a RELEASE file has are left out. There is no network, no planning and no
 * check, so what ihop-clone takes beyond the time of this program is ihop's own cost.
 */
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "codec/decoder.h"
#include "format/archive.h"
#include "format/release.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static struct image image;
static const uint8_t *archive;
static bool *present;
static int staging_fd, target_fd;
static atomic_size_t next_chunk;

static void die(const char *what)
{
    fprintf(stderr, "bench-limit: %s\n", what);
    exit(1);
}

static const uint8_t *map_file(const char *path, size_t *size)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *data;

    if (fd < 0 || fstat(fd, &st) < 0)
        die("cannot open a file");
    *size = (size_t)st.st_size;
    data = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        die("cannot map a file");
    return data;
}

static void leave_out(const char *path)
{
    CLEANUP_FREE uint32_t *sorted = NULL;
    struct err e = ERR_INIT;
    struct image release;
    size_t size;
    const uint8_t *data = map_file(path, &size);

    if (release_parse(data, size, &release, &e) < 0 ||
        !(sorted = chunk_table_sort_by_hash(&release.chunks, &e)) ||
        release.chunks.hash_length != image.chunks.hash_length)
        die("cannot read a release");
    for (size_t i = 0; i < image.chunks.count; i++)
        present[i] =
            present[i] || chunk_table_find(&release.chunks, sorted,
                                           chunk_table_hash(&image.chunks, i)) != CHUNK_TABLE_NONE;
    image_free(&release);
}

static void name_of(size_t i, char name[CHUNK_HASH_HEX])
{
    chunk_table_hash_hex(&image.chunks, i, name);
}

static void write_chunk(size_t i, struct decoder *d, struct chunk_hasher *h, uint8_t *out)
{
    const struct chunk *c = &image.chunks.items[i];
    CLEANUP_FD int fd = -1;
    char name[CHUNK_HASH_HEX];
    uint8_t hash[CHUNK_HASH_SIZE];
    struct err e = ERR_INIT;
    const uint8_t *plain;

    name_of(i, name);
    fd = openat(staging_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        die("cannot create a file");
    if (c->zero) {
        if (ftruncate(fd, c->source_size) < 0)
            die("cannot make a hole");
        return;
    }
    if (decoder_run(d, c, archive + c->archive_offset, out, &plain, &e) < 0 ||
        chunk_hash(h, plain, c->source_size, hash, &e) < 0 ||
        memcmp(hash, chunk_table_hash(&image.chunks, i), image.chunks.hash_length) != 0)
        die("a chunk is damaged");
    if (io_write_full(fd, plain, c->source_size) < 0)
        die("cannot write a file");
}

static void *decode_chunks(void *arg)
{
    uint8_t *out = malloc(LIMIT_CHUNK);
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);
    struct decoder d;
    size_t i;

    decoder_init(&d, image.compression);
    if (!out || !h)
        die("out of memory");
    while ((i = atomic_fetch_add(&next_chunk, 1)) < image.chunks.count)
        if (!present[i])
            write_chunk(i, &d, h, out);
    decoder_release(&d);
    chunk_hasher_free(h);
    free(out);
    return arg;
}

static void run_on_all_cores(void)
{
    pthread_t threads[LIMIT_JOBS];
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    n = n < 1 ? 1 : n > LIMIT_JOBS ? LIMIT_JOBS : n;
    for (long i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, decode_chunks, NULL) != 0)
            die("cannot start a thread");
    for (long i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

static size_t rename_all(void)
{
    char name[CHUNK_HASH_HEX];
    size_t count = 0;

    for (size_t i = 0; i < image.chunks.count; i++) {
        if (present[i])
            continue;
        name_of(i, name);
        if (renameat(staging_fd, name, target_fd, name) < 0)
            die("cannot rename a file");
        count++;
    }
    return count;
}

static int open_new_directory(int dirfd, const char *path)
{
    int fd;

    if (mkdirat(dirfd, path, 0755) < 0)
        die("cannot make a directory: DIRECTORY must be new");
    fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        die("cannot open a directory");
    return fd;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    uint64_t header_size;
    size_t size, written;
    int top;

    if (argc < 3)
        die("usage: bench-limit ARCHIVE DIRECTORY [RELEASE...]");
    archive = map_file(argv[1], &size);
    if (size < ARCHIVE_PREFIX_SIZE || archive_parse_prefix(archive, &header_size, &e) < 0 ||
        header_size > size || archive_parse(archive, (size_t)header_size, size, &image, &e) < 0)
        die("cannot read the archive");
    present = calloc(image.chunks.count + 1, sizeof *present);
    if (!present)
        die("out of memory");
    for (int i = 3; i < argc; i++)
        leave_out(argv[i]);
    top = open_new_directory(AT_FDCWD, argv[2]);
    staging_fd = open_new_directory(top, "staging");
    target_fd = open_new_directory(top, "chunks");
    run_on_all_cores();
    if (syncfs(top) < 0)
        die("cannot sync");
    written = rename_all();
    if (syncfs(top) < 0)
        die("cannot sync");
    printf("%zu chunks\n", written);
    return 0;
}
