/* The packed automata: copied out of the blob, every number in them checked, so that running them needs no checks. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 4, HEADER = 40, AUTOMATON_HEADER = 16 };

typedef struct { const u8 *at; size_t left; } reader;

static const u8 *take(reader *r, size_t size) {
    size_t padded = (size + 7) & ~(size_t)7;
    if (padded < size || padded > r->left) return NULL;
    const u8 *at = r->at;
    r->at += padded;
    r->left -= padded;
    return at;
}

static u32 number_at(const u8 *p, u32 index) {
    u32 x;
    memcpy(&x, p + 4 * index, 4);
    return x;
}

static const char *read_automaton(automaton *a, reader *r, u32 mask_words, u8 **memory) {
    const u8 *head = take(r, AUTOMATON_HEADER);
    const u8 *classes = take(r, 256);
    if (!head || !classes) return "the tables are cut off";
    a->states = number_at(head, 0);
    a->shift = number_at(head, 1);
    a->accept0 = number_at(head, 2);
    a->start = number_at(head, 3);
    if (a->shift > 8 || a->states == 0 || a->states > 65536) return "an automaton has an impossible size";
    if (a->accept0 > a->states || a->start >= a->states) return "an automaton has an impossible state";
    memcpy(a->classes, classes, 256);
    for (u32 i = 0; i < 256; i++)
        if (a->classes[i] >> a->shift) return "an automaton has an impossible class";
    size_t cells = (size_t)a->states << a->shift, masks = (size_t)(a->states - a->accept0) * mask_words;
    const u8 *table = take(r, 2 * cells), *accepts = take(r, 8 * masks);
    if (!table || !accepts) return "the tables are cut off";
    memcpy(*memory, table, 2 * cells);
    a->table = (const u16 *)(const void *)*memory;
    *memory += (2 * cells + 63) & ~(size_t)63;
    memcpy(*memory, accepts, 8 * masks);
    a->accepts = (const u64 *)(const void *)*memory;
    *memory += (8 * masks + 63) & ~(size_t)63;
    for (size_t i = 0; i < cells; i++)
        if (a->table[i] >= a->states) return "an automaton leads to a state that is not there";
    return NULL;
}

static const char *read_header(tables *t, reader *r) {
    const u8 *head = take(r, HEADER);
    if (!head || memcmp(head, "DSRA", 4)) return "these are not packed tables";
    if (number_at(head, 1) != VERSION) return "the tables are of another version";
    t->mask_words = number_at(head, 2);
    if (t->mask_words < 1 || t->mask_words > MAX_MASK_WORDS) return "a mask has an impossible size";
    u32 *bits[] = {&t->bare, &t->json, &t->percent, &t->base64, &t->digits_bit};
    for (u32 i = 0; i < 5; i++)
        if ((*bits[i] = number_at(head, 3 + i)) >= 64 * t->mask_words) return "a bit is outside the mask";
    t->skips = number_at(head, 8);
    t->bank_count = number_at(head, 9);
    if (t->bank_count > MAX_BANKS) return "there are too many banks";
    for (u32 kind = 0; kind < HOT_KINDS; kind++) {
        const u8 *may = take(r, 8 * (size_t)t->mask_words);
        if (!may) return "the tables are cut off";
        memcpy(t->in_addresses[kind], may, 8 * (size_t)t->mask_words);
    }
    return NULL;
}

/* Main accepts with one word, its own; spread over all states, so that nobody asks whether one accepts. */
static const char *spread(tables *t) {
    const automaton *a = &t->main;
    t->says = calloc(a->states, sizeof *t->says);
    if (!t->says) return "no memory";
    for (u32 state = a->accept0; state < a->states; state++) t->says[state] = a->accepts[state - a->accept0];
    u64 known = t->bank_count + MAIN_BANKS < 64 ? (1ull << (t->bank_count + MAIN_BANKS)) - 1 : ~0ull;
    for (u32 state = 0; state < a->states; state++)
        if (t->says[state] & ~known) return "there is a gate without a bank";
    return NULL;
}

const char *tables_read(tables *t, const u8 *blob, size_t size) {
    memset(t, 0, sizeof *t);
    reader r = {blob, size};
    const char *wrong = read_header(t, &r);
    if (wrong) return wrong;
    size_t arrays = 2 * (3 + (size_t)t->bank_count), room = (size + arrays * 64 + 63) & ~(size_t)63; /* cache lines */
    u8 *memory = t->memory = aligned_alloc(64, room);
    if (!memory) return "no memory";
    automaton *all[] = {&t->main, &t->words, &t->digits};
    for (u32 i = 0; i < 3 && !wrong; i++) wrong = read_automaton(all[i], &r, i ? t->mask_words : 1, &memory);
    for (u32 i = 0; i < t->bank_count && !wrong; i++)
        wrong = read_automaton(&t->banks[i], &r, t->mask_words, &memory);
    if (!wrong && r.left) wrong = "something follows the tables";
    if (!wrong) wrong = spread(t);
    if (wrong) tables_free(t);
    return wrong;
}

void tables_free(tables *t) {
    free(t->memory);
    free(t->says);
    t->memory = NULL;
    t->says = NULL;
}
