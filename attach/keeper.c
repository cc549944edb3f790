/* SPDX-License-Identifier: MIT */
#include "attach/keeper.h"

#include "attach/connections.h"
#include "attach/detach.h"
#include "attach/device.h"
#include "attach/notify.h"
#include "attach/quiet.h"
#include "attach/server.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define START_WAIT_MS    30000 /* until a server answers; a busy board may need long */
#define AGAIN_WAIT_MS    1000  /* until a server that has answered before answers again */
#define FIRST_PAUSE_MS   50    /* between starts that fail, doubling */
#define LONGEST_PAUSE_MS 2000
#define STABLE_MS        1000 /* a server that lived so long is replaced at once */
#define SLOW_TIMEOUTS    10   /* so many timeouts after being too slow, a server is as new */
#define LOCK_WAIT_MS     5000 /* until the keeper that was killed has let go of the record */
#define SECTOR_SIZE      512

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

struct keeper {
    struct keeper_job *job;
    struct nbd_netlink *channel;
    struct server_command command;
    struct server server;
    struct connections connections;
    struct nbd_setup setup;
    int signals, log;
    int stop;             /* readable while a signal waits that asks to end */
    unsigned serial;      /* of the servers, in the names of their sockets */
    unsigned pause_ms;    /* before the next start; 0: none */
    uint64_t began_ms;    /* when the present server was given to the device */
    uint64_t slow_ms;     /* since when slow counts */
    unsigned slow;        /* how many connections the kernel has given up on */
    uint64_t next_try_ms; /* when needs_server */
    int exit_code;
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
    if (record_write(RECORD_DIRECTORY, k->job->index, &k->job->record, &e) < 0)
        say(k, "%s", e.text);
}

static uint64_t device_size(const struct keeper *k)
{
    uint64_t size = k->job->record.size;

    return size + (SECTOR_SIZE - size % SECTOR_SIZE) % SECTOR_SIZE;
}

/* Starts a server and connects to it, in all places. */
static int start_server(struct keeper *k, struct server *server, struct connections *c,
                        struct err *e)
{
    const struct nbd_patience patience = {io_now_ms() + START_WAIT_MS, k->stop};
    struct server fresh = SERVER_INIT;
    struct nbd_export export;
    char path[PATH_MAX];

    server_socket_path(RECORD_DIRECTORY, k->job->index, k->serial++, path);
    connections_init(c, k->job->record.connections);
    if (server_start(&k->command, path, &fresh, e) < 0)
        return -1;
    if (connections_make(c, &fresh, device_size(k), patience, &export, e) < 0) {
        server_stop(&fresh);
        return -1;
    }
    k->setup.flags = export.flags;
    *server = fresh;
    return 0;
}

static void drop_server(struct server *server, struct connections *c)
{
    connections_close(c);
    server_stop(server);
}

/* Puts a server and its connections in the place of what was there. */
static void adopt_server(struct keeper *k, const struct server *server, const struct connections *c)
{
    k->server = *server;
    k->connections = *c;
    /* A chunk that is lost later is an error for whoever reads it; no server at all would make
     * everybody wait. */
    k->command.unchecked = true;
    k->began_ms = io_now_ms();
    k->slow = 0;
    k->needs_server = false;
}

/* Whether the device is there; somebody may have taken it away, and made another one of it. */
static bool is_connected(const struct keeper *k)
{
    struct err e = ERR_INIT;

    return device_check(DEVICE_SYS_BLOCK, k->job->index, k->job->identifier, &e) == 0 ||
           (e.kind != ERR_NOT_FOUND && e.kind != ERR_OTHER_IMAGE);
}

/* Whether the kernel would take a new connection for the device. Sets the timeouts, too: they are
 * left alone from then on, because the kernel's setting of whole seconds would undo
 * device_set_timeout. */
static int probe_device(struct keeper *k, struct err *e)
{
    struct nbd_setup setup = k->setup;

    setup.timeout_s = k->job->record.timeout_s;
    setup.dead_timeout_s = k->job->record.dead_timeout_s;
    if (device_check(DEVICE_SYS_BLOCK, k->job->index, k->job->identifier, e) < 0 ||
        connections_probe(k->channel, k->job->index, &setup, e) < 0)
        return -1;
    device_set_timeout(DEVICE_SYS_BLOCK, k->job->index, k->job->record.timeout_s);
    return 0;
}

static int give_connections(struct keeper *k, struct err *e)
{
    return connections_replace(&k->connections, k->channel, k->job->index, &k->setup, e);
}

/* The old server answers until the new one has, and the kernel would take it: only then it is
 * ended. What was in flight on it is sent again by the kernel after the timeout. If the
 * kernel refuses now all the same, the new server is there for the next try. */
static int replace_server(struct keeper *k, struct err *e)
{
    struct server old = k->server;
    struct connections c;
    struct server fresh;
    int r;

    if (start_server(k, &fresh, &c, e) < 0)
        return -1;
    if (probe_device(k, e) < 0) {
        drop_server(&fresh, &c);
        return -1;
    }
    connections_end(&k->connections);
    adopt_server(k, &fresh, &c);
    r = give_connections(k, e);
    server_stop(&old); /* last, as it may wait for a disk */
    k->job->record.restarts++;
    write_record(k);
    if (r == 0)
        say(k, "server %ld serves it now", (long)k->server.process.pid);
    return r;
}

/* The kernel gives up on a connection when a request takes longer than the timeout, though the
 * server may be well, but slow. Then a new connection to the same server is enough, and nothing
 * else that it works on is lost. */
static int reconnect_server(struct keeper *k, struct err *e)
{
    const struct nbd_patience patience = {io_now_ms() + AGAIN_WAIT_MS, k->stop};
    struct nbd_export export;

    if (connections_make(&k->connections, &k->server, device_size(k), patience, &export, e) < 0)
        return -1;
    say(k, "server %ld was too slow: connected again", (long)k->server.process.pid);
    return give_connections(k, e);
}

/* A server that is too slow again soon may hang, although it takes connections; several connections
 * may have waited for the same thing, however. */
static bool may_reconnect(struct keeper *k)
{
    uint64_t now = io_now_ms();

    if (server_ended(&k->server))
        return false;
    if (k->slow == 0 || now - k->slow_ms > 1000ULL * SLOW_TIMEOUTS * k->job->record.timeout_s) {
        k->slow = 0;
        k->slow_ms = now;
    }
    return k->slow++ < k->connections.count;
}

static void grow_pause(struct keeper *k)
{
    k->pause_ms = k->pause_ms == 0 ? FIRST_PAUSE_MS : 2 * k->pause_ms;
    if (k->pause_ms > LONGEST_PAUSE_MS)
        k->pause_ms = LONGEST_PAUSE_MS;
}

static void plan_next_try(struct keeper *k, const struct err *e)
{
    k->needs_server = true;
    grow_pause(k);
    k->next_try_ms = io_now_ms() + k->pause_ms;
    say(k, "no new server yet: %s", e->text);
}

static void mend(struct keeper *k)
{
    struct err e = ERR_INIT;

    k->ended = !is_connected(k);
    if (k->ended)
        return;
    if (may_reconnect(k) && reconnect_server(k, &e) == 0) {
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
    else
        grow_pause(k);
    k->next_try_ms = io_now_ms() + k->pause_ms;
}

/* A service manager that does not hear of it waits in vain, but the device is there. */
static void tell_manager(const struct keeper *k)
{
    struct err e = ERR_INIT;

    if (notify_ready(getpid(), &e) < 0)
        say(k, "%s", e.text);
}

static void take_signal(struct keeper *k)
{
    struct signalfd_siginfo info;
    struct err e = ERR_INIT;
    bool disconnected;

    if (read(k->signals, &info, sizeof info) != sizeof info || info.ssi_signo == SIGHUP)
        return;
    if (info.ssi_signo == SIGUSR1) {
        tell_manager(k);
        return;
    }
    if (detach_device(k->job->index, k->job->identifier, k->channel, &k->server.process,
                      &disconnected, &e) < 0)
        say(k, disconnected ? "%s" : "it stays, in spite of a signal: %s", e.text);
    k->ended = k->ended || disconnected;
    if (k->ended && info.ssi_code == SI_QUEUE)
        k->exit_code = info.ssi_int;
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
    server_stop_others(RECORD_DIRECTORY, k->job->index, NULL);
    record_remove(RECORD_DIRECTORY, k->job->index);
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
    (void)mlockall(MCL_CURRENT | MCL_FUTURE);
}

static int catch_signals(struct keeper *k, struct err *e)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    k->stop = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_SETMASK, &set, NULL);
    k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signals < 0 || k->stop < 0 ? err_sys(e, errno, "cannot catch signals") : 0;
}

/* The keeper that lives is killed, which it and its device survive at any time; so nothing needs to
 * be agreed upon with one of another version. From then on this process has the lock, and copies of
 * the old connections. */
static int end_old_keeper(struct keeper *k, const struct process *old,
                          struct connections *connections, struct err *e)
{
    CLEANUP_FD int pidfd = process_open(old);

    connections_init(connections, k->job->record.connections);
    if (k->job->lock >= 0)
        return 0;
    if (record_write_pid(RECORD_DIRECTORY, k->job->index, getpid(), e) < 0)
        return -1;
    if (pidfd >= 0) {
        connections_copy(connections, pidfd);
        process_kill(pidfd, LOCK_WAIT_MS);
    }
    return record_lock(RECORD_DIRECTORY, k->job->index, LOCK_WAIT_MS, &k->job->lock, e);
}

static void tell_cost(struct keeper *k)
{
    struct err note = ERR_INIT;
    unsigned s = k->job->record.timeout_s;

    (void)err_set(&note, ERR_NONE,
                  "/dev/nbd%u is read without a pause: those reads go on after %u to %u s",
                  k->job->index, s, s + 1);
    say(k, "%s", note.text);
    job_report(k->job, true, &note);
}

/* Known or not, but for the new one. */
static void end_old_servers(const struct keeper *k, const struct process *old)
{
    server_stop_process(old);
    server_stop_others(RECORD_DIRECTORY, k->job->index, k->server.socket);
}

/* Ends what serves the device, in a moment in which nothing is in flight, if there is one, and
 * gives the device the new server. A server takes some time to end, so reads do not wait for that
 * when all of its connections are known here. Whatever fails here, this process keeps the device
 * and tries again. */
static void switch_server(struct keeper *k, const struct process *old,
                          struct connections *old_connections)
{
    bool was_alive = process_is_alive(old);
    bool is_known = was_alive && connections_drop_dead(old_connections) == 0;
    struct record *r = &k->job->record;
    struct err e = ERR_INIT;
    uint64_t since = 0;

    if (was_alive && !quiet_begin(RECORD_DIRECTORY, k->job->index, r, &since))
        tell_cost(k);
    connections_end(old_connections);
    if (!is_known)
        end_old_servers(k, old);
    r->server = k->server.process;
    if (give_connections(k, &e) < 0)
        plan_next_try(k, &e);
    quiet_end(RECORD_DIRECTORY, k->job->index, r);
    r->switch_ms = was_alive ? (unsigned)(io_now_ms() - since + 1) : 0; /* rounded up */
    if (is_known)
        end_old_servers(k, old);
}

/* A keeper that died while it replaced a server has left devices suspended. */
static void resume_suspended(struct keeper *k, const struct record *old)
{
    if (k->job->lock < 0 || !*old->suspended)
        return;
    strcpy(k->job->record.suspended, old->suspended);
    quiet_end(RECORD_DIRECTORY, k->job->index, &k->job->record);
}

/* A device that another keeper kept, which has died or is to be replaced. Its server answers until
 * the new one has. */
static int take_over(struct keeper *k, const struct record *old, struct err *e)
{
    struct record now = *old;
    struct connections c, old_connections;
    struct server fresh;

    resume_suspended(k, old);
    if (start_server(k, &fresh, &c, e) < 0)
        return -1;
    if (probe_device(k, e) < 0) {
        drop_server(&fresh, &c);
        return -1;
    }
    /* The unit of a keeper that is to be replaced would see its process die. */
    if (process_is_alive(&old->keeper))
        tell_manager(k);
    if (end_old_keeper(k, &old->keeper, &old_connections, e) < 0) {
        drop_server(&fresh, &c);
        return -1;
    }
    /* The old keeper may have replaced its server in the meantime, or been about to. */
    (void)record_read(RECORD_DIRECTORY, k->job->index, &now);
    resume_suspended(k, &now);
    adopt_server(k, &fresh, &c);
    switch_server(k, &now.server, &old_connections);
    say(k, "taken over, with server %ld", (long)k->server.process.pid);
    return 0;
}

static int attach_device(struct keeper *k, struct err *e)
{
    struct nbd_setup setup = k->setup;
    struct connections c;
    struct server fresh;

    setup.timeout_s = k->job->record.timeout_s;
    setup.dead_timeout_s = k->job->record.dead_timeout_s;
    server_stop_others(RECORD_DIRECTORY, k->job->index, NULL);
    if (start_server(k, &fresh, &c, e) < 0)
        return -1;
    setup.flags = k->setup.flags;
    if (connections_connect(&c, k->channel, k->job->index, &setup, e) < 0) {
        drop_server(&fresh, &c);
        return -1;
    }
    device_set_timeout(DEVICE_SYS_BLOCK, k->job->index, k->job->record.timeout_s);
    adopt_server(k, &fresh, &c);
    return 0;
}

static void prepare_keeper(struct keeper *k)
{
    struct record *r = &k->job->record;

    k->command = (struct server_command){.nbdkit = r->nbdkit,
                                         .plugin = r->plugin,
                                         .store = r->store,
                                         .release = r->release,
                                         .id = r->id,
                                         .size = r->size,
                                         .parameters = r->parameters,
                                         .unchecked = k->job->take_over};
    k->setup = (struct nbd_setup){.size = device_size(k), .identifier = k->job->identifier};
    k->log = k->job->foreground ? fcntl(2, F_DUPFD_CLOEXEC, 3)
                                : open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NONBLOCK);
}

/* Nobody waits any more for what this process writes. */
static void report_ready(struct keeper *k)
{
    const struct err none = ERR_INIT;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd < 3 && null >= 0; fd++)
        if (!k->job->foreground || fd < 2)
            dup2(null, fd);
    if (null > 2)
        close(null);
    job_report(k->job, false, &none);
    if (k->job->report >= 0)
        close(steal_fd(&k->job->report));
}

static void keeper_free(struct keeper *k)
{
    nbd_netlink_close(k->channel);
    if (k->signals >= 0)
        close(k->signals);
    if (k->stop >= 0)
        close(k->stop);
    if (k->log >= 0)
        close(k->log);
}

int keeper_run(struct keeper_job *job, int *exit_code, struct err *e)
{
    CLEANUP(keeper_free)
    struct keeper k = {.job = job, .server = SERVER_INIT, .signals = -1, .stop = -1, .log = -1};
    const struct record old = job->record;

    prepare_keeper(&k);
    if (!process_identify(getpid(), &job->record.keeper))
        return err_set(e, ERR_IO, "/proc is missing: mount it");
    k.channel = nbd_netlink_open(e);
    if (!k.channel || catch_signals(&k, e) < 0)
        return -1;
    harden_process();
    if ((job->take_over ? take_over(&k, &old, e) : attach_device(&k, e)) < 0)
        return -1;
    write_record(&k);
    report_ready(&k);
    if (job->foreground && !job->mapped)
        tell_manager(&k);
    keep(&k);
    *exit_code = k.exit_code;
    return 0;
}
