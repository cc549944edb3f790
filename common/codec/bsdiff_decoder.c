/* SPDX-License-Identifier: MIT */
#include "codec/bsdiff_decoder.h"

#include "format/columns.h"

#include <stdbool.h>
#include <string.h>

struct steps {
    struct columns_reader control;
    uint64_t expected; /* place */
    size_t base_size;
    size_t left; /* bytes of the chunk that no step has made yet */
};

struct step {
    uint64_t place, copied, fresh;
};

static void steps_begin(struct steps *s, struct delta_bytes program, size_t base_size,
                        size_t out_size)
{
    *s = (struct steps){.control = {program.data, program.data + (program.size - out_size)},
                        .base_size = base_size,
                        .left = out_size};
}

static bool step_is_valid(const struct steps *s, const struct step *step)
{
    return step->place <= s->base_size && step->copied <= s->base_size - step->place &&
           step->copied <= s->left && step->fresh <= s->left - step->copied &&
           step->copied + step->fresh > 0;
}

static int read_step(struct steps *s, struct step *step, struct err *e)
{
    if (columns_get_near(&s->control, s->expected, &step->place, e) < 0 ||
        columns_get(&s->control, &step->copied, e) < 0 ||
        columns_get(&s->control, &step->fresh, e) < 0)
        return -1;
    if (!step_is_valid(s, step))
        return err_set(e, ERR_ARCHIVE, "a step that is not valid");
    s->expected = step->place + step->copied + step->fresh;
    s->left -= step->copied + step->fresh;
    return 0;
}

/* Reads all steps for their checks, and to learn where the new bytes begin. */
static int check_steps(struct steps s, size_t *copied, struct err *e)
{
    struct step step;

    *copied = 0;
    while (s.control.at < s.control.end) {
        if (read_step(&s, &step, e) < 0)
            return -1;
        *copied += step.copied;
    }
    return s.left == 0 ? 0 : err_set(e, ERR_ARCHIVE, "the steps end too early");
}

static void add_differences(uint8_t *restrict out, const uint8_t *restrict base,
                            const uint8_t *restrict differences, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(base[i] + differences[i]);
}

static int apply_steps(struct delta_bytes program, struct delta_bytes base, uint8_t *out,
                       size_t out_size, struct err *e)
{
    const uint8_t *differences = program.data + (program.size - out_size), *fresh;
    struct step step;
    struct steps s;
    size_t copied;

    steps_begin(&s, program, base.size, out_size);
    if (check_steps(s, &copied, e) < 0)
        return -1;
    fresh = differences + copied;
    while (s.control.at < s.control.end) {
        if (read_step(&s, &step, e) < 0)
            return -1;
        if (step.copied > 0)
            add_differences(out, base.data + step.place, differences, step.copied);
        out += step.copied;
        differences += step.copied;
        if (step.fresh > 0)
            memcpy(out, fresh, step.fresh);
        out += step.fresh;
        fresh += step.fresh;
    }
    return 0;
}

int bsdiff_decode(struct delta_bytes program, struct delta_bytes base, uint8_t *out,
                  size_t out_size, struct err *e)
{
    if (program.size < out_size || program.size - out_size > bsdiff_control_limit(out_size))
        return err_set(e, ERR_ARCHIVE, "invalid bsdiff data: %zu bytes for a chunk of %zu",
                       program.size, out_size);
    if (apply_steps(program, base, out, out_size, e) < 0)
        return err_context(e, "invalid bsdiff data");
    return 0;
}
