/* Values -> masks. The automata only say what *may* be there; whoever is asked then decides.
 *
 * A step of an automaton waits for the one before, so the values of a batch run in LANES lanes side by side: the waits
 * overlap. A lane with nothing left to do runs over blanks until the others are done. */
#include "text.h"

#include <stdlib.h>

enum { LANES = 4, MIN_BASE64 = 16, PAD = '"' };

static inline u32 step(const automaton *a, u32 state, u8 c) {
    return a->table[((size_t)state << a->shift) | a->classes[c]];
}

static void add_mask(u64 *mask, const automaton *a, u32 state, u32 words) {
    const u64 *accepted = a->accepts + (size_t)(state - a->accept0) * words;
    for (u32 i = 0; i < words; i++) mask[i] |= accepted[i];
}

static void run(const automaton *a, const u8 *p, size_t size, u64 *mask, u32 words) {
    u32 state = a->start;
    for (size_t i = 0; i <= size; i++) {
        state = step(a, state, i < size ? p[i] : PAD);
        if (UNLIKELY(state >= a->accept0)) add_mask(mask, a, state, words);
    }
}

static int accepts(const automaton *a, const u8 *p, size_t size) {
    u32 state = a->start;
    for (size_t i = 0; i <= size; i++) {
        state = step(a, state, i < size ? p[i] : PAD);
        if (state >= a->accept0) return 1;
    }
    return 0;
}

static int has(const u64 *mask, u32 bit) { return mask[bit / 64] >> bit % 64 & 1; }
static void set(u64 *mask, u32 bit) { mask[bit / 64] |= 1ull << bit % 64; }
static void clear(u64 *mask, u32 bit) { mask[bit / 64] &= ~(1ull << bit % 64); }

static int any(const u64 *mask, u32 words) {
    u64 all = 0;
    for (u32 i = 0; i < words; i++) all |= mask[i];
    return all != 0;
}

/* The rules' bits come from the banks whose gates the text has passed. */
static void open_banks(const tables *t, const u8 *text, size_t size, u64 *mask) {
    for (u32 i = 0; i < t->bank_count; i++) {
        u32 bit = t->digits_bit + 1 + i;
        if (!has(mask, bit)) continue;
        clear(mask, bit);
        run(&t->banks[i], text, size, mask, t->mask_words);
    }
}

/* BARE needs a context word, and without one in the key only a word in the text itself can be it. */
static void clear_bare(const tables *t, const u8 *text, size_t size, int high, u64 *mask) {
    if (has(mask, t->bare) && !high && !accepts(&t->words, text, size)) clear(mask, t->bare);
}

/* Would a pass over this derived text find anything to confirm? */
static int derived_matters(const tables *t, const u8 *text, size_t size) {
    u64 mask[MAX_MASK_WORDS] = {0};
    run(&t->main, text, size, mask, t->mask_words);
    open_banks(t, text, size, mask);
    clear_bare(t, text, size, any_high(text, size), mask);
    clear(mask, t->percent);
    clear(mask, t->base64);
    clear(mask, t->digits_bit);
    return any(mask, t->mask_words);
}

static size_t decode_percent(const u8 *p, size_t size, u8 *out) {
    u8 *o = out;
    for (size_t i = 0; i < size; i++) {
        if (p[i] == '%' && size - i > 2 && is_hex(p[i + 1]) && is_hex(p[i + 2])) {
            u8 digits[4] = {'0', '0', p[i + 1], p[i + 2]};
            *o++ = (u8)hex4(digits);
            i += 2;
        } else {
            *o++ = p[i] == '+' ? ' ' : p[i];
        }
    }
    return (size_t)(o - out);
}

static status clear_percent(const tables *t, scratch *derived, const u8 *text, size_t size, u64 *mask) {
    if (scratch_reserve(derived, size + LINE_SLACK)) return STATUS_NO_MEMORY;
    size_t plain = decode_percent(text, size, derived->bytes);
    /* Python replaces invalid UTF-8; what the automaton would say of the replacement is not known here */
    if (!utf8_valid(derived->bytes, derived->bytes + plain)) return STATUS_OK;
    if (!derived_matters(t, derived->bytes, plain)) clear(mask, t->percent);
    return STATUS_OK;
}

/* What a character is in base64: its six bits, and of which alphabet (STANDARD: + and /, URL_SAFE: - and _) */
enum { SEXTET = 0x3F, STANDARD = 0x100, URL_SAFE = 0x200, IN_BASE64 = 0x400, UPPER = 0x800 };

static const u16 base64_of[256] = {
    [43] = 0x53E, [45] = 0x63E, [47] = 0x53F, [48] = 0x434, [49] = 0x435, [50] = 0x436, [51] = 0x437, [52] = 0x438,
    [53] = 0x439, [54] = 0x43A, [55] = 0x43B, [56] = 0x43C, [57] = 0x43D, [65] = 0xC00, [66] = 0xC01, [67] = 0xC02,
    [68] = 0xC03, [69] = 0xC04, [70] = 0xC05, [71] = 0xC06, [72] = 0xC07, [73] = 0xC08, [74] = 0xC09, [75] = 0xC0A,
    [76] = 0xC0B, [77] = 0xC0C, [78] = 0xC0D, [79] = 0xC0E, [80] = 0xC0F, [81] = 0xC10, [82] = 0xC11, [83] = 0xC12,
    [84] = 0xC13, [85] = 0xC14, [86] = 0xC15, [87] = 0xC16, [88] = 0xC17, [89] = 0xC18, [90] = 0xC19, [95] = 0x63F,
    [97] = 0x41A, [98] = 0x41B, [99] = 0x41C, [100] = 0x41D, [101] = 0x41E, [102] = 0x41F, [103] = 0x420, [104] = 0x421,
    [105] = 0x422, [106] = 0x423, [107] = 0x424, [108] = 0x425, [109] = 0x426, [110] = 0x427, [111] = 0x428,
    [112] = 0x429, [113] = 0x42A, [114] = 0x42B, [115] = 0x42C, [116] = 0x42D, [117] = 0x42E, [118] = 0x42F,
    [119] = 0x430, [120] = 0x431, [121] = 0x432, [122] = 0x433,
};

static int printable(u8 c) { return (c >= 0x20 && c != 0x7F) || c == '\t' || c == '\n' || c == '\r'; }

/* Bytes of text in `out`, or 0: this run is not base64 of text. A trailing group of two or three characters counts
 * without its padding. */
static size_t decode_base64(const u8 *p, size_t size, u8 *out) {
    u8 *o = out;
    u32 bits = 0, held = 0;
    if (size % 4 == 1) return 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 6 | (base64_of[p[i]] & SEXTET);
        if ((held += 6) < 8) continue;
        u8 c = (u8)(bits >> (held -= 8));
        if (!printable(c)) return 0;
        *o++ = c;
    }
    return utf8_valid(out, o) ? (size_t)(o - out) : 0;
}

/* Does the maximal run [p, e) of base64 characters hold text that matters? Its padding says nothing. */
static status base64_run(const tables *t, scratch *derived, const u8 *p, const u8 *e, int emits, int *yes) {
    u32 kinds = 0;
    for (const u8 *q = p; q < e; q++) kinds |= base64_of[*q];
    size_t size = (size_t)(e - p);
    if (size < MIN_BASE64 || !(kinds & UPPER) || (kinds & STANDARD && kinds & URL_SAFE)) return STATUS_OK;
    if (scratch_reserve(derived, size + LINE_SLACK)) return STATUS_NO_MEMORY;
    size_t plain = decode_base64(p, size, derived->bytes);
    *yes = plain && (emits || derived_matters(t, derived->bytes, plain));
    return STATUS_OK;
}

/* A run of MIN_BASE64 characters covers one of every so many positions, so only those are looked at. */
static status find_base64(const tables *t, scratch *derived, const u8 *text, size_t size, int emits, u64 *mask) {
    const u8 *end = text + size, *from = text;
    int yes = 0;
    for (size_t i = MIN_BASE64 - 1; i < size && !yes;) {
        if (!base64_of[text[i]]) {
            i += MIN_BASE64;
            continue;
        }
        const u8 *p = text + i, *e = p + 1;
        while (p > from && base64_of[p[-1]]) p--;
        while (e < end && base64_of[*e]) e++;
        if (base64_run(t, derived, p, e, emits, &yes)) return STATUS_NO_MEMORY;
        from = e;
        i = (size_t)(e - text) + MIN_BASE64;
    }
    if (yes) set(mask, t->base64);
    return STATUS_OK;
}

/* Everything but the main automaton, which has run. */
static status refine(const tables *t, scratch *derived, const u8 *text, size_t size, int high, int emits, u64 *mask) {
    open_banks(t, text, size, mask);
    if (UNLIKELY(high) && accepts(&t->digits, text, size)) set(mask, t->digits_bit);
    if (size >= MIN_BASE64 && find_base64(t, derived, text, size, emits, mask)) return STATUS_NO_MEMORY;
    if (emits) return STATUS_OK;
    clear_bare(t, text, size, high, mask);
    return has(mask, t->percent) ? clear_percent(t, derived, text, size, mask) : STATUS_OK;
}

status nominate_text(const tables *t, scratch *derived, const u8 *text, size_t size, int emits, u64 *mask) {
    run(&t->main, text, size, mask, t->mask_words);
    return refine(t, derived, text, size, any_high(text, size), emits, mask);
}

/* ---- batches -------------------------------------------------------------------------------------------------- */

typedef struct {
    const u8 *text[LANES];
    size_t left[LANES];
    u32 state[LANES];
    u64 *mask[LANES];
    u32 next, busy;
    u64 idle[MAX_MASK_WORDS]; /* the mask of a lane that has no value */
} lanes;

static const u8 blanks[64] = "                                                               ";

static void refill(lanes *l, u32 i, const kernel *k) {
    while (l->next < k->job_count && k->jobs[l->next].emits) l->next++; /* these ask the memo first */
    l->state[i] = k->tables.main.start;
    if (l->next < k->job_count) {
        const job *j = &k->jobs[l->next];
        l->text[i] = j->text;
        l->left[i] = j->size;
        l->mask[i] = k->masks + (size_t)l->next++ * k->tables.mask_words;
        l->busy++;
    } else {
        l->text[i] = blanks;
        l->left[i] = sizeof blanks;
        l->mask[i] = l->idle;
    }
}

static void finish_lane(lanes *l, u32 i, const kernel *k) {
    const automaton *a = &k->tables.main;
    if (l->mask[i] != l->idle) {
        u32 state = step(a, l->state[i], PAD);
        if (state >= a->accept0) add_mask(l->mask[i], a, state, k->tables.mask_words);
        l->busy--;
    }
    refill(l, i, k);
}

/* `steps` steps in each lane; the loops over lanes are unrolled, their arrays live in registers */
static void advance(lanes *l, const automaton *a, size_t steps, u32 words) {
    const u16 *table = a->table;
    const u8 *classes = a->classes, *text[LANES];
    size_t state[LANES];
    u32 shift = a->shift, accept0 = a->accept0;
    for (u32 i = 0; i < LANES; i++) text[i] = l->text[i], state[i] = l->state[i];
    for (size_t at = 0; at < steps; at++) {
        u32 accepted = 0;
        for (u32 i = 0; i < LANES; i++) {
            state[i] = table[state[i] << shift | classes[text[i][at]]];
            accepted |= state[i] >= accept0;
        }
        if (LIKELY(!accepted)) continue;
        for (u32 i = 0; i < LANES; i++)
            if (state[i] >= accept0) add_mask(l->mask[i], a, (u32)state[i], words);
    }
    for (u32 i = 0; i < LANES; i++) {
        l->state[i] = (u32)state[i];
        l->text[i] += steps;
        l->left[i] -= steps;
    }
}

static void run_lanes(kernel *k) {
    lanes l = {.next = 0, .busy = 0};
    memset(k->masks, 0, (size_t)k->job_count * k->tables.mask_words * sizeof *k->masks);
    for (u32 i = 0; i < LANES; i++) refill(&l, i, k);
    while (l.busy) {
        size_t steps = l.left[0];
        for (u32 i = 1; i < LANES; i++) steps = l.left[i] < steps ? l.left[i] : steps;
        advance(&l, &k->tables.main, steps, k->tables.mask_words);
        for (u32 i = 0; i < LANES; i++)
            if (!l.left[i]) finish_lane(&l, i, k);
    }
}

static status decide(kernel *k, const job *j, u64 *mask) {
    u32 context = k->paths.entries[j->path].context;
    u64 hash = memo_hash(k->seed, j->text, j->size, context, j->number), result;
    const memo_entry *known = memo_find(&k->memo, hash, j->text, j->size, context, j->number);
    if (LIKELY(known != NULL)) {
        result = known->result;
    } else {
        if (j->emits && nominate_text(&k->tables, &k->derived, j->text, j->size, 1, mask)) return STATUS_NO_MEMORY;
        if (k->ask.decide(k->ask.owner, j->text, j->size, mask, context, &result)) return STATUS_CALLBACK;
        memo_add(&k->memo, hash, j->text, j->size, context, j->number, result);
    }
    return (u32)result ? hit_add(k, j->path, result) : STATUS_OK;
}

status nominate_batch(kernel *k) {
    u32 words = k->tables.mask_words;
    run_lanes(k);
    for (u32 i = 0; i < k->job_count; i++) {
        const job *j = &k->jobs[i];
        u64 *mask = k->masks + (size_t)i * words;
        if (!j->emits) {
            if (refine(&k->tables, &k->derived, j->text, j->size, j->high, 0, mask)) return STATUS_NO_MEMORY;
            if (!any(mask, words)) continue;
        }
        status s = decide(k, j, mask);
        if (s) return s;
    }
    k->job_count = 0;
    k->text.used = 0;
    return STATUS_OK;
}
