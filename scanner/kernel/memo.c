/* What was decided about (bytes, context, number?). Pure: forgetting it changes nothing but the time taken. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_PER_ENTRY = 32 };

status memo_init(memo *m, u32 capacity) {
    u32 slots = power_of_two(2ull * capacity);
    m->size = (size_t)capacity * BYTES_PER_ENTRY + MAX_MEMO_VALUE;
    if (m->size > UINT32_MAX) m->size = UINT32_MAX;
    m->slots = calloc(slots, sizeof *m->slots);
    m->entries = malloc((size_t)capacity * sizeof *m->entries);
    m->bytes = malloc(m->size);
    m->capacity = capacity;
    m->slot_mask = slots - 1;
    return m->slots && m->entries && m->bytes ? STATUS_OK : STATUS_NO_MEMORY;
}

void memo_free(memo *m) {
    free(m->slots);
    free(m->entries);
    free(m->bytes);
}

void memo_clear(memo *m) {
    memset(m->slots, 0, ((size_t)m->slot_mask + 1) * sizeof *m->slots);
    m->count = 0;
    m->used = 0;
    m->full = 0;
}

u64 memo_hash(u64 seed, const u8 *value, u32 size, u32 context, u32 number) {
    return hash_bytes(seed + (((u64)context << 1) | number), value, size);
}

static int same(const memo *m, const memo_entry *e, u64 hash, const u8 *value, u32 size, u32 context, u32 number) {
    return e->hash == hash && e->size == size && e->context == context && e->number == number &&
           !memcmp(m->bytes + e->at, value, size);
}

const memo_entry *memo_find(const memo *m, u64 hash, const u8 *value, u32 size, u32 context, u32 number) {
    for (u32 i = (u32)hash & m->slot_mask;; i = (i + 1) & m->slot_mask) {
        u64 slot = m->slots[i];
        if (!slot) return NULL;
        if (slot >> 32 != hash >> 32) continue;
        const memo_entry *e = &m->entries[(u32)slot - 1];
        if (same(m, e, hash, value, size, context, number)) return e;
    }
}

void memo_add(memo *m, u64 hash, const u8 *value, u32 size, u32 context, u32 number, u64 result) {
    if (size > MAX_MEMO_VALUE) return;
    if (m->count == m->capacity || size > m->size - m->used) {
        m->full = 1; /* emptied when this line has been counted */
        return;
    }
    u32 i = (u32)hash & m->slot_mask;
    while (m->slots[i]) i = (i + 1) & m->slot_mask;
    memo_entry *e = &m->entries[m->count++];
    *e = (memo_entry){hash, result, (u32)m->used, context, (u16)size, (u8)number};
    memcpy(m->bytes + m->used, value, size);
    m->used += size;
    m->slots[i] = (hash >> 32 << 32) | m->count;
}
