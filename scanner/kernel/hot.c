/* Values that are judged alike. Two addresses, each the whole value of a field of the same context and with no other rule
 * in question, get the same verdict; so one specimen is judged for all of them, and Python never sees the others. What is
 * recognised here is a subset of what the rules' validators accept: `scanner/hot.py` says whose. And a number that fails
 * the check digit of the only rules in question is not worth a question at all. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

static int digit(u8 c) { return (u8)(c - '0') <= 9; }

/* One octet without leading zeros; its value, or -1 */
static int octet(const u8 **p, const u8 *end) {
    const u8 *start = *p;
    int value = 0;
    while (*p < end && digit(**p) && *p - start < 3) value = 10 * value + *(*p)++ - '0';
    if (*p == start || value > 255 || (*start == '0' && *p - start > 1)) return -1;
    return value;
}

/* Dotted quad of a host that may be anybody's: neither this network, loopback, multicast, nor like a version. */
static int is_ipv4(const u8 *p, size_t size) {
    enum { SHORTEST = 8, LONGEST = 15 };
    const u8 *end = p + size;
    int last = 0;
    if (size < SHORTEST || size > LONGEST) return 0;
    for (u32 i = 0; i < 4; i++) {
        if (i && (p == end || *p++ != '.')) return 0;
        if ((last = octet(&p, end)) < 0) return 0;
        if (!i && (last < 1 || last > 223 || last == 127)) return 0;
    }
    return p == end && last > 0;
}

/* Letters and digits, and enough different ones; shorter and plainer than the rule would allow. */
static int is_token(const u8 *p, size_t size) {
    enum { SHORTEST = 8, LONGEST = 64, DIFFERENT = 8 };
    u64 digits = 0, letters = 0;
    if (size < SHORTEST || size > LONGEST) return 0;
    for (size_t i = 0; i < size; i++) {
        if (digit(p[i])) digits |= 1ull << (p[i] - '0');
        else if ((u8)((p[i] | 0x20) - 'a') < 26) letters |= 1ull << (p[i] - 'A');
        else return 0;
    }
    return digits && letters && __builtin_popcountll(digits) + __builtin_popcountll(letters) >= DIFFERENT;
}

/* Groups of one to four hexadecimal digits between colons, one colon at most doubled, inside, and a digit somewhere;
 * the number of groups, or 0 */
static u32 groups_of_ipv6(const u8 *p, size_t size, u32 *doubled) {
    const u8 *end = p + size;
    u32 groups = 0, digits = 0;
    *doubled = 0;
    if (size > 39) return 0;
    for (;;) {
        const u8 *start = p;
        for (; p < end && p - start < 4 && ((u8)(*p - '0') < 10 || (u8)((*p | 0x20) - 'a') < 6); p++)
            digits += digit(*p);
        if (p == start) return 0;
        groups++;
        if (p == end) return digits ? groups : 0;
        if (*p++ != ':') return 0;
        if (p < end && *p == ':' && ++p) (*doubled)++;
    }
}

static int is_ipv6(const u8 *p, size_t size) {
    u32 doubled, groups = groups_of_ipv6(p, size, &doubled);
    return groups == 8 && !doubled;
}

static int is_short_ipv6(const u8 *p, size_t size) {
    u32 doubled, groups = groups_of_ipv6(p, size, &doubled);
    return groups >= 2 && groups <= 7 && doubled == 1;
}

int hot_is(hot_kind kind, const u8 *text, size_t size) {
    switch (kind) {
    case HOT_IPV4: return is_ipv4(text, size);
    case HOT_TOKEN: return is_token(text, size);
    case HOT_IPV6: return is_ipv6(text, size);
    case HOT_SHORT_IPV6: return is_short_ipv6(text, size);
    default: return 0;
    }
}

/* Of this context and kind, asked once: a verdict, or 0 where they are not judged alike */
static status verdict_of(kernel *k, u32 context, hot_kind kind, u32 *out) {
    enum { NOT_ASKED = 0, ASKED = 1 };
    if (context >= k->specimen_count) {
        size_t count = 2 * ((size_t)context + 8);
        u32(*grown)[HOT_KINDS] = count < 1u << 24 ? realloc(k->specimens, count * sizeof *grown) : NULL;
        if (!grown) return STATUS_NO_MEMORY;
        memset(grown + k->specimen_count, 0, (count - k->specimen_count) * sizeof *grown);
        k->specimens = grown;
        k->specimen_count = (u32)count;
    }
    if (k->specimens[context][kind] == NOT_ASKED) {
        u32 verdict;
        if (k->ask.specimen(k->ask.owner, kind, context, &verdict)) return STATUS_CALLBACK;
        k->specimens[context][kind] = verdict + ASKED;
    }
    *out = k->specimens[context][kind] - ASKED;
    return STATUS_OK;
}

static int has(const u64 *mask, u32 bit) { return bit < 64 * MAX_MASK_WORDS && mask[bit / 64] >> bit % 64 & 1; }

static u32 count(const u64 *mask, u32 words) {
    u32 bits = 0;
    for (u32 i = 0; i < words; i++) bits += (u32)__builtin_popcountll(mask[i]);
    return bits;
}

/* Which kind it is, if no other rule is in question: an address has its own bit, a token none, in a field that emits. */
static hot_kind kind_of(const kernel *k, const job *j, u64 *mask) {
    static const hot_kind addresses[] = {HOT_IPV4, HOT_IPV6, HOT_SHORT_IPV6};
    u32 words = k->tables.mask_words;
    for (u32 a = 0; a < 3; a++) {
        hot_kind kind = addresses[a];
        if (!has(mask, k->hot.bits[kind]) || !hot_is(kind, j->text, j->size)) continue;
        for (u32 i = 0; i < words; i++) mask[i] &= k->tables.in_addresses[kind][i];
        return has(mask, k->hot.bits[kind]) && count(mask, words) == 1 ? kind : HOT_NONE;
    }
    return j->emits && !count(mask, words) && is_token(j->text, j->size) ? HOT_TOKEN : HOT_NONE;
}

/* Luhn's check digit at the end of nothing but digits */
static int fails_luhn(const u8 *p, size_t size) {
    u32 sum = 0;
    for (size_t i = 0; i < size; i++) {
        u32 value = (u32)(p[size - 1 - i] - '0');
        if (value > 9) return 0;
        if (i % 2) value = 2 * value - (value > 4 ? 9 : 0);
        sum += value;
    }
    return sum % 10 != 0;
}

status hot_verdict(kernel *k, const job *j, u64 *mask, u32 *verdict) {
    u32 words = k->tables.mask_words;
    u64 luhn = 0;
    *verdict = 0;
    for (u32 i = 0; i < words; i++) luhn |= mask[i] & k->hot.luhn[i];
    if (luhn && fails_luhn(j->text, j->size))
        for (u32 i = 0; i < words; i++) mask[i] &= ~k->hot.luhn[i];
    hot_kind kind = j->own || j->number ? HOT_NONE : kind_of(k, j, mask);
    return kind == HOT_NONE ? STATUS_OK : verdict_of(k, k->paths.entries[j->path].context, kind, verdict);
}

/* ---- SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed fingerprint that nobody without the key can test ---------- */

static inline u64 rotate(u64 x, u32 by) { return x << by | x >> (64 - by); }

typedef struct { u64 a, b, c, d; } sip;

static inline void sip_round(sip *s) {
    s->a += s->b, s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a, s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32);
    s->c += s->b, s->a += s->d;
    s->b = rotate(s->b, 17) ^ s->c, s->d = rotate(s->d, 21) ^ s->a;
    s->c = rotate(s->c, 32);
}

static inline void sip_take(sip *s, u64 word) {
    s->d ^= word;
    sip_round(s);
    sip_round(s);
    s->a ^= word;
}

u64 fingerprint(const u64 key[2], const u8 *p, size_t size) {
    sip s = {key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull, key[0] ^ 0x6c7967656e657261ull,
             key[1] ^ 0x7465646279746573ull};
    u64 last = (u64)size << 56;
    size_t left = size;
    for (; left >= 8; p += 8, left -= 8) sip_take(&s, load64(p));
    for (size_t i = 0; i < left; i++) last |= (u64)p[i] << 8 * i;
    sip_take(&s, last);
    s.c ^= 0xFF;
    for (u32 i = 0; i < 4; i++) sip_round(&s);
    u64 print = s.a ^ s.b ^ s.c ^ s.d;
    return print ? print : 1;
}
