/* SPDX-License-Identifier: MIT */
/* test_nbd_handshake: the handshake with servers that answer well, badly, partly or never. */
#include "support.h"

#include "attach/nbd_handshake.h"
#include "base/io.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING      "NBDMAGICIHAVEOPT\0\3"
#define GREETING_SIZE 18
#define REPLY_MAGIC   "\0\3\xe8\x89\x04\x55\x65\xa9"
#define REQUEST_SIZE  26 /* what the client sends: its flags and one option */

struct answer {
    uint8_t bytes[8192 * 3];
    size_t size;
};

static void add(struct answer *a, const void *data, size_t size)
{
    assert_true(a->size + size <= sizeof a->bytes);
    memcpy(a->bytes + a->size, data, size);
    a->size += size;
}

static void add_number(struct answer *a, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i-- > 0;) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        add(a, &byte, 1);
    }
}

static void add_reply(struct answer *a, unsigned option, uint32_t type, size_t size)
{
    add(a, REPLY_MAGIC, 8);
    add_number(a, option, 4);
    add_number(a, type, 4);
    add_number(a, size, 4);
}

static void add_export(struct answer *a, uint64_t size, unsigned flags)
{
    add_reply(a, 7, 3, 12);
    add_number(a, 0, 2);
    add_number(a, size, 8);
    add_number(a, flags, 2);
}

static struct answer good_answer(void)
{
    struct answer a = {.size = 0};

    add(&a, GREETING, GREETING_SIZE);
    add_export(&a, 123456789, 0x103);
    add_reply(&a, 7, 3, 14); /* block sizes, which the client skips */
    add_number(&a, 3, 2);
    add_number(&a, 1, 4);
    add_number(&a, 4096, 4);
    add_number(&a, UINT32_MAX, 4);
    add_reply(&a, 7, 1, 0);
    return a;
}

/* Lets the client meet a server that has said all of this already, and then nothing or the end. */
static int meet(const struct answer *a, bool hangs_up, struct nbd_export *export, struct err *e)
{
    int pair[2], r;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], a->bytes, a->size), a->size);
    if (hangs_up)
        shutdown(pair[1], SHUT_WR);
    r = nbd_handshake(pair[0], (struct nbd_patience){io_now_ms() + 100, -1}, export, e);
    close(pair[0]);
    close(pair[1]);
    return r;
}

static void takes_size_and_flags(void **state)
{
    struct answer a = good_answer();
    struct nbd_export export;
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(meet(&a, false, &export, &e), e);
    assert_int_equal(export.size, 123456789);
    assert_int_equal(export.flags, 0x103);
}

static void asks_for_the_default_export(void **state)
{
    const uint8_t expected[REQUEST_SIZE] = "\0\0\0\3IHAVEOPT\0\0\0\7\0\0\0\6\0\0\0\0\0";
    uint8_t request[REQUEST_SIZE + 1];
    struct answer a = good_answer();
    struct nbd_export export;
    struct err e = ERR_INIT;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    add(&a, "next", 4);
    assert_int_equal(write(pair[1], a.bytes, a.size), a.size);
    assert_ok(nbd_handshake(pair[0], (struct nbd_patience){io_now_ms() + 5000, -1}, &export, &e),
              e);
    assert_int_equal(recv(pair[1], request, sizeof request, 0), REQUEST_SIZE);
    assert_memory_equal(request, expected, REQUEST_SIZE);
    /* What follows the handshake was left for the kernel. */
    assert_int_equal(recv(pair[0], request, sizeof request, 0), 4);
    assert_memory_equal(request, "next", 4);
    close(pair[0]);
    close(pair[1]);
}

/* A server that stops anywhere is an error, and never a success. */
static void each_cut_is_an_error(void **state)
{
    struct answer whole = good_answer();
    struct nbd_export export = {.size = 1};

    (void)state;
    for (size_t i = 0; i < whole.size; i++) {
        struct answer a = whole;
        struct err e = ERR_INIT;

        a.size = i;
        assert_fails(meet(&a, true, &export, &e), e, ERR_PROTOCOL, "ended the handshake");
    }
    assert_int_equal(export.size, 1);
}

static void a_signal_ends_silence(void **state)
{
    struct nbd_patience patience = {io_now_ms() + 600000, -1};
    struct nbd_export export;
    struct err e = ERR_INIT;
    int pair[2], stop[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pipe(stop), 0);
    assert_int_equal(write(stop[1], "", 1), 1);
    patience.stop = stop[0];
    assert_fails(nbd_handshake(pair[0], patience, &export, &e), e, ERR_IO, "a signal ended");
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(stop[i]);
    }
}

static void silence_ends_by_the_deadline(void **state)
{
    struct answer a = good_answer();
    struct nbd_export export;
    struct err e = ERR_INIT;
    uint64_t begun = io_now_ms();

    (void)state;
    a.size -= 1;
    assert_fails(meet(&a, false, &export, &e), e, ERR_IO, "does not answer");
    assert_true(io_now_ms() - begun >= 100);
}

static void refuses_what_is_no_server(void **state)
{
    struct nbd_export export;
    struct answer a = {.size = 0};
    struct err e = ERR_INIT;

    (void)state;
    add(&a, "SSH-2.0-OpenSSH_9.2p1 Debian", 28);
    assert_fails(meet(&a, false, &export, &e), e, ERR_PROTOCOL, "no NBD server");
    a.size = 0;
    add(&a, "NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0", GREETING_SIZE);
    assert_fails(meet(&a, false, &export, &e), e, ERR_PROTOCOL, "old handshake");
    a.size = 0;
    add(&a, "NBDMAGICIHAVEOPT\0\2", GREETING_SIZE);
    assert_fails(meet(&a, false, &export, &e), e, ERR_PROTOCOL, "old handshake");
}

static void refuses_bad_replies(void **state)
{
    const struct {
        unsigned option;
        uint32_t type;
        size_t size;
        const char *text;
    } cases[] = {
        {6, 1, 0, "no reply"},          {7, 3, 1, "information of 1 bytes"},
        {7, 3, 11, "in 11 bytes"},      {7, 3, 13, "in 13 bytes"},
        {7, 3, 4097, "of 4097 bytes"},  {7, 3, UINT32_MAX, "of 4294967295 bytes"},
        {7, 1, 0, "did not describe"},  {7, 2, 0, "ended the handshake"},
        {7, 0x80000006U, 0, "error 6"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer a = {.size = 0};
        struct nbd_export export;
        struct err e = ERR_INIT;
        uint8_t zeros[16] = {0};

        add(&a, GREETING, GREETING_SIZE);
        add_reply(&a, cases[i].option, cases[i].type, cases[i].size);
        add(&a, zeros, cases[i].size < 16 ? cases[i].size : 16);
        assert_fails(meet(&a, true, &export, &e), e, ERR_PROTOCOL, cases[i].text);
    }
}

static void an_export_without_flags_is_none(void **state)
{
    struct answer a = {.size = 0};
    struct nbd_export export;
    struct err e = ERR_INIT;

    (void)state;
    add(&a, GREETING, GREETING_SIZE);
    add_export(&a, 1, 2);
    add_reply(&a, 7, 1, 0);
    assert_fails(meet(&a, false, &export, &e), e, ERR_PROTOCOL, "did not describe");
}

static void the_servers_words_are_made_printable(void **state)
{
    struct answer a = {.size = 0};
    struct nbd_export export;
    struct err e = ERR_INIT;

    (void)state;
    add(&a, GREETING, GREETING_SIZE);
    add_reply(&a, 7, 0x80000001U, 9);
    add(&a, "no\033[2Jway", 9);
    assert_fails(meet(&a, false, &export, &e), e, ERR_PROTOCOL, "error 1: no?[2Jway");
}

static void replies_do_not_go_on_for_ever(void **state)
{
    struct answer a = {.size = 0};
    struct nbd_export export;
    struct err e = ERR_INIT;

    (void)state;
    add(&a, GREETING, GREETING_SIZE);
    for (int i = 0; i < 100; i++)
        add_export(&a, 1, 3);
    assert_fails(meet(&a, false, &export, &e), e, ERR_PROTOCOL, "without an end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_size_and_flags),
        cmocka_unit_test(asks_for_the_default_export),
        cmocka_unit_test(each_cut_is_an_error),
        cmocka_unit_test(silence_ends_by_the_deadline),
        cmocka_unit_test(a_signal_ends_silence),
        cmocka_unit_test(refuses_what_is_no_server),
        cmocka_unit_test(refuses_bad_replies),
        cmocka_unit_test(an_export_without_flags_is_none),
        cmocka_unit_test(the_servers_words_are_made_printable),
        cmocka_unit_test(replies_do_not_go_on_for_ever),
    };

    return cmocka_run_group_tests_name("nbd_handshake", tests, NULL, NULL);
}
