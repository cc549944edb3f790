/* SPDX-License-Identifier: MIT */
#include "attach/notify.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or @ and a name that is in no file system. */
static int parse_notify_socket(const char *name, struct sockaddr_un *address, socklen_t *size,
                               struct err *e)
{
    size_t length = strlen(name);

    if ((*name != '/' && *name != '@') || length < 2 || length >= sizeof address->sun_path)
        return err_set(e, ERR_IO, "NOTIFY_SOCKET is no address: %s", name);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, length);
    if (*name == '@')
        address->sun_path[0] = '\0';
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return 0;
}

int notify_ready(pid_t keeper, struct err *e)
{
    CLEANUP_FD int fd = -1;
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t size = 0;
    char text[64];
    int n = snprintf(text, sizeof text, "MAINPID=%ld\nREADY=1", (long)keeper);

    if (!name)
        return 0;
    if (parse_notify_socket(name, &address, &size, e) < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
        return err_sys(e, errno, "cannot tell the service manager that the device is there");
    return 0;
}
