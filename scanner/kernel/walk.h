/* One line: strict RFC 8259 and what Python's json takes besides (NaN, Infinity, raw control characters).
 *
 * Collects the line's seen paths, hits of its keys and values that wait for a mask. WALK_LINE is the function's name;
 * the file is compiled once for any processor and once for AVX2, so that everything below is inlined into one loop. */
#include "text.h"

#include <stdlib.h>

typedef struct {
    u32 path;    /* of the container: its own */
    u32 current; /* the last key, or the elements */
    int array;
} frame;

static inline const u8 *skip_blanks(const u8 *p, const u8 *end) {
    if (LIKELY(p < end && *p > ' ')) return p;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
    return p;
}

static inline int digit(u8 c) { return (u8)(c - '0') <= 9; }

static inline const u8 *skip_digits(const u8 *p, const u8 *end) {
    while (p < end && digit(*p)) p++;
    return p;
}

static inline int follows(const u8 *p, const u8 *end, const char *word, size_t size) {
    return (size_t)(end - p) >= size && !memcmp(p, word, size);
}

/* The end of the number that starts at p, or NULL */
static inline const u8 *number_end(const u8 *p, const u8 *end) {
    const u8 *digits;
    if (*p == '-' && ++p < end && *p == 'I') return follows(p, end, "Infinity", 8) ? p + 8 : NULL;
    if (p == end || !digit(*p)) return NULL;
    p = *p == '0' ? p + 1 : skip_digits(p, end);
    if (p < end && *p == '.') {
        digits = p + 1;
        if ((p = skip_digits(digits, end)) == digits) return NULL;
    }
    if (p < end && (*p | 0x20) == 'e') {
        digits = p + 1;
        if (digits < end && (*digits == '+' || *digits == '-')) digits++;
        if ((p = skip_digits(digits, end)) == digits) return NULL;
    }
    return p;
}

static inline void mark_seen(kernel *k, path_entry *e, u32 path) {
    if (e->stamp == k->stamp) return;
    e->stamp = k->stamp;
    k->seen[k->seen_count++] = path;
}

static inline status wait_for_mask(kernel *k, job j) {
    j.place = known_place_of(&k->known, k->seed, j.text, j.size, k->paths.entries[j.path].context, j.number);
    k->jobs[k->job_count++] = j;
    return LIKELY(k->job_count < BATCH) ? STATUS_OK : nominate_batch(k);
}

/* "YYYY-MM-DD HH", or with a T between, at the start of the text -> YYYYMMDDHH; else 0 */
static u64 hour_of(const u8 *p, size_t size) {
    static const char shape[] = "dddd-dd-dd?dd";
    u64 hour = 0;
    if (size < 13 || (p[10] != ' ' && p[10] != 'T')) return 0;
    for (u32 i = 0; i < 13; i++) {
        if (shape[i] == 'd' ? !digit(p[i]) : shape[i] == '-' && p[i] != '-') return 0;
        if (shape[i] == 'd') hour = 10 * hour + (p[i] - '0');
    }
    return hour;
}

static status tell_event(kernel *k, const path_entry *e, const u8 *text, size_t size) {
    if (e->flags & IS_EVENT_TIME) {
        k->hour = hour_of(text, size);
        return STATUS_OK;
    }
    return type_of(&k->types, k->seed, text, size > MAX_EVENT_TYPE ? MAX_EVENT_TYPE + 1 : (u32)size, &k->event_type);
}

/* A key again: what it said before in this line no longer counts, as in a dict. */
static inline void forget_event(kernel *k, u32 flags) {
    if (flags & IS_EVENT_TYPE) k->event_type = 0;
    if (flags & IS_EVENT_TIME) k->hour = 0;
}

static inline status room_for_text(kernel *k, size_t size) {
    if (LIKELY(k->text.size - k->text.used >= size + LINE_SLACK)) return STATUS_OK;
    status s = nominate_batch(k); /* the waiting values' texts may move only when nobody waits */
    return s ? s : scratch_reserve(&k->text, size + LINE_SLACK);
}

static inline int skipped(const kernel *k, const u8 *text, u32 size, u32 features) {
    u32 skips = k->tables.skips;
    if (features & HAS_ESCAPE) return 0;
    if (size < MIN_PLAIN) return !features && skips & SKIP_SHORT;
    return (size == 26 && skips & SKIP_TIMESTAMP && is_timestamp(text, size, k->limit)) ||
           (size == 36 && skips & SKIP_UUID && is_uuid(text, size, k->limit));
}

static inline status string_value(kernel *k, u32 path, const u8 *text, const u8 *end, u32 features) {
    path_entry *e = &k->paths.entries[path];
    if (UNLIKELY(features & HAS_HIGH) && !utf8_valid(text, end)) return STATUS_REFUSED;
    size_t size = (size_t)(end - text);
    u32 high = features & HAS_HIGH;
    if (UNLIKELY(features & HAS_ESCAPE)) {
        status s = room_for_text(k, size);
        if (s) return s;
        u8 *out = k->text.bytes + k->text.used;
        ptrdiff_t plain = unescape(text, end, out);
        if (plain < 0) return STATUS_REFUSED;
        k->text.used += (size_t)plain;
        text = out;
        size = (size_t)plain;
        high = (u32)any_high(text, size);
    }
    if (UNLIKELY(e->flags & (IS_EVENT_TYPE | IS_EVENT_TIME))) {
        status s = tell_event(k, e, text, size);
        if (s) return s;
    }
    if (!size) return STATUS_OK;
    mark_seen(k, e, path);
    u32 emits = e->flags & PATH_EMITS;
    if (!emits && skipped(k, text, (u32)size, features)) return STATUS_OK;
    u8 own = features & HAS_ESCAPE ? 1 : 0;
    return wait_for_mask(k, (job){text, (u32)size, path, 0, (u8)high, (u8)emits, own, {0, 0}});
}

static inline status number_value(kernel *k, u32 path, const u8 *text, const u8 *end) {
    path_entry *e = &k->paths.entries[path];
    mark_seen(k, e, path);
    u32 emits = e->flags & PATH_EMITS, size = (u32)(end - text);
    if (!emits && size < 9 && k->tables.skips & SKIP_SHORT_NUMBER) return STATUS_OK;
    return wait_for_mask(k, (job){text, size, path, 1, 0, (u8)emits, 0, {0, 0}});
}

/* A key that is not the expected one: decode, look up, learn. */
static status other_key(kernel *k, u32 parent, const u8 *key, const u8 *end, u32 features, u32 *out) {
    if (features & HAS_HIGH && !utf8_valid(key, end)) return STATUS_REFUSED;
    size_t size = (size_t)(end - key);
    if (features & HAS_ESCAPE) {
        k->key.used = 0;
        if (scratch_reserve(&k->key, size + LINE_SLACK)) return STATUS_NO_MEMORY;
        ptrdiff_t plain = unescape(key, end, k->key.bytes);
        if (plain < 0) return STATUS_REFUSED;
        key = k->key.bytes;
        size = (size_t)plain;
    }
    if (size > MAX_KEY) return STATUS_REFUSED;
    /* a key that never stands in a line as it is must not be recognised by its bytes */
    int plain = !memchr(key, '"', size) && !memchr(key, '\\', size) && utf8_valid(key, key + size);
    return path_of_key(k, parent, key, (u32)size, plain, out);
}

status WALK_LINE(kernel *k, const u8 *p, const u8 *end) {
    frame stack[MAX_DEPTH + 1], *top = stack; /* stack[0]: outside of everything */
    path_entry *paths = k->paths.entries;
    const u8 *limit = k->limit;
    u32 path = 0;
    status s = STATUS_OK;

value:
    p = skip_blanks(p, end);
    if (p == end) return STATUS_REFUSED;
    switch (*p) {
    case '"': {
        u32 features;
        const u8 *text = p + 1;
        p = string_end(text, end, limit, &features);
        if (UNLIKELY(!p)) return STATUS_REFUSED;
        s = string_value(k, path, text, p, features);
        p++;
        break;
    }
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': {
        const u8 *text = p;
        p = number_end(text, end);
        if (UNLIKELY(!p)) return STATUS_REFUSED;
        s = number_value(k, path, text, p);
        break;
    }
    case '{':
        if (++top > stack + MAX_DEPTH) return STATUS_REFUSED;
        *top = (frame){path, 0, 0};
        p = skip_blanks(p + 1, end);
        if (p < end && *p == '}') goto close;
        goto key;
    case '[':
        if (++top > stack + MAX_DEPTH) return STATUS_REFUSED;
        *top = (frame){path, 0, 1};
        p = skip_blanks(p + 1, end);
        if (p < end && *p == ']') goto close;
        if ((s = path_of_elements(k, path, &top->current))) return s;
        path = top->current;
        goto value;
    case 'n':
        if (!follows(p, end, "null", 4)) return STATUS_REFUSED;
        p += 4;
        break;
    case 't':
        if (!follows(p, end, "true", 4)) return STATUS_REFUSED;
        p += 4;
        break;
    case 'f':
        if (!follows(p, end, "false", 5)) return STATUS_REFUSED;
        p += 5;
        break;
    case 'N':
        if (!follows(p, end, "NaN", 3)) return STATUS_REFUSED;
        s = number_value(k, path, p, p + 3);
        p += 3;
        break;
    case 'I':
        if (!follows(p, end, "Infinity", 8)) return STATUS_REFUSED;
        s = number_value(k, path, p, p + 8);
        p += 8;
        break;
    default:
        return STATUS_REFUSED;
    }
    if (UNLIKELY(s)) return s;

after:
    p = skip_blanks(p, end);
    if (top == stack) return p == end ? STATUS_OK : STATUS_REFUSED;
    if (p == end) return STATUS_REFUSED;
    if (LIKELY(*p == ',')) {
        if (top->array) {
            p++;
            path = top->current;
            goto value;
        }
        p = skip_blanks(p + 1, end);
        goto key;
    }
    if (*p != (top->array ? ']' : '}')) return STATUS_REFUSED;
close:
    p++;
    top--;
    goto after;

key:
    if (UNLIKELY(p == end || *p != '"')) return STATUS_REFUSED;
    const u8 *key = p + 1;
    u32 *expected = top->current ? &paths[top->current].next : &paths[top->path].child;
    const path_entry *e = &paths[*expected];
    if (LIKELY(e->flags & KEY_PLAIN && (size_t)(end - key) > e->key_size && key[e->key_size] == '"' &&
               same_key(k->paths.keys + e->key_at, key, e->key_size, limit))) {
        path = *expected;
        p = key + e->key_size + 1;
    } else {
        u32 features;
        p = string_end(key, end, limit, &features);
        if (UNLIKELY(!p)) return STATUS_REFUSED;
        if ((s = other_key(k, top->path, key, p, features, &path))) return s;
        *expected = path;
        e = &paths[path];
        p++;
    }
    top->current = path;
    if (UNLIKELY(e->flags & (IS_EVENT_TYPE | IS_EVENT_TIME))) forget_event(k, e->flags);
    if (UNLIKELY(e->key) && (s = hit_add(k, (hit){.path = path, .result = e->key}))) return s;
    p = skip_blanks(p, end);
    if (UNLIKELY(p == end || *p != ':')) return STATUS_REFUSED;
    p++;
    goto value;
}
