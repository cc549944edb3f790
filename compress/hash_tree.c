/* SPDX-License-Identifier: MIT */
#include "compress/hash_tree.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM       "veritysetup"
#define SUPERBLOCK    "verity\0" /* and the literal's own NUL */
#define ROOT_HASH     "Root hash:"
#define PRINTED_MAX   (64 * KIB)
#define SALT_SIZE     32
#define UUID_SIZE     16
#define NOT_FOUND     127 /* what a shell says then */
#define MORE_PATH     "/usr/local/sbin:/usr/sbin:/sbin"
#define PATH_OF_FD    "/proc/self/fd/%d"
#define ARGUMENT_SIZE 96

/* A run of the program. */
struct format_run {
    char salt[ARGUMENT_SIZE], uuid[ARGUMENT_SIZE], data[ARGUMENT_SIZE], hash[ARGUMENT_SIZE];
    int image_fd, tree_fd;
    int printed; /* a file in memory: what it writes to stdout and stderr */
};

static void write_arguments(struct format_run *r, const uint8_t checksum[CHUNK_HASH_SIZE])
{
    char salt[2 * SALT_SIZE + 1], id[2 * UUID_SIZE + 1];
    uint8_t uuid[UUID_SIZE];

    memcpy(uuid, checksum + SALT_SIZE, sizeof uuid);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    text_hex(checksum, SALT_SIZE, salt);
    text_hex(uuid, sizeof uuid, id);
    snprintf(r->salt, sizeof r->salt, "--salt=%s", salt);
    snprintf(r->uuid, sizeof r->uuid, "--uuid=%.8s-%.4s-%.4s-%.4s-%s", id, id + 8, id + 12, id + 16,
             id + 20);
    snprintf(r->data, sizeof r->data, PATH_OF_FD, r->image_fd);
    snprintf(r->hash, sizeof r->hash, PATH_OF_FD, r->tree_fd);
}

/* In the child. Administrators' programs are not on everybody's PATH. */
static void find_more_programs(void)
{
    const char *path = getenv("PATH");
    CLEANUP_FREE char *more = NULL;

    if (asprintf(&more, "%s%s" MORE_PATH, path ? path : "", path && *path ? ":" : "") < 0) {
        more = NULL;
        return;
    }
    setenv("PATH", more, 1);
}

/* In the child: both files are open in it, and it dies with its parent. */
static void become_veritysetup(const struct format_run *r)
{
    const char *const arguments[] = {PROGRAM,
                                     "format",
                                     "--hash=sha256",
                                     "--format=1",
                                     "--data-block-size=4096",
                                     "--hash-block-size=4096",
                                     r->salt,
                                     r->uuid,
                                     r->data,
                                     r->hash,
                                     NULL};
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(r->printed, 1) < 0 || dup2(r->printed, 2) < 0 ||
        fcntl(r->image_fd, F_SETFD, 0) < 0 || fcntl(r->tree_fd, F_SETFD, 0) < 0)
        _exit(1);
    setenv("LC_ALL", "C", 1);
    find_more_programs();
    execvp(PROGRAM, (char *const *)(uintptr_t)arguments);
    _exit(NOT_FOUND);
}

static int read_printed(const struct format_run *r, char **text, struct err *e)
{
    CLEANUP_FREE char *read = calloc(1, PRINTED_MAX + 1);

    if (!read)
        return err_nomem(e, "running " PROGRAM);
    if (io_pread_full(r->printed, read, PRINTED_MAX, 0) < 0)
        return err_sys(e, errno, "cannot read what " PROGRAM " prints");
    *text = STEAL(read);
    return 0;
}

/* The last line that has text. */
static const char *last_line(char *text)
{
    size_t n = strlen(text);
    char *line;

    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    line = strrchr(text, '\n');
    text_make_printable(line ? line + 1 : text);
    return n == 0 ? "it says nothing" : line ? line + 1 : text;
}

static int run_format(const struct format_run *r, char **text, struct err *e)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        become_veritysetup(r);
    if (pid < 0)
        return err_sys(e, errno, "cannot run " PROGRAM);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, errno, "cannot wait for " PROGRAM);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND,
                       "--verity needs the program " PROGRAM
                       ", which is not there: install Debian's package cryptsetup-bin");
    if (read_printed(r, text, e) < 0)
        return -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return err_set(e, ERR_IO, PROGRAM " cannot make the hash tree: %s", last_line(*text));
}

/* Takes the root hash out of "Root hash:      \t<hex>". */
static int take_printed_hash(const char *text, char root_hash[2 * HASH_TREE_DIGEST + 1],
                             struct err *e)
{
    const char *at = strstr(text, ROOT_HASH), *end;

    at = at ? at + strlen(ROOT_HASH) : text + strlen(text);
    at += strspn(at, " \t");
    end = at + strspn(at, "0123456789abcdef");
    if (end - at != 2 * HASH_TREE_DIGEST || (*end && *end != '\n'))
        return err_set(e, ERR_IO, PROGRAM " prints no root hash of SHA-256");
    memcpy(root_hash, at, 2 * HASH_TREE_DIGEST);
    root_hash[2 * HASH_TREE_DIGEST] = '\0';
    return 0;
}

/* Whether there is a superblock, and whole blocks: veritysetup may be another one than we know. */
static int measure_tree(struct hash_tree *t, struct err *e)
{
    char magic[sizeof SUPERBLOCK];
    struct stat st;

    if (fstat(t->file.fd, &st) < 0)
        return err_sys(e, errno, "cannot examine the hash tree");
    if (io_pread_full(t->file.fd, magic, sizeof magic, 0) != sizeof magic ||
        memcmp(magic, SUPERBLOCK, sizeof magic) != 0 || st.st_size % HASH_TREE_BLOCK != 0)
        return err_set(e, ERR_IO,
                       PROGRAM " has made no hash tree with a superblock and blocks of %d",
                       HASH_TREE_BLOCK);
    t->size = (uint64_t)st.st_size;
    return 0;
}

int hash_tree_make(const struct input *image, const uint8_t checksum[CHUNK_HASH_SIZE],
                   const char *archive, struct hash_tree *tree, struct err *e)
{
    CLEANUP_FD int printed = memfd_create("printed", MFD_CLOEXEC);
    CLEANUP_FREE char *text = NULL;
    struct format_run r = {.image_fd = image->fd, .printed = printed};

    if (printed < 0)
        return err_sys(e, errno, "cannot run " PROGRAM);
    /* Nothing is published from this file: it is replaced by nothing, and replaces nothing. */
    if (output_file_open(&tree->file, archive, true, image->fd, e) < 0)
        return -1;
    r.tree_fd = tree->file.fd;
    write_arguments(&r, checksum);
    if (run_format(&r, &text, e) < 0 || take_printed_hash(text, tree->root_hash, e) < 0)
        return -1;
    return measure_tree(tree, e);
}

void hash_tree_free(struct hash_tree *tree)
{
    output_file_close(&tree->file);
}
