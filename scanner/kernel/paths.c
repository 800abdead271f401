/* Paths: (parent, decoded key) or (parent, elements) -> a small number, the same for the life of the kernel. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

status paths_init(path_table *t, u32 capacity) {
    u32 slots = power_of_two(2ull * capacity);
    t->entries = calloc(capacity, sizeof *t->entries);
    t->slots = calloc(slots, sizeof *t->slots);
    t->keys_size = 4096;
    t->keys = calloc(1, t->keys_size);
    t->capacity = capacity;
    t->slot_mask = slots - 1;
    t->count = 1; /* the root; number 0 also says "none" wherever a child is meant */
    return t->entries && t->slots && t->keys ? STATUS_OK : STATUS_NO_MEMORY;
}

void paths_free(path_table *t) {
    free(t->entries);
    free(t->slots);
    free(t->keys);
}

static status store_key(path_table *t, path_entry *e, const u8 *key, u32 size) {
    size_t needed = t->keys_used + size + LINE_SLACK;
    if (needed > t->keys_size) {
        u8 *keys = realloc(t->keys, 2 * needed);
        if (!keys) return STATUS_NO_MEMORY;
        memset(keys + t->keys_size, 0, 2 * needed - t->keys_size);
        t->keys = keys;
        t->keys_size = 2 * needed;
    }
    memcpy(t->keys + t->keys_used, key, size);
    e->key_at = (u32)t->keys_used;
    e->key_size = size;
    t->keys_used += size;
    return STATUS_OK;
}

static u32 role(const kernel *k, u32 parent, const u8 *key, u32 size) {
    if (parent != 0) return 0;
    if (size == k->event_type_key_size && !memcmp(key, k->event_type_key, size)) return IS_EVENT_TYPE;
    if (size == k->event_time_key_size && !memcmp(key, k->event_time_key, size)) return IS_EVENT_TIME;
    return 0;
}

static status learn(kernel *k, u32 id, const u8 *key, u32 size) {
    path_entry *e = &k->paths.entries[id];
    lesson told = {0, 0, 0};
    if (k->ask.learn(k->ask.owner, id, e->parent, key, size, &told)) return STATUS_CALLBACK;
    e->context = told.context;
    e->flags |= told.emits ? PATH_EMITS : 0;
    e->key = told.key;
    return STATUS_OK;
}

status path_of_key(kernel *k, u32 parent, const u8 *key, u32 size, int plain, u32 *out) {
    path_table *t = &k->paths;
    u32 i = (u32)hash_bytes(k->seed ^ parent, key, size) & t->slot_mask;
    for (u32 id; (id = t->slots[i]) != 0; i = (i + 1) & t->slot_mask) {
        const path_entry *e = &t->entries[id];
        if (e->parent == parent && e->key_size == size && !memcmp(t->keys + e->key_at, key, size)) {
            *out = id;
            return STATUS_OK;
        }
    }
    if (t->count == t->capacity || size > MAX_KEY) return STATUS_REFUSED;
    u32 id = t->count;
    path_entry *e = &t->entries[id];
    if (store_key(t, e, key, size)) return STATUS_NO_MEMORY;
    e->parent = parent;
    e->flags = (plain ? KEY_PLAIN : 0) | role(k, parent, key, size);
    t->count++;
    t->slots[i] = id;
    *out = id;
    return learn(k, id, key, size);
}

status path_of_elements(kernel *k, u32 parent, u32 *out) {
    path_table *t = &k->paths;
    if ((*out = t->entries[parent].element) != 0) return STATUS_OK;
    if (t->count == t->capacity) return STATUS_REFUSED;
    u32 id = *out = t->count++;
    t->entries[id].parent = parent;
    t->entries[parent].element = id;
    return learn(k, id, NULL, 0);
}
