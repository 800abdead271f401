"""What the native kernel knows of values: how many distinct ones, which three are told, and which are judged alike."""

from __future__ import annotations

import json
import random
from collections import defaultdict

import pytest

from scanner.hot import Kind
from scanner.kernel import NATIVE
from scanner.sketch import EXACT, Sketch
from tests.fakes import packed
from tests.fakes.kernel_caller import Caller, Row, Told, fingerprint

pytestmark = pytest.mark.skipif(NATIVE is None, reason="the native kernel is not built")

MAIL = (0, 1, 2, 4, 0)
CARD = (0, 2, 1, 8, 0)
ALIKE = (0, 3, 3, 16, 0)
LINE = 100  # values in each line of these tests
FIRST_BYTES = 8  # of a value whose fingerprint is in it


def lines(prints: list[int], key: str = "a") -> list[str]:
    """Values whose fingerprints are written in them."""
    values = [f"{each:016x}" for each in prints]
    return [json.dumps({key: values[at : at + LINE]}) for at in range(0, len(values), LINE)]


def written(value: bytes, _row: int) -> int:
    return int(value, 16)


def counting(**options) -> Caller:
    """Finds something in every value of a list, with the fingerprint that is written in it."""
    return Caller(lambda value: [MAIL], prints=written, **options)


def distinct(caller: Caller) -> list[bytes]:
    return [row[9] for row in caller.kernel.take()["counters"]]


def some_prints(chance: random.Random, count: int) -> list[int]:
    """As they come, or all alike in their high or low bits; each at least once, in any order."""
    narrow = [lambda n: n & 0xFFFFFF | 1, lambda n: n >> 30 << 30 | 1 << 63, lambda n: n & ~0x3FF | 1]
    shape = chance.choice([lambda n: n | 1 << chance.randrange(64), *narrow])
    found: set[int] = set()
    while len(found) < count:
        found.add(shape(chance.getrandbits(64)))
    several = [*found, *chance.choices([*found], k=chance.randrange(count + 1))]
    chance.shuffle(several)
    return several


@pytest.mark.parametrize(
    "count", [1, 2, 3, 7, 8, 9, 63, 64, 65, EXACT - 1, EXACT, EXACT + 1, EXACT + 2, 200, 1000, 5000]
)
@pytest.mark.parametrize("seed", range(6))
def test_a_sketch_is_the_one_that_python_makes_of_the_same_fingerprints(count, seed):
    prints = some_prints(random.Random(f"{count} {seed}"), count)
    caller = counting()
    caller.scan(*lines(prints))
    assert [Sketch.of(prints).to_bytes()] == distinct(caller)


def test_a_sketch_takes_fingerprints_of_every_rank():
    prints = [1 << bit for bit in range(64)] + [(1 << 64) - (1 << bit) for bit in range(64)] + [5 << 54 | 1]
    for some in (prints, prints[:100], prints[::-1]):
        caller = counting()
        caller.scan(*lines(some))
        assert [Sketch.of(some).to_bytes()] == distinct(caller)


def test_sketches_that_were_taken_add_up_to_the_whole():
    prints = some_prints(random.Random(1), 700)
    caller, whole, parts = counting(memo=50), counting(), []
    whole.scan(*lines(prints))
    for line in lines(prints):
        caller.scan(line)
        parts += distinct(caller)
    together = Sketch()
    for part in parts:
        together |= Sketch.from_bytes(part)
    assert len(parts) == len(lines(prints))
    assert distinct(whole) == [together.to_bytes()]


def test_every_counter_has_a_sketch_of_its_own():
    caller = Caller(
        lambda value: [MAIL, CARD] if value[:1] < b"8" else [CARD], prints=lambda v, row: written(v, 0) + row
    )
    chance, expected = random.Random(2), defaultdict(list)
    for number in range(60):
        prints = some_prints(chance, 20)
        event, key = f"e{number % 3}", f"k{number % 5}"
        caller.scan(json.dumps({"event_type": event, key: [f"{each:016x}" for each in prints]}))
        for each in prints:
            few = f"{each:016x}"[:1] < "8"
            expected[event, key, 2].append(each + few)
            if few:
                expected[event, key, 1].append(each)
    names = caller.kernel.event_types()
    rows = {(names[row[0]], caller.paths[row[1]][0], row[3]): row[9] for row in caller.kernel.take()["counters"]}
    rows = {key: told for key, told in rows.items() if key[1] != "event_type"}
    assert {key: Sketch.of(prints).to_bytes() for key, prints in expected.items()} == rows


def smallest_so_far(prints: list[int]) -> list[int]:
    """Those of the fingerprints that were new and among the three smallest when they came."""
    known: set[int] = set()
    told = []
    for each in prints:
        if each not in known and each in sorted(known | {each})[:3]:
            told.append(each)
        known.add(each)
    return told


@pytest.mark.parametrize("order", ["any", "ascending", "descending"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 50, 2000])
def test_the_three_smallest_fingerprints_are_told_and_only_those(count, order):
    prints = some_prints(random.Random(f"{count} {order}"), count)
    if order != "any":
        prints.sort(reverse=order == "descending")
    caller = counting()
    caller.scan(*lines(prints))
    told = [int(each.value, 16) for each in caller.firsts]
    assert smallest_so_far(prints) == told
    assert sorted(set(prints))[:3] == sorted(told)[:3]
    assert len(told) == len(set(told))
    if order == "ascending":
        assert len(told) == min(count, 3)


def test_each_counter_has_three_of_its_own_and_starts_anew_when_it_was_taken():
    caller = Caller(lambda value: [MAIL, CARD] if b"+" in value else [MAIL], prints=lambda value, row: len(value) + row)
    text = '{"event_type":"e","a":["1","22","1"],"b":"333+"}', '{"event_type":"f","a":["4444","1"]}'
    caller.scan(*text)
    a, b = caller.paths.index(("a", None)), caller.paths.index(("b",))
    e_type, f_type = [
        Told(event, caller.paths.index(("event_type",)), 0, name) for event, name in [(1, b"e"), (2, b"f")]
    ]
    expected = [
        *(e_type, Told(1, a, 0, b"1"), Told(1, a, 0, b"22"), Told(1, b, 0, b"333+"), Told(1, b, 1, b"333+")),
        *(f_type, Told(2, a, 0, b"4444"), Told(2, a, 0, b"1")),
    ]
    assert expected == caller.firsts
    caller.scan(*text)
    assert expected == caller.firsts
    caller.kernel.take()
    caller.scan(*text)
    assert expected * 2 == caller.firsts


def test_a_value_is_told_by_the_row_in_which_its_fingerprint_is_small():
    caller = Caller(lambda value: [MAIL, MAIL, MAIL], prints=lambda value, row: int(value.split(b",")[row]))
    caller.scan('{"a":["9,8,7","6,9,5","7,7,7","1,5,99"]}')
    assert [
        *((0, b"9,8,7"), (1, b"9,8,7"), (2, b"9,8,7")),
        *((0, b"6,9,5"), (2, b"6,9,5")),
        (0, b"1,5,99"),
    ] == [(told.row, told.value) for told in caller.firsts]


def with_keys(*keys: str) -> list[str]:
    return [json.dumps({key: [f"v{number}" for number in range(50)]}) for key in keys]


@pytest.mark.parametrize("forget", ["full", "reset"])
def test_a_key_that_says_something_is_counted_and_told_after_the_memo_was_emptied(forget):
    """Tokens of values begin anew then; the key's must not be taken for one of them."""
    caller = Caller(lambda value: [CARD], key_rows=lambda key: [MAIL, MAIL] if "@" in key else [], memo=16)
    caller.prints = lambda value, row: fingerprint(value + bytes([row]))
    caller.scan('{"a@b":null,"c@d":1}')
    before = caller.kernel.take()["counters"]
    if forget == "full":
        caller.scan(*with_keys("x", "y"), '{"z":["1","2"]}')
        assert caller.forgotten >= 2
    else:
        caller.reset_memo()
        caller.scan('{"z":["1","2","3","4"]}')
    caller.kernel.take()
    del caller.firsts[:]
    caller.scan('{"a@b":null,"c@d":1}')
    assert before == caller.kernel.take()["counters"]
    keys = [(caller.paths[told.path], told.row, told.value) for told in caller.firsts if told.value != b"1"]
    assert [((key,), row, key.encode()) for key in ("a@b", "c@d") for row in (0, 1)] == keys
    mails = {caller.paths[row[1]][0]: row[9] for row in before if row[3] == 1}
    expected = {key: Sketch.of(fingerprint(key.encode() + bytes([row])) for row in (0, 1)) for key in ("a@b", "c@d")}
    assert {key: sketch.to_bytes() for key, sketch in expected.items()} == mails


def test_tokens_begin_anew_when_the_memo_was_emptied():
    caller = counting(memo=16)
    caller.scan(*lines([*range(1, 5001)]))
    assert 5000 // LINE == caller.forgotten
    for value in (5001, 5002):
        caller.scan(*lines([value]))
        assert [(0, b"%016x" % value)] == [*caller.values.items()]
        caller.reset_memo()


def test_what_a_key_says_must_last():
    verdict = []
    kernel = NATIVE(
        packed.tables(),
        learn=lambda *_: (0, True, kernel.value(verdict[0], [7])),
        decide=lambda *_: 0,
        first=print,
        refuse=print,
    )
    verdict.append(kernel.verdict([MAIL]))
    with pytest.raises(ValueError, match="must last"):
        kernel.scan(b'{"a":1}\n', 0, 8)


def test_forgetting_changes_no_sketch_and_no_value_that_is_told():
    prints = some_prints(random.Random(3), 3000)
    roomy, narrow = counting(), counting(memo=30)
    for caller in (roomy, narrow):
        caller.scan(*lines(prints))
    assert (roomy.forgotten, narrow.forgotten > 20) == (0, True)
    assert roomy.firsts == narrow.firsts
    assert distinct(roomy) == distinct(narrow)


HOT = {
    Kind.IPV4: [b"203.0.113.77", b"8.8.8.80", b"223.255.255.254", b"10.0.0.1"],
    Kind.TOKEN: [b"9774d56d682e549c", b"abcdefg1", b"ABCDEFG7" * 8],
    Kind.IPV6: [b"2001:db8:85a3:0:1:8a2e:370:7334", b"1:2:3:4:5:6:7:8", b"FFFF:" * 7 + b"0000"],
    Kind.SHORT_IPV6: [b"2001:db8::8a2e:370", b"1::2", b"a:b:c:d:e:f::1"],
}
NOT_HOT = [
    *(b"0.10.20.30", b"127.0.0.1", b"224.0.0.1", b"10.20.30.0", b"1.2.3.4", b"1.2.3.456", b"10.20.30.40."),
    *(b" 203.0.113.77", b"203.0.113", b"203.0.113.77.1", b"203,0.113.77", b"203.0.113.", b"203.0..113", b""),
    *(b"abcdefgh", b"12345678", b"abcdef1", b"aaaaaaa1", b"9774d56d_682e549c", b"ABCDEFG7" * 8 + b"A"),
    *(b"1:2:3:4:5:6:7", b"1:2:3:4:5:6:7:8:9", b"12345:2:3:4:5:6:7:8", b"1:2:3:4:5:6:7:", b":1:2:3:4:5:6:7"),
    *(b"a:b:c:d:e:f:a:b", b"1:2:3:4:5:6:7:g", b"8.8.8.8", b"1.02.3.44"),
    *(b"::1", b"1::", b"::", b"a::b", b"1::2::3", b"1:::2", b"1:2:3:4:5:6:7::8", b"1::g", b"12345::1"),
]  # fmt: skip


@pytest.mark.parametrize("kind", Kind)
def test_what_is_hot_is_of_one_kind(kind):
    from scanner.kernel import _kernel  # noqa: PLC0415  (there only if it was built)

    for other in Kind:
        assert [kind is other] * len(HOT[kind]) == [_kernel.is_hot(other, text) for text in HOT[kind]]
    assert [] == [text for text in NOT_HOT if _kernel.is_hot(kind, text)]
    assert not _kernel.is_hot(4, HOT[kind][0])
    assert not _kernel.is_hot(0xFFFFFFFF, HOT[kind][0])


def hot_bits(rule: int) -> bytes:
    return b"".join(rule.to_bytes(4, "little") for _ in Kind)


def judging_alike(**options) -> Caller:
    """The dots and colons of the tables are the rule of all addresses."""
    told = {"specimen": lambda kind: [ALIKE], "hot": hot_bits(packed.Bits().address)}
    return Caller(lambda value: [MAIL], **told | options)


def all_hot(kinds=Kind) -> list[bytes]:
    return [text for kind in kinds for text in HOT[kind]]


def scan_each(caller: Caller, texts: list[bytes], key: str = "a") -> None:
    caller.scan(*(json.dumps({key: text.decode()}) for text in texts))


def test_hot_values_are_counted_by_the_verdict_of_their_specimen_and_nobody_is_asked():
    caller = judging_alike()
    for _ in range(3):
        scan_each(caller, all_hot())
    assert [] == caller.decided
    assert [(kind.value, 1) for kind in Kind] == caller.specimens
    (row,) = caller.kernel.take()["counters"]
    assert (0, 1, 0, 3, (0, 0, 3 * len(all_hot())), 16) == row[:6]
    prints = {fingerprint(text): text for text in all_hot()}
    assert Sketch.of(prints).to_bytes() == row[9]
    assert [prints[each] for each in smallest_so_far([*prints])] == [told.value for told in caller.firsts]
    assert all(told.hot for told in caller.firsts)
    assert [(3, 1, None)] == [(line, path, value) for line, path, _, value in caller.traced if line == 3]


def test_a_specimen_is_asked_for_once_in_each_context():
    caller = judging_alike()
    for key in ("a", "b", "a", "c", "b"):
        scan_each(caller, HOT[Kind.IPV4], key)
    assert [(Kind.IPV4.value, context) for context in (1, 2, 3)] == caller.specimens


def test_contexts_of_any_number_have_their_specimens():
    caller = judging_alike()
    caller.scan(json.dumps({f"k{number}": HOT[Kind.IPV4][number % 4].decode() for number in range(3000)}))
    assert [(Kind.IPV4.value, context) for context in range(1, 3001)] == caller.specimens
    assert [] == caller.decided


def test_without_a_verdict_of_the_specimen_each_value_is_decided():
    silent = judging_alike(specimen=lambda kind: [])
    scan_each(silent, all_hot() * 2)
    assert [(kind.value, 1) for kind in Kind] == silent.specimens
    assert all_hot() == [value for value, _, _ in silent.decided]


@pytest.mark.parametrize("without", ["bits", "specimen"])
def test_without_the_option_nothing_is_hot(without):
    options = {"hot": hot_bits(0xFFFFFFFF)} if without == "bits" else {"specimen": lambda kind: []}
    caller = judging_alike(**options)
    scan_each(caller, HOT[Kind.IPV4])
    assert HOT[Kind.IPV4] == [value for value, _, _ in caller.decided]
    assert (without == "bits") == (caller.specimens == [])


def test_a_callback_for_specimens_need_not_be_given():
    asked = []
    kernel = NATIVE(
        packed.tables(),
        learn=lambda *_: (0, True, 0),
        decide=lambda value, *_: asked.append(value) or 0,
        first=print,
        refuse=print,
        hot=hot_bits(packed.Bits().address),
    )
    for text in all_hot():
        line = b'{"a":"%s"}\n' % text
        kernel.scan(line, 0, len(line))
    assert all_hot() == asked


def test_tokens_are_hot_only_where_every_value_is_decided():
    caller = judging_alike(emits=lambda path: path == ("b",))
    scan_each(caller, HOT[Kind.TOKEN], "a")
    assert [] == caller.specimens == caller.traced
    scan_each(caller, HOT[Kind.TOKEN], "b")
    assert [(Kind.TOKEN.value, 2)] == caller.specimens
    assert [] == caller.decided


def test_addresses_are_hot_also_where_only_what_is_nominated_is_decided():
    caller = judging_alike(emits=lambda path: False)
    scan_each(caller, all_hot([Kind.IPV4, Kind.IPV6, Kind.SHORT_IPV6]))
    nominated = [text for text in all_hot() if packed.mask(text) >> packed.Bits().address & 1]
    assert len(nominated) > 8
    assert len(nominated) == len(caller.traced)
    assert [] == caller.decided


@pytest.mark.parametrize("in_addresses", [0b01, 0b11, 0b10, 0b00])
@pytest.mark.parametrize("kind", [Kind.IPV4, Kind.IPV6, Kind.SHORT_IPV6])
def test_an_address_is_hot_only_if_no_other_rule_is_in_question(kind, in_addresses):
    """Two rules are nominated for every text; what cannot match in an address is none."""
    tables = packed.everywhere(0, 2, in_addresses)
    caller = judging_alike(tables=tables, hot=hot_bits(0))
    scan_each(caller, HOT[kind])
    alone = in_addresses == 0b01
    assert ([] if alone else [(text, in_addresses, 1) for text in HOT[kind]]) == caller.decided
    assert ([(kind.value, 1)] if alone else []) == caller.specimens


def test_a_token_is_hot_only_if_no_rule_is_in_question():
    caller = judging_alike(tables=packed.everywhere(), hot=hot_bits(5))
    scan_each(caller, HOT[Kind.TOKEN])
    assert HOT[Kind.TOKEN] == [value for value, _, _ in caller.decided]
    assert [] == caller.specimens


@pytest.mark.parametrize("rule", [64, 200, 511, 512, 0xFFFFFFFF])
def test_a_bit_outside_the_mask_is_nobodys(rule):
    caller = judging_alike(tables=packed.everywhere(), hot=hot_bits(rule))
    scan_each(caller, HOT[Kind.IPV4])
    assert HOT[Kind.IPV4] == [value for value, _, _ in caller.decided]
    assert [] == caller.specimens


def test_escaped_texts_and_numbers_are_decided_one_by_one():
    caller = judging_alike()
    caller.scan(r'{"a":"203.0.113.7\u0037"}', r'{"a":"9774d56d\u0036"}', '{"a":12345678}', '{"a":12345678e9}')
    assert [] == caller.specimens
    assert 4 == len(caller.decided)


CARD_PASSES, CARD_FAILS = b"4677979049691420", b"4677979049691421"


@pytest.mark.parametrize("quote", ['"', ""])
def test_digits_that_fail_luhns_check_are_no_question_where_only_such_rules_are_nominated(quote):
    luhn = (1 << packed.Bits().base + 1).to_bytes(8, "little")
    caller = Caller(lambda value: [MAIL], emits=lambda path: path == ("b",), luhn=luhn)
    for key in ("a", "b"):
        caller.scan(*(f'{{"{key}":{quote}{text.decode()}{quote}}}' for text in (CARD_PASSES, CARD_FAILS)))
    assert [(CARD_PASSES, 2, 1), (CARD_PASSES, 2, 2), (CARD_FAILS, 0, 2)] == caller.decided


def test_only_digits_alone_can_fail_luhns_check():
    luhn = (1 << packed.Bits().base + 1).to_bytes(8, "little")
    caller = Caller(emits=lambda path: False, luhn=luhn)
    texts = [CARD_FAILS + b"x", b" " + CARD_FAILS, CARD_FAILS + b"@", b"-" + CARD_FAILS, CARD_FAILS + b".0"]
    scan_each(caller, texts)
    assert texts == [value for value, _, _ in caller.decided]
    assert [packed.mask(text) for text in texts] == [mask for _, mask, _ in caller.decided]


def test_the_other_rules_stay_in_question_when_luhns_check_fails():
    bits = packed.Bits()
    caller = Caller(emits=lambda path: False, tables=packed.everywhere(0, 3), luhn=b"\x02")
    scan_each(caller, [CARD_PASSES, CARD_FAILS])
    assert [(CARD_PASSES, 7, 1), (CARD_FAILS, 5, 1)] == caller.decided
    assert 0 == bits.base


@pytest.mark.parametrize("words", [1, 2, 8])
def test_luhns_check_and_addresses_work_in_masks_of_any_width(words):
    bits = packed.Bits(words)
    luhn = (1 << bits.base + 1).to_bytes(8 * words, "little")
    caller = Caller(
        lambda value: [MAIL],
        emits=lambda path: False,
        specimen=lambda kind: [ALIKE],
        tables=packed.tables(words),
        hot=hot_bits(bits.address),
        luhn=luhn,
    )
    scan_each(caller, [CARD_PASSES, CARD_FAILS, *HOT[Kind.IPV4]])
    assert [(CARD_PASSES, 1 << bits.base + 1, 1)] == caller.decided
    assert [(Kind.IPV4.value, 1)] == caller.specimens
    assert 1 + len(HOT[Kind.IPV4]) == len(caller.traced)


def rows_of_both() -> list[Row]:
    return [MAIL, ALIKE]


def test_hot_and_decided_values_of_one_counter_share_its_sketch_and_its_three():
    caller = judging_alike(specimen=lambda kind: [MAIL])
    texts = [*all_hot(), *(b"plain %d" % number for number in range(200))]
    random.Random(4).shuffle(texts)
    scan_each(caller, texts)
    prints = [fingerprint(text) for text in texts]
    assert [Sketch.of(prints).to_bytes()] == distinct(caller)
    assert smallest_so_far(prints) == [fingerprint(told.value) for told in caller.firsts]
    assert sorted(prints)[:3] == sorted(fingerprint(told.value) for told in caller.firsts)[:3]


def test_a_specimen_may_have_several_rows():
    caller = judging_alike(specimen=lambda kind: rows_of_both())
    scan_each(caller, HOT[Kind.IPV4])
    expected = Sketch.of(map(fingerprint, HOT[Kind.IPV4])).to_bytes()
    assert [(1, expected), (3, expected)] == sorted((row[3], row[9]) for row in caller.kernel.take()["counters"])
    assert {0, 1} == {told.row for told in caller.firsts}


def mixed(chance: random.Random, count: int) -> list[str]:
    """Lines of values that come again, in two fields: clean, decided, hot, escaped, numbers, long ones."""
    texts = [*all_hot(), *(b"plain %d" % number for number in range(90)), *(b"x%d" % n + b"-" * 5000 for n in range(3))]
    lines = []
    for _ in range(count):
        values = [json.dumps(chance.choice(texts).decode()) for _ in range(chance.randrange(9))]
        values += [str(chance.randrange(10**9, 10**9 + 40)) for _ in range(chance.randrange(3))]
        written = [
            each.replace("0", "\\u0030") if chance.random() < 0.2 and each[0] == '"' else each for each in values
        ]
        lines.append(json.dumps({chance.choice("ab"): None})[:-5] + f"[{','.join(written)}]}}")
    return lines


def test_a_value_that_came_before_counts_as_if_it_came_for_the_first_time():
    """However it was known: after each line, one of two callers is made to forget."""
    lines, hot = mixed(random.Random(9), 400), frozenset(all_hot())
    lasting, forgetting = (
        Caller(
            lambda value: [MAIL] if value in hot else [CARD, MAIL] if b"1" in value else [],
            emits=lambda path: path[:1] == ("a",),
            specimen=lambda kind: [MAIL],
            hot=hot_bits(packed.Bits().address),
        )
        for _ in range(2)
    )
    lasting.scan(*lines)
    for line in lines:
        forgetting.scan(line)
        forgetting.reset_memo()
    places, expected = ([(line, path) for line, path, *_ in each.traced] for each in (lasting, forgetting))
    assert places == expected
    assert len(places) > 500
    assert len(lasting.decided) < len(forgetting.decided) / 3
    expected, got = forgetting.kernel.take(), lasting.kernel.take()
    assert (expected["counters"], expected["seen"]) == (got["counters"], got["seen"])
