/* SPDX-License-Identifier: MIT */
/* fuzz_attach: what ihop-attach reads from others: the input is all that an NBD server sends in the
 * handshake; and it is a keeper's record, which when it is accepted is written and read again. */
#include "fuzz.h"

#include "attach/nbd_handshake.h"
#include "attach/record.h"
#include "base/io.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG_WAIT_MS 10000 /* never comes to its end: the server hangs up */

static void check_handshake(const uint8_t *data, size_t size)
{
    struct nbd_export export = {0};
    struct err e = ERR_INIT;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return;
    /* What does not fit in the socket is cut off. */
    (void)!send(pair[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(pair[1], SHUT_WR);
    if (nbd_handshake(pair[0], (struct nbd_patience){io_now_ms() + LONG_WAIT_MS, -1}, &export,
                      &e) == 0)
        FUZZ_ASSERT(export.flags & NBD_EXPORT_HAS_FLAGS);
    else
        FUZZ_ASSERT(e.kind == ERR_PROTOCOL && e.text[0] && export.size == 0);
    close(pair[0]);
    close(pair[1]);
}

static void check_record(const uint8_t *data, size_t size)
{
    static char text[RECORD_TEXT_SIZE], again[RECORD_TEXT_SIZE];
    static struct record r;
    struct err e = ERR_INIT;

    if (size >= sizeof text || memchr(data, '\0', size))
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (!lines_parse(record_lines, record_line_count, text, &r))
        return;
    FUZZ_ASSERT(strlen(r.store) < sizeof r.store && !strchr(r.release, '\n'));
    FUZZ_ASSERT(r.connections <= LIMIT_CONNECTIONS && r.timeout_s <= LIMIT_WAIT_S);
    text[0] = again[0] = '\0';
    FUZZ_ASSERT(lines_print(record_lines, record_line_count, &r, text, sizeof text, &e) == 0);
    FUZZ_ASSERT(lines_parse(record_lines, record_line_count, text, &r));
    FUZZ_ASSERT(lines_print(record_lines, record_line_count, &r, again, sizeof again, &e) == 0);
    FUZZ_ASSERT(strcmp(text, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    check_handshake(data, size);
    check_record(data, size);
    return 0;
}
