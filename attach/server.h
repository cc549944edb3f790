/* SPDX-License-Identifier: MIT */
/* server: one nbdkit that serves one image on a socket, from its start to its end.
 *
 * The server is no child of the keeper, because nbdkit asks the kernel to send it SIGTERM when its
 * parent dies, and after a SIGTERM it answers each request with an error. It gets the number 1
 * (or the nearest subreaper) as its parent before it is executed. The signals that make nbdkit
 * end are blocked before that, too; a process inherits the mask, and nbdkit keeps it. So only
 * SIGKILL ends it, which its clients survive.
 *
 * From one thread.
 */
#ifndef IHOP_ATTACH_SERVER_H
#define IHOP_ATTACH_SERVER_H

#include "attach/nbd_handshake.h"
#include "attach/process.h"
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

/* What to start. Only unchecked changes from one server to the next. */
struct server_command {
    const char *nbdkit;     /* a path, or a name to look for in PATH */
    const char *plugin;     /* a path or nbdkit's short name */
    const char *store;      /* absolute */
    const char *release;    /* in it */
    const char *id;         /* of the image, 128 hex digits: the plugin refuses another one */
    uint64_t size;          /* of the image; the server rounds it up to 512 bytes */
    const char *parameters; /* more of the plugin's, each ended by a newline */
    bool unchecked;         /* serve the image although chunks are missing, which are read errors */
};

#define SERVER_MESSAGE_SIZE 512

struct server {
    struct process process;
    int pidfd;    /* readable once the server has ended */
    int messages; /* what it writes to stderr; -1 at its end */
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* path; "" when there is none */
    char last[SERVER_MESSAGE_SIZE]; /* the last line that it wrote, printable */
};

#define SERVER_INIT                                                                                \
    {                                                                                              \
        .pidfd = -1, .messages = -1                                                                \
    }

/* Starts a server that listens on the path socket, and returns without waiting for that. Kinds:
 * ERR_NOT_FOUND (there is no such program), ERR_IO, ERR_MEMORY. */
int server_start(const struct server_command *command, const char *socket, struct server *server,
                 struct err *e) __attribute__((warn_unused_result));

/* Connects to the server, as soon as it listens. Kinds: ERR_IO at the end of patience, and when the
 * server ends before, with the last line that it wrote. */
int server_connect(struct server *server, struct nbd_patience patience, int *fd, struct err *e)
    __attribute__((warn_unused_result));

/* Whether the server has ended. */
bool server_ended(const struct server *server);

/* Reads what the server has written, a line at a time; the last one is in last. False: nothing
 * more for now. Never blocks. */
bool server_read_message(struct server *server);

/* Ends the server, if there is one, with SIGKILL, waits until it has, and forgets it. */
void server_stop(struct server *server);

/* Ends a server that another keeper started, and waits until it has ended. */
void server_stop_process(const struct process *process);

/* The path of a socket for a server of this keeper: a name for each number. */
void server_socket_path(const char *directory, unsigned index, unsigned number,
                        char path[PATH_MAX]);

/* Ends all servers of a device that listen on sockets in directory, but the one of the path except,
 * which may be NULL, and removes their sockets, but for that of one which cannot be asked or ended
 * now. Among them are those that nobody knows any more, since their keeper was killed while it
 * started them. For whoever holds the record's lock. */
void server_stop_others(const char *directory, unsigned index, const char *except);

#endif
