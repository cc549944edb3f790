/* SPDX-License-Identifier: MIT */
#include "clone/options.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/name.h"
#include "store/store.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CONNECTIONS 4
#define DEFAULT_RETRIES     5
#define DAY                 86400

enum option_type {
    TYPE_FLAG,   /* bool */
    TYPE_TEXT,   /* const char * */
    TYPE_NUMBER, /* unsigned, within min and max */
    TYPE_SIZE,   /* uint64_t, with a suffix */
    TYPE_WORD,   /* unsigned: index into words */
    TYPE_PIN,    /* a header checksum in hex */
    TYPE_HEADER, /* an HTTP header, or @FILE */
    TYPE_MIRROR, /* a URL; may be repeated */
};

struct option_spec {
    const char *name;
    char letter; /* 0: none */
    enum option_type type;
    size_t offset; /* into struct options */
    uint64_t min, max;
    const char *const *words; /* NULL-terminated */
    const char *argument;     /* NULL: takes none */
    const char *help;         /* NULL: another name for the option before it */
};

static const char *const progress_words[] = {"auto", "bar", "json", "none", NULL};
static const char *const sync_words[] = {"auto", "fs", "files", NULL};

#define AT(member) offsetof(struct options, member)

static const struct option_spec specs[] = {
    {"force", 'f', TYPE_FLAG, AT(force), 0, 0, NULL, NULL,
     "replace the release if it holds a different image"},
    {"force-create", 0, TYPE_FLAG, AT(force), 0, 0, NULL, NULL, NULL},
    {"dry-run", 'n', TYPE_FLAG, AT(dry_run), 0, 0, NULL, NULL,
     "say what it would cost, and change nothing"},
    {"recheck", 0, TYPE_FLAG, AT(recheck), 0, 0, NULL, NULL,
     "hash the chunks in the store instead of trusting their names"},
    {"verify-header", 0, TYPE_PIN, 0, 0, 0, NULL, "HEX",
     "refuse an archive with another header checksum"},
    {"allow-short-hash", 0, TYPE_FLAG, AT(allow_short_hash), 0, 0, NULL, NULL,
     "accept chunk hashes of fewer than 16 bytes"},
    {"record-url", 0, TYPE_TEXT, AT(record_url), 0, 0, NULL, "URL",
     "record this as the archive's address"},
    {"compat-store", 0, TYPE_FLAG, AT(compat_store), 0, 0, NULL, NULL,
     "make a new store that the original ihop can use"},
    {"jobs", 'j', TYPE_NUMBER, AT(jobs), 1, LIMIT_JOBS, NULL, "N",
     "threads that decode and verify [processors]"},
    {"connections", 0, TYPE_NUMBER, AT(http.connections), 1, LIMIT_CONNECTIONS, NULL, "N",
     "ranges to fetch at a time [4]"},
    {"limit-rate", 0, TYPE_SIZE, AT(http.limit_rate), 1, INT64_MAX, NULL, "SIZE",
     "download at most this many bytes a second"},
    {"max-download", 0, TYPE_SIZE, AT(max_download), 0, UINT64_MAX, NULL, "SIZE",
     "refuse if more would be downloaded"},
    {"max-write", 0, TYPE_SIZE, AT(max_write), 0, UINT64_MAX, NULL, "SIZE",
     "refuse if more would be written to the store"},
    {"min-free", 0, TYPE_SIZE, AT(min_free), 0, INT64_MAX, NULL, "SIZE",
     "refuse if less would stay free"},
    {"wait", 0, TYPE_NUMBER, AT(wait_seconds), 0, DAY, NULL, "SECONDS",
     "wait for a locked store [0]"},
    {"mirror", 0, TYPE_MIRROR, 0, 0, 0, NULL, "URL",
     "where else the same archive is; may be repeated"},
    {"header", 'H', TYPE_HEADER, 0, 0, 0, NULL, "LINE|@FILE",
     "send this HTTP header; from FILE: one on each line"},
    {"http-header", 0, TYPE_HEADER, 0, 0, 0, NULL, "LINE|@FILE", NULL},
    {"cacert", 0, TYPE_TEXT, AT(http.cacert), 0, 0, NULL, "FILE", "trust these CA certificates"},
    {"cert", 0, TYPE_TEXT, AT(http.cert), 0, 0, NULL, "FILE", "client certificate"},
    {"key", 0, TYPE_TEXT, AT(http.key), 0, 0, NULL, "FILE", "its private key"},
    {"proxy", 'x', TYPE_TEXT, AT(http.proxy), 0, 0, NULL, "URL",
     "use this proxy [http_proxy, https_proxy]"},
    {"retry", 0, TYPE_NUMBER, AT(http.retries), 0, LIMIT_RETRIES, NULL, "N",
     "tries more for a range that fails [5]"},
    {"http-retry-count", 0, TYPE_NUMBER, AT(http.retries), 0, LIMIT_RETRIES, NULL, "N", NULL},
    {"retry-delay", 0, TYPE_NUMBER, AT(retry_delay_s), 0, DAY, NULL, "SECONDS",
     "before the first retry; doubles [1]"},
    {"http-retry-delay", 0, TYPE_NUMBER, AT(retry_delay_s), 0, DAY, NULL, "SECONDS", NULL},
    {"connect-timeout", 0, TYPE_NUMBER, AT(connect_timeout_s), 1, DAY, NULL, "SECONDS",
     "to reach the server [15]"},
    {"timeout", 0, TYPE_NUMBER, AT(timeout_s), 1, DAY, NULL, "SECONDS",
     "without data, until a try counts as failed [30]"},
    {"http-timeout", 0, TYPE_NUMBER, AT(timeout_s), 1, DAY, NULL, "SECONDS", NULL},
    {"sync", 0, TYPE_WORD, AT(sync), 0, 0, sync_words, "auto|fs|files",
     "how to make chunks durable: at once or each [auto]"},
    {"progress", 0, TYPE_WORD, AT(progress), 0, 0, progress_words, "auto|bar|json|none",
     "how to show progress [auto: a bar on a terminal]"},
    {"json", 0, TYPE_FLAG, AT(json), 0, 0, NULL, NULL, "print the result as JSON on stdout"},
    {"quiet", 'q', TYPE_FLAG, AT(quiet), 0, 0, NULL, NULL, "print errors only"},
    {"verbose", 'v', TYPE_FLAG, AT(verbose), 0, 0, NULL, NULL, "say more"},
    {"version", 'V', TYPE_FLAG, AT(version), 0, 0, NULL, NULL, "print the version"},
    {"help", 'h', TYPE_FLAG, AT(help), 0, 0, NULL, NULL, "print this help"},
};

#define SPEC_COUNT (sizeof specs / sizeof *specs)

void options_print_help(void)
{
    puts("usage: ihop-clone [options] ARCHIVE STORE/RELEASE\n"
         "\n"
         "Fetches from ARCHIVE (the URL or path of a .cba file) the chunks that STORE lacks,\n"
         "and publishes the image in it as RELEASE.\n");
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        const struct option_spec *s = &specs[i];
        char left[64];

        if (!s->help)
            continue;
        snprintf(left, sizeof left, "%s%c%s --%s%s%s", s->letter ? "-" : " ",
                 s->letter ? s->letter : ' ', s->letter ? "," : " ", s->name,
                 s->argument ? " " : "", s->argument ? s->argument : "");
        printf("  %-34s %s\n", left, s->help);
    }
    puts("\nSizes take a suffix: k, M, G or KiB, MiB, GiB. Exit codes: see ihop-clone(1).");
}

static int add_header(struct options *o, const char *line, struct err *e)
{
    const char *colon = strchr(line, ':');

    /* Never repeat the line in the message: it may be a secret. */
    if (!colon || colon == line || strpbrk(line, "\r\n"))
        return err_set(e, ERR_USAGE, "--header takes one line of the form 'Name: value'");
    if (array_grow((void **)&o->headers, &o->header_room, o->header_count, sizeof *o->headers, e) <
        0)
        return -1;
    o->headers[o->header_count] = strdup(line);
    if (!o->headers[o->header_count])
        return err_nomem(e, "reading the command line");
    o->header_count++;
    return 0;
}

static int add_headers_of_file(struct options *o, const char *path, struct err *e)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int r = 0;

    if (!file)
        return err_sys(e, errno, "cannot read the headers in %s", path);
    while (r == 0 && (n = getline(&line, &room, file)) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (*line && *line != '#' && add_header(o, line, e) < 0)
            r = err_context(e, "%s", path);
    }
    free(line);
    fclose(file);
    return r;
}

static int add_mirror(struct options *o, const char *url, struct err *e)
{
    if (!reader_is_url(url))
        return err_set(e, ERR_USAGE, "--mirror takes a URL, not '%s'", url);
    if (array_grow((void **)&o->mirrors, &o->mirror_room, o->mirror_count, sizeof *o->mirrors, e) <
        0)
        return -1;
    o->mirrors[o->mirror_count++] = url;
    return 0;
}

static int set_pin(struct options *o, const char *value, struct err *e)
{
    if (text_unhex(value, o->pin, sizeof o->pin) != CHUNK_HASH_SIZE)
        return err_set(e, ERR_USAGE, "--verify-header takes the header checksum: 128 hex digits");
    o->pinned = true;
    return 0;
}

static int set_word(const struct option_spec *s, unsigned *target, const char *value, struct err *e)
{
    for (unsigned i = 0; s->words[i]; i++)
        if (strcmp(value, s->words[i]) == 0) {
            *target = i;
            return 0;
        }
    return err_set(e, ERR_USAGE, "--%s takes %s, not '%s'", s->name, s->argument, value);
}

static int set_option(struct options *o, const struct option_spec *s, const char *value,
                      struct err *e)
{
    void *target = (char *)o + s->offset;
    uint64_t n;

    switch (s->type) {
    case TYPE_FLAG:
        *(bool *)target = true;
        return 0;
    case TYPE_TEXT:
        *(const char **)target = value;
        return 0;
    case TYPE_NUMBER:
        if (!text_parse_u64(value, s->min, s->max, &n))
            return err_set(e, ERR_USAGE, "--%s takes a whole number from %llu to %llu, not '%s'",
                           s->name, (unsigned long long)s->min, (unsigned long long)s->max, value);
        *(unsigned *)target = (unsigned)n;
        return 0;
    case TYPE_SIZE:
        if (!text_parse_size(value, s->min, s->max, target))
            return err_set(e, ERR_USAGE, "--%s takes a size such as 500k or 20MiB, not '%s'",
                           s->name, value);
        return 0;
    case TYPE_WORD:
        return set_word(s, target, value, e);
    case TYPE_PIN:
        return set_pin(o, value, e);
    case TYPE_MIRROR:
        return add_mirror(o, value, e);
    case TYPE_HEADER:
        return value[0] == '@' ? add_headers_of_file(o, value + 1, e) : add_header(o, value, e);
    }
    return 0;
}

/* getopt_long's tables, from ours. A long option returns 256 plus its index. */
static void make_getopt_tables(struct option *longs, char *letters)
{
    *letters++ = ':'; /* tell a missing argument from an unknown option */
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        longs[i] = (struct option){.name = specs[i].name,
                                   .has_arg = specs[i].argument ? required_argument : no_argument,
                                   .val = 256 + (int)i};
        if (specs[i].letter)
            *letters++ = specs[i].letter;
        if (specs[i].letter && specs[i].argument)
            *letters++ = ':';
    }
    longs[SPEC_COUNT] = (struct option){0};
    *letters = '\0';
}

static const struct option_spec *find_spec(int code)
{
    if (code >= 256)
        return &specs[code - 256];
    for (size_t i = 0; i < SPEC_COUNT; i++)
        if (specs[i].letter == code)
            return &specs[i];
    return NULL;
}

static void set_defaults(struct options *o)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *o = (struct options){
        .jobs = processors < 1            ? 1
                : processors > LIMIT_JOBS ? LIMIT_JOBS
                                          : (unsigned)processors,
        .max_download = UINT64_MAX,
        .max_write = UINT64_MAX,
        .http = {.connections = DEFAULT_CONNECTIONS, .retries = DEFAULT_RETRIES},
        .retry_delay_s = 1,
        .connect_timeout_s = 15,
        .timeout_s = 30,
    };
}

static int take_operands(struct options *o, int argc, char **argv, struct err *e)
{
    if (argc != 2)
        return err_set(e, ERR_USAGE,
                       "%s: use ihop-clone [options] ARCHIVE STORE/RELEASE (--help "
                       "tells more)",
                       argc < 2 ? "an argument is missing" : "too many arguments");
    o->archive = argv[0];
    return store_name_split(argv[1], &o->store, &o->release, e);
}

static void finish_http(struct options *o)
{
    o->http.headers = (const char *const *)o->headers;
    o->http.header_count = o->header_count;
    o->http.mirrors = o->mirrors;
    o->http.mirror_count = o->mirror_count;
    o->http.retry_delay_ms = o->retry_delay_s * 1000;
    o->http.connect_timeout_ms = o->connect_timeout_s * 1000;
    o->http.timeout_ms = o->timeout_s * 1000;
    /* More of them would only fill more socket buffers beyond the limit. */
    if (o->http.limit_rate)
        o->http.connections = 1;
}

int options_parse(int argc, char **argv, struct options *o, struct err *e)
{
    struct option longs[SPEC_COUNT + 1];
    char letters[2 * SPEC_COUNT + 2];
    int code;

    set_defaults(o);
    make_getopt_tables(longs, letters);
    opterr = 0;
    while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (code == '?' && optopt > 0 && optopt < 256) /* maybe one letter of several */
            return err_set(e, ERR_USAGE, "unknown option '-%c' (--help lists all)", optopt);
        if (code == '?')
            return err_set(e, ERR_USAGE, "unknown or ambiguous option '%s' (--help lists all)",
                           argv[optind - 1]);
        if (code == ':')
            return err_set(e, ERR_USAGE, "option '%s' needs a value", argv[optind - 1]);
        if (set_option(o, find_spec(code), optarg, e) < 0)
            return -1;
    }
    if (o->help || o->version)
        return 0;
    finish_http(o);
    return take_operands(o, argc - optind, argv + optind, e);
}

void options_free(struct options *o)
{
    for (size_t i = 0; i < o->header_count; i++)
        free(o->headers[i]);
    free(o->headers);
    free(o->mirrors);
    free(o->store);
}
