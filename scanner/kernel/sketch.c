/* How many distinct fingerprints: themselves while they are few, then HyperLogLog registers. scanner/sketch.py says what
 * they mean; here they are only gathered. Fingerprints are never 0. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_AT_FIRST = 8, SLOTS_AT_MOST = 256, TAIL = 54, REGISTERS = 1 << (64 - TAIL) };

static void note_rank(u8 *registers, u64 print) {
    u8 *at = &registers[print >> TAIL], rank = (u8)(__builtin_clzll(print << (64 - TAIL) | 1ull << (63 - TAIL)) + 1);
    if (*at < rank) *at = rank;
}

static u64 *slot_of(u64 *slots, u32 size, u64 print) {
    u32 i = (u32)print & (size - 1);
    while (slots[i] && slots[i] != print) i = (i + 1) & (size - 1);
    return &slots[i];
}

static status grow(sketch *s) {
    u32 size = s->size ? 2 * s->size : SLOTS_AT_FIRST;
    u64 *slots = calloc(size, sizeof *slots);
    if (!slots) return STATUS_NO_MEMORY;
    for (u32 i = 0; i < s->size; i++)
        if (s->few[i]) *slot_of(slots, size, s->few[i]) = s->few[i];
    free(s->few);
    s->few = slots;
    s->size = size;
    return STATUS_OK;
}

static status become_registers(sketch *s, u64 print) {
    u8 *registers = calloc(REGISTERS, 1);
    if (!registers) return STATUS_NO_MEMORY;
    for (u32 i = 0; i < s->size; i++)
        if (s->few[i]) note_rank(registers, s->few[i]);
    note_rank(registers, print);
    free(s->few);
    *s = (sketch){.registers = registers};
    return STATUS_OK;
}

status sketch_add(sketch *s, u64 print) {
    if (s->registers) {
        note_rank(s->registers, print);
        return STATUS_OK;
    }
    if (s->size && *slot_of(s->few, s->size, print)) return STATUS_OK;
    if (s->count == SKETCH_EXACT) return become_registers(s, print);
    if (2 * s->count >= s->size && grow(s)) return STATUS_NO_MEMORY;
    *slot_of(s->few, s->size, print) = print;
    s->count++;
    return STATUS_OK;
}

void sketch_clear(sketch *s) {
    free(s->few);
    free(s->registers);
    *s = (sketch){0};
}

static int ascending(const void *one, const void *other) {
    u64 a = *(const u64 *)one, b = *(const u64 *)other;
    return (a > b) - (a < b);
}

u32 sketch_bytes(const sketch *s, u8 out[SKETCH_BYTES]) {
    if (s->registers) {
        memcpy(out, s->registers, REGISTERS);
        return REGISTERS;
    }
    u64 few[SKETCH_EXACT];
    u32 count = 0;
    for (u32 i = 0; i < s->size; i++)
        if (s->few[i]) few[count++] = s->few[i];
    qsort(few, count, sizeof *few, ascending);
    for (u32 i = 0; i < 8 * count; i++) out[i] = (u8)(few[i / 8] >> (56 - 8 * (i % 8)));
    return 8 * count;
}
