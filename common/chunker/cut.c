/* SPDX-License-Identifier: MIT */
/* How cutting works: the input is read in pieces, in order. The worker that has read a piece also
 * searches it, and marks each byte after which the rolling sum lets a chunk end. These marks
 * depend on nothing but the window, so all workers search at the same time. One cursor goes over
 * the pieces, respects the minimum and the maximum size, and hands out the chunks. It only looks
 * at marks, which is quick, so it works under the lock. cut_cursor.h says more about it.
 */
#include "chunker/cut.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/workers.h"
#include "chunker/cut_cursor.h"
#include "chunker/rolling.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct piece {
    uint8_t *buffer; /* the window's bytes before the piece, then the piece */
    uint8_t *data;   /* the piece, within buffer */
    size_t size;
    uint64_t *marks; /* bit i is set when a chunk may end after byte i */
    bool searched;   /* the marks are complete; the lock protects this and users */
    unsigned users; /* how many use the piece (the cursor, the input callback, chunks); 0 when it is
                     * free */
};

struct cutter {
    int fd;
    const struct cut_options *options;
    size_t piece_size;
    struct rolling rolling;
    struct piece *pieces; /* piece number n is pieces[n % piece_count] */
    size_t piece_count;

    pthread_mutex_t lock; /* protects all below */
    pthread_cond_t changed;
    uint64_t read, shown; /* how many pieces were read, and shown to the input callback */
    bool reading, showing, ended;
    uint64_t size, done; /* bytes read, and bytes of finished chunks */
    bool stop;           /* a worker failed */

    uint64_t cut; /* number of the piece where the cursor is */
    struct cut_cursor cursor;
};

/* What a worker does next. */
struct task {
    int (*run)(struct cutter *c, struct task *t, struct err *e);
    struct piece *piece; /* NULL for a chunk that spans pieces */
    struct cut_copy copy;
    struct cut_chunk chunk;
};

static struct piece *get_piece(const struct cutter *c, uint64_t number)
{
    return &c->pieces[number % c->piece_count];
}

/* ---- with the lock held ---- */

static void stop_workers(struct cutter *c)
{
    c->stop = true;
    pthread_cond_broadcast(&c->changed);
}

static void let_go(struct cutter *c, struct piece *p)
{
    if (--p->users == 0)
        pthread_cond_broadcast(&c->changed);
}

/* ---- reading and searching ---- */

static void search(const struct rolling *r, struct piece *p)
{
    uint32_t sum = r->ops->sum(r, p->data);
    size_t at = 0;
    bool hit;

    memset(p->marks, 0, (p->size + CUT_MARKS_PER_WORD - 1) / CUT_MARKS_PER_WORD * sizeof *p->marks);
    while (at < p->size) {
        at += r->ops->roll(r, &sum, p->data + at, p->size - at, &hit);
        if (hit)
            p->marks[(at - 1) / CUT_MARKS_PER_WORD] |= UINT64_C(1) << (at - 1) % CUT_MARKS_PER_WORD;
    }
}

static ssize_t read_on(struct cutter *c, void *data, struct err *e)
{
    ssize_t n;

    if (c->options->read)
        return c->options->read(c->options->user, data, c->piece_size, e);
    n = io_read_full(c->fd, data, c->piece_size);
    return n < 0 ? err_sys(e, errno, "reading %s", c->options->name) : n;
}

/* Reads a piece, and puts the window's bytes before it. */
static int read_piece(struct cutter *c, struct piece *p, struct err *e)
{
    ssize_t n = read_on(c, p->data, e);

    if (n < 0)
        return -1;
    p->size = (size_t)n;
    /* The piece before is still there, because only one worker reads at a time. */
    if (c->read > 0) {
        const struct piece *before = get_piece(c, c->read - 1);

        memcpy(p->buffer, before->buffer + before->size, c->rolling.window);
    }
    return 0;
}

static void piece_is_read(struct cutter *c, struct piece *p)
{
    LOCK_SCOPE(&c->lock);

    c->reading = false;
    c->ended = p->size < c->piece_size;
    c->size += p->size;
    if (p->size > 0) {
        p->searched = false;
        p->users = c->options->input ? 2 : 1;
        c->read++;
    }
    pthread_cond_broadcast(&c->changed);
}

static int run_read(struct cutter *c, struct task *t, struct err *e)
{
    if (read_piece(c, t->piece, e) < 0)
        return -1;
    piece_is_read(c, t->piece);
    /* The cursor cannot release the piece before it has been searched, so it is safe to
     * use it here without the lock. */
    if (t->piece->size == 0)
        return 0;
    search(&c->rolling, t->piece);

    LOCK_SCOPE(&c->lock);
    t->piece->searched = true;
    pthread_cond_broadcast(&c->changed);
    return 0;
}

static bool take_read(struct cutter *c, struct task *t)
{
    struct piece *p = get_piece(c, c->read);

    if (c->reading || c->ended || p->users > 0)
        return false;
    c->reading = true;
    *t = (struct task){.run = run_read, .piece = p};
    return true;
}

/* ---- the input callback ---- */

static int run_show(struct cutter *c, struct task *t, struct err *e)
{
    if (c->options->input(c->options->user, t->piece->data, t->piece->size, e) < 0)
        return -1;

    LOCK_SCOPE(&c->lock);
    c->showing = false;
    c->shown++;
    let_go(c, t->piece);
    pthread_cond_broadcast(&c->changed);
    return 0;
}

static bool take_show(struct cutter *c, struct task *t)
{
    if (!c->options->input || c->showing || c->shown == c->read)
        return false;
    c->showing = true;
    *t = (struct task){.run = run_show, .piece = get_piece(c, c->shown)};
    return true;
}

/* ---- chunks ---- */

static int run_chunk(struct cutter *c, struct task *t, struct err *e)
{
    if (c->options->chunk(c->options->user, &t->chunk, e) < 0)
        return -1;
    free(STEAL(t->copy.data));

    LOCK_SCOPE(&c->lock);
    c->done += t->chunk.size;
    if (c->options->progress)
        c->options->progress(c->options->user, c->done);
    if (t->piece) {
        let_go(c, t->piece);
    } else {
        cut_cursor_return(&c->cursor, &t->copy);
        pthread_cond_broadcast(&c->changed);
    }
    return 0;
}

/* Makes a task of a chunk that the cursor has found in the piece or in its copy. */
static void hand_out(struct task *t, struct piece *p, const struct cut_found *found)
{
    *t = (struct task){.run = run_chunk,
                       .copy = found->copy,
                       .chunk = {.index = found->index,
                                 .offset = found->offset,
                                 .data = found->data,
                                 .size = found->size}};
    if (found->copy.data)
        return;
    t->piece = p;
    p->users++;
}

/* How an attempt to take a task ended. */
enum taken {
    TAKEN_TASK,
    TAKEN_LATER,  /* another worker must search a piece or free memory first */
    TAKEN_END,    /* nothing is left to do, or a worker has failed */
    TAKEN_FAILED, /* ERR_MEMORY */
};

static enum taken take_chunk(struct cutter *c, struct task *t, struct err *e)
{
    struct cut_found found;

    while (c->cut < c->read) {
        struct piece *p = get_piece(c, c->cut);
        const struct cut_piece piece = {.data = p->data, .size = p->size, .marks = p->marks};
        enum cut_step step;

        if (!p->searched)
            return TAKEN_LATER;
        step = cut_cursor_step(&c->cursor, &piece, &found, e);
        if (step == CUT_STEP_CHUNK) {
            hand_out(t, p, &found);
            return TAKEN_TASK;
        }
        if (step != CUT_STEP_NEXT_PIECE)
            return step == CUT_STEP_LATER ? TAKEN_LATER : TAKEN_FAILED;
        let_go(c, p);
        c->cut++;
    }
    if (!c->ended || !cut_cursor_has_rest(&c->cursor))
        return TAKEN_LATER;
    cut_cursor_take_rest(&c->cursor, &found);
    hand_out(t, NULL, &found);
    return TAKEN_TASK;
}

/* ---- workers ---- */

static bool finished(const struct cutter *c)
{
    return c->ended && c->cut == c->read && !cut_cursor_has_rest(&c->cursor) &&
           (!c->options->input || c->shown == c->read);
}

/* Takes a task that can be done now. Showing comes first, because
 * only one worker at a time can show. Then one piece is read ahead, so that the disk is never idle.
 * More pieces are read only when there is nothing else to do, because data that is in the
 * processor's caches is best used first. */
static enum taken take_task(struct cutter *c, struct task *t, struct err *e)
{
    bool low = c->read - c->cut < 2;
    enum taken taken;

    if (take_show(c, t) || (low && take_read(c, t)))
        return TAKEN_TASK;
    taken = take_chunk(c, t, e);
    return taken == TAKEN_LATER && take_read(c, t) ? TAKEN_TASK : taken;
}

/* Waits for a task; the others go on when there is none. */
static enum taken next_task(struct cutter *c, struct task *t, struct err *e)
{
    enum taken taken = TAKEN_END;

    LOCK_SCOPE(&c->lock);
    while (!c->stop) {
        taken = take_task(c, t, e);
        if (taken == TAKEN_TASK)
            return TAKEN_TASK;
        if (taken == TAKEN_FAILED || finished(c))
            break;
        pthread_cond_wait(&c->changed, &c->lock);
    }
    if (taken == TAKEN_FAILED)
        stop_workers(c);
    pthread_cond_broadcast(&c->changed);
    return taken == TAKEN_FAILED ? TAKEN_FAILED : TAKEN_END;
}

static int run_tasks(void *user, unsigned number, struct err *e)
{
    struct cutter *c = user;
    enum taken taken;
    struct task t;

    while ((taken = next_task(c, &t, e)) == TAKEN_TASK) {
        int r;

        t.chunk.worker = number;
        r = t.run(c, &t, e);
        free(t.copy.data);
        if (r < 0) {
            LOCK_SCOPE(&c->lock);
            stop_workers(c);
            return -1;
        }
    }
    return taken == TAKEN_FAILED ? -1 : 0;
}

/* ---- life ---- */

static int make_pieces(struct cutter *c, unsigned jobs, struct err *e)
{
    size_t words = (c->piece_size + CUT_MARKS_PER_WORD - 1) / CUT_MARKS_PER_WORD;

    c->piece_count = 2 * (size_t)jobs + 2;
    c->pieces = calloc(c->piece_count, sizeof *c->pieces);
    if (!c->pieces)
        return err_nomem(e, "cutting");
    for (size_t i = 0; i < c->piece_count; i++) {
        struct piece *p = &c->pieces[i];

        p->buffer = calloc(1, c->rolling.window + c->piece_size);
        p->marks = calloc(words, sizeof *p->marks);
        if (!p->buffer || !p->marks)
            return err_nomem(e, "cutting");
        p->data = p->buffer + c->rolling.window;
    }
    return 0;
}

static void free_cutter(struct cutter *c)
{
    for (size_t i = 0; c->pieces && i < c->piece_count; i++) {
        free(c->pieces[i].buffer);
        free(c->pieces[i].marks);
    }
    free(c->pieces);
    cut_cursor_release(&c->cursor);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
}

int cut_input(int fd, const struct chunker_config *config, const struct cut_options *options,
              uint64_t *size, struct err *e)
{
    CLEANUP(free_cutter)
    struct cutter c = {.fd = fd,
                       .options = options,
                       .piece_size = options->piece_size ? options->piece_size : CUT_PIECE,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .changed = PTHREAD_COND_INITIALIZER};
    unsigned jobs = options->jobs < 1 ? 1 : (unsigned)min_size(options->jobs, LIMIT_JOBS);

    if (cut_cursor_init(&c.cursor, config, e) < 0)
        return -1;
    rolling_init(&c.rolling, config);
    if (make_pieces(&c, jobs, e) < 0)
        return -1;
    (void)posix_fadvise(fd, 0, 0,
                        POSIX_FADV_SEQUENTIAL); /* This is a hint, which a pipe does not take. */
    if (workers_run(jobs, run_tasks, &c, e) < 0)
        return -1;
    *size = c.size;
    return 0;
}
