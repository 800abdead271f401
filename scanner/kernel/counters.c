/* What is counted: in how many events of a type a path held a value, and in how many of them what was found. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { COUNTERS_LIMIT = 1 << 16, PAGES_LIMIT = 1 << 17 }; /* a counter's sketch takes a KiB */

status counters_init(counters *c, u32 paths, u32 event_types) {
    c->event_types = event_types;
    c->table_size = paths / PAGE + 1;
    c->page_count = 1;
    c->page_capacity = 256;
    c->capacity = 512;
    c->slot_mask = 2 * c->capacity - 1;
    c->pages = calloc(c->event_types, sizeof *c->pages);
    c->pool = calloc((size_t)c->page_capacity * PAGE, sizeof *c->pool);
    c->entries = malloc(c->capacity * sizeof *c->entries);
    c->slots = calloc((size_t)c->slot_mask + 1, sizeof *c->slots);
    if (!c->pages || !c->pool || !c->entries || !c->slots) return STATUS_NO_MEMORY;
    return STATUS_OK;
}

void counters_free(counters *c) {
    for (u32 i = 0; i < c->count; i++) sketch_clear(&c->entries[i].distinct);
    for (u32 i = 0; c->pages && i < c->event_types; i++) free(c->pages[i]);
    free(c->pages);
    free(c->pool);
    free(c->entries);
    free(c->slots);
}

void counters_clear(counters *c) {
    for (u32 i = 0; i < c->event_types; i++)
        if (c->pages[i]) memset(c->pages[i], 0, c->table_size * sizeof **c->pages);
    memset(c->pool, 0, (size_t)c->page_count * PAGE * sizeof *c->pool);
    memset(c->slots, 0, ((size_t)c->slot_mask + 1) * sizeof *c->slots);
    for (u32 i = 0; i < c->count; i++) sketch_clear(&c->entries[i].distinct);
    c->page_count = 1;
    c->count = 0;
}

/* Only between lines: a line's own counts always find room. */
int counters_full(const counters *c) { return c->count >= COUNTERS_LIMIT || c->page_count >= PAGES_LIMIT; }

static u32 new_page(counters *c) {
    if (c->page_count == c->page_capacity) {
        u32 *pool = realloc(c->pool, 2ull * c->page_capacity * PAGE * sizeof *pool);
        if (!pool) return 0;
        memset(pool + (size_t)c->page_capacity * PAGE, 0, (size_t)c->page_capacity * PAGE * sizeof *pool);
        c->pool = pool;
        c->page_capacity *= 2;
    }
    return c->page_count++;
}

static status count_seen(kernel *k) {
    counters *c = &k->counters;
    u32 **table = &c->pages[k->event_type];
    if (!*table && !(*table = calloc(c->table_size, sizeof **table))) return STATUS_NO_MEMORY;
    u32 *pages = *table;
    for (u32 i = 0; i < k->seen_count; i++) {
        u32 path = k->seen[i], page = pages[path / PAGE];
        if (UNLIKELY(!page) && !(page = pages[path / PAGE] = new_page(c))) return STATUS_NO_MEMORY;
        c->pool[(size_t)page * PAGE + path % PAGE]++;
    }
    return STATUS_OK;
}

static u32 counter_slot(const counters *c, const counter *key) {
    u64 a = (u64)key->event_type << 32 | key->path, b = (u64)key->sub << 32 | key->data_type;
    u32 i = (u32)mix(a ^ 0x9E3779B97F4A7C15ull, b ^ 0xC4CEB9FE1A85EC53ull) & c->slot_mask;
    for (; c->slots[i]; i = (i + 1) & c->slot_mask) {
        const counter *e = &c->entries[c->slots[i] - 1];
        if (e->path == key->path && e->event_type == key->event_type && e->sub == key->sub && e->data_type == key->data_type)
            break;
    }
    return i;
}

static status grow_counters(counters *c) {
    counter *entries = realloc(c->entries, 2ull * c->capacity * sizeof *entries);
    if (!entries) return STATUS_NO_MEMORY;
    c->entries = entries;
    u32 *slots = calloc(4ull * c->capacity, sizeof *slots);
    if (!slots) return STATUS_NO_MEMORY;
    free(c->slots);
    c->slots = slots;
    c->capacity *= 2;
    c->slot_mask = 2 * c->capacity - 1;
    for (u32 i = 0; i < c->count; i++) c->slots[counter_slot(c, &c->entries[i])] = i + 1;
    return STATUS_OK;
}

static counter *counter_of(counters *c, const counter *key) {
    if (c->count == c->capacity && grow_counters(c)) return NULL;
    u32 *slot = &c->slots[counter_slot(c, key)];
    if (!*slot) {
        c->entries[c->count++] = *key;
        *slot = c->count;
    }
    return &c->entries[*slot - 1];
}

/* An event counts once, at the best grade of all that was found in it for this counter. */
static void count_grade(counter *e, u32 grade, u64 stamp) {
    if (e->stamp != stamp) {
        e->stamp = stamp;
    } else if (grade > e->best) {
        e->events[e->best - 1]--;
    } else {
        return;
    }
    e->best = grade;
    e->events[grade - 1]++;
}

static void count_hour(counter *e, u64 hour) {
    if (!hour) return;
    if (!e->first || hour < e->first) e->first = hour;
    if (hour > e->last) e->last = hour;
}

/* Is it one of the smallest that are known, and was it not known? Then it is now. */
static int among_the_least(counter *e, u64 print) {
    u32 place = SHAPES;
    for (u32 i = SHAPES; i-- > 0 && (!e->least[i] || print <= e->least[i]);) place = i;
    if (place == SHAPES || e->least[place] == print) return 0;
    for (u32 i = SHAPES - 1; i > place; i--) e->least[i] = e->least[i - 1];
    e->least[place] = print;
    return 1;
}

static u64 print_of(const kernel *k, u32 token, u32 row) {
    const prints *p = token & LASTING ? &k->lasting : &k->passing;
    return p->all[(token & ~LASTING) + row];
}

static status count_value(kernel *k, counter *e, u32 row, const hit *h) {
    u32 verdict = (u32)h->result, token = (u32)(h->result >> 32);
    u64 print = h->value ? h->print : print_of(k, token, row);
    if (sketch_add(&e->distinct, print)) return STATUS_NO_MEMORY;
    if (LIKELY(!among_the_least(e, print))) return STATUS_OK;
    int failed = k->ask.first(k->ask.owner, e->event_type, e->path, verdict, row, token, h->value, h->size);
    return failed ? STATUS_CALLBACK : STATUS_OK;
}

static status count_hit(kernel *k, const hit *h) {
    u32 verdict = (u32)h->result, first = k->verdict_ends[verdict - 1], rows = k->verdict_ends[verdict] - first;
    for (u32 i = 0; i < rows; i++) {
        verdict_row row = k->rows[first + i];
        counter key = {.event_type = k->event_type, .path = h->path, .sub = row.sub, .data_type = row.data_type};
        counter *e = counter_of(&k->counters, &key);
        if (!e) return STATUS_NO_MEMORY;
        count_grade(e, row.grade, k->stamp);
        count_hour(e, k->hour);
        e->reasons |= row.reasons;
        e->via |= row.via;
        status s = count_value(k, e, i, h);
        if (s) return s;
    }
    return STATUS_OK;
}

static status trace(kernel *k, const hit *h) {
    if (!k->ask.trace) return STATUS_OK;
    u32 verdict = (u32)h->result, token = (u32)(h->result >> 32);
    return k->ask.trace(k->ask.owner, k->line, h->path, verdict, token) ? STATUS_CALLBACK : STATUS_OK;
}

status count_line(kernel *k) {
    status s = count_seen(k);
    for (u32 i = 0; !s && i < k->hit_count; i++) {
        const hit *h = &k->hits[i];
        if (!(s = count_hit(k, h))) s = trace(k, h);
    }
    return s;
}

u32 verdict_add(kernel *k, const verdict_row *rows, u32 count) {
    if (k->row_count + count > k->row_capacity) {
        u32 capacity = 2 * (k->row_count + count);
        verdict_row *grown = realloc(k->rows, capacity * sizeof *grown);
        if (!grown) return 0;
        k->rows = grown;
        k->row_capacity = capacity;
    }
    if (k->verdict_count + 2 > k->verdict_capacity) {
        u32 capacity = 2 * (k->verdict_count + 2);
        u32 *grown = realloc(k->verdict_ends, capacity * sizeof *grown);
        if (!grown) return 0;
        k->verdict_ends = grown;
        k->verdict_capacity = capacity;
    }
    memcpy(k->rows + k->row_count, rows, count * sizeof *rows);
    k->row_count += count;
    k->verdict_ends[0] = 0;
    k->verdict_ends[++k->verdict_count] = k->row_count;
    return k->verdict_count;
}

static status reserve_prints(prints *p, u32 more) {
    if (p->capacity - p->count >= more) return STATUS_OK;
    size_t capacity = 2 * ((size_t)p->count + more);
    u64 *all = capacity < LASTING ? realloc(p->all, capacity * sizeof *all) : NULL;
    if (!all) return STATUS_NO_MEMORY;
    p->all = all;
    p->capacity = (u32)capacity;
    return STATUS_OK;
}

status value_add(kernel *k, u32 verdict, const u64 *fingerprints, int lasting, u32 *token) {
    prints *p = lasting ? &k->lasting : &k->passing;
    u32 rows = k->verdict_ends[verdict] - k->verdict_ends[verdict - 1];
    if (reserve_prints(p, rows)) return STATUS_NO_MEMORY;
    memcpy(p->all + p->count, fingerprints, rows * sizeof *fingerprints);
    *token = p->count | (lasting ? LASTING : 0);
    p->count += rows;
    return STATUS_OK;
}

int value_is_known(const kernel *k, u64 result) {
    u32 verdict = (u32)result, token = (u32)(result >> 32);
    if (!verdict) return 1;
    if (verdict > k->verdict_count) return 0;
    const prints *p = token & LASTING ? &k->lasting : &k->passing;
    return (token & ~LASTING) + (u64)(k->verdict_ends[verdict] - k->verdict_ends[verdict - 1]) <= p->count;
}
