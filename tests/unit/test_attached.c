/* SPDX-License-Identifier: MIT */
/* test_attached: which images are found among the kernel's NBD devices. */
#include "support.h"

#include "base/text.h"
#include "store/attached.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char sys_block[] = "attached-XXXXXX";

static void write_backend(const char *device, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", sys_block, device);
    assert_int_equal(mkdir(path, 0755), 0);
    if (!text)
        return;
    snprintf(path, sizeof path, "%s/%s/backend", sys_block, device);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void remove_devices(void)
{
    static const char *const devices[] = {"nbd0", "nbd1", "nbd2", "nbd3", "loop0"};
    char path[256];

    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(path, sizeof path, "%s/%s/backend", sys_block, devices[i]);
        unlink(path);
        snprintf(path, sizeof path, "%s/%s", sys_block, devices[i]);
        rmdir(path);
    }
}

/* These words and the image's id. */
static const char *identifier(const char *words, const struct image *image)
{
    static char text[512];
    char id[CHUNK_HASH_HEX];

    text_hex(image->source_checksum, CHUNK_HASH_SIZE, id);
    snprintf(text, sizeof text, "%s %s\n", words, id);
    return text;
}

static void test_devices(void **state)
{
    struct image image = {.source_size = 1}, other = {.source_size = 1};

    (void)state;
    memset(image.source_checksum, 0x5a, CHUNK_HASH_SIZE);
    memset(other.source_checksum, 0xa5, CHUNK_HASH_SIZE);
    assert_non_null(mkdtemp(sys_block));
    assert_false(attached_has_image(sys_block, &image));
    /* Another program's, one that is not connected, one whose name is not an NBD device's. */
    write_backend("nbd0", "qcow2 of somebody\n");
    write_backend("nbd1", NULL);
    write_backend("loop0", identifier("ihop v1", &image));
    assert_false(attached_has_image(sys_block, &image));
    write_backend("nbd2", identifier("other v1", &image));
    assert_false(attached_has_image(sys_block, &image));
    write_backend("nbd3", identifier("ihop a name with spaces", &image));
    assert_true(attached_has_image(sys_block, &image));
    assert_false(attached_has_image(sys_block, &other));
    remove_devices();
    assert_int_equal(rmdir(sys_block), 0);
    assert_false(attached_has_image(sys_block, &image));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_devices)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
