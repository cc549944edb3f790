/* SPDX-License-Identifier: MIT */
#include "compress/remove_on_signal.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A place for a name. The handler reads the rest only while armed is set. */
struct removable {
    atomic_bool armed;
    int directory_fd;
    char name[REMOVE_ON_SIGNAL_NAME_SIZE];
};

static struct removable places[REMOVE_ON_SIGNAL_MAX];

static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM};

#define ENDING_SIGNALS (sizeof ending_signals / sizeof *ending_signals)

/* What each of the signals did before it was caught here. */
static struct sigaction before[ENDING_SIGNALS];

static void remove_and_end(int number)
{
    for (size_t i = 0; i < REMOVE_ON_SIGNAL_MAX; i++)
        if (atomic_load(&places[i].armed))
            unlinkat(places[i].directory_fd, places[i].name, 0);
    for (size_t i = 0; i < ENDING_SIGNALS; i++)
        if (ending_signals[i] == number)
            sigaction(number, &before[i], NULL);
    raise(number); /* The signal is delivered once this handler returns. */
}

static void catch_ending_signals(void)
{
    const struct sigaction action = {.sa_handler = remove_and_end};
    struct sigaction old;

    for (size_t i = 0; i < ENDING_SIGNALS; i++) {
        if (sigaction(ending_signals[i], NULL, &old) < 0 || old.sa_handler == SIG_IGN ||
            old.sa_handler == remove_and_end)
            continue;
        before[i] = old;
        sigaction(ending_signals[i], &action, NULL);
    }
}

int remove_on_signal_add(int directory_fd, const char *name, struct err *e)
{
    size_t size = strlen(name) + 1;

    for (size_t i = 0; i < REMOVE_ON_SIGNAL_MAX && size <= REMOVE_ON_SIGNAL_NAME_SIZE; i++) {
        struct removable *place = &places[i];

        if (atomic_load(&place->armed))
            continue;
        place->directory_fd = directory_fd;
        memcpy(place->name, name, size);
        atomic_store(&place->armed, true);
        catch_ending_signals();
        return 0;
    }
    return err_set(e, ERR_IO, "too many unfinished files, or too long a name");
}

void remove_on_signal_drop(const char *name)
{
    for (size_t i = 0; i < REMOVE_ON_SIGNAL_MAX; i++)
        if (atomic_load(&places[i].armed) && strcmp(places[i].name, name) == 0)
            atomic_store(&places[i].armed, false);
}
