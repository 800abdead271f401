/* A coverage-guided fuzzer for the kernel's core: fuzz_kernel TABLES SECONDS SEED [SEED_FILE...]
 *
 * The core is compiled with -fsanitize=address,undefined and -fsanitize-coverage=trace-pc; this file without the latter.
 * An input that reaches a new edge, or an edge a new number of times, joins the corpus. Each input goes through two
 * kernels with small tables, scalar in one piece and AVX2 line by line, which must tell the same story: same questions,
 * same refusals, same counts and sketches. Whatever is told as one of the smallest is checked. The kernels live on over
 * many inputs, so that full tables and memos are tried too. All is decided by SEED; an input alone is not enough to
 * repeat a fault, since the kernels remember. */
#include "../../scanner/kernel/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EDGES = 1 << 16, CORPUS = 4096, INPUT = 4096, LIVES = 500, TAKEN = 300 };

/* ---- coverage ------------------------------------------------------------------------------------------------- */

static u8 edges[EDGES], seen_edges[EDGES];
static u32 previous;

void __sanitizer_cov_trace_pc(void) {
    u32 here = (u32)((uintptr_t)__builtin_return_address(0) * 0x9E3779B1u >> 8);
    edges[(here ^ previous) % EDGES]++;
    previous = here >> 1;
}

/* Eight kinds of "how often", one bit each */
static u8 often(u8 count) {
    return count == 0 ? 0 : count < 4 ? (u8)(1 << (count - 1)) : count < 8 ? 8 : count < 16 ? 16 : count < 32 ? 32 : count < 128 ? 64 : 128;
}

static u32 news(void) {
    u32 found = 0;
    for (u32 i = 0; i < EDGES; i++) {
        if (i % 8 == 0 && !load64(edges + i)) {
            i += 7;
            continue;
        }
        u8 bits = often(edges[i]);
        found += (bits & ~seen_edges[i]) != 0;
        seen_edges[i] |= bits;
    }
    return found;
}

static u32 reached(void) {
    u32 count = 0;
    for (u32 i = 0; i < EDGES; i++) count += seen_edges[i] != 0;
    return count;
}

/* ---- chance --------------------------------------------------------------------------------------------------- */

static u64 state;

static u32 chance(u32 below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (u32)(state >> 33) % below;
}

typedef struct { u8 *bytes; u32 size; } input;

static input corpus[CORPUS];
static u32 corpus_size;

static void add_input(const u8 *bytes, u32 size) {
    u32 at = corpus_size < CORPUS ? corpus_size++ : chance(CORPUS);
    free(corpus[at].bytes);
    corpus[at].bytes = malloc(size + 1);
    memcpy(corpus[at].bytes, bytes, size);
    corpus[at].size = size;
}

static const char *const tokens[] = {
    "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "\\ud83d", "\\ude00", "\\u0000", "\\n", "\\/", "null", "true", "false", "NaN",
    "Infinity", "-Infinity", "-0", "1e5", "1.5", "123456789", "\n", "\r\n", " ", "\t", "{\"", "\":\"", "\",\"", "\"}\n", "[[[[[[[[",
    "\"event_type\":\"", "\"event_time\":\"2024-03-01 05", "2024-03-01 00:53:59.376326", "0f3a9c55-7a1b-4c2d-8e9f-001122334455",
    "@", "%40", "%C3%A9", "%ff", "phone 1234", "pw=", "YWxpY2VAZXhhbXBsZS5jb20", "aGVsbG8td29ybGQtQWxpY2U=", "-_Ab", "+/Ab",
    "203.0.113.77", "8.8.8.80", "2001:db8::1", "1:2:3:4:5:6:7:8", "9774d56d682e549c", "4677979049691420", "4677979049691421",
    "\xEF\xBC\xA0", "\xEF\xBD\x8F", "\xC3\xA9", "\xF0\x9F\x98\x80", "\xED\xA0\x80", "\xEF\xBB\xBF", "\x7F", "\xF4\x90\x80\x80",
};

static u32 insert(u8 *bytes, u32 size, u32 at, const u8 *what, u32 count) {
    if (size + count > INPUT) return size;
    memmove(bytes + at + count, bytes + at, size - at);
    memcpy(bytes + at, what, count);
    return size + count;
}

static u32 mutate(u8 *bytes, u32 size) {
    u32 at = chance(size + 1);
    const input *other = &corpus[chance(corpus_size)];
    switch (chance(7)) {
    case 0:
        if (at < size) bytes[at] ^= (u8)(1 << chance(8));
        return size;
    case 1:
        if (at < size) bytes[at] = (u8)chance(256);
        return size;
    case 2: { /* cut something out */
        u32 count = chance(size - at < 40 ? size - at + 1 : 40);
        memmove(bytes + at, bytes + at + count, size - at - count);
        return size - count;
    }
    case 3: { /* repeat something */
        u8 piece[64];
        u32 count = chance(size - at < 64 ? size - at + 1 : 64);
        memcpy(piece, bytes + at, count);
        return insert(bytes, size, chance(size + 1), piece, count);
    }
    case 4: { /* from another input */
        u32 from = chance(other->size + 1), left = other->size - from;
        return insert(bytes, size, at, other->bytes + from, chance(left < 200 ? left + 1 : 200));
    }
    default: {
        const char *token = tokens[chance(sizeof tokens / sizeof *tokens)];
        return insert(bytes, size, at, (const u8 *)token, (u32)strlen(token));
    }
    }
}

static u32 new_input(u8 *bytes) {
    const input *from = &corpus[chance(corpus_size)];
    u32 size = from->size;
    memcpy(bytes, from->bytes, size);
    for (u32 times = 1u << chance(5); times; times--) size = mutate(bytes, size);
    if (!size || bytes[size - 1] != '\n') size = insert(bytes, size == INPUT ? size - 1 : size, size == INPUT ? size - 1 : size, (const u8 *)"\n", 1);
    return size;
}

/* ---- two kernels that must agree ------------------------------------------------------------------------------ */

typedef struct { kernel *k; u64 story; int failed, wrong; } teller;

static void tell(teller *t, u64 what, const u8 *bytes, size_t size) { t->story = mix(t->story ^ what, hash_bytes(7, bytes, size) | 1); }

/* Verdicts: three of few rows; and one of so many that a sketch becomes registers and the counters grow */
enum { KEYS_VERDICT = 1, LONG_VERDICT = 4, ROWS = 400 };

/* Of a value's row; many values have the same, and some are very small or large */
static u64 print_of(u64 hash, u32 row) {
    u64 print = hash % 3 ? mix(hash + row, 0x9E3779B97F4A7C15ull) : (hash + row) % 200 << hash % 57;
    return print ? print : 1;
}

static int give_value(teller *t, u32 verdict, u64 hash, int lasting, u64 *out) {
    u64 prints[ROWS];
    u32 token;
    for (u32 row = 0; row < ROWS; row++) prints[row] = print_of(hash, row);
    if (value_add(t->k, verdict, prints, lasting, &token)) return -1;
    *out = (u64)token << 32 | verdict;
    if (!value_is_known(t->k, *out)) t->wrong = 1;
    return 0;
}

static int on_learn(void *owner, u32 path, u32 parent, const u8 *key, u32 size, lesson *out) {
    teller *t = owner;
    tell(t, (u64)path << 32 | parent, key ? key : (const u8 *)"", key ? size : 0);
    *out = (lesson){.context = path, .emits = path % 3 == 0};
    return path % 7 == 0 && give_value(t, KEYS_VERDICT, path, 1, &out->key);
}

static int on_decide(void *owner, const u8 *value, u32 size, const u64 *mask, u32 context, u64 *out) {
    teller *t = owner;
    tell(t, mask[0] ^ context, value, size);
    u64 hash = hash_bytes(3, value, size);
    *out = 0;
    if (hash % 5000 == 0) return -1; /* now and then a callback fails */
    return hash % 4 && give_value(t, hash % 8 == 1 ? LONG_VERDICT : 1 + hash % 3, hash, 0, out);
}

static int on_specimen(void *owner, u32 kind, u32 context, u32 *verdict) {
    u32 asked[] = {kind, context};
    tell(owner, 14, (const u8 *)asked, sizeof asked);
    *verdict = (kind + context) % LONG_VERDICT; /* 0: they are not judged alike */
    return 0;
}

/* Is the fingerprint of what is told among the smallest of its counter, which are in order? */
static int is_among_the_least(const kernel *k, u32 event_type, u32 path, u32 verdict, u32 row, u64 print) {
    const verdict_row *r = &k->rows[k->verdict_ends[verdict - 1] + row];
    for (u32 i = 0; i < k->counters.count; i++) {
        const counter *c = &k->counters.entries[i];
        if (c->event_type != event_type || c->path != path || c->sub != r->sub || c->data_type != r->data_type) continue;
        int found = 0;
        for (u32 place = 0; place < SHAPES; place++) {
            found |= c->least[place] == print;
            if (place && c->least[place] && c->least[place - 1] >= c->least[place]) return 0;
        }
        return found;
    }
    return 0;
}

static int on_first(void *owner, u32 event_type, u32 path, u32 verdict, u32 row, u32 token, const u8 *value, u32 size) {
    teller *t = owner;
    const kernel *k = t->k;
    u64 told[] = {event_type, path, verdict, row, token}, print;
    tell(t, 11, (const u8 *)told, sizeof told);
    if (value) tell(t, 15, value, size);
    const prints *p = token & LASTING ? &k->lasting : &k->passing;
    print = value ? fingerprint(k->print_key, value, size) : p->all[(token & ~LASTING) + row];
    if (!is_among_the_least(k, event_type, path, verdict, row, print)) t->wrong = 1;
    if (token & LASTING && print != print_of(path, row)) t->wrong = 1; /* a key's: it was not forgotten */
    return 0;
}

static int on_refuse(void *owner, const u8 *line, size_t size) {
    tell(owner, 12, line, size);
    return 0;
}

static int on_forget(void *owner) {
    tell(owner, 13, (const u8 *)"", 0);
    return 0;
}

static int on_trace(void *owner, u64 line, u32 path, u32 verdict, u32 token) {
    u64 told[] = {path, verdict, token};
    (void)line;
    tell(owner, 16, (const u8 *)told, sizeof told);
    return 0;
}

static kernel *new_kernel(teller *t, const u8 *blob, size_t size, int simd) {
    static const u8 type[] = "event_type", time[] = "event_time";
    enum { DIGITS_RULE = 1, ADDRESS_RULE = 3, TOKEN_RULE = 60 }; /* of tests/fakes/packed.py */
    questions ask = {t, on_learn, on_decide, on_specimen, on_first, on_refuse, on_forget, on_trace};
    options o = {.paths = 60, .memo = 40, .event_types = 6, .simd = simd, .seed = 5, .print_key = {3, 4},
                 .hot = {{ADDRESS_RULE, TOKEN_RULE, ADDRESS_RULE, ADDRESS_RULE}, {1 << DIGITS_RULE}},
                 .event_type = type, .event_time = time, .event_type_size = 10, .event_time_size = 10};
    tables packed;
    if (tables_read(&packed, blob, size)) return NULL;
    kernel *k = kernel_new(&packed, &ask, &o);
    if (!k) abort();
    verdict_row few[] = {{0, 1, 1, 1, 0}, {0, 1, 3, 2, 0}, {2, 2, 2, 4, 1}}, many[ROWS];
    for (u32 i = 0; i < ROWS; i++) many[i] = (verdict_row){3, i < 200 ? 3 : i, 1 + i % 3, i, 0};
    for (u32 i = 0; i < 3; i++) verdict_add(k, few + i, 3 - i);
    verdict_add(k, many, ROWS);
    return k;
}

static void start(teller *t, const u8 *blob, size_t size, int simd) {
    kernel_free(t->k);
    *t = (teller){0};
    t->k = new_kernel(t, blob, size, simd);
}

static status scan(teller *t, const u8 *bytes, const u8 *end) {
    u64 lines;
    size_t done;
    return kernel_scan(t->k, bytes, end, end, &lines, &done);
}

static status scan_by_line(teller *t, const u8 *bytes, const u8 *end) {
    status s = STATUS_OK;
    for (const u8 *p = bytes, *e; p < end && !s; p = e) {
        e = (const u8 *)memchr(p, '\n', (size_t)(end - p)) + 1;
        s = scan(t, p, e);
    }
    return s;
}

static u64 counts(teller *t) {
    const kernel *k = t->k;
    u64 story = hash_bytes(1, (const u8 *)&k->tally, sizeof k->tally);
    for (u32 i = 0; i < k->counters.count; i++) {
        const counter *c = &k->counters.entries[i];
        u64 said[] = {c->event_type, c->path, c->sub, c->data_type, c->events[0], c->events[1], c->events[2], c->first, c->last, c->reasons, c->via};
        story = mix(story, hash_bytes(2, (const u8 *)said, sizeof said) | 1);
        u8 distinct[SKETCH_BYTES];
        u64 least = hash_bytes(6, (const u8 *)c->least, sizeof c->least);
        story = mix(story, hash_bytes(least, distinct, sketch_bytes(&c->distinct, distinct)) | 1);
    }
    return story ^ hash_bytes(4, (const u8 *)k->counters.pool, (size_t)k->counters.page_count * PAGE * 4);
}

static void show(const u8 *bytes, u32 size) {
    for (u32 i = 0; i < size; i++) fprintf(stderr, "\\x%02x", bytes[i]);
    fprintf(stderr, "\n");
}

static int agree(teller *scalar, teller *simd, const u8 *bytes, u32 size) {
    u8 *exact = malloc(size); /* so that one byte too far is noticed */
    memcpy(exact, bytes, size);
    status a = scan(scalar, exact, exact + size), b = scan_by_line(simd, exact, exact + size);
    free(exact);
    scalar->failed = a != STATUS_OK;
    int wrong = scalar->wrong || simd->wrong;
    if (!wrong && a == b && scalar->story == simd->story && counts(scalar) == counts(simd)) return 1;
    fprintf(stderr, wrong ? "a value is told that is none of the smallest\n" : "the two walks differ: %d %d\n", a, b);
    show(bytes, size);
    return 0;
}

/* A text by itself, as `mask` and `is_hot` are given one */
static int agree_on_text(const kernel *k, const u8 *bytes, u32 size) {
    static scratch derived;
    u64 once[MAX_MASK_WORDS] = {0}, again[MAX_MASK_WORDS] = {0};
    u8 *exact = malloc(size);
    memcpy(exact, bytes, size);
    u32 kinds = 0;
    for (u32 kind = 0; kind < HOT_KINDS; kind++) kinds += (u32)hot_is((hot_kind)kind, exact, size);
    status a = nominate_text(&k->tables, &derived, exact, size, 1, once), b = nominate_text(&k->tables, &derived, exact, size, 0, again);
    free(exact);
    if (a == STATUS_OK && b == STATUS_OK && kinds < 2 && !(again[0] & ~once[0])) return 1;
    fprintf(stderr, "a text is of two kinds, or says less where all is asked\n");
    show(bytes, size);
    return 0;
}

static const char first_line[] = "{\"event_type\":\"e\",\"event_time\":\"2024-03-01 05:53\",\"a\":[\"203.0.113.77\",\"2001:db8::1\","
    "\"1:2:3:4:5:6:7:8\",\"9774d56d682e549c\",4677979049691421,\"x@y\",1.5,{\"b\":\"\\u00e9\"}]}\n";

/* Two new kernels; they know the paths of the first line before others have filled their tables. */
static int start_both(teller *scalar, teller *simd, const u8 *blob, size_t size) {
    start(scalar, blob, size, 0);
    start(simd, blob, size, 1);
    return agree(scalar, simd, (const u8 *)first_line, sizeof first_line - 1);
}

/* ---- the loop ------------------------------------------------------------------------------------------------- */

static u8 *read_file(const char *name, size_t *size) {
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror("cannot read");
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    u8 *bytes = malloc(*size + 1);
    if (fread(bytes, 1, *size, file) != *size) exit(2);
    fclose(file);
    return bytes;
}

static void read_seeds(char **names, int count) {
    add_input((const u8 *)first_line, sizeof first_line - 1);
    u8 line[INPUT]; /* long texts, the longest first */
    u32 used = 0;
    for (int size = 600; size > 150; size -= 150)
        used += (u32)sprintf((char *)line + used, "%s\"%0*d@\"", used ? "," : "[", size, size);
    used += (u32)sprintf((char *)line + used, "]\n");
    add_input(line, used);
    for (int i = 0; i < count; i++) {
        size_t size;
        u8 *bytes = read_file(names[i], &size);
        for (const u8 *p = bytes, *end = bytes + size, *e; p < end; p = e) {
            e = memchr(p, '\n', (size_t)(end - p));
            e = e ? e + 1 : end;
            if (e - p < INPUT) add_input(p, (u32)(e - p));
        }
        free(bytes);
    }
}

/* Damaged tables are refused, or run without harm. */
static void try_damaged_tables(const u8 *blob, size_t size, const u8 *bytes, u32 input_size) {
    u8 *damaged = malloc(size);
    memcpy(damaged, blob, size);
    for (u32 times = 1 + chance(4); times; times--) damaged[chance(chance(2) ? 400 : (u32)size)] = (u8)chance(256);
    teller t = {0};
    start(&t, damaged, chance(8) ? size : chance((u32)size), (int)chance(2));
    if (t.k) scan(&t, bytes, bytes + input_size);
    kernel_free(t.k);
    free(damaged);
}

int main(int count, char **words) {
    if (count < 4) return 2;
    size_t size;
    u8 *blob = read_file(words[1], &size), bytes[INPUT + 1];
    time_t end = time(NULL) + atoi(words[2]);
    state = (u64)atoll(words[3]) * 0x9E3779B97F4A7C15ull | 1;
    read_seeds(words + 4, count - 4);
    teller scalar = {0}, simd = {0};
    u64 runs = 0, lives = 0;
    for (; time(NULL) < end; runs++) {
        if (!scalar.k || scalar.failed || runs % LIVES == 0) {
            if (!start_both(&scalar, &simd, blob, size)) return 1;
            lives++;
        }
        if (runs % LIVES == TAKEN) {
            counters_clear(&scalar.k->counters);
            counters_clear(&simd.k->counters);
        }
        u32 input_size = new_input(bytes);
        memset(edges, 0, sizeof edges);
        previous = 0;
        u32 from = chance(input_size), some = chance(input_size - from + 1);
        if (!agree(&scalar, &simd, bytes, input_size) || !agree_on_text(scalar.k, bytes + from, some)) return 1;
        if (news()) add_input(bytes, input_size);
        if (runs % 256 == 0) try_damaged_tables(blob, size, bytes, input_size);
    }
    kernel_free(scalar.k);
    kernel_free(simd.k);
    printf("%llu inputs, %u kept, %u edges, %llu kernels\n", (unsigned long long)runs, corpus_size, reached(), (unsigned long long)lives);
    for (u32 i = 0; i < corpus_size; i++) free(corpus[i].bytes);
    free(blob);
    return 0;
}
