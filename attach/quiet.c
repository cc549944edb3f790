/* SPDX-License-Identifier: MIT */
#include "attach/quiet.h"

#include "attach/device.h"
#include "attach/dm.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOLDERS_MAX     16
#define SUSPEND_WAIT_MS 2000 /* for the requests that are under way */
#define HELD_WAIT_MS    200  /* for the pause, when all who could read are suspended */
#define PAUSE_WAIT_MS   5000 /* for the pause otherwise */
#define LOOK_PAUSE_US   500

/* From the look that finds a pause to the end of the connections, no reader that wakes up may run
 * in place of this process. Refused in some containers, without harm but to the chance. */
static void set_urgent(bool on)
{
    const struct sched_param p = {.sched_priority = on ? sched_get_priority_min(SCHED_FIFO) : 0};

    (void)sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &p);
}

static bool wait_for_pause(unsigned index, unsigned wait_ms)
{
    uint64_t deadline = io_now_ms() + wait_ms;

    set_urgent(true);
    while (!device_is_idle(DEVICE_SYS_BLOCK, index)) {
        if (io_now_ms() >= deadline)
            return false;
        usleep(LOOK_PAUSE_US);
    }
    return true;
}

static bool append_number(char list[RECORD_LIST_SIZE], struct dm_number number)
{
    size_t used = strlen(list);
    int n = snprintf(list + used, RECORD_LIST_SIZE - used, "%u:%u\n", number.major, number.minor);

    return n > 0 && (size_t)n < RECORD_LIST_SIZE - used;
}

/* Nothing was suspended, so nothing is to be resumed. */
static bool suspend_none(struct record *record)
{
    record->suspended[0] = '\0';
    return false;
}

/* Suspends all; the record names them before the first one is. What somebody else has suspended is
 * taken out again: that one resumes it. */
static bool suspend_all(int control, const char *directory, unsigned index,
                        const struct dm_number *numbers, size_t count, struct record *record)
{
    struct err e = ERR_INIT;
    char ours[RECORD_LIST_SIZE] = "";

    for (size_t i = 0; i < count; i++)
        if (!append_number(record->suspended, numbers[i]))
            return suspend_none(record);
    if (record_write(directory, index, record, &e) < 0)
        return suspend_none(record);
    for (size_t i = 0; i < count; i++) {
        bool suspended = false;

        if (dm_suspend(control, numbers[i], SUSPEND_WAIT_MS, &suspended, &e) < 0) {
            strcpy(record->suspended, ours);
            return false;
        }
        if (suspended && !append_number(ours, numbers[i]))
            return false;
    }
    if (strcmp(record->suspended, ours) == 0)
        return true;
    strcpy(record->suspended, ours);
    return record_write(directory, index, record, &e) == 0;
}

bool quiet_begin(const char *directory, unsigned index, struct record *record, uint64_t *since_ms)
{
    struct dm_number numbers[HOLDERS_MAX];
    size_t count = 0, others = 0;
    CLEANUP_FD int control = -1;
    struct err e = ERR_INIT;
    bool is_quiet;

    record->suspended[0] = '\0';
    if (dm_find_holders(DEVICE_SYS_BLOCK, index, numbers, HOLDERS_MAX, &count, &others, &e) == 0 &&
        count > 0 && count <= HOLDERS_MAX && dm_open(&control, &e) == 0) {
        *since_ms = io_now_ms();
        if (suspend_all(control, directory, index, numbers, count, record))
            return wait_for_pause(index, others > 0 ? PAUSE_WAIT_MS : HELD_WAIT_MS);
        quiet_end(directory, index, record);
    }
    is_quiet = wait_for_pause(index, PAUSE_WAIT_MS);
    *since_ms = io_now_ms();
    return is_quiet;
}

void quiet_end(const char *directory, unsigned index, struct record *record)
{
    CLEANUP_FD int control = -1;
    struct err e = ERR_INIT;
    struct dm_number number;

    if (*record->suspended && dm_open(&control, &e) == 0)
        for (const char *row = record->suspended; *row; row += strcspn(row, "\n") + 1)
            if (sscanf(row, "%u:%u\n", &number.major, &number.minor) == 2 &&
                dm_resume(control, number, &e) < 0)
                continue; /* it is gone, or somebody has resumed it */
    set_urgent(false);
    record->suspended[0] = '\0';
    if (record_write(directory, index, record, &e) < 0)
        return; /* what it says too much is resumed once more */
}
