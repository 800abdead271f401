"""Small regexes of the kinds that rules are made of, each drawn together with a text that it was made to match."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import hypothesis.strategies as st
from hypothesis import reject

from scanner.automaton.nodes import PAD
from scanner.automaton.subset import compile_trees
from scanner.automaton.syntax import FLAGS

MARKS = "abAB09-. _"
FOREIGN = "éÉßж日😀"
CLASSES = ("[0-9]", "[A-Z]", "[a-z]", "[ab09]", "[A-Za-z]", "[-. ]", "[a-b0]", r"\d", r"\w", r"\s")
MORE_CLASSES = ("[é-ÿ]", "[^é]", "[ж日]", "[^a-z]", "[^aB.]", "[^0-9]", "[à-ж]", r"\W", r"\S", ".", "[0é]")
"""Those that a tree widens: a pad may stand for what is not in a class."""
EDGES = ("![0-9]", "![0-9A-Za-z]", "![^0-9]", "!a", "!a|[0-9]", "=[0-9]", r"=[-.]", "=a", "=[Aa0]")
"""Without `=[^0-9]`: there a tree takes the end of the text for a character."""

marks = st.sampled_from(MARKS)
texts = st.text(marks, max_size=8)
foreign_texts = st.text(st.sampled_from(MARKS + FOREIGN), max_size=8)


class _TooLong(Exception):
    pass


def _give_up(*_) -> None:
    raise _TooLong


@contextmanager
def patient(seconds: float = 1.0) -> Iterator[None]:
    """Drop the example if `re` takes longer, as it may by millions of years: a drawn regex repeats what it repeats.

    `re` looks for signals while it matches. In the main thread only.
    """
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TooLong:
        reject()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def found(regex, text):
    """The first match, as rules are run."""
    with patient():
        return re.search(regex, text, FLAGS)


def padded(text):
    return bytes((PAD,)) + text.encode("utf-8", "surrogatepass") + bytes((PAD,))


def accepted(tree, data):
    """After how many bytes the tree is first found somewhere in the data; None if nowhere."""
    dfa = compile_trees({1: [tree]})
    state = dfa.start
    for length, byte in enumerate(data, start=1):
        state = dfa.step(state, byte)
        if dfa.outputs[state]:
            return length
    return None


@st.composite
def matching(draw, regex, alphabet=MARKS):
    """A character that a class matches."""
    return draw(st.sampled_from([mark for mark in alphabet if re.fullmatch(regex, mark, FLAGS)] or [""]))


@st.composite
def leaves(draw, foreign=False):
    """(regex, text) of one character."""
    alphabet = MARKS + FOREIGN if foreign else MARKS
    if draw(st.booleans()):
        mark = draw(st.sampled_from(alphabet))
        return re.escape(mark), mark
    regex = draw(st.sampled_from(CLASSES + MORE_CLASSES if foreign else CLASSES))
    return regex, draw(matching(regex, alphabet))


REPEATS = {"?": (0, 1), "*": (0, 3), "+": (1, 3), "{2}": (2, 2), "{1,3}": (1, 3), "{0,2}": (0, 2), "{2,}": (2, 4)}


@st.composite
def repeated(draw, inner):
    """(regex, text) of some of them, greedy or lazy."""
    regex, text = draw(inner)
    mark = draw(st.sampled_from(list(REPEATS)))
    times = draw(st.integers(*REPEATS[mark]))
    return f"(?:{regex}){mark}{draw(st.sampled_from(['', '?']))}", text * times


def in_sequence(inner):
    return st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: tuple("".join(each) for each in zip(*parts, strict=True))
    )


@st.composite
def alternated(draw, inner):
    branches = draw(st.lists(inner, min_size=2, max_size=3))
    return f"(?:{'|'.join(regex for regex, _ in branches)})", draw(st.sampled_from(branches))[1]


@st.composite
def in_other_case(draw, inner):
    regex, text = draw(inner)
    return f"(?i:{regex})", draw(st.sampled_from([text, text.upper(), text.lower(), text.swapcase()]))


def plain(foreign=False):
    """What a tree says exactly, as long as all is ASCII: classes, groups, alternatives, repetitions, letter case."""
    return st.recursive(
        leaves(foreign),
        lambda inner: st.one_of(repeated(inner), in_sequence(inner), alternated(inner), in_other_case(inner)),
        max_leaves=6,
    )


@st.composite
def edged(draw, inner):
    """One look-behind before and one look-ahead after it, each of a single class."""
    regex, text = draw(inner)
    before = draw(st.sampled_from(["", *(f"(?<{edge})" for edge in EDGES)]))
    after = draw(st.sampled_from(["", *(f"(?{edge})" for edge in EDGES)]))
    return before + regex + after, text


@st.composite
def wild(draw):
    """Everything that Python's parser takes and that no automaton can say exactly: anything in any place."""
    inner = st.recursive(
        plain(foreign=True),
        lambda inner: st.one_of(
            edged(inner), in_sequence(inner), repeated(inner), alternated(inner), in_other_case(inner), grouped(inner)
        ),
        max_leaves=4,
    )
    regex, text = draw(inner)
    return numbered(regex), text


@st.composite
def grouped(draw, inner):
    """A group and, after something else, the same text again."""
    regex, text = draw(inner)
    between, more = draw(inner)
    again = draw(st.sampled_from([r"\@", r"(?i:\@)", r"(?:\@)?"]))
    held = draw(st.sampled_from([f"(@{regex})", f"(@{regex})", f"(?=(@{regex}))"]))
    return f"{held}{between}{again}", f"{text}{more}{text}"


def numbered(regex):
    """`(@…)` becomes a group and `\\@` a reference to the last one that is closed; without one, nothing."""
    out, opened, closed, count = [], [], [], 0
    pieces = re.findall(r"\(@|\\.|\[\^?[^\]]*\]|\(|\)|.", regex, re.DOTALL)
    for piece in pieces:
        if piece == r"\@":
            out.append(f"(?:\\{closed[-1]})" if closed else "")
            continue
        if piece in {"(", "(@"}:
            count += piece == "(@"
            opened.append(count if piece == "(@" else 0)
        elif piece == ")" and (number := opened.pop()):
            closed.append(number)
        out.append("(" if piece == "(@" else piece)
    return "".join(out)
