/* SPDX-License-Identifier: MIT */
/* process: who a process is, so that no other one is ever taken for it. Thread-safe. */
#ifndef IHOP_ATTACH_PROCESS_H
#define IHOP_ATTACH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A process, and when it began, in the kernel's clock ticks: a number of a process is used again,
 * the two together are not, within one boot. */
struct process {
    pid_t pid; /* 0: none */
    uint64_t started;
};

/* Fills process for a pid; false when there is none such. */
bool process_identify(pid_t pid, struct process *process);

/* A descriptor that stands for the process (pidfd_open), or -1 when it has ended. */
int process_open(const struct process *process);

/* Whether it has not ended. */
bool process_is_alive(const struct process *process);

/* Kills what a descriptor of process_open stands for, and waits until it has ended: for wait_ms at
 * most, as a process that waits for a disk ends late. False: it has not ended yet. */
bool process_kill(int pidfd, int wait_ms);

#endif
