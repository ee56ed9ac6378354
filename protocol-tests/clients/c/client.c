/* libmemcached in C: both protocols. Writes a line for each result; see tests/clients.rs. */
#define _DEFAULT_SOURCE
#include <libmemcached/memcached.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 100, BIG = 1024 * 1024 - 400, TOO_BIG = 1024 * 1024 + 1, TRIES = 200 };

static void say(const char *name, memcached_return_t rc)
{
    const char *words = rc == MEMCACHED_ERRNO ? "an error of the system" :
        memcached_strerror(NULL, rc);
    printf("%s: %s\n", name, words);
}

/* The result of a step that must come out well. */
static void well(const char *name, memcached_return_t rc)
{
    if (memcached_failed(rc)) {
        printf("UNEXPECTED ");
    }
    say(name, rc);
}

/* The result of a step that must not. */
static void badly(const char *name, memcached_return_t rc)
{
    if (memcached_success(rc)) {
        printf("UNEXPECTED ");
    }
    say(name, rc);
}

static void order(const char *what)
{
    char answer[16];
    printf("> %s\n", what);
    if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "done\n") != 0) {
        exit(1);
    }
}

/* Connects to "host:port" and, if it is not NULL, another. */
static memcached_st *connect_to(const char *where, const char *other, bool binary)
{
    memcached_st *mc = memcached_create(NULL);
    const char *both[] = { where, other };
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, binary);
    if (getenv("SASL_USER")) {
        memcached_set_sasl_auth_data(mc, getenv("SASL_USER"), getenv("SASL_PASSWORD"));
    }
    for (int at = 0; at < 2 && both[at]; at++) {
        const char *colon = strrchr(both[at], ':');
        char host[64];
        snprintf(host, sizeof host, "%.*s", (int)(colon - both[at]), both[at]);
        well("server", memcached_server_add(mc, host, (in_port_t)atoi(colon + 1)));
    }
    return mc;
}

static memcached_return_t set(memcached_st *mc, const char *key, const char *value, time_t expiry)
{
    return memcached_set(mc, key, strlen(key), value, strlen(value), expiry, 42);
}

/* Writes what is stored under a key. */
static void get(memcached_st *mc, const char *name, const char *key)
{
    size_t length = 0;
    uint32_t flags = 0;
    memcached_return_t rc;
    char *value = memcached_get(mc, key, strlen(key), &length, &flags, &rc);
    if (rc == MEMCACHED_SUCCESS) {
        printf("%s: %zu bytes, flags %u: %.60s\n", name, length, flags, value ? value : "");
    } else {
        say(name, rc);
    }
    free(value);
}

static uint64_t cas_of(memcached_st *mc, const char *key)
{
    const char *keys[] = { key };
    size_t lengths[] = { strlen(key) };
    memcached_return_t rc = memcached_mget(mc, keys, lengths, 1);
    uint64_t cas = 0;
    well("gets", rc);
    memcached_result_st *result;
    while ((result = memcached_fetch_result(mc, NULL, &rc))) {
        cas = memcached_result_cas(result);
        printf("gets: %.*s, cas: %s\n", (int)memcached_result_length(result),
               memcached_result_value(result), cas ? "some" : "none");
        memcached_result_free(result);
    }
    return cas;
}

static memcached_return_t cas(memcached_st *mc, const char *key, const char *value, uint64_t unique)
{
    return memcached_cas(mc, key, strlen(key), value, strlen(value), 0, 0, unique);
}

static void store(memcached_st *mc)
{
    well("set", set(mc, "hello", "world", 0));
    get(mc, "get", "hello");
    get(mc, "get nothing", "nothing");
    badly("add there", memcached_add(mc, "hello", 5, "again", 5, 0, 0));
    well("add", memcached_add(mc, "added", 5, "new", 3, 0, 7));
    badly("replace nothing", memcached_replace(mc, "nothing", 7, "x", 1, 0, 0));
    well("replace", memcached_replace(mc, "added", 5, "newer", 5, 0, 8));
    well("append", memcached_append(mc, "added", 5, "+", 1, 0, 9));
    well("prepend", memcached_prepend(mc, "added", 5, "-", 1, 0, 9));
    badly("append to nothing", memcached_append(mc, "nothing", 7, "x", 1, 0, 0));
    get(mc, "joined", "added");
    uint64_t unique = cas_of(mc, "hello");
    well("cas", cas(mc, "hello", "swapped", unique));
    badly("cas stale", cas(mc, "hello", "never", unique));
    badly("cas nothing", cas(mc, "nothing", "x", unique));
    well("exist", memcached_exist(mc, "hello", 5));
    badly("exist nothing", memcached_exist(mc, "nothing", 7));
    well("delete", memcached_delete(mc, "added", 5, 0));
    badly("delete nothing", memcached_delete(mc, "added", 5, 0));
}

static void count(memcached_st *mc, bool binary)
{
    uint64_t value = 0;
    well("number", set(mc, "number", "10", 0));
    well("incr", memcached_increment(mc, "number", 6, 5, &value));
    printf("incr to %llu\n", (unsigned long long)value);
    well("decr", memcached_decrement(mc, "number", 6, 1, &value));
    printf("decr to %llu\n", (unsigned long long)value);
    well("decr below zero", memcached_decrement(mc, "number", 6, 100, &value));
    printf("decr to %llu\n", (unsigned long long)value);
    badly("incr nothing", memcached_increment(mc, "nothing", 7, 1, &value));
    if (binary) {
        well("initial", memcached_increment_with_initial(mc, "new", 3, 5, 77, 100, &value));
        printf("initial %llu\n", (unsigned long long)value);
        well("and again", memcached_increment_with_initial(mc, "new", 3, 5, 77, 100, &value));
        printf("and again %llu\n", (unsigned long long)value);
        badly("initial refused", memcached_decrement_with_initial(
            mc, "none", 4, 5, 77, MEMCACHED_EXPIRATION_NOT_ADD, &value));
    }
}

static void items(memcached_st *mc)
{
    well("short", set(mc, "short", "lived", 2));
    well("long", set(mc, "long", "lived", 2));
    well("touch", memcached_touch(mc, "long", 4, 100));
    badly("touch nothing", memcached_touch(mc, "nothing", 7, 100));
    get(mc, "short before", "short");
    usleep(3100 * 1000);
    get(mc, "short after", "short");
    get(mc, "long after", "long");
    well("empty set", set(mc, "empty", "", 0));
    get(mc, "empty", "empty");
}

static void big_values(memcached_st *mc)
{
    char *big = malloc(TOO_BIG);
    for (int at = 0; at < TOO_BIG; at++) {
        big[at] = (char)(33 + (at % 7919 + at / 251) % 90);
    }
    well("nearly 1 MiB set", memcached_set(mc, "big", 3, big, BIG, 0, 0));
    size_t length = 0;
    uint32_t flags = 0;
    memcached_return_t rc;
    char *found = memcached_get(mc, "big", 3, &length, &flags, &rc);
    printf("nearly 1 MiB: %s\n", found && length == BIG && !memcmp(found, big, BIG) ? "it" : "no");
    free(found);
    badly("over 1 MiB", memcached_set(mc, "big", 3, big, TOO_BIG, 0, 0));
    free(big);
}

static void limits(memcached_st *mc, const char *where, bool binary)
{
    char key[252];
    memset(key, 'k', sizeof key);
    key[250] = 0;
    well("key of 250", set(mc, key, "long key", 0));
    get(mc, "key of 250 back", key);
    key[250] = 'k';
    key[251] = 0;
    badly("key of 251", set(mc, key, "x", 0));
    well("unicode", set(mc, "schl\xc3\xbcssel", "\xe2\x82\xac", 0));
    well("unicode is there", memcached_exist(mc, "schl\xc3\xbcssel", 10));
    if (binary) {
        well("binary key", memcached_set(mc, "a b\r\n\0\xff", 7, "x", 1, 0, 0));
        well("binary key is there", memcached_exist(mc, "a b\r\n\0\xff", 7));
    }
    /* libmemcached gives up a server that refuses a value, for a while. */
    memcached_st *other = connect_to(where, NULL, binary);
    big_values(other);
    memcached_free(other);
    get(mc, "the old one has gone", "big");
    memcached_st *third = connect_to(where, NULL, binary);
    uint64_t value;
    well("word", set(third, "word", "abc", 0));
    badly("incr of a word", memcached_increment(third, "word", 4, 1, &value));
    memcached_free(third);
}

/* How many of a hundred keys that begin with `prefix` are there, and how long their values are. */
static void found(memcached_st *mc, const char *name, const char *prefix)
{
    char texts[MANY][32];
    const char *keys[MANY];
    size_t lengths[MANY];
    int hits = 0;
    size_t bytes = 0;
    for (int at = 0; at < MANY; at++) {
        lengths[at] = (size_t)snprintf(texts[at], sizeof texts[at], "%s%d", prefix, at);
        keys[at] = texts[at];
    }
    memcached_return_t rc = memcached_mget(mc, keys, lengths, MANY);
    well(name, rc);
    memcached_result_st *result;
    while ((result = memcached_fetch_result(mc, NULL, &rc))) {
        hits++;
        bytes += memcached_result_length(result);
        memcached_result_free(result);
    }
    printf("%s: %d, %zu bytes\n", name, hits, bytes);
}

static void fill(memcached_st *mc, const char *name, const char *prefix)
{
    memcached_return_t worst = MEMCACHED_SUCCESS;
    for (int at = 0; at < MANY; at++) {
        char key[32], value[32];
        snprintf(key, sizeof key, "%s%d", prefix, at);
        snprintf(value, sizeof value, "value of %d", at);
        memcached_return_t rc = set(mc, key, value, 0);
        worst = memcached_failed(rc) ? rc : worst;
    }
    well(name, worst);
}

/* The ways libmemcached has of not waiting for answers. */
static void hurry(const char *where, bool binary)
{
    static const struct {
        const char *name;
        memcached_behavior_t behavior;
    } ways[] = {
        { "buffered", MEMCACHED_BEHAVIOR_BUFFER_REQUESTS },
        { "noreply", MEMCACHED_BEHAVIOR_NOREPLY },
        { "noblock", MEMCACHED_BEHAVIOR_NO_BLOCK },
        { "nodelay", MEMCACHED_BEHAVIOR_TCP_NODELAY },
    };
    for (size_t at = 0; at < sizeof ways / sizeof *ways; at++) {
        memcached_st *mc = connect_to(where, NULL, binary);
        memcached_behavior_set(mc, ways[at].behavior, 1);
        fill(mc, ways[at].name, ways[at].name);
        memcached_flush_buffers(mc);
        found(mc, ways[at].name, ways[at].name);
        memcached_free(mc);
    }
}

static void statistics(memcached_st *mc)
{
    static const char *wanted[] = { "pid", "uptime", "version", "curr_items", "cmd_get", "bytes" };
    memcached_return_t rc;
    memcached_stat_st *stats = memcached_stat(mc, NULL, &rc);
    well("stats", rc);
    for (size_t at = 0; stats && at < sizeof wanted / sizeof *wanted; at++) {
        char *value = memcached_stat_get_value(mc, stats, wanted[at], &rc);
        well(wanted[at], rc);
        free(value);
    }
    memcached_stat_free(mc, stats);
    well("version", memcached_version(mc));
    printf("version: %d.%d\n",
           memcached_server_major_version(memcached_server_instance_by_position(mc, 0)),
           memcached_server_minor_version(memcached_server_instance_by_position(mc, 0)));
}

static void one(const char *where, bool binary)
{
    memcached_st *mc = connect_to(where, NULL, binary);
    store(mc);
    count(mc, binary);
    items(mc);
    limits(mc, where, binary);
    fill(mc, "many set", "many");
    found(mc, "many", "many");
    hurry(where, binary);
    memcached_free(mc);

    mc = connect_to(where, NULL, binary);
    get(mc, "before a cut", "hello");
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_RETRY_TIMEOUT, 0);
    order("cut");
    memcached_return_t rc = MEMCACHED_FAILURE;
    for (int tries = 0; tries < TRIES && memcached_failed(rc); tries++) {
        usleep(50 * 1000);
        rc = memcached_exist(mc, "hello", 5);
    }
    well("after a cut", rc);
    memcached_free(mc);

    mc = connect_to(where, NULL, binary);
    statistics(mc);
    well("flush later", memcached_flush(mc, 100));
    get(mc, "still there", "hello");
    well("flush", memcached_flush(mc, 0));
    get(mc, "gone", "hello");
    well("set again", set(mc, "hello", "again", 0));
    get(mc, "again", "hello");
    memcached_quit(mc);
    get(mc, "after a quit", "hello");
    memcached_free(mc);
}

static void nodes(const char *where, const char *other)
{
    static const memcached_server_distribution_t ways[] = {
        MEMCACHED_DISTRIBUTION_MODULA,
        MEMCACHED_DISTRIBUTION_CONSISTENT,
        MEMCACHED_DISTRIBUTION_CONSISTENT_KETAMA,
    };
    for (size_t at = 0; at < sizeof ways / sizeof *ways; at++) {
        char prefix[16];
        int shares = 0;
        snprintf(prefix, sizeof prefix, "way%zu-", at);
        memcached_st *mc = connect_to(where, other, at == 1);
        memcached_behavior_set_distribution(mc, ways[at]);
        fill(mc, "set on two", prefix);
        found(mc, "found on two", prefix);
        for (int side = 0; side < 2; side++) {
            memcached_st *single = connect_to(side ? other : where, NULL, false);
            for (int n = 0; n < MANY; n++) {
                char key[32];
                snprintf(key, sizeof key, "%s%d", prefix, n);
                if (memcached_success(memcached_exist(single, key, strlen(key)))) {
                    shares |= 1 << side;
                }
            }
            memcached_free(single);
        }
        printf("both have a share: %s\n", shares == 3 ? "yes" : "no");
        memcached_free(mc);
    }
}

static void pair(const char *here, const char *there)
{
    for (int binary = 0; binary < 2; binary++) {
        memcached_st *left = connect_to(here, NULL, binary);
        memcached_st *right = connect_to(there, NULL, binary);
        fill(left, "set here", "key");
        order("settle");
        found(right, "read there", "key");
        uint64_t unique = cas_of(left, "key7");
        well("cas there", cas(right, "key7", "swapped", unique));
        well("delete there", memcached_delete(right, "key8", 4, 0));
        order("settle");
        get(left, "read here", "key7");
        get(left, "deleted here", "key8");
        badly("stale here", cas(left, "key7", "never", unique));
        well("flush there", memcached_flush(right, 0));
        well("last there", set(right, "last", "word", 0));
        order("settle");
        found(left, "gone here", "key");
        get(left, "last here", "last");
        memcached_free(left);
        memcached_free(right);
    }
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && !strcmp(argv[1], "text")) {
        one(argv[2], false);
    } else if (argc == 3 && (!strcmp(argv[1], "binary") || !strcmp(argv[1], "user"))) {
        one(argv[2], true);
    } else if (argc == 4 && !strcmp(argv[1], "nodes")) {
        nodes(argv[2], argv[3]);
    } else if (argc == 4 && !strcmp(argv[1], "pair")) {
        pair(argv[2], argv[3]);
    } else {
        return 64;
    }
    puts("end");
    return 0;
}
