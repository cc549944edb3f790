/* SPDX-License-Identifier: MIT */
#include "attach/server.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#define LISTEN_PAUSE_MS 2
#define END_WAIT_MS     5000 /* after SIGKILL: longer when the server waits for a disk */
#define SECTOR_SIZE     512
#define OWN_ARGUMENTS   16
#define NBDKIT_MEMORY   (200ULL << 20)
#define SOCKET_SUFFIX   ".sock"

/* The pipes between the keeper and the process that becomes the server. */
struct start_pipes {
    int hello[2]; /* the server's pid, then errno if it cannot be executed */
    int go[2];    /* closed, or one byte: the server's parent has ended */
    int messages[2];
};

static void start_pipes_close(struct start_pipes *p)
{
    int *const ends[] = {p->hello, p->go, p->messages};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int k = 0; k < 2; k++)
            if (ends[i][k] >= 0)
                close(ends[i][k]);
}

static int start_pipes_open(struct start_pipes *p, struct err *e)
{
    /* Writing a message must never block the server, even if its keeper is stopped. */
    if (pipe2(p->hello, O_CLOEXEC) < 0 || pipe2(p->go, O_CLOEXEC) < 0 ||
        pipe2(p->messages, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, errno, "cannot start a server");
    return 0;
}

/* The arguments of nbdkit. argv[0] begins with @, which tells systemd not to kill the process when
 * it shuts the system down: the root file system needs it until the end. */
struct arguments {
    char **argv, *parameters;
    char texts[5][PATH_MAX + 32];
};

static void arguments_free(struct arguments *a)
{
    free(a->argv);
    free(a->parameters);
}

static int make_arguments(const struct server_command *c, const char *socket, struct arguments *a,
                          struct err *e)
{
    size_t more = 0, n = 0;

    a->parameters = strdup(c->parameters ? c->parameters : "");
    for (const char *at = a->parameters; at && (at = strchr(at, '\n')) != NULL; at++)
        more++;
    a->argv = calloc(OWN_ARGUMENTS + more, sizeof *a->argv);
    if (!a->argv || !a->parameters)
        return err_nomem(e, "starting a server");
    a->argv[n++] = (char *)"@nbdkit";
    a->argv[n++] = (char *)"--foreground";
    a->argv[n++] = (char *)"--unix";
    a->argv[n++] = strcpy(a->texts[0], socket);
    /* The kernel's devices have whole sectors. */
    if (c->size % SECTOR_SIZE != 0)
        a->argv[n++] = (char *)"--filter=truncate";
    snprintf(a->texts[1], sizeof *a->texts, "%s", c->plugin);
    snprintf(a->texts[2], sizeof *a->texts, "store=%s", c->store);
    snprintf(a->texts[3], sizeof *a->texts, "release=%s", c->release);
    snprintf(a->texts[4], sizeof *a->texts, "id=%s", c->id);
    for (size_t i = 1; i < sizeof a->texts / sizeof *a->texts; i++)
        a->argv[n++] = a->texts[i];
    if (c->size % SECTOR_SIZE != 0)
        a->argv[n++] = (char *)"round-up=512";
    for (char *rest = a->parameters; more > 0; more--)
        a->argv[n++] = strsep(&rest, "\n");
    /* The last one counts. */
    if (c->unchecked)
        a->argv[n++] = (char *)"check=no";
    return 0;
}

/* In the process that becomes the server. Only calls that are safe after a fork. */
static void become_server(const struct server_command *c, char **argv, const struct start_pipes *p)
{
    pid_t pid = getpid();
    int null = open("/dev/null", O_RDWR);
    sigset_t set;
    char byte;
    int errnum;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_SETMASK, &set, NULL);
    if (write(p->hello[1], &pid, sizeof pid) != sizeof pid || read(p->go[0], &byte, 1) != 1)
        _exit(1); /* the keeper has died */
    setsid();
    dup2(null, 0);
    dup2(null, 1);
    dup2(p->messages[1], 2);
    execvp(c->nbdkit, argv);
    errnum = errno;
    if (write(p->hello[1], &errnum, sizeof errnum) < 0)
        _exit(126);
    _exit(127);
}

/* In the process between the keeper and the server, which ends at once. */
static void fork_server(const struct server_command *c, char **argv, const struct start_pipes *p)
{
    pid_t pid;

    close(p->go[1]);
    close(p->hello[0]);
    pid = fork();
    if (pid == 0)
        become_server(c, argv, p);
    _exit(pid < 0 ? 1 : 0);
}

/* When the process in between has been waited for, the server has its new parent: only then may it
 * be executed, since nbdkit asks at once for the signal at its parent's death. */
static int fork_orphan(const struct server_command *c, char **argv, struct start_pipes *p,
                       struct err *e)
{
    pid_t between = fork();
    int status = 0;

    if (between == 0)
        fork_server(c, argv, p);
    if (between < 0)
        return err_sys(e, errno, "cannot start a server");
    while (waitpid(between, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, errno, "cannot start a server");
    if (status != 0)
        return err_set(e, ERR_MEMORY, "cannot start a server: no process is left");
    return 0;
}

static int take_hello(const struct server_command *c, struct start_pipes *p, struct server *s,
                      struct err *e)
{
    pid_t pid;
    int errnum;

    close(steal_fd(&p->hello[1]));
    close(steal_fd(&p->messages[1]));
    if (io_read_full(p->hello[0], &pid, sizeof pid) != sizeof pid)
        return err_set(e, ERR_IO, "the server ended before it began");
    s->pidfd = pidfd_open(pid, 0);
    if (s->pidfd < 0 || !process_identify(pid, &s->process))
        return err_sys(e, errno, "cannot watch the server");
    if (write(p->go[1], "", 1) != 1)
        return err_sys(e, errno, "cannot start a server");
    if (io_read_full(p->hello[0], &errnum, sizeof errnum) == 0)
        return 0;
    err_sys(e, errnum, "cannot start %s", c->nbdkit);
    if (errnum == ENOENT) {
        e->kind = ERR_NOT_FOUND;
        return err_context(e, "nbdkit is missing");
    }
    return -1;
}

int server_start(const struct server_command *command, const char *socket, struct server *server,
                 struct err *e)
{
    CLEANUP(start_pipes_close)
    struct start_pipes pipes = {.hello = {-1, -1}, .go = {-1, -1}, .messages = {-1, -1}};
    CLEANUP(arguments_free) struct arguments arguments = {.argv = NULL};
    struct server started = SERVER_INIT;

    if (strlen(socket) >= sizeof started.socket)
        return err_set(e, ERR_USAGE, "the path %s is too long for a socket", socket);
    strcpy(started.socket, socket);
    if (make_arguments(command, socket, &arguments, e) < 0 || start_pipes_open(&pipes, e) < 0 ||
        fork_orphan(command, arguments.argv, &pipes, e) < 0)
        return -1;
    if (take_hello(command, &pipes, &started, e) < 0) {
        server_stop(&started);
        return -1;
    }
    started.messages = steal_fd(&pipes.messages[0]);
    *server = started;
    return 0;
}

static int connect_to(const char *path, int flags, int *fd)
{
    CLEANUP_FD int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, path);
    if (s < 0 || connect(s, (struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    *fd = steal_fd(&s);
    return 0;
}

/* The kernel does not execute a program with more memory of its own than there is, unless it is
 * told to promise any amount; nbdkit has 192 MiB that it does not use. */
static const char *guess_end(void)
{
    struct sysinfo info;

    if (sysinfo(&info) == 0 &&
        (uint64_t)(info.totalram + info.totalswap) * info.mem_unit < NBDKIT_MEMORY)
        return " without a word: a machine with less than 200 MiB of memory executes nbdkit only "
               "with "
               "vm.overcommit_memory=1";
    return " without a word";
}

/* Why the server has ended: the last error that it wrote, or else its last line. */
static int tell_end(struct server *server, struct err *e)
{
    char why[SERVER_MESSAGE_SIZE] = "";

    snprintf(why, sizeof why, "%s", server->last);
    while (server_read_message(server))
        if (strstr(server->last, "error:") || !strstr(why, "error:"))
            strcpy(why, server->last);
    return err_set(e, ERR_IO, "the server ended%s%s", *why ? ": " : guess_end(), why);
}

int server_connect(struct server *server, struct nbd_patience patience, int *fd, struct err *e)
{
    while (connect_to(server->socket, 0, fd) < 0) {
        struct pollfd p[] = {{.fd = server->pidfd, .events = POLLIN},
                             {.fd = patience.stop, .events = POLLIN}};
        int happened;

        if (errno != ENOENT && errno != ECONNREFUSED && errno != EINTR)
            return err_sys(e, errno, "cannot connect to the server");
        happened = poll(p, 2, LISTEN_PAUSE_MS);
        if (happened > 0 && p[0].revents != 0)
            return tell_end(server, e);
        if (happened > 0)
            return err_set(e, ERR_IO, "a signal ended the wait for the server");
        if (io_now_ms() >= patience.until_ms)
            return err_set(e, ERR_IO, "the server does not listen on its socket in time");
    }
    return 0;
}

bool server_ended(const struct server *server)
{
    struct pollfd p = {.fd = server->pidfd, .events = POLLIN};

    return server->pidfd < 0 || poll(&p, 1, 0) > 0;
}

/* A byte at a time: messages are rare, and what follows the line stays in the pipe. */
bool server_read_message(struct server *server)
{
    char line[SERVER_MESSAGE_SIZE];
    size_t size = 0;
    ssize_t n = 0;
    char c = '\0';

    while (server->messages >= 0 && c != '\n' && (n = read(server->messages, &c, 1)) == 1)
        if (c != '\n' && size < sizeof line - 1)
            line[size++] = c;
    if (n == 0 && server->messages >= 0)
        close(steal_fd(&server->messages));
    if (size == 0)
        return false;
    line[size] = '\0';
    text_make_printable(line);
    strcpy(server->last, line);
    return true;
}

void server_stop(struct server *server)
{
    if (server->pidfd >= 0) {
        process_kill(server->pidfd, END_WAIT_MS);
        close(steal_fd(&server->pidfd));
    }
    if (server->messages >= 0)
        close(steal_fd(&server->messages));
    if (*server->socket)
        unlink(server->socket);
    server->socket[0] = '\0';
    server->process = (struct process){.pid = 0};
}

void server_stop_process(const struct process *process)
{
    CLEANUP_FD int pidfd = process_open(process);

    if (pidfd >= 0)
        process_kill(pidfd, END_WAIT_MS);
}

void server_socket_path(const char *directory, unsigned index, unsigned number, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/nbd%u.%ld.%u" SOCKET_SUFFIX, directory, index, (long)getpid(),
             number);
}

/* A descriptor for the process that listens on the socket, or -1. The kernel says which it is; it
 * is asked a second time, because the process might have ended between the two calls and its
 * number be another one's. *is_dead: nobody listens. One that hangs and has as many connections
 * waiting as it may have takes no other (EAGAIN), but is not dead: its socket stays for the next
 * one who looks, as there is no other way to it. */
static int open_listener(const char *path, bool *is_dead)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof peer;
    CLEANUP_FD int first = -1;
    CLEANUP_FD int again = -1;
    CLEANUP_FD int pidfd = -1;

    *is_dead = connect_to(path, SOCK_NONBLOCK, &first) < 0 && errno == ECONNREFUSED;
    if (first < 0 || getsockopt(first, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
        return -1;
    pidfd = pidfd_open(peer.pid, 0);
    if (pidfd < 0 || connect_to(path, SOCK_NONBLOCK, &again) < 0)
        return -1;
    return steal_fd(&pidfd);
}

static bool is_socket_of(const char *name, unsigned index)
{
    size_t n = strlen(name), suffix = strlen(SOCKET_SUFFIX);
    char prefix[32];

    snprintf(prefix, sizeof prefix, "nbd%u.", index);
    return strncmp(name, prefix, strlen(prefix)) == 0 && n > suffix &&
           strcmp(name + n - suffix, SOCKET_SUFFIX) == 0;
}

void server_stop_others(const char *directory, unsigned index, const char *except)
{
    CLEANUP_DIR DIR *dir = opendir(directory);
    struct dirent *entry;

    while (dir && (entry = io_readdir(dir)) != NULL) {
        char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
        CLEANUP_FD int pidfd = -1;
        bool is_dead = false;
        int n = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);

        if (!is_socket_of(entry->d_name, index) || (size_t)n >= sizeof path ||
            (except && strcmp(path, except) == 0))
            continue;
        pidfd = open_listener(path, &is_dead);
        if (is_dead || (pidfd >= 0 && process_kill(pidfd, END_WAIT_MS)))
            unlink(path);
    }
}
