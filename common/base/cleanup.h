/* SPDX-License-Identifier: MIT */
/* cleanup: attributes that release what a local variable holds when it leaves its scope, and
 * ways to take it out of the variable before, when it gets another owner. */
#ifndef IHOP_BASE_CLEANUP_H
#define IHOP_BASE_CLEANUP_H

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn)    __attribute__((cleanup(fn)))
#define CLEANUP_FREE   CLEANUP(cleanup_free)
#define CLEANUP_FD     CLEANUP(cleanup_fd)
#define CLEANUP_DIR    CLEANUP(cleanup_dir)
#define CLEANUP_UNLOCK CLEANUP(cleanup_unlock) __attribute__((unused))

/* variable is a pointer to a pointer of any type, hence void *. */
static inline void cleanup_free(void *variable)
{
    free(*(void **)variable);
}

static inline void cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static inline void cleanup_unlock(pthread_mutex_t **mutex)
{
    pthread_mutex_unlock(*mutex);
}

/* Takes a mutex until the end of the enclosing block. */
#define LOCK_SCOPE(mutex)                                                                          \
    CLEANUP_UNLOCK pthread_mutex_t *lock_scope_ = (pthread_mutex_lock(mutex), (mutex))

/* Evaluates to the descriptor and leaves -1 behind. */
static inline int steal_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* For any pointer type: evaluates to the pointer and leaves NULL behind. */
#define STEAL(pointer)                                                                             \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#endif
