/* SPDX-License-Identifier: MIT */
#include "attach/keeper.h"

#include "attach/connections.h"
#include "attach/device.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#define START_WAIT_MS    30000 /* until a server answers; a busy board may need long */
#define AGAIN_WAIT_MS    2000  /* until a server that has answered before answers again */
#define FIRST_PAUSE_MS   50    /* between starts that fail, doubling */
#define LONGEST_PAUSE_MS 2000
#define STABLE_MS        10000 /* a server that lived so long is replaced at once */
#define GONE_WAIT_MS     2000
#define GONE_PAUSE_US    5000
#define SECTOR_SIZE      512

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

struct keeper {
    struct keeper_job *job;
    struct server server;
    struct connections connections;
    struct nbd_setup setup;
    char identifier[DEVICE_IDENTIFIER_SIZE];
    int signals, log;
    unsigned serial;          /* of the servers, in the names of their sockets */
    unsigned pause_ms;        /* before the next start; 0: none */
    uint64_t began_ms;        /* when the present server was given to the device */
    uint64_t next_try_ms;     /* when needs_server */
    bool needs_server, ended; /* ended: the device is gone */
};

/* To the kernel's log in the background: a log daemon may read from this very device. */
static void say(const struct keeper *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct keeper *k, const char *fmt, ...)
{
    char line[ERR_TEXT_SIZE];
    int n = snprintf(line, sizeof line,
                     "%sihop-attach: /dev/nbd%u: ", k->job->foreground ? "" : "<5>", k->job->index);
    va_list args;

    va_start(args, fmt);
    vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, args);
    va_end(args);
    strcat(line, "\n");
    if (k->log >= 0 && write(k->log, line, strlen(line)) < 0)
        return; /* there is no other place to say it */
}

static void write_record(struct keeper *k)
{
    struct err e = ERR_INIT;

    k->job->record.server = k->server.process;
    if (record_write(k->job->directory, k->job->index, &k->job->record, &e) < 0)
        say(k, "%s", e.text);
}

static uint64_t device_size(const struct keeper *k)
{
    uint64_t size = k->job->server.size;

    return size + (SECTOR_SIZE - size % SECTOR_SIZE) % SECTOR_SIZE;
}

/* Starts a server and connects to it, in all places. */
static int start_server(struct keeper *k, struct server *server, struct connections *c,
                        struct err *e)
{
    uint64_t deadline = io_now_ms() + START_WAIT_MS;
    struct server fresh = SERVER_INIT;
    struct nbd_export export;
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/nbd%u.%ld.%u.sock", k->job->directory, k->job->index,
             (long)getpid(), k->serial++);
    connections_init(c, k->job->record.connections);
    if (server_start(&k->job->server, path, &fresh, e) < 0)
        return -1;
    if (connections_make(c, &fresh, device_size(k), deadline, &export, e) < 0) {
        server_stop(&fresh);
        return -1;
    }
    k->setup.flags = export.flags;
    *server = fresh;
    return 0;
}

/* Puts a server and its connections in the place of what was there. */
static void adopt_server(struct keeper *k, const struct server *server, const struct connections *c)
{
    k->server = *server;
    k->connections = *c;
    k->began_ms = io_now_ms();
    k->needs_server = false;
}

static bool is_connected(const struct keeper *k)
{
    struct err e = ERR_INIT;
    struct device d;

    return device_look(DEVICE_SYS_BLOCK, k->job->index, &d, &e) < 0 || d.connected;
}

/* The old server answers until the new one has: only then it is ended. What was in flight on it is
 * sent again by the kernel after the timeout. */
static int replace_server(struct keeper *k, struct err *e)
{
    struct connections c;
    struct server fresh;

    if (start_server(k, &fresh, &c, e) < 0)
        return -1;
    server_stop(&k->server);
    connections_end(&k->connections);
    if (connections_replace(&c, k->job->channel, k->job->index, &k->setup, e) < 0) {
        connections_close(&c);
        server_stop(&fresh);
        return -1;
    }
    adopt_server(k, &fresh, &c);
    k->job->record.restarts++;
    write_record(k);
    say(k, "server %ld serves it now", (long)k->server.process.pid);
    return 0;
}

/* The kernel gives up on a connection when a request takes longer than the timeout, though the
 * server may be well, but slow. Then a new connection to the same server is enough, and nothing
 * else that it works on is lost. */
static int reconnect_server(struct keeper *k, struct err *e)
{
    struct nbd_export export;

    if (connections_make(&k->connections, &k->server, device_size(k), io_now_ms() + AGAIN_WAIT_MS,
                         &export, e) < 0)
        return -1;
    say(k, "server %ld was too slow: connected again", (long)k->server.process.pid);
    return connections_replace(&k->connections, k->job->channel, k->job->index, &k->setup, e);
}

static void plan_next_try(struct keeper *k, const struct err *e)
{
    k->pause_ms = k->pause_ms == 0 ? FIRST_PAUSE_MS : 2 * k->pause_ms;
    if (k->pause_ms > LONGEST_PAUSE_MS)
        k->pause_ms = LONGEST_PAUSE_MS;
    k->next_try_ms = io_now_ms() + k->pause_ms;
    say(k, "no new server yet: %s", e->text);
}

static void mend(struct keeper *k)
{
    struct err e = ERR_INIT;

    k->ended = !is_connected(k);
    if (k->ended)
        return;
    if (!server_ended(&k->server) && reconnect_server(k, &e) == 0) {
        k->needs_server = false;
        return;
    }
    if (replace_server(k, &e) < 0)
        plan_next_try(k, &e);
}

/* Looks at what has happened. */
static void notice(struct keeper *k)
{
    while (server_read_message(&k->server))
        say(k, "%s", k->server.last);
    if (k->needs_server ||
        (connections_drop_dead(&k->connections) == 0 && !server_ended(&k->server)))
        return;
    k->needs_server = true;
    /* A server that dies as soon as it serves is not started again and again without a pause. */
    if (io_now_ms() - k->began_ms >= STABLE_MS)
        k->pause_ms = 0;
    k->next_try_ms = io_now_ms() + k->pause_ms;
}

static void take_signal(struct keeper *k)
{
    struct signalfd_siginfo info;
    struct err e = ERR_INIT;

    if (read(k->signals, &info, sizeof info) != sizeof info || info.ssi_signo == SIGHUP)
        return;
    if (keeper_detach(k->job->index, k->job->directory, k->job->channel, &k->server.process, &e) <
        0)
        say(k, "signal %u is ignored: %s", info.ssi_signo, e.text);
    else
        k->ended = true;
}

/* Sleeps until something happens, without a limit when all is well. */
static void sleep_until_event(const struct keeper *k)
{
    struct pollfd p[LIMIT_CONNECTIONS + 3];
    uint64_t now = io_now_ms();
    nfds_t n = 0;

    p[n++] = (struct pollfd){.fd = k->signals, .events = POLLIN};
    p[n++] = (struct pollfd){.fd = k->server.messages, .events = POLLIN};
    if (k->needs_server) { /* what has died would wake the keeper without a pause */
        (void)poll(p, n, k->next_try_ms > now ? (int)(k->next_try_ms - now) : 0);
        return;
    }
    p[n++] = (struct pollfd){.fd = k->server.pidfd, .events = POLLIN};
    for (unsigned i = 0; i < k->connections.count; i++)
        p[n++] = (struct pollfd){.fd = k->connections.fds[i]};
    (void)poll(p, n, -1);
}

static void keep(struct keeper *k)
{
    while (!k->ended) {
        sleep_until_event(k);
        take_signal(k);
        notice(k);
        if (!k->ended && k->needs_server && io_now_ms() >= k->next_try_ms)
            mend(k);
    }
    say(k, "the device is gone");
    connections_close(&k->connections);
    server_stop(&k->server);
    record_remove(k->job->directory, k->job->index);
}

/* What a process needs that the root file system waits for: it is not killed for want of memory,
 * its writes do not wait for reads that it must answer, and its memory stays. Each of these may
 * be refused, in a container for example, without harm to the rest. */
static void harden_process(void)
{
    CLEANUP_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        (void)!write(fd, "-1000", 5);
    (void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
    malloc_trim(0);
    (void)mlockall(MCL_CURRENT | MCL_FUTURE);
}

static int catch_signals(struct keeper *k, struct err *e)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_SETMASK, &set, NULL);
    k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signals < 0 ? err_sys(e, errno, "cannot catch signals") : 0;
}

/* The device of a keeper that has died: its server answers until the new one has. */
static int take_over(struct keeper *k, const struct process *old_server, struct err *e)
{
    struct connections c;
    struct server fresh;

    if (start_server(k, &fresh, &c, e) < 0)
        return -1;
    server_stop_process(old_server);
    if (connections_replace(&c, k->job->channel, k->job->index, &k->setup, e) < 0) {
        connections_close(&c);
        server_stop(&fresh);
        return -1;
    }
    adopt_server(k, &fresh, &c);
    say(k, "taken over, with server %ld", (long)k->server.process.pid);
    return 0;
}

static int attach_device(struct keeper *k, struct err *e)
{
    struct connections c;
    struct server fresh;

    if (start_server(k, &fresh, &c, e) < 0)
        return -1;
    if (connections_connect(&c, k->job->channel, k->job->index, &k->setup, e) < 0) {
        connections_close(&c);
        server_stop(&fresh);
        return -1;
    }
    adopt_server(k, &fresh, &c);
    return 0;
}

int keeper_run(struct keeper_job *job, struct err *e)
{
    struct keeper k = {.job = job, .server = SERVER_INIT, .signals = -1};
    CLEANUP_FD int log =
        job->foreground ? dup(2) : open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    struct process old_server = job->record.server;

    k.log = log;
    device_identifier(job->record.release, job->record.id, k.identifier);
    k.setup = (struct nbd_setup){.size = device_size(&k),
                                 .timeout_s = job->record.timeout_s,
                                 .dead_timeout_s = job->record.dead_timeout_s,
                                 .identifier = k.identifier};
    if (!process_identify(getpid(), &job->record.keeper))
        return err_set(e, ERR_IO, "/proc is missing: mount it");
    if (catch_signals(&k, e) < 0)
        return -1;
    harden_process();
    record_remove_sockets(job->directory, job->index);
    if ((job->take_over ? take_over(&k, &old_server, e) : attach_device(&k, e)) < 0)
        return -1;
    write_record(&k);
    job->ready(job->user);
    keep(&k);
    close(k.signals);
    return 0;
}

/* The device stays while it is open somewhere, be it for the blink of an eye by udev. */
static int wait_until_gone(unsigned index, struct err *e)
{
    uint64_t deadline = io_now_ms() + GONE_WAIT_MS;
    struct device d;

    for (;;) {
        if (device_look(DEVICE_SYS_BLOCK, index, &d, e) < 0)
            return -1;
        if (!d.connected)
            return 0;
        if (io_now_ms() >= deadline)
            return err_set(e, ERR_BUSY, "/dev/nbd%u is disconnected, but a program has it open",
                           index);
        usleep(GONE_PAUSE_US);
    }
}

/* The claim is held until the device is disconnected, so that nobody can mount it in between. */
int keeper_detach(unsigned index, const char *directory, struct nbd_netlink *channel,
                  const struct process *server, struct err *e)
{
    CLEANUP_FD int claim = -1;
    struct nbd_message m;

    if (device_claim(index, &claim, e) < 0)
        return -1;
    nbd_message_disconnect(&m, nbd_netlink_family(channel), index);
    if (nbd_netlink_send(channel, &m, e) < 0)
        return -1;
    close(steal_fd(&claim));
    server_stop_process(server);
    record_remove(directory, index);
    return wait_until_gone(index, e);
}
