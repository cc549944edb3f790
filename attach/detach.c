/* SPDX-License-Identifier: MIT */
#include "attach/detach.h"

#include "attach/device.h"
#include "attach/record.h"
#include "attach/server.h"
#include "attach/verity.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <unistd.h>

#define GONE_WAIT_MS  2000
#define GONE_PAUSE_US 2000

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
int detach_device(unsigned index, const char *identifier, struct nbd_netlink *channel,
                  const struct process *server, bool *disconnected, struct err *e)
{
    char path[DEVICE_PATH_SIZE];
    CLEANUP_FD int claim = -1;
    struct nbd_message m;

    *disconnected = false;
    device_path(index, path);
    if (verity_close(index, e) < 0 || device_claim(path, &claim, e) < 0 ||
        device_check(DEVICE_SYS_BLOCK, index, identifier, e) < 0)
        return -1;
    nbd_message_disconnect(&m, nbd_netlink_family(channel), index);
    if (nbd_netlink_send(channel, &m, e) < 0)
        return -1;
    *disconnected = true;
    device_set_timeout(DEVICE_SYS_BLOCK, index, 0); /* for whoever uses it next */
    close(steal_fd(&claim));
    server_stop_process(server);
    server_stop_others(RECORD_DIRECTORY, index, NULL);
    record_remove(RECORD_DIRECTORY, index);
    return wait_until_gone(index, e);
}
