/* The scan kernel without Python: JSON lines in, counters and questions out.
 *
 *   tables.c    the packed automata, validated once
 *   walk.h      one line: strict JSON -> paths, values, what is to be nominated (compiled twice: scalar, AVX2)
 *   text.h      inside one JSON string: its end, its escapes, its UTF-8, its shape
 *   paths.c     (parent, key) -> number
 *   nominate.c  values -> masks: which rules may match
 *   known.c     values that came lately: they need no masks
 *   memo.c      (bytes, context) -> what was decided
 *   hot.c       values that are judged alike; fingerprints
 *   counters.c  (event type, path, type) -> events, per line, and distinct values
 *   sketch.c    how many distinct values
 *   kernel.c    the loop over lines
 *   module.c    Python
 *
 * Every function that can fail returns a `status`; a negative one ends the scan and poisons the kernel.
 */
#ifndef SCANNER_KERNEL_CORE_H
#define SCANNER_KERNEL_CORE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the packed tables are little-endian; without this extension the reference engine is used"
#endif
#if !defined(__SIZEOF_INT128__)
#error "needs a 64-bit compiler with __int128; without this extension the reference engine is used"
#endif
#if defined(__x86_64__)
#define KERNEL_HAS_AVX2_WALK 1
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

typedef enum {
    STATUS_OK = 0,
    STATUS_REFUSED = 1, /* this line is not for us: to the reference, whole */
    STATUS_NO_MEMORY = -1,
    STATUS_CALLBACK = -2, /* a callback failed and has said why */
} status;

enum {
    MAX_DEPTH = 48,
    MAX_KEY = 1024,           /* bytes of a decoded key; lines with a longer one are refused */
    MAX_MEMO_VALUE = 4096,    /* longer values are decided each time: nothing of them is kept */
    MAX_EVENT_TYPE = 4096,    /* bytes; lines with a longer event type are refused */
    MAX_MASK_WORDS = 8,
    MAX_PATHS = 1 << 19,
    MAX_EVENT_TYPES = 4096,   /* lines of further ones are refused */
    BATCH = 512,              /* values that wait for their masks */
    LINE_SLACK = 64,          /* readable bytes behind every scratch text */
};

/* ---- packed automata ---------------------------------------------------------------------------------------- */

typedef struct {
    u16 *table;   /* rows of 1 << shift; in main's, what the state says, then as everywhere: the next state by byte class */
    u64 *accepts; /* masks of the states >= accept0 */
    u32 shift, accept0, start;
    u16 classes[256]; /* places in a row, those of usual bytes first: a state then is one cache line or two */
} automaton;

enum { SKIP_TIMESTAMP = 1, SKIP_UUID = 2, SKIP_SHORT = 4, SKIP_SHORT_NUMBER = 8 };
enum { MIN_PLAIN = 12 }; /* bytes from which a text without digits and signs may hold a finding: `proofs.SHAPES` */

/* Values that are judged alike, by kind; the numbers are known to scanner/hot.py */
typedef enum { HOT_NONE = -1, HOT_IPV4, HOT_TOKEN, HOT_IPV6, HOT_SHORT_IPV6, HOT_KINDS } hot_kind;

enum { MAX_BANKS = 60 };
/* What main says: four bits, and from MAIN_BANKS on a bit for each bank */
enum { MAIN_JSON = 1, MAIN_PERCENT = 2, MAIN_DIGIT = 4, MAIN_LETTER = 8, MAIN_BANKS = 4 };

typedef struct {
    automaton main, words, digits, banks[MAX_BANKS];
    u32 bank_count;
    u32 mask_words;
    u32 bare, json, percent, base64, digits_bit; /* bit positions in a mask */
    u32 skips;
    u64 in_addresses[HOT_KINDS][MAX_MASK_WORDS]; /* by hot_kind: what may match in such an address */
} tables;

/* NULL, or what is wrong with the blob */
const char *tables_read(tables *t, const u8 *blob, size_t size);
void tables_free(tables *t);

/* ---- what the kernel asks its owner ------------------------------------------------------------------------- */

typedef struct {
    u32 context; /* id of the values' context */
    int emits;   /* every value of this path is to be decided */
    u64 key;     /* low half: verdict of the key itself (0: none), high half: its token */
} lesson;

typedef struct {
    void *owner;
    /* key == NULL: an array's elements */
    int (*learn)(void *owner, u32 path, u32 parent, const u8 *key, u32 size, lesson *out);
    /* low half: verdict (0: nothing found), high half: token */
    int (*decide)(void *owner, const u8 *value, u32 size, const u64 *mask, u32 context, u64 *out);
    /* values of this kind, judged alike in this context: their verdict, or 0 */
    int (*specimen)(void *owner, u32 kind, u32 context, u32 *verdict);
    /* the value is one of the three with the smallest fingerprints so far; row: of its verdict. `value` is NULL where a
     * token names it. */
    int (*first)(void *owner, u32 event_type, u32 path, u32 verdict, u32 row, u32 token, const u8 *value, u32 size);
    int (*refuse)(void *owner, const u8 *line, size_t size);
    int (*forget)(void *owner);                                                     /* the memo was emptied */
    int (*trace)(void *owner, u64 line, u32 path, u32 verdict, u32 token);          /* may be NULL */
} questions;

/* ---- parts -------------------------------------------------------------------------------------------------- */

enum { KEY_PLAIN = 1, PATH_EMITS = 2, IS_EVENT_TYPE = 4, IS_EVENT_TIME = 8 };

typedef struct {
    u32 parent, key_at, key_size, context;
    u32 next;    /* the sibling that came after this key last time */
    u32 child;   /* the first key inside last time */
    u32 element; /* the path of an array's elements, 0 if not seen */
    u32 flags;
    u64 stamp;   /* the last line in which a value was seen */
    u64 key;     /* verdict and token of the key itself */
} path_entry;

typedef struct {
    path_entry *entries; /* entry 0 is the root */
    u32 *slots;
    u8 *keys; /* decoded keys, LINE_SLACK bytes behind the last */
    u32 count, capacity, slot_mask;
    size_t keys_used, keys_size;
} path_table;

typedef struct {
    u64 hash, result;
    u32 at, context;
    u16 size;
    u8 number;
} memo_entry;

typedef struct {
    u64 *slots; /* upper half of the hash, index + 1 */
    memo_entry *entries;
    u8 *bytes;
    u32 count, capacity, slot_mask;
    size_t used, size;
    int full;
} memo;

enum { WAYS = 4 };
typedef struct { u64 tag, result; } known_entry; /* tag 0: nobody */
typedef struct { known_entry ways[WAYS]; } known_set;
typedef struct { known_set *sets; } known;
typedef struct { u64 tag; u32 set; } known_place;

typedef struct {
    const u8 *text;
    u32 size, path;
    u8 number, high, emits, own; /* high: holds a byte >= 0x80; own: the text is ours, not the caller's line */
    known_place place;
} job;

typedef struct {
    const automaton *a;
    u32 job; /* number in the batch */
} run_task;

typedef struct {
    u32 path, size;
    u64 result;      /* token and verdict; of a hot value only the verdict, */
    u64 print;       /* and its fingerprint */
    const u8 *value; /* NULL: not hot */
} hit;

typedef struct {
    u32 bits[HOT_KINDS];      /* of the rules whose values they are */
    u64 luhn[MAX_MASK_WORDS]; /* the rules that match in digits only if Luhn's check digit is right */
} hot_rules;

typedef struct { u32 sub, data_type, grade, reasons, via; } verdict_row;

enum { SKETCH_EXACT = 127, SKETCH_BYTES = 1024, SHAPES = 3 };

typedef struct {
    u64 *few;      /* a hash set of `size` slots, `count` of them filled; or */
    u8 *registers; /* of HyperLogLog */
    u32 count, size;
} sketch;

typedef struct {
    u32 event_type, path, sub, data_type;
    u64 events[3]; /* per grade, possible first; an event counts at its best grade */
    u64 first, last; /* hours YYYYMMDDHH, 0: none */
    u64 stamp;
    u64 least[SHAPES]; /* the smallest fingerprints, ascending; 0: none yet */
    sketch distinct;
    u32 reasons, via, best;
} counter;

enum { PAGE = 64 };

typedef struct {
    u32 **pages;  /* event type -> path / PAGE -> page number, 0: none */
    u32 *pool;    /* page 0 is unused */
    u32 page_count, page_capacity, table_size, event_types;
    counter *entries;
    u32 *slots;
    u32 count, capacity, slot_mask;
} counters;

typedef struct {
    u8 *names; /* decoded event types, one after the other */
    u32 *ends;
    u32 *slots;
    u32 count, limit, slot_mask;
    size_t used, size;
} type_table;

typedef struct { u8 *bytes; size_t size, used; } scratch;

#define LASTING (1u << 31) /* in a token */
#define NO_TOKEN UINT32_MAX /* of a hot value, which has a fingerprint instead */

typedef struct { u64 *all; u32 count, capacity; } prints; /* a token is the place of its value's first fingerprint */

typedef struct { u64 lines, bytes, blank_lines, refused_lines, refused_bytes; } tally;

typedef struct kernel kernel;
typedef status (*walk_line)(kernel *k, const u8 *line, const u8 *end);

struct kernel {
    tables tables;
    questions ask;
    walk_line walk;
    path_table paths;
    known known;
    memo memo;
    counters counters;
    type_table types;
    u64 seed;
    u8 *event_type_key, *event_time_key;
    u32 event_type_key_size, event_time_key_size;

    const u8 *limit; /* end of the readable buffer */
    u64 line;        /* lines walked since the beginning */
    u64 stamp;       /* number of the current line, from 1; what tells "in this line" in paths and counters */

    /* the current line */
    const u8 *line_start; /* NULL between lines */
    size_t line_size;
    u32 *seen;
    u32 seen_count;
    hit *hits;
    u32 hit_count, hit_capacity;
    u32 event_type;
    u64 hour;

    /* values that wait */
    job jobs[BATCH];
    u64 *masks;
    run_task *tasks; /* room for every automaton on every job */
    u32 job_count, open_count, task_count;
    u16 open[BATCH];  /* the jobs of which nothing is known */
    u16 order[BATCH]; /* those by length */
    u64 results[BATCH];
    scratch text;    /* un-escaped values of the jobs */
    scratch key;     /* the current un-escaped key */
    scratch derived; /* percent- and base64-decoded text */

    verdict_row *rows;
    u32 *verdict_ends; /* rows of verdict v: [ends[v - 1], ends[v]) */
    u32 row_count, row_capacity, verdict_count, verdict_capacity;
    prints passing, lasting; /* of values in the memo; of keys */
    u64 print_key[2];
    hot_rules hot;
    u32 (*specimens)[HOT_KINDS];   /* by context: 0 if not asked yet, else the verdict + 1 */
    u32 specimen_count;

    tally tally;
};

typedef struct {
    u32 paths, memo, event_types;
    int simd;
    u64 seed, print_key[2];
    hot_rules hot;
    const u8 *event_type, *event_time;
    u32 event_type_size, event_time_size;
} options;

/* NULL: no memory. Takes `t` over, also then. */
kernel *kernel_new(tables *t, const questions *ask, const options *o);
void kernel_free(kernel *k);

/* [start, end) are whole lines, readable up to `limit`. Stops early, at a line's end, when the counters are full. */
status kernel_scan(kernel *k, const u8 *start, const u8 *end, const u8 *limit, u64 *lines, size_t *bytes);
/* Empties the memo; tokens of `decide` lose their meaning. */
void kernel_forget(kernel *k);
int kernel_has_avx2(void);

status paths_init(path_table *t, u32 capacity);
void paths_free(path_table *t);
/* Number of (parent, key), learned first if new. STATUS_REFUSED: no room. */
status path_of_key(kernel *k, u32 parent, const u8 *key, u32 size, int plain, u32 *out);
status path_of_elements(kernel *k, u32 parent, u32 *out);

status known_init(known *t);
void known_free(known *t);
void known_clear(known *t);
/* Where the value would be, on its way to the cache */
known_place known_place_of(const known *t, u64 seed, const u8 *value, u32 size, u32 context, u32 number);
int known_find(known *t, known_place at, u64 *result);
/* The value is not there, unless its result may be another now */
void known_add(known *t, known_place at, u64 result);

status memo_init(memo *m, u32 capacity);
void memo_free(memo *m);
void memo_clear(memo *m);
u64 memo_hash(u64 seed, const u8 *value, u32 size, u32 context, u32 number);
const memo_entry *memo_find(const memo *m, u64 hash, const u8 *value, u32 size, u32 context, u32 number);
void memo_add(memo *m, u64 hash, const u8 *value, u32 size, u32 context, u32 number, u64 result);

/* Masks of all waiting values, then memo or `decide`; findings become hits of the current line. */
status nominate_batch(kernel *k);
/* The mask of one text without skips; `derived` is working space. `emits`: nothing is cleared. */
status nominate_text(const tables *t, scratch *derived, const u8 *text, size_t size, int emits, u64 *mask);

status counters_init(counters *c, u32 paths, u32 event_types);
void counters_free(counters *c);
void counters_clear(counters *c);
int counters_full(const counters *c);
status count_line(kernel *k);
/* id >= 1, or 0: no memory */
u32 verdict_add(kernel *k, const verdict_row *rows, u32 count);
/* A value with that verdict and a fingerprint for each of its rows: its token. `lasting`: past `forget`, too. */
status value_add(kernel *k, u32 verdict, const u64 *fingerprints, int lasting, u32 *token);

/* Is a result (a token and its verdict, or 0) one that was given out, and not forgotten? */
int value_is_known(const kernel *k, u64 result);

status sketch_add(sketch *s, u64 print);
void sketch_clear(sketch *s);
/* As scanner/sketch.py writes it; the number of bytes. */
u32 sketch_bytes(const sketch *s, u8 out[SKETCH_BYTES]);

status types_init(type_table *t, u32 limit);
void types_free(type_table *t);
/* Number of the event type, given one if it is new. STATUS_REFUSED: no room, or too long. */
status type_of(type_table *t, u64 seed, const u8 *name, u32 size, u32 *out);

/* Is the text one of these? */
int hot_is(hot_kind kind, const u8 *text, size_t size);
/* The verdict of a hot value, or 0: the value is none. Clears of the mask what cannot be in such a value. */
status hot_verdict(kernel *k, const job *j, u64 *mask, u32 *verdict);
/* Keyed, never 0 */
u64 fingerprint(const u64 key[2], const u8 *p, size_t size);

status hit_add(kernel *k, hit h);
status scratch_reserve(scratch *s, size_t size);

#if KERNEL_HAS_AVX2_WALK
status walk_line_avx2(kernel *k, const u8 *line, const u8 *end);
#endif
status walk_line_scalar(kernel *k, const u8 *line, const u8 *end);

/* ---- small things --------------------------------------------------------------------------------------------- */

static inline u64 load64(const u8 *p) {
    u64 x;
    __builtin_memcpy(&x, p, 8);
    return x;
}

static inline u64 mix(u64 a, u64 b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (u64)product ^ (u64)(product >> 64);
}

/* Seeded, so that nobody can prepare keys that collide. */
static inline u64 hash_bytes(u64 seed, const u8 *p, size_t n) {
    u64 h = seed ^ (n * 0x9E3779B97F4A7C15ull);
    for (; n > 8; p += 8, n -= 8) h = mix(h ^ load64(p), seed ^ 0xA0761D6478BD642Full);
    u64 tail = 0;
    __builtin_memcpy(&tail, p, n);
    return mix(h ^ tail, seed ^ 0xE7037ED1A0B428DBull);
}

static inline u32 power_of_two(u64 at_least) {
    u32 n = 8;
    while (n < at_least) n <<= 1;
    return n;
}

#endif
