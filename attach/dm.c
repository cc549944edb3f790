/* SPDX-License-Identifier: MIT */
#include "attach/dm.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#define DM_PATH      "/dev/" DM_DIR
#define CONTROL_PATH DM_PATH "/" DM_CONTROL_NODE
/* The control device's number, which the kernel gives to nothing else. */
#define CONTROL_MAJOR 10
#define CONTROL_MINOR 236
#define LINK_SIZE     (sizeof DM_PATH + DM_NAME_LEN + 8)
#define AGAIN_US      10000
/* For udev, in the upper half of the cookie: the flag of whoever owns the device. */
#define PRIMARY_SOURCE (0x0040U << 16)

/* A message to the kernel, and its answer. */
struct request {
    struct dm_ioctl head;
    struct dm_target_spec target;
    char text[DM_TABLE_SIZE + 8];
};

/* Interface 4.0.0 is what every kernel takes; the kernel refuses another major number alone. */
static void request_init(struct request *r, const char *name)
{
    *r = (struct request){.head = {.version = {DM_VERSION_MAJOR, 0, 0},
                                   .data_size = sizeof *r,
                                   .data_start = offsetof(struct request, target)}};
    if (name)
        snprintf(r->head.name, sizeof r->head.name, "%s", name);
}

static void request_of_number(struct request *r, struct dm_number number)
{
    request_init(r, NULL);
    r->head.dev = makedev(number.major, number.minor);
}

static enum err_kind kind_of_errno(int errnum)
{
    switch (errnum) {
    case EBUSY:
        return ERR_BUSY;
    case ENXIO:
    case ENODEV:
        return ERR_NOT_FOUND;
    case EPERM:
    case EACCES:
        return ERR_REFUSED;
    case EINVAL:
        return ERR_USAGE;
    case ENOMEM:
        return ERR_MEMORY;
    default:
        return ERR_IO;
    }
}

static int call(int control, unsigned long command, struct request *r, const char *what,
                struct err *e)
{
    if (ioctl(control, command, r) == 0)
        return 0;
    err_sys(e, errno, "the kernel's device mapper cannot %s %s", what,
            *r->head.name ? r->head.name : "the device");
    e->kind = kind_of_errno(e->sys_errno);
    return -1;
}

/* Without devtmpfs or modules.devname there may be no node. To open it makes the kernel load the
 * module. */
static int open_control(void)
{
    int fd = open(CONTROL_PATH, O_RDWR | O_CLOEXEC);
    bool is_made;

    if (fd >= 0 || errno != ENOENT)
        return fd;
    (void)mkdir(DM_PATH, 0755);
    is_made = mknod(CONTROL_PATH, S_IFCHR | 0600, makedev(CONTROL_MAJOR, CONTROL_MINOR)) == 0;
    fd = open(CONTROL_PATH, O_RDWR | O_CLOEXEC);
    if (fd < 0 && is_made) {
        int saved = errno;

        unlink(CONTROL_PATH);
        errno = saved;
    }
    return fd;
}

int dm_open(int *control, struct err *e)
{
    int fd = open_control();

    if (fd >= 0) {
        *control = fd;
        return 0;
    }
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
        return err_set(e, ERR_NOT_FOUND,
                       "this kernel has no device mapper: load the module dm-mod "
                       "(CONFIG_BLK_DEV_DM; Debian has it in each linux-image package)");
    err_sys(e, errno, "cannot open %s", CONTROL_PATH);
    if (e->sys_errno == EACCES || e->sys_errno == EPERM)
        e->kind = ERR_REFUSED;
    return -1;
}

int dm_require(int control, const char *type, const char *option, struct err *e)
{
    struct request r;

    request_init(&r, type);
    if (ioctl(control, DM_GET_TARGET_VERSION, &r) == 0 || errno == ENOTTY)
        return 0; /* a kernel that cannot tell says it when it gets the table */
    return err_set(e, ERR_NOT_FOUND,
                   "this kernel has no dm-%s: load the module dm-%s (%s; Debian has it in each "
                   "linux-image package)",
                   type, type, option);
}

int dm_look(int control, const char *name, struct dm_state *state, struct err *e)
{
    struct request r;

    request_init(&r, name);
    *state = (struct dm_state){.exists = false};
    if (call(control, DM_DEV_STATUS, &r, "look at", e) < 0)
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    *state = (struct dm_state){.exists = true,
                               .is_active = (r.head.flags & DM_ACTIVE_PRESENT_FLAG) != 0,
                               .is_suspended = (r.head.flags & DM_SUSPEND_FLAG) != 0,
                               .is_readonly = (r.head.flags & DM_READONLY_FLAG) != 0,
                               .open_count = (unsigned)r.head.open_count,
                               .number = {major(r.head.dev), minor(r.head.dev)}};
    snprintf(state->uuid, sizeof state->uuid, "%s", r.head.uuid);
    return 0;
}

/* ---- names in /dev/mapper ---- */

static void link_path(const char *name, char path[LINK_SIZE])
{
    snprintf(path, LINK_SIZE, DM_PATH "/%s", name);
}

static bool link_is_of(const char *path, const struct dm_state *state)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISBLK(st.st_mode) &&
           st.st_rdev == makedev(state->number.major, state->number.minor);
}

/* The kernel has one device of this name, so what else the name in /dev/mapper may mean is old.
 * Where nobody makes /dev/dm-N, the name is a node itself. */
int dm_link(int control, const char *name, struct err *e)
{
    char path[LINK_SIZE], new[LINK_SIZE + IO_RANDOM_NAME_SIZE], target[32];
    char random[IO_RANDOM_NAME_SIZE];
    struct dm_state state;

    link_path(name, path);
    if (dm_look(control, name, &state, e) < 0)
        return -1;
    if (link_is_of(path, &state))
        return 0;
    (void)mkdir(DM_PATH, 0755);
    if (io_random_name(random) < 0)
        return err_sys(e, errno, "cannot make %s", path);
    snprintf(target, sizeof target, "../dm-%u", state.number.minor);
    snprintf(new, sizeof new, DM_PATH "/.%s", random);
    if (symlink(target, new) == 0 && !link_is_of(new, &state) && unlink(new) == 0)
        (void)mknod(new, S_IFBLK | 0600, makedev(state.number.major, state.number.minor));
    if (rename(new, path) == 0)
        return 0;
    err_sys(e, errno, "cannot make %s", path);
    unlink(new);
    return -1;
}

/* Called when the device is gone; udev may have been faster. */
static void remove_link(const char *name)
{
    char path[LINK_SIZE];
    struct stat st;

    link_path(name, path);
    if (lstat(path, &st) == 0 && (S_ISLNK(st.st_mode) || S_ISBLK(st.st_mode)))
        unlink(path);
}

/* ---- making and removing ---- */

static int load_table(int control, const char *name, const struct dm_target *target, struct err *e)
{
    struct request r;

    request_init(&r, name);
    r.head.flags = DM_READONLY_FLAG;
    r.head.target_count = 1;
    r.target.length = target->sectors;
    r.target.next = sizeof r - offsetof(struct request, target);
    snprintf(r.target.target_type, sizeof r.target.target_type, "%s", target->type);
    if (snprintf(r.text, DM_TABLE_SIZE, "%s", target->parameters) >= DM_TABLE_SIZE)
        return err_set(e, ERR_USAGE, "the table of %s is too long", name);
    return call(control, DM_TABLE_LOAD, &r, "take the table of", e);
}

static int resume_device(int control, struct request *r, struct err *e)
{
    r->head.event_nr = PRIMARY_SOURCE;
    return call(control, DM_DEV_SUSPEND, r, "resume", e);
}

static int begin_device(int control, const char *name, const char *uuid, struct err *e)
{
    struct request r;

    request_init(&r, name);
    snprintf(r.head.uuid, sizeof r.head.uuid, "%s", uuid);
    return call(control, DM_DEV_CREATE, &r, "create", e);
}

int dm_create(int control, const char *name, const char *uuid, const struct dm_target *target,
              struct err *e)
{
    struct err ignored = ERR_INIT;

    if (begin_device(control, name, uuid, e) < 0)
        return -1;
    if (dm_replace(control, name, target, e) == 0 && dm_link(control, name, e) == 0)
        return 0;
    if (dm_remove(control, name, 1000, &ignored) < 0)
        err_context(e, "and %s is left (%s)", name, ignored.text);
    return -1;
}

int dm_replace(int control, const char *name, const struct dm_target *target, struct err *e)
{
    struct err ignored = ERR_INIT;
    struct request r;

    if (load_table(control, name, target, e) < 0)
        return -1;
    request_init(&r, name);
    if (resume_device(control, &r, e) == 0)
        return 0;
    request_init(&r, name);
    (void)!call(control, DM_TABLE_CLEAR, &r, "clear the table of", &ignored);
    return -1;
}

int dm_remove(int control, const char *name, unsigned wait_ms, struct err *e)
{
    uint64_t deadline = io_now_ms() + wait_ms;
    struct request r;

    for (;;) {
        request_init(&r, name);
        r.head.event_nr = PRIMARY_SOURCE;
        if (call(control, DM_DEV_REMOVE, &r, "remove", e) == 0) {
            remove_link(name);
            return 0;
        }
        if (e->kind != ERR_BUSY)
            return -1;
        if (io_now_ms() >= deadline)
            return err_set(e, ERR_BUSY,
                           DM_PATH "/%s is in use: unmount it, and take away the devices on it "
                                   "(lsblk)",
                           name);
        usleep(AGAIN_US);
    }
}

int dm_read_target(int control, const char *name, bool as_status, char type[DM_TYPE_SIZE],
                   char text[DM_TABLE_SIZE], struct err *e)
{
    struct request r;

    request_init(&r, name);
    r.head.flags = as_status ? DM_NOFLUSH_FLAG : DM_STATUS_TABLE_FLAG;
    if (call(control, DM_TABLE_STATUS, &r, "read the table of", e) < 0)
        return -1;
    if (r.head.flags & DM_BUFFER_FULL_FLAG || r.head.target_count < 1 ||
        !memchr(r.text, '\0', DM_TABLE_SIZE))
        return err_set(e, ERR_DAMAGED, "%s has a table that is none of ihop's", name);
    snprintf(type, DM_TYPE_SIZE, "%s", r.target.target_type);
    memcpy(text, r.text, strlen(r.text) + 1);
    return 0;
}

/* ---- holding reads back ---- */

static void on_alarm(int unused)
{
    (void)unused; /* that a system call is interrupted is all */
}

/* From wait_ms on, a SIGALRM interrupts whatever call waits; again and again, because the first one
 * may come before the call. */
static void set_alarm(unsigned wait_ms)
{
    const struct itimerval when = {
        .it_value = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000},
        .it_interval = {.tv_usec = wait_ms ? AGAIN_US : 0}};

    setitimer(ITIMER_REAL, &when, NULL);
}

/* The request, with a limit on the time. Returns 0 or errno. */
static int suspend_until(int control, struct request *r, unsigned wait_ms)
{
    const struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
    struct sigaction old_action;
    sigset_t set, old_set;
    int result;

    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigaction(SIGALRM, &action, &old_action);
    sigprocmask(SIG_UNBLOCK, &set, &old_set);
    set_alarm(wait_ms ? wait_ms : 1);
    result = ioctl(control, DM_DEV_SUSPEND, r) == 0 ? 0 : errno;
    set_alarm(0);
    sigprocmask(SIG_SETMASK, &old_set, NULL);
    sigaction(SIGALRM, &old_action, NULL);
    return result;
}

int dm_suspend(int control, struct dm_number number, unsigned wait_ms, bool *suspended,
               struct err *e)
{
    struct request r;
    int result;

    *suspended = false;
    request_of_number(&r, number);
    if (call(control, DM_DEV_STATUS, &r, "look at", e) < 0)
        return -1;
    if (r.head.flags & DM_SUSPEND_FLAG)
        return 0;
    request_of_number(&r, number);
    r.head.flags = DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG;
    result = suspend_until(control, &r, wait_ms);
    if (result == EINTR)
        return err_set(e, ERR_BUSY, "reads of device %u:%u did not come to an end", number.major,
                       number.minor);
    if (result != 0)
        return err_sys(e, result, "the kernel's device mapper cannot suspend device %u:%u",
                       number.major, number.minor);
    *suspended = true;
    return 0;
}

int dm_resume(int control, struct dm_number number, struct err *e)
{
    struct request r;

    request_of_number(&r, number);
    return call(control, DM_DEV_SUSPEND, &r, "resume", e);
}

/* ---- what lies on an NBD device ---- */

struct holders {
    struct dm_number *numbers;
    size_t max, count, others;
};

static void add_holder(struct holders *h, struct dm_number number)
{
    for (size_t i = 0; i < h->count && i < h->max; i++)
        if (h->numbers[i].major == number.major && h->numbers[i].minor == number.minor)
            return;
    if (h->count < h->max)
        h->numbers[h->count] = number;
    h->count++;
}

/* A holder's directory has its number in dev, and one of device mapper's a directory dm. */
static void look_at_holder(int dirfd, const char *name, struct holders *h)
{
    char path[NAME_MAX + 8], text[32];
    CLEANUP_FD int fd = -1;
    struct dm_number number;
    ssize_t n;

    snprintf(path, sizeof path, "%s/dev", name);
    fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : io_read_full(fd, text, sizeof text - 1);
    snprintf(path, sizeof path, "%s/dm", name);
    if (n <= 0)
        return; /* gone meanwhile */
    text[n] = '\0';
    if (faccessat(dirfd, path, F_OK, 0) == 0 &&
        sscanf(text, "%u:%u", &number.major, &number.minor) == 2)
        add_holder(h, number);
    else
        h->others++;
}

static int look_at_holders(const char *path, struct holders *h, struct err *e)
{
    CLEANUP_DIR DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir && errno != ENOENT)
        return err_sys(e, errno, "cannot read %s", path);
    while (dir && (entry = io_readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            look_at_holder(dirfd(dir), entry->d_name, h);
    return 0;
}

int dm_find_holders(const char *sys_block, unsigned index, struct dm_number *numbers, size_t max,
                    size_t *count, size_t *others, struct err *e)
{
    struct holders h = {.numbers = numbers, .max = max};
    CLEANUP_DIR DIR *dir = NULL;
    char path[PATH_MAX], part[16];
    struct dirent *entry;

    snprintf(path, sizeof path, "%s/nbd%u/holders", sys_block, index);
    if (look_at_holders(path, &h, e) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/nbd%u", sys_block, index);
    snprintf(part, sizeof part, "nbd%up", index);
    dir = opendir(path);
    while (dir && (entry = io_readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, part, strlen(part)) != 0)
            continue;
        snprintf(path, sizeof path, "%s/nbd%u/%s/holders", sys_block, index, entry->d_name);
        if (look_at_holders(path, &h, e) < 0)
            return -1;
    }
    *count = h.count;
    *others = h.others;
    return 0;
}
