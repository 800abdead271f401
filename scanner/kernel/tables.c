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

enum { SPEECH = 4, LINE = 64 }; /* places in a row of main that hold what it says; bytes of a cache line */

/* Where each class stands in a row; behind `first` */
static u32 place_columns(u16 *places, const u8 *classes, u32 first) {
    static const u8 usual[] = "0123456789etaoinsrlcdhmupgbfyvkwxjqz-./: _%&=?+@,ETAOINSRLCDHMUPGBFYVKWXJQZ";
    u32 next = first;
    memset(places, 0xFF, 256 * sizeof *places);
    for (u32 i = 0; i < sizeof usual - 1 + 256; i++) {
        u8 class = classes[i < sizeof usual - 1 ? usual[i] : i - (sizeof usual - 1)];
        if (places[class] == UINT16_MAX) places[class] = (u16)next++;
    }
    return next;
}

static const char *fill(automaton *a, const u8 *table, u32 states, u32 shift, const u16 *places) {
    for (u32 state = 0; state < states; state++)
        for (u32 column = 0; column < 1u << shift; column++) {
            u16 next;
            if (places[column] == UINT16_MAX) continue;
            memcpy(&next, table + 2 * (((size_t)state << shift) + column), sizeof next);
            if (next >= states) return "an automaton leads to a state that is not there";
            a->table[((size_t)state << a->shift) + places[column]] = next;
        }
    return NULL;
}

static const char *read_automaton(automaton *a, reader *r, u32 mask_words, u32 speech) {
    const u8 *head = take(r, AUTOMATON_HEADER);
    const u8 *classes = take(r, 256);
    if (!head || !classes) return "the tables are cut off";
    u32 states = number_at(head, 0), shift = number_at(head, 1), accept0 = number_at(head, 2), start = number_at(head, 3);
    if (shift > 8 || states == 0 || states > 65536) return "an automaton has an impossible size";
    if (accept0 > states || start >= states) return "an automaton has an impossible state";
    for (u32 i = 0; i < 256; i++)
        if (classes[i] >> shift) return "an automaton has an impossible class";
    size_t cells = (size_t)states << shift, masks = (size_t)(states - accept0) * mask_words;
    const u8 *table = take(r, 2 * cells), *accepts = take(r, 8 * masks);
    if (!table || !accepts) return "the tables are cut off";
    u16 places[256];
    u32 width = place_columns(places, classes, speech);
    for (u32 i = 0; i < 256; i++) a->classes[i] = places[classes[i]];
    while (1u << a->shift < width) a->shift++;
    a->accept0 = accept0;
    a->start = start;
    size_t size = (((size_t)states << a->shift) * sizeof *a->table + LINE - 1) / LINE * LINE;
    a->table = aligned_alloc(LINE, size);
    a->accepts = malloc(8 * masks + 1);
    if (!a->table || !a->accepts) return "no memory";
    memset(a->table, 0, size);
    memcpy(a->accepts, accepts, 8 * masks);
    return fill(a, table, states, shift, places);
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

/* Main accepts with one word, its own; it is put before each row, so that nobody asks whether a state accepts. */
static const char *spread(tables *t, u32 states) {
    const automaton *a = &t->main;
    u64 known = t->bank_count + MAIN_BANKS < 64 ? (1ull << (t->bank_count + MAIN_BANKS)) - 1 : ~0ull;
    for (u32 i = 0, state = a->accept0; i < states; i++, state++) {
        if (a->accepts[i] & ~known) return "there is a gate without a bank";
        memcpy(&a->table[(size_t)state << a->shift], &a->accepts[i], sizeof a->accepts[i]);
    }
    return NULL;
}

const char *tables_read(tables *t, const u8 *blob, size_t size) {
    memset(t, 0, sizeof *t);
    reader r = {blob, size};
    const char *wrong = read_header(t, &r);
    const u8 *of_main = r.at;
    if (!wrong) wrong = read_automaton(&t->main, &r, 1, SPEECH);
    if (!wrong) wrong = spread(t, number_at(of_main, 0) - number_at(of_main, 2));
    automaton *others[] = {&t->words, &t->digits};
    for (u32 i = 0; i < 2 && !wrong; i++) wrong = read_automaton(others[i], &r, t->mask_words, 0);
    for (u32 i = 0; i < t->bank_count && !wrong; i++) wrong = read_automaton(&t->banks[i], &r, t->mask_words, 0);
    if (!wrong && r.left) wrong = "something follows the tables";
    if (wrong) tables_free(t);
    return wrong;
}

static void free_automaton(automaton *a) {
    free(a->table);
    free(a->accepts);
    a->table = NULL;
    a->accepts = NULL;
}

void tables_free(tables *t) {
    free_automaton(&t->main);
    free_automaton(&t->words);
    free_automaton(&t->digits);
    for (u32 i = 0; i < t->bank_count && i < MAX_BANKS; i++) free_automaton(&t->banks[i]);
}
