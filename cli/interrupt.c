/* SPDX-License-Identifier: MIT */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* What the handler sees. */
static volatile sig_atomic_t bar_shown;
static const char *volatile last_words;

static void say_interrupted(const char *text)
{
    ssize_t n = write(STDERR_FILENO, text, strlen(text));

    (void)n; /* where a failure to write could be reported has just failed */
}

static void on_interrupt(int number)
{
    const char *words = last_words;

    if (bar_shown)
        say_interrupted("\n");
    if (words)
        say_interrupted(words);
    raise(number); /* SA_RESETHAND: once this handler returns, the signal ends the program */
}

static void catch (int number)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND}, old;

    if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(number, &action, NULL);
}

void interrupt_catch(const char *message)
{
    last_words = message;
    catch (SIGINT);
    catch (SIGTERM);
}

void interrupt_set_bar(bool shown)
{
    bar_shown = shown;
}
