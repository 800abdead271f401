/* What became of values lately, clean ones above all: a value that comes again needs no automaton. Exports repeat
 * themselves: a person's properties stand in every event of theirs.
 *
 * A set is one cache line of WAYS entries. What is found moves one place forward, what is new takes the last place: so
 * values that never come again push out only each other. An entry is not the value but 64 bits of its hash, in the set
 * that 16 bits of an independent hash name: two values are taken for one with a chance of 2^-64 a comparison, and the
 * seed is random, so nobody can prepare two. Pure: forgetting it changes nothing but the time taken. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { SETS = 1 << 16 };

status known_init(known *t) {
    t->sets = aligned_alloc(sizeof *t->sets, SETS * sizeof *t->sets);
    if (!t->sets) return STATUS_NO_MEMORY;
    known_clear(t);
    return STATUS_OK;
}

void known_free(known *t) { free(t->sets); }

void known_clear(known *t) { memset(t->sets, 0, SETS * sizeof *t->sets); }

static u64 last_word(const u8 *p, size_t size) {
    u32 head, tail;
    if (size >= 8) return load64(p + size - 8);
    if (size < 4) return size ? p[0] | (u64)p[size / 2] << 8 | (u64)p[size - 1] << 16 : 0;
    memcpy(&head, p, sizeof head);
    memcpy(&tail, p + size - 4, sizeof tail);
    return head | (u64)tail << 32;
}

known_place known_place_of(const known *t, u64 seed, const u8 *value, u32 size, u32 context, u32 number) {
    const u64 one = seed ^ 0xA0761D6478BD642Full, two = seed ^ 0xE7037ED1A0B428DBull;
    u64 salt = ((u64)size << 33 | number) ^ (u64)context << 1, last = last_word(value, size);
    u64 tag = mix(salt ^ 0x8EBC6AF09C88C6E3ull, one), set = mix(salt ^ 0x589965CC75374CC3ull, two);
    for (const u8 *p = value; size > 8; p += 8, size -= 8) {
        u64 word = load64(p);
        tag = mix(tag ^ word, one);
        set = mix(set ^ word, two);
    }
    tag = mix(tag ^ last, one ^ 0x1D8E4E27C47D124Full);
    set = mix(set ^ last, two ^ 0xEB44ACCAB455D165ull);
    known_place place = {tag ? tag : 1, (u32)set & (SETS - 1)}; /* 0: nobody is here */
    __builtin_prefetch(&t->sets[place.set]);
    return place;
}

int known_find(known *t, known_place at, u64 *result) {
    known_entry *set = t->sets[at.set].ways;
    for (u32 i = 0; i < WAYS; i++) {
        if (set[i].tag != at.tag) continue;
        *result = set[i].result;
        if (i) {
            known_entry found = set[i];
            set[i] = set[i - 1];
            set[i - 1] = found;
        }
        return 1;
    }
    return 0;
}

void known_add(known *t, known_place at, u64 result) {
    known_entry *set = t->sets[at.set].ways;
    u32 way = 0;
    while (way < WAYS - 1 && set[way].tag && set[way].tag != at.tag) way++;
    set[way] = (known_entry){at.tag, result};
}
