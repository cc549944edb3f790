/* SPDX-License-Identifier: MIT */
/* test_nbd_netlink: the messages for the kernel's NBD client, taken apart by the rules of netlink.
 * No kernel sees them. */
#include "support.h"

#include "attach/nbd_netlink.h"

#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <string.h>

#define FAMILY           29
#define ATTR_HEADER      ((size_t)4)
#define ATTR_ALIGN(size) (((size_t)(size) + 3) & ~(size_t)3)

static const struct nbd_setup setup = {.size = UINT64_C(5) << 32,
                                       .flags = 0x56d,
                                       .timeout_s = 10,
                                       .dead_timeout_s = 2592000,
                                       .identifier = "ihop v1 0123"};

/* The attribute of a type in a list of size bytes; NULL without one. Fails on a list whose lengths
 * do not fit. */
static const struct nlattr *find(const void *list, size_t size, unsigned type)
{
    const uint8_t *at = list;
    const struct nlattr *found = NULL;

    while (size > 0) {
        const struct nlattr *a = (const struct nlattr *)at;
        size_t whole = ATTR_ALIGN(a->nla_len);

        assert_true(a->nla_len >= ATTR_HEADER && whole <= size);
        if ((a->nla_type & NLA_TYPE_MASK) == type) {
            assert_null(found);
            found = a;
        }
        at += whole;
        size -= whole;
    }
    return found;
}

static const void *payload(const struct nlattr *a)
{
    assert_non_null(a);
    return (const uint8_t *)a + ATTR_HEADER;
}

static size_t payload_size(const struct nlattr *a)
{
    return (size_t)(a->nla_len - ATTR_HEADER);
}

/* The attributes of a message that is a command to nbd. */
static const void *attributes(const struct nbd_message *m, unsigned command, size_t *size)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)m->bytes;
    const struct genlmsghdr *generic = (const struct genlmsghdr *)(m->bytes + NLMSG_HDRLEN);

    assert_true(header->nlmsg_len <= sizeof m->bytes);
    assert_int_equal(header->nlmsg_type, FAMILY);
    assert_int_equal(header->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    assert_int_equal(generic->cmd, command);
    assert_int_equal(generic->version, 1);
    *size = header->nlmsg_len - (size_t)NLMSG_HDRLEN - sizeof *generic;
    return m->bytes + NLMSG_HDRLEN + sizeof *generic;
}

static void assert_u32(const void *list, size_t size, unsigned type, uint32_t expected)
{
    const struct nlattr *a = find(list, size, type);
    uint32_t value;

    assert_non_null(a);
    assert_int_equal(payload_size(a), sizeof value);
    memcpy(&value, payload(a), sizeof value);
    assert_int_equal(value, expected);
}

static void assert_u64(const void *list, size_t size, unsigned type, uint64_t expected)
{
    const struct nlattr *a = find(list, size, type);
    uint64_t value;

    assert_non_null(a);
    assert_int_equal(payload_size(a), sizeof value);
    memcpy(&value, payload(a), sizeof value);
    assert_true(value == expected);
}

/* The sockets are a list of items of one attribute each. */
static void assert_sockets(const void *list, size_t size, const int *expected, size_t count)
{
    const struct nlattr *sockets = find(list, size, NBD_ATTR_SOCKETS);
    const uint8_t *at = payload(sockets);
    size_t left = payload_size(sockets);

    assert_true(sockets->nla_type & NLA_F_NESTED);
    for (size_t i = 0; i < count; i++) {
        const struct nlattr *item = (const struct nlattr *)at;

        assert_true(left >= ATTR_HEADER && ATTR_ALIGN(item->nla_len) <= left);
        assert_int_equal(item->nla_type, NBD_SOCK_ITEM | NLA_F_NESTED);
        assert_u32(payload(item), payload_size(item), NBD_SOCK_FD, (uint32_t)expected[i]);
        at += ATTR_ALIGN(item->nla_len);
        left -= ATTR_ALIGN(item->nla_len);
    }
    assert_int_equal(left, 0);
}

static void connect_says_all_about_the_device(void **state)
{
    const int sockets[] = {5, 9, 700};
    struct nbd_message m;
    const void *list;
    size_t size;

    (void)state;
    nbd_message_connect(&m, FAMILY, 7, &setup, sockets, COUNT(sockets));
    list = attributes(&m, NBD_CMD_CONNECT, &size);
    assert_u32(list, size, NBD_ATTR_INDEX, 7);
    assert_u64(list, size, NBD_ATTR_SIZE_BYTES, setup.size);
    assert_u64(list, size, NBD_ATTR_BLOCK_SIZE_BYTES, 512);
    assert_u64(list, size, NBD_ATTR_TIMEOUT, 10);
    assert_u64(list, size, NBD_ATTR_DEAD_CONN_TIMEOUT, 2592000);
    assert_u64(list, size, NBD_ATTR_SERVER_FLAGS, 0x56d);
    assert_string_equal(payload(find(list, size, NBD_ATTR_BACKEND_IDENTIFIER)), "ihop v1 0123");
    assert_sockets(list, size, sockets, COUNT(sockets));
    /* Or the first program that closes the device would take it away. */
    assert_null(find(list, size, NBD_ATTR_CLIENT_FLAGS));
}

/* The kernel takes size and flags from the first connection, and refuses another identifier. */
static void reconfigure_says_identifier_timeouts_and_sockets(void **state)
{
    const int sockets[] = {11};
    struct nbd_message m;
    const void *list;
    size_t size;

    (void)state;
    nbd_message_reconfigure(&m, FAMILY, 0, &setup, sockets, COUNT(sockets));
    list = attributes(&m, NBD_CMD_RECONFIGURE, &size);
    assert_u32(list, size, NBD_ATTR_INDEX, 0);
    assert_u64(list, size, NBD_ATTR_TIMEOUT, 10);
    assert_u64(list, size, NBD_ATTR_DEAD_CONN_TIMEOUT, 2592000);
    assert_string_equal(payload(find(list, size, NBD_ATTR_BACKEND_IDENTIFIER)), "ihop v1 0123");
    assert_sockets(list, size, sockets, COUNT(sockets));
    assert_null(find(list, size, NBD_ATTR_SIZE_BYTES));
    assert_null(find(list, size, NBD_ATTR_CLIENT_FLAGS));
}

/* A question whether the kernel would take sockets; and sockets without a word about time. */
static void sockets_and_timeouts_may_be_left_out(void **state)
{
    struct nbd_setup timeless = setup;
    const int sockets[] = {11};
    struct nbd_message m;
    const void *list;
    size_t size;

    (void)state;
    nbd_message_reconfigure(&m, FAMILY, 0, &setup, NULL, 0);
    list = attributes(&m, NBD_CMD_RECONFIGURE, &size);
    assert_sockets(list, size, NULL, 0);
    assert_u64(list, size, NBD_ATTR_TIMEOUT, 10);
    timeless.timeout_s = 0;
    nbd_message_reconfigure(&m, FAMILY, 0, &timeless, sockets, COUNT(sockets));
    list = attributes(&m, NBD_CMD_RECONFIGURE, &size);
    assert_sockets(list, size, sockets, COUNT(sockets));
    assert_null(find(list, size, NBD_ATTR_TIMEOUT));
    assert_null(find(list, size, NBD_ATTR_DEAD_CONN_TIMEOUT));
    assert_non_null(find(list, size, NBD_ATTR_BACKEND_IDENTIFIER));
}

static void disconnect_says_which(void **state)
{
    struct nbd_message m;
    const void *list;
    size_t size;

    (void)state;
    nbd_message_disconnect(&m, FAMILY, 255);
    list = attributes(&m, NBD_CMD_DISCONNECT, &size);
    assert_u32(list, size, NBD_ATTR_INDEX, 255);
    assert_int_equal(size, ATTR_HEADER + sizeof(uint32_t));
}

/* The most that can be asked for fits. */
static void the_largest_message_fits(void **state)
{
    struct nbd_setup large = setup;
    char identifier[401] = "";
    int sockets[16];
    struct nbd_message m;
    const void *list;
    size_t size;

    (void)state;
    memset(identifier, 'x', sizeof identifier - 1);
    large.identifier = identifier;
    for (int i = 0; i < 16; i++)
        sockets[i] = 1000 + i;
    nbd_message_connect(&m, FAMILY, 255, &large, sockets, COUNT(sockets));
    list = attributes(&m, NBD_CMD_CONNECT, &size);
    assert_sockets(list, size, sockets, COUNT(sockets));
    assert_true(size < 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_says_all_about_the_device),
        cmocka_unit_test(reconfigure_says_identifier_timeouts_and_sockets),
        cmocka_unit_test(sockets_and_timeouts_may_be_left_out),
        cmocka_unit_test(disconnect_says_which),
        cmocka_unit_test(the_largest_message_fits),
    };

    return cmocka_run_group_tests_name("nbd_netlink", tests, NULL, NULL);
}
