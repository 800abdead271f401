/* Values -> masks. The automata only say what *may* be there; whoever is asked then decides.
 *
 * A step of an automaton waits for the one before, so LANES texts run side by side, each through its own automaton: the
 * waits overlap. */
#include "text.h"

#include <stdlib.h>

enum { LANES = 4, MIN_BASE64 = 16, PAD = '"' };

static inline u32 step(const automaton *a, u32 state, u8 c) {
    return a->table[((size_t)state << a->shift) + a->classes[c]];
}

/* Main says something at every other byte, a bank hardly ever. So what main says is united without asking whether it is
 * anything, and the masks of the others are looked up where they accept. */
static inline u64 speech_of(const automaton *main, size_t state) {
    u64 said;
    memcpy(&said, &main->table[state << main->shift], sizeof said);
    return said;
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

static int has(const u64 *mask, u32 bit) { return mask[bit / 64] >> bit % 64 & 1; }
static void set(u64 *mask, u32 bit) { mask[bit / 64] |= 1ull << bit % 64; }
static void clear(u64 *mask, u32 bit) { mask[bit / 64] &= ~(1ull << bit % 64); }

static int any(const u64 *mask, u32 words) {
    u64 all = 0;
    for (u32 i = 0; i < words; i++) all |= mask[i];
    return all != 0;
}

/* Is all beyond ASCII marks that stand between words: currencies, dashes and quotes (`scanner.context.MARKS`)? */
static int only_marks(const u8 *p, size_t size) {
    for (size_t i = 0; i < size; i++) {
        u8 second = i + 1 < size ? p[i + 1] : 0, third = i + 2 < size ? p[i + 2] : 0;
        if (p[i] < 0x80) continue;
        if (p[i] == 0xC2 && second >= 0xA2 && second <= 0xA9) i += 1;
        else if (p[i] == 0xE2 && second == 0x80 && third >= 0x90 && third <= 0xBF) i += 2;
        else if (p[i] == 0xE2 && second == 0x82 && third >= 0xA0 && third <= 0xBF) i += 2;
        else return 0;
    }
    return 1;
}

/* Context-only patterns need a digit and, where the key is none, a phrase. Only in ASCII are its words known. */
typedef enum { NO_PHRASE, A_PHRASE, PERHAPS } phrase;

static phrase phrase_in(u64 said, const u8 *text, size_t size, int high) {
    if (!(said & MAIN_DIGIT)) return NO_PHRASE;
    if (high && !only_marks(text, size)) return A_PHRASE;
    return said & MAIN_LETTER ? PERHAPS : NO_PHRASE;
}

static void note(const tables *t, u64 said, u64 *mask) {
    if (said & MAIN_JSON) set(mask, t->json);
    if (said & MAIN_PERCENT) set(mask, t->percent);
}

/* Main, then the banks whose gates the text has passed, and the words if they matter */
static void run_main(const tables *t, const u8 *text, size_t size, int high, u64 *mask) {
    u64 said = 0;
    u32 state = t->main.start;
    for (size_t i = 0; i <= size; i++) {
        state = step(&t->main, state, i < size ? text[i] : PAD);
        said |= speech_of(&t->main, state);
    }
    note(t, said, mask);
    for (u64 banks = said >> MAIN_BANKS; banks; banks &= banks - 1)
        run(&t->banks[__builtin_ctzll(banks)], text, size, mask, t->mask_words);
    phrase p = phrase_in(said, text, size, high);
    if (p == A_PHRASE) set(mask, t->bare);
    if (p == PERHAPS) run(&t->words, text, size, mask, t->mask_words);
}

/* Would a pass over this derived text find anything to confirm? */
static int derived_matters(const tables *t, const u8 *text, size_t size) {
    u64 mask[MAX_MASK_WORDS] = {0};
    run_main(t, text, size, any_high(text, size), mask);
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

/* Readings: digits of other scripts, base64, percent-encoding. */
static status find_readings(const tables *t, scratch *derived, const u8 *text, size_t size, int high, int emits, u64 *mask) {
    if (UNLIKELY(high)) run(&t->digits, text, size, mask, t->mask_words);
    if (size >= MIN_BASE64 && find_base64(t, derived, text, size, emits, mask)) return STATUS_NO_MEMORY;
    return !emits && has(mask, t->percent) ? clear_percent(t, derived, text, size, mask) : STATUS_OK;
}

status nominate_text(const tables *t, scratch *derived, const u8 *text, size_t size, int emits, u64 *mask) {
    int high = any_high(text, size);
    run_main(t, text, size, high, mask);
    return find_readings(t, derived, text, size, high, emits, mask);
}

/* ---- batches -------------------------------------------------------------------------------------------------- */

/* Some texts, each on its way through one automaton */
typedef struct {
    const automaton *a[LANES];
    const u8 *text[LANES];
    size_t size[LANES], state[LANES];
    u64 *mask[LANES], said[LANES];
} lanes;

#define INLINED static inline __attribute__((always_inline))

static u64 *mask_of(const kernel *k, u32 job) { return k->masks + (size_t)job * k->tables.mask_words; }

/* One step of the lanes from `from` on. `main`: it is the automaton of all of them. */
INLINED void step_all(lanes *l, const u32 from, const automaton *main, size_t at, u32 words) {
    u32 accepted = 0;
#pragma GCC unroll 4
    for (u32 i = from; i < LANES; i++) {
        const automaton *a = main ? main : l->a[i];
        l->state[i] = a->table[(l->state[i] << a->shift) + a->classes[l->text[i][at]]];
        if (main) l->said[i] |= speech_of(main, l->state[i]);
        else accepted |= l->state[i] >= a->accept0;
    }
    if (main || LIKELY(!accepted)) return;
    for (u32 i = from; i < LANES; i++)
        if (l->state[i] >= l->a[i]->accept0) add_mask(l->mask[i], l->a[i], (u32)l->state[i], words);
}

/* The pad after a text */
INLINED void end(lanes *l, const u32 i, const automaton *main, u32 words) {
    const automaton *a = main ? main : l->a[i];
    size_t state = step(a, (u32)l->state[i], PAD);
    if (main) *l->mask[i] |= l->said[i] | speech_of(main, state);
    else if (state >= a->accept0) add_mask(l->mask[i], a, (u32)state, words);
}

/* The lanes from `from` on, shortest text first: side by side until the first ends, then without it. */
INLINED void run_lanes(lanes *l, const u32 from, const automaton *main, u32 words) {
    size_t at = 0;
#pragma GCC unroll 4
    for (u32 i = from; i < LANES; i++) {
        for (; at < l->size[i]; at++) step_all(l, i, main, at, words);
        end(l, i, main, words);
    }
}

INLINED void fill(lanes *l, const u32 i, const kernel *k, const run_task *task) {
    const job *j = &k->jobs[task->job];
    l->a[i] = task->a;
    l->text[i] = j->text;
    l->size[i] = j->size;
    l->state[i] = task->a->start;
    l->mask[i] = mask_of(k, task->job);
    l->said[i] = 0;
}

INLINED void run_tasks(const kernel *k, const automaton *main) {
    u32 words = k->tables.mask_words, next = 0;
    lanes l;
    for (; next + LANES <= k->task_count; next += LANES) {
        for (u32 i = 0; i < LANES; i++) fill(&l, i, k, &k->tasks[next + i]);
        run_lanes(&l, 0, main, words);
    }
    for (; next < k->task_count; next++) {
        fill(&l, LANES - 1, k, &k->tasks[next]);
        run_lanes(&l, LANES - 1, main, words);
    }
}

enum { LONG = 127 };

static u32 length_of(const kernel *k, u32 job) { return k->jobs[job].size < LONG ? k->jobs[job].size : LONG; }

/* The numbers of the open jobs by the length of their texts */
static void order_by_length(kernel *k) {
    u16 starts[LONG + 2] = {0};
    for (u32 i = 0; i < k->open_count; i++) starts[length_of(k, k->open[i]) + 1]++;
    for (u32 length = 1; length <= LONG; length++) starts[length] = (u16)(starts[length] + starts[length - 1]);
    u32 first_long = starts[LONG];
    for (u32 i = 0; i < k->open_count; i++) k->order[starts[length_of(k, k->open[i])]++] = k->open[i];
    for (u32 i = first_long + 1; i < k->open_count; i++) { /* there are few */
        u16 number = k->order[i];
        u32 at = i;
        for (; at > first_long && k->jobs[k->order[at - 1]].size > k->jobs[number].size; at--) k->order[at] = k->order[at - 1];
        k->order[at] = number;
    }
}

/* What main said becomes tasks for the banks; and for the words, if they matter. */
static void add_tasks(kernel *k, u32 number) {
    const tables *t = &k->tables;
    const job *j = &k->jobs[number];
    u64 *mask = mask_of(k, number), said = *mask;
    *mask = 0;
    for (u64 banks = said >> MAIN_BANKS; banks; banks &= banks - 1)
        k->tasks[k->task_count++] = (run_task){&t->banks[__builtin_ctzll(banks)], number};
    note(t, said, mask);
    phrase p = phrase_in(said, j->text, j->size, j->high);
    if (p == A_PHRASE) set(mask, t->bare);
    if (p == PERHAPS) k->tasks[k->task_count++] = (run_task){&t->words, number};
}

static void run_automata(kernel *k) {
    for (u32 i = 0; i < k->open_count; i++) memset(mask_of(k, k->open[i]), 0, k->tables.mask_words * sizeof *k->masks);
    k->task_count = 0;
    order_by_length(k);
    for (u32 i = 0; i < k->open_count; i++) k->tasks[k->task_count++] = (run_task){&k->tables.main, k->order[i]};
    run_tasks(k, &k->tables.main);
    k->task_count = 0;
    for (u32 i = 0; i < k->open_count; i++) add_tasks(k, k->order[i]);
    run_tasks(k, NULL);
}

static status decide(kernel *k, const job *j, const u64 *mask, u64 *result) {
    u32 context = k->paths.entries[j->path].context;
    u64 hash = memo_hash(k->seed, j->text, j->size, context, j->number);
    const memo_entry *found = memo_find(&k->memo, hash, j->text, j->size, context, j->number);
    if (found) {
        *result = found->result;
        return STATUS_OK;
    }
    if (k->ask.decide(k->ask.owner, j->text, j->size, mask, context, result)) return STATUS_CALLBACK;
    memo_add(&k->memo, hash, j->text, j->size, context, j->number, *result);
    return STATUS_OK;
}

static status judge(kernel *k, const job *j, u64 *mask, u64 *result) {
    u32 hot, words = k->tables.mask_words;
    status s = find_readings(&k->tables, &k->derived, j->text, j->size, j->high, j->emits, mask);
    *result = 0;
    if (s || !(j->emits || any(mask, words))) return s;
    if ((s = hot_verdict(k, j, mask, &hot))) return s;
    if (hot) *result = (u64)NO_TOKEN << 32 | hot;
    else if (j->emits || any(mask, words)) s = decide(k, j, mask, result);
    return s;
}

/* Of which of the jobs nothing is known. A hot value's text is kept until the line is counted: so it is none of ours. */
static void recall(kernel *k) {
    k->open_count = 0;
    for (u32 i = 0; i < k->job_count; i++) {
        const job *j = &k->jobs[i];
        if (known_find(&k->known, j->place, &k->results[i]) && !(j->own && k->results[i] >> 32 == NO_TOKEN)) continue;
        k->open[k->open_count++] = (u16)i;
    }
}

static status hit_of(kernel *k, const job *j, u64 result) {
    if (LIKELY(!(u32)result)) return STATUS_OK;
    if (result >> 32 != NO_TOKEN) return hit_add(k, (hit){.path = j->path, .result = result});
    return hit_add(k, (hit){j->path, j->size, (u32)result, fingerprint(k->print_key, j->text, j->size), j->text});
}

status nominate_batch(kernel *k) {
    status s = STATUS_OK;
    recall(k);
    run_automata(k);
    for (u32 i = 0; i < k->open_count && !s; i++) {
        u32 number = k->open[i];
        const job *j = &k->jobs[number];
        s = judge(k, j, mask_of(k, number), &k->results[number]);
        if (!s && j->size <= MAX_MEMO_VALUE) known_add(&k->known, j->place, k->results[number]);
    }
    for (u32 i = 0; i < k->job_count && !s; i++) s = hit_of(k, &k->jobs[i], k->results[i]);
    if (s) return s;
    k->job_count = 0;
    k->text.used = 0;
    return STATUS_OK;
}
