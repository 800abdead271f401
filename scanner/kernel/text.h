/* Inside one JSON string: where it ends, what it holds, its escapes, its UTF-8, its shape.
 * Included by walk.h, once for any processor and once with KERNEL_AVX2. */
#ifndef SCANNER_KERNEL_TEXT_H
#define SCANNER_KERNEL_TEXT_H

#include "core.h"

#include <string.h>
#if KERNEL_AVX2
#include <immintrin.h>
#endif

enum { HAS_GATE = 1, HAS_ESCAPE = 2, HAS_HIGH = 4 }; /* gate: one of 0-9 : @ % { [ */

static const u8 features_of[256] = {
    ['0'] = HAS_GATE, ['1'] = HAS_GATE, ['2'] = HAS_GATE, ['3'] = HAS_GATE, ['4'] = HAS_GATE, ['5'] = HAS_GATE,
    ['6'] = HAS_GATE, ['7'] = HAS_GATE, ['8'] = HAS_GATE, ['9'] = HAS_GATE, [':'] = HAS_GATE, ['@'] = HAS_GATE,
    ['%'] = HAS_GATE, ['{'] = HAS_GATE, ['['] = HAS_GATE, [0x80 ... 0xFF] = HAS_HIGH,
};

#if KERNEL_AVX2
typedef __m256i block;

static inline block load_block(const u8 *p) { return _mm256_loadu_si256((const block *)(const void *)p); }
static inline u32 bits_of(block b) { return (u32)_mm256_movemask_epi8(b); }
static inline block equal(block b, char c) { return _mm256_cmpeq_epi8(b, _mm256_set1_epi8(c)); }
static inline block between(block b, char low, u8 span) {
    block d = _mm256_sub_epi8(b, _mm256_set1_epi8(low));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(d, _mm256_set1_epi8((char)span)), d);
}
static inline block gates(block b) {
    block braces = equal(_mm256_or_si256(b, _mm256_set1_epi8(0x20)), '{'); /* [ and { differ by one bit */
    return _mm256_or_si256(_mm256_or_si256(between(b, '0', 10), braces), _mm256_or_si256(equal(b, '@'), equal(b, '%')));
}
#endif

/* The closing quote of the string whose body starts at p, or NULL if there is none before `end`. */
static inline const u8 *string_end(const u8 *p, const u8 *end, const u8 *limit, u32 *features) {
    u32 found = 0;
#if KERNEL_AVX2
    while (limit - p >= 32) {
        block b = load_block(p);
        u32 quotes = bits_of(equal(b, '"')), escapes = bits_of(equal(b, '\\')), inside = (quotes & -quotes) - 1;
        if (UNLIKELY(escapes & inside)) {
            u32 at = (u32)__builtin_ctz(escapes);
            inside = (1u << at) - 1;
            found |= HAS_ESCAPE | (bits_of(gates(b)) & inside ? HAS_GATE : 0) | (bits_of(b) & inside ? HAS_HIGH : 0);
            p += at + 2;
            if (p >= end) return NULL;
            continue;
        }
        found |= (bits_of(gates(b)) & inside ? HAS_GATE : 0) | (bits_of(b) & inside ? HAS_HIGH : 0);
        if (LIKELY(quotes)) {
            p += __builtin_ctz(quotes);
            *features = found;
            return p < end ? p : NULL;
        }
        p += 32;
        if (p >= end) return NULL;
    }
#else
    (void)limit;
#endif
    while (p < end && *p != '"') {
        if (*p == '\\') {
            found |= HAS_ESCAPE;
            p += 2;
            continue;
        }
        found |= features_of[*p++];
    }
    *features = found;
    return p < end ? p : NULL;
}

/* The key that came here last time, again? `key` has LINE_SLACK bytes behind it. */
static inline int same_key(const u8 *key, const u8 *p, u32 size, const u8 *limit) {
#if KERNEL_AVX2
    if (LIKELY(size <= 32 && limit - p >= 32)) {
        u32 equals = bits_of(_mm256_cmpeq_epi8(load_block(key), load_block(p)));
        return !((u64)~equals & ((1ull << size) - 1));
    }
#else
    (void)limit;
#endif
    return !memcmp(key, p, size);
}

/* dddd-dd-dd dd:dd:dd.dddddd */
static inline int is_timestamp(const u8 *p, u32 size, const u8 *limit) {
    enum { DIGITS = 0x3F6DB6F };
    if (size != 26 || p[4] != '-' || p[7] != '-' || p[10] != ' ' || p[13] != ':' || p[16] != ':' || p[19] != '.') return 0;
#if KERNEL_AVX2
    if (LIKELY(limit - p >= 32)) return (bits_of(between(load_block(p), '0', 9)) & 0x3FFFFFF) == DIGITS;
#else
    (void)limit;
#endif
    for (u32 i = 0; i < 26; i++)
        if (DIGITS >> i & 1 && (u8)(p[i] - '0') > 9) return 0;
    return 1;
}

static inline int is_hex(u8 c) { return (u8)(c - '0') <= 9 || (u8)((c | 0x20) - 'a') <= 5; }

/* 8-4-4-4-12 hexadecimal digits, either case */
static inline int is_uuid(const u8 *p, u32 size, const u8 *limit) {
    if (size != 36 || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-') return 0;
    const u64 hyphens = 1ull << 8 | 1ull << 13 | 1ull << 18 | 1ull << 23;
#if KERNEL_AVX2
    if (LIKELY(limit - p >= 36)) {
        block a = load_block(p), b = load_block(p + 4), low = _mm256_set1_epi8(0x20);
        u64 first = bits_of(_mm256_or_si256(between(a, '0', 9), between(_mm256_or_si256(a, low), 'a', 5)));
        u64 last = bits_of(_mm256_or_si256(between(b, '0', 9), between(_mm256_or_si256(b, low), 'a', 5)));
        return ((first | last << 4 | hyphens) & 0xFFFFFFFFFull) == 0xFFFFFFFFFull;
    }
#else
    (void)limit;
#endif
    for (u32 i = 0; i < 36; i++)
        if (!(hyphens >> i & 1) && !is_hex(p[i])) return 0;
    return 1;
}

/* Strict, as Python's decoder is: no overlong forms, no surrogates, nothing above U+10FFFF. */
static inline int utf8_valid(const u8 *p, const u8 *end) {
    while (p < end) {
        if (end - p >= 8 && !(load64(p) & 0x8080808080808080ull)) {
            p += 8;
            continue;
        }
        u8 c = *p++;
        if (c < 0x80) continue;
        u32 more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        if (c < 0xC2 || c > 0xF4 || (size_t)(end - p) < more) return 0;
        u8 low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (*p < low || *p > high) return 0;
        for (u32 i = 1; i < more; i++)
            if ((p[i] & 0xC0) != 0x80) return 0;
        p += more;
    }
    return 1;
}

/* Four hexadecimal digits, or -1 */
static inline int hex4(const u8 *p) {
    int value = 0;
    for (u32 i = 0; i < 4; i++) {
        if (!is_hex(p[i])) return -1;
        value = value << 4 | ((p[i] & 0xF) + (p[i] >= 'A' ? 9 : 0));
    }
    return value;
}

/* Lone surrogates are written as three bytes, as Python's "surrogatepass" does. */
static inline u8 *put_utf8(u8 *o, u32 c) {
    if (c < 0x80) {
        *o++ = (u8)c;
    } else if (c < 0x800) {
        *o++ = (u8)(0xC0 | c >> 6);
        *o++ = (u8)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *o++ = (u8)(0xE0 | c >> 12);
        *o++ = (u8)(0x80 | (c >> 6 & 0x3F));
        *o++ = (u8)(0x80 | (c & 0x3F));
    } else {
        *o++ = (u8)(0xF0 | c >> 18);
        *o++ = (u8)(0x80 | (c >> 12 & 0x3F));
        *o++ = (u8)(0x80 | (c >> 6 & 0x3F));
        *o++ = (u8)(0x80 | (c & 0x3F));
    }
    return o;
}

/* What follows "\u" at *p; moves *p behind it. -1: not four digits. A pair of surrogates is one character. */
static inline int unicode_escape(const u8 **p, const u8 *end) {
    if (end - *p < 4) return -1;
    int c = hex4(*p);
    *p += 4;
    if (c < 0xD800 || c > 0xDBFF || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') return c;
    int low = hex4(*p + 2);
    if (low < 0xDC00 || low > 0xDFFF) return c;
    *p += 6;
    return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
}

static inline int simple_escape(u8 c) {
    switch (c) {
    case '"': case '\\': case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return -1;
    }
}

/* Un-escapes into `out`, which holds as many bytes as the source; never longer. The size, or -1: a bad escape. */
static inline ptrdiff_t unescape(const u8 *p, const u8 *end, u8 *out) {
    u8 *o = out;
    while (p < end) {
        const u8 *escape = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape ? escape : end) - p);
        memcpy(o, p, plain);
        o += plain;
        p += plain;
        if (!escape) break;
        if (end - p < 2) return -1;
        u8 kind = p[1];
        p += 2;
        int c = kind == 'u' ? unicode_escape(&p, end) : simple_escape(kind);
        if (c < 0) return -1;
        o = put_utf8(o, (u32)c);
    }
    return o - out;
}

static inline int any_high(const u8 *p, size_t size) {
    u64 all = 0;
    for (; size >= 8; p += 8, size -= 8) all |= load64(p);
    for (; size; p++, size--) all |= *p;
    return (all & 0x8080808080808080ull) != 0;
}

#endif
