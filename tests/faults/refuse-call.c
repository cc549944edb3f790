/* SPDX-License-Identifier: MIT */
/* refuse-call: runs a command in which the kernel refuses some system calls.
 *
 *     refuse-call CALL[@ARGUMENT&MASK | @ARGUMENT=VALUE]:ERROR... COMMAND [ARGUMENT...]
 *
 * Like an old kernel, or the filter of a container: each CALL fails with ERROR (ENOSYS,
 * EPERM ..., or KILL: the process dies), always, or when its argument (0 to 5) has any
 * bit of MASK, or is VALUE. For example renameat2@4&7:EINVAL refuses all its flags.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct word {
    const char *name;
    uint32_t value;
};

#define CALL(name)                                                                                 \
    {                                                                                              \
#name, SYS_##name                                                                          \
    }
static const struct word calls[] = {
    CALL(copy_file_range), CALL(fallocate),      CALL(flock),          CALL(fsync),
    CALL(getrandom),       CALL(io_uring_setup), CALL(io_uring_enter), CALL(linkat),
    CALL(openat),          CALL(openat2),        CALL(renameat2),      CALL(syncfs),
#ifdef SYS_fcntl
    CALL(fcntl),
#endif
#ifdef SYS_fadvise64
    CALL(fadvise64),
#endif
#ifdef SYS_statx
    CALL(statx),
#endif
#ifdef SYS_utimensat
    CALL(utimensat),
#endif
#ifdef SYS_sync_file_range
    CALL(sync_file_range),
#endif
};

#define ERROR(name)                                                                                \
    {                                                                                              \
#name, name                                                                                \
    }
static const struct word errors[] = {
    ERROR(EACCES), ERROR(EBADF),  ERROR(EINVAL), ERROR(EIO),        ERROR(EMLINK),
    ERROR(ENOLCK), ERROR(ENOSYS), ERROR(EPERM),  ERROR(EOPNOTSUPP), {"KILL", 0},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void die(const char *what, const char *name)
{
    fprintf(stderr, "refuse-call: %s '%s'\n", what, name);
    exit(127);
}

static uint32_t look_up(const struct word *words, size_t count, const char *name, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i].name, name) == 0)
            return words[i].value;
    die(what, name);
    return 0;
}

/* So much for each rule. */
#define RULE_SIZE 6
static struct sock_filter program[64 * RULE_SIZE + 1];
static size_t used;

static void emit(uint16_t code, uint32_t k, uint8_t on_true, uint8_t on_false)
{
    if (used < COUNT(program))
        program[used++] = (struct sock_filter){code, on_true, on_false, k};
}

static uint32_t where(unsigned argument)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (uint32_t)(offsetof(struct seccomp_data, args) + argument * 8 + 4);
#else
    return (uint32_t)(offsetof(struct seccomp_data, args) + argument * 8);
#endif
}

/* CALL[@ARGUMENT&MASK|@ARGUMENT=VALUE]:ERROR */
static void add_rule(char *rule)
{
    char *error = strchr(rule, ':'), *at = strchr(rule, '@'), *end = NULL;
    uint32_t number, action, errnum;

    *error++ = '\0';
    if (at)
        *at++ = '\0';
    number = look_up(calls, COUNT(calls), rule, "unknown call");
    errnum = look_up(errors, COUNT(errors), error, "unknown error");
    action = errnum ? SECCOMP_RET_ERRNO | errnum : SECCOMP_RET_KILL_PROCESS;
    emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    emit(BPF_JMP | BPF_JEQ | BPF_K, number, 0, at ? 3 : 1);
    if (at) {
        unsigned long argument = strtoul(at, &end, 0);

        if (end == at || argument > 5 || (*end != '&' && *end != '='))
            die("bad argument", at);
        emit(BPF_LD | BPF_W | BPF_ABS, where((unsigned)argument), 0, 0);
        emit((uint16_t)(BPF_JMP | BPF_K | (*end == '&' ? BPF_JSET : BPF_JEQ)),
             (uint32_t)strtoul(end + 1, NULL, 0), 0, 1);
    }
    emit(BPF_RET | BPF_K, action, 0, 0);
}

int main(int argc, char **argv)
{
    struct sock_fprog filter = {.filter = program};
    int i = 1;

    for (; i < argc && strchr(argv[i], ':') && !strchr(argv[i], '/'); i++)
        add_rule(argv[i]);
    if (i >= argc || used + 1 > COUNT(program))
        die("usage: refuse-call CALL:ERROR... COMMAND", "");
    emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    filter.len = (unsigned short)used;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
        perror("refuse-call: no filter");
        return 126;
    }
    execvp(argv[i], argv + i);
    perror(argv[i]);
    return 127;
}
