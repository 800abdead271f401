/* The loop over lines, and the parts' lives. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_HITS = 1 << 16, KEPT_TEXT = 1 << 20, KEPT_PRINTS = 1 << 22 };

status scratch_reserve(scratch *s, size_t size) {
    if (s->size >= size) return STATUS_OK;
    u8 *bytes = realloc(s->bytes, 2 * size);
    if (!bytes) return STATUS_NO_MEMORY;
    s->bytes = bytes;
    s->size = 2 * size;
    return STATUS_OK;
}

static void scratch_shrink(scratch *s) {
    if (s->size <= KEPT_TEXT) return;
    free(s->bytes);
    *s = (scratch){NULL, 0, 0};
}

/* ---- event types ---------------------------------------------------------------------------------------------- */

status types_init(type_table *t, u32 limit) {
    u32 slots = power_of_two(2ull * limit);
    t->ends = calloc(limit, sizeof *t->ends);
    t->slots = calloc(slots, sizeof *t->slots);
    t->limit = limit;
    t->slot_mask = slots - 1;
    t->count = 1; /* number 0: no event type, which is the empty one */
    return t->ends && t->slots ? STATUS_OK : STATUS_NO_MEMORY;
}

void types_free(type_table *t) {
    free(t->names);
    free(t->ends);
    free(t->slots);
}

static int is_type(const type_table *t, u32 id, const u8 *name, u32 size) {
    u32 start = id ? t->ends[id - 1] : 0;
    return t->ends[id] - start == size && !memcmp(t->names + start, name, size);
}

static status add_type(type_table *t, const u8 *name, u32 size) {
    if (t->used + size > t->size) {
        u8 *names = realloc(t->names, 2 * (t->used + size));
        if (!names) return STATUS_NO_MEMORY;
        t->names = names;
        t->size = 2 * (t->used + size);
    }
    memcpy(t->names + t->used, name, size);
    t->used += size;
    t->ends[t->count++] = (u32)t->used;
    return STATUS_OK;
}

status type_of(type_table *t, u64 seed, const u8 *name, u32 size, u32 *out) {
    if (!size) {
        *out = 0;
        return STATUS_OK;
    }
    if (size > MAX_EVENT_TYPE) return STATUS_REFUSED;
    u32 i = (u32)hash_bytes(seed, name, size) & t->slot_mask;
    for (; t->slots[i]; i = (i + 1) & t->slot_mask) {
        *out = t->slots[i];
        if (is_type(t, *out, name, size)) return STATUS_OK;
    }
    if (t->count == t->limit) return STATUS_REFUSED;
    t->slots[i] = *out = t->count;
    return add_type(t, name, size);
}

/* ---- lines ---------------------------------------------------------------------------------------------------- */

status hit_add(kernel *k, hit h) {
    if (!(u32)h.result) return STATUS_OK;
    if (k->hit_count == k->hit_capacity) {
        hit *hits = realloc(k->hits, 2 * (size_t)k->hit_capacity * sizeof *hits);
        if (!hits) return STATUS_NO_MEMORY;
        k->hits = hits;
        k->hit_capacity *= 2;
    }
    k->hits[k->hit_count++] = h;
    return STATUS_OK;
}

static void start_line(kernel *k) {
    k->stamp++;
    k->seen_count = k->hit_count = k->job_count = 0;
    k->text.used = 0;
    k->event_type = 0;
    k->hour = 0;
}

static status forget_if_full(kernel *k) {
    if (LIKELY(!k->memo.full && k->passing.count < KEPT_PRINTS)) return STATUS_OK;
    kernel_forget(k);
    return k->ask.forget(k->ask.owner) ? STATUS_CALLBACK : STATUS_OK;
}

static void shrink(kernel *k) {
    if (k->hit_capacity > KEPT_HITS) {
        hit *hits = realloc(k->hits, KEPT_HITS * sizeof *hits);
        if (hits) {
            k->hits = hits;
            k->hit_capacity = KEPT_HITS;
        }
    }
    scratch_shrink(&k->text);
    scratch_shrink(&k->derived);
}

static int is_blank(const u8 *p, const u8 *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
    return p == end;
}

static status refuse(kernel *k, const u8 *line, const u8 *end) {
    k->tally.refused_lines++;
    k->tally.refused_bytes += (u64)(end - line) + 1;
    return k->ask.refuse(k->ask.owner, line, (size_t)(end - line)) ? STATUS_CALLBACK : STATUS_OK;
}

static status one_line(kernel *k, const u8 *line, const u8 *end) {
    start_line(k);
    k->line_start = line;
    k->line_size = (size_t)(end - line);
    status s = (size_t)(end - line) < UINT32_MAX ? k->walk(k, line, end) : STATUS_REFUSED;
    if (LIKELY(!s)) s = nominate_batch(k);
    if (LIKELY(!s)) s = count_line(k);
    if (UNLIKELY(s == STATUS_REFUSED)) {
        if (!is_blank(line, end)) s = refuse(k, line, end);
        else k->tally.blank_lines++, s = STATUS_OK;
    }
    if (UNLIKELY(end - line > KEPT_TEXT)) shrink(k);
    return s ? s : forget_if_full(k);
}

status kernel_scan(kernel *k, const u8 *start, const u8 *end, const u8 *limit, u64 *lines, size_t *bytes) {
    const u8 *p = start;
    status s = STATUS_OK;
    u64 before = k->line;
    k->limit = limit;
    while (p < end && !s && !counters_full(&k->counters)) {
        const u8 *newline = memchr(p, '\n', (size_t)(end - p));
        if (!newline) break;
        s = one_line(k, p, newline);
        p = newline + 1;
        k->line++;
    }
    k->line_start = NULL;
    *lines = k->line - before;
    *bytes = (size_t)(p - start);
    k->tally.lines += *lines;
    k->tally.bytes += *bytes;
    return s;
}

void kernel_forget(kernel *k) {
    known_clear(&k->known);
    memo_clear(&k->memo);
    k->passing.count = 0;
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

int kernel_has_avx2(void) {
#if KERNEL_HAS_AVX2_WALK
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
#else
    return 0;
#endif
}

static walk_line choose_walk(int simd) {
#if KERNEL_HAS_AVX2_WALK
    if (simd && kernel_has_avx2()) return walk_line_avx2;
#endif
    (void)simd;
    return walk_line_scalar;
}

static u8 *copy(const u8 *bytes, u32 size) {
    u8 *own = malloc((size_t)size + 1);
    if (own) memcpy(own, bytes, size);
    return own;
}

static status init(kernel *k, const options *o) {
    k->walk = choose_walk(o->simd);
    k->seed = o->seed;
    k->print_key[0] = o->print_key[0];
    k->print_key[1] = o->print_key[1];
    k->hot = o->hot;
    for (u32 kind = 0; kind < HOT_KINDS; kind++) /* a bit outside the mask is none */
        if (k->hot.bits[kind] >= 64 * k->tables.mask_words) k->hot.bits[kind] = UINT32_MAX;
    k->event_type_key = copy(o->event_type, k->event_type_key_size = o->event_type_size);
    k->event_time_key = copy(o->event_time, k->event_time_key_size = o->event_time_size);
    k->hit_capacity = 256;
    k->hits = malloc(k->hit_capacity * sizeof *k->hits);
    k->seen = malloc(o->paths * sizeof *k->seen);
    k->masks = malloc((size_t)BATCH * k->tables.mask_words * sizeof *k->masks);
    k->tasks = malloc((size_t)BATCH * (k->tables.bank_count + 2) * sizeof *k->tasks);
    if (!k->tasks || !k->event_type_key || !k->event_time_key || !k->hits || !k->seen || !k->masks) return STATUS_NO_MEMORY;
    if (known_init(&k->known) || paths_init(&k->paths, o->paths) || memo_init(&k->memo, o->memo)) return STATUS_NO_MEMORY;
    return counters_init(&k->counters, o->paths, o->event_types) || types_init(&k->types, o->event_types);
}

kernel *kernel_new(tables *t, const questions *ask, const options *o) {
    kernel *k = calloc(1, sizeof *k);
    if (!k) {
        tables_free(t);
        return NULL;
    }
    k->tables = *t;
    k->ask = *ask;
    if (!init(k, o)) return k;
    kernel_free(k);
    return NULL;
}

void kernel_free(kernel *k) {
    if (!k) return;
    tables_free(&k->tables);
    paths_free(&k->paths);
    known_free(&k->known);
    memo_free(&k->memo);
    counters_free(&k->counters);
    types_free(&k->types);
    void *own[] = {k->event_type_key, k->event_time_key, k->seen, k->hits, k->masks, k->tasks, k->text.bytes, k->key.bytes,
                   k->derived.bytes, k->rows, k->verdict_ends, k->passing.all, k->lasting.all,
                   k->specimens};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) free(own[i]);
    free(k);
}
