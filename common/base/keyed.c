/* SPDX-License-Identifier: MIT */
#include "base/keyed.h"

#include "base/io.h"
#include "base/text.h"

#include <sys/random.h>
#include <sys/types.h>

struct state {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void mix(struct state *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32) + s->d;
    s->c += s->b;
    s->d = rotate(s->d, 21) ^ s->a;
    s->b = rotate(s->b, 17) ^ s->c;
    s->c = rotate(s->c, 32);
}

static void absorb(struct state *s, uint64_t word)
{
    s->d ^= word;
    mix(s);
    s->a ^= word;
}

void keyed_init(struct keyed *k)
{
    if (getrandom(k, sizeof *k, GRND_NONBLOCK) != (ssize_t)sizeof *k)
        *k = (struct keyed){(uintptr_t)k, io_now_ms()};
}

uint64_t keyed_hash(const struct keyed *k, const uint8_t key[KEYED_SIZE])
{
    struct state s = {k->k0 ^ UINT64_C(0x736f6d6570736575), k->k1 ^ UINT64_C(0x646f72616e646f6d),
                      k->k0 ^ UINT64_C(0x6c7967656e657261), k->k1 ^ UINT64_C(0x7465646279746573)};

    absorb(&s, text_get_le64(key));
    absorb(&s, text_get_le64(key + 8));
    absorb(&s, (uint64_t)KEYED_SIZE << 56);
    s.c ^= 0xff;
    mix(&s);
    mix(&s);
    mix(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}
