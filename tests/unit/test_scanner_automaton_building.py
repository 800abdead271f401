"""Tables are built once for a rule set and kept; what is kept is never believed unseen."""

import os
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from scanner.automaton import anchors, build, building, load
from scanner.automaton.building import unwrap, wrap
from scanner.cli import app
from scanner.errors import BadRules, Fault
from scanner.rules import load as load_rules

RULE = """
[[rule]]
id = "test.{id}"
type = "BADGE"
name = "Badge"
group = "personal"
examples = ["B-12345"]

  [[rule.pattern]]
  regex = '{regex}'
  anchor = '{anchor}'
  alone = "likely"
  with_context = "likely"
"""
BADGE = r"(?<![0-9A-Za-z])B-[0-9]{5}(?![0-9A-Za-z])"
RIGHT, WRONG = "B-[0-9]{2}", "B-[1-9]{2}"
HARD = "a[ab]{20}[bc]"
"""An anchor that needs a state for each million ways to begin; the pattern `ab{20}c` contains it."""


def rules_of(folder, anchor="", regex=BADGE, name="badge"):
    file = folder / f"{name}.toml"
    file.write_text(RULE.format(id=name, regex=regex, anchor=anchor).replace("anchor = ''", ""))
    return load_rules([file], shipped=False)


@pytest.fixture
def rules(tmp_path):
    return rules_of(tmp_path)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def never_built(monkeypatch):
    def refuse(rules):
        raise AssertionError("they are there already")

    return lambda: monkeypatch.setattr(building, "build", refuse)


def kept(cache):
    return sorted(cache.iterdir())


def test_tables_are_kept_and_not_built_again(rules, cache, never_built):
    tables = load(rules, cache)
    (file,) = kept(cache)
    never_built()
    assert tables == load(rules, cache)
    assert [file] == kept(cache)


def test_other_rules_have_other_files(rules, cache, tmp_path):
    load(rules, cache)
    load(rules_of(tmp_path, regex="C-[0-9]{5}"), cache)
    assert 2 == len(kept(cache))


def test_the_cache_is_where_caches_are(rules, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    load(rules)
    assert 1 == len(kept(tmp_path / "xdg" / "amplitude-dsr"))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    load(rules)
    assert 1 == len(kept(tmp_path / "home" / ".cache" / "amplitude-dsr"))


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGES = {
    "a byte of the magic": lambda content: flipped(content, 1),
    "a byte of the digest": lambda content: flipped(content, 20),
    "a byte in the middle": lambda content: flipped(content, len(content) // 2),
    "the last byte": lambda content: flipped(content, len(content) - 1),
    "cut off": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"\0",
    "empty": lambda content: b"",
    "something else": lambda content: b"PK\3\4" + bytes(100),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_built_anew(rules, cache, damage, never_built):
    tables = load(rules, cache)
    (file,) = kept(cache)
    good = file.read_bytes()
    file.write_bytes(damage(good))
    assert tables == load(rules, cache)
    assert good == file.read_bytes()
    never_built()
    assert tables == load(rules, cache)


def test_tables_of_other_rules_under_this_name_are_not_believed(rules, cache, tmp_path):
    tables, other = load(rules, cache), rules_of(tmp_path, regex="C-[0-9]{5}")
    (file,) = kept(cache)
    load(other, cache)
    (foreign,) = set(kept(cache)) - {file}
    file.write_bytes(foreign.read_bytes())
    assert tables == load(rules, cache)
    assert file.read_bytes() != foreign.read_bytes()


def test_tables_of_another_version_are_not_believed(rules, cache, monkeypatch):
    load(rules, cache)
    (file,) = kept(cache)
    old = file.read_bytes()
    monkeypatch.setattr(building, "BUILD", building.BUILD + 1)
    tables = load(rules, cache)
    (newer,) = set(kept(cache)) - {file}
    newer.write_bytes(old)
    assert tables == load(rules, cache)
    assert old != newer.read_bytes()


def test_nobody_sees_half_a_file(rules, cache, monkeypatch):
    """Everything is written under another name, and that name is replaced at once."""
    load(rules, cache)
    (file,) = kept(cache)
    good = file.read_bytes()
    file.write_bytes(b"damaged")
    seen = []
    write = os.fdopen

    def watched(*arguments, **more):
        seen.append(file.read_bytes())
        return write(*arguments, **more)

    monkeypatch.setattr(building.os, "fdopen", watched)
    load(rules, cache)
    assert [b"damaged"] == seen
    assert good == file.read_bytes()
    assert [file] == kept(cache), "nothing is left beside it"


def test_a_cache_that_cannot_be_written_does_no_harm(rules, tmp_path):
    (tmp_path / "file").write_text("")
    assert build(rules) == load(rules, tmp_path / "file" / "cache")


def test_rules_without_a_digest_are_not_kept(rules, cache):
    assert build(rules) == load(replace(rules, digest=""), cache)
    assert not cache.exists()


def test_what_is_wrapped_is_unwrapped_with_its_key_only(rules):
    tables = build(rules)
    assert tables == unwrap(wrap(tables, b"key"), b"key")
    assert unwrap(wrap(tables, b"key"), b"other") is None
    assert unwrap(wrap(tables, b""), b"") is None


def test_a_right_hand_written_anchor_is_used(tmp_path):
    by_hand = rules_of(tmp_path, RIGHT)
    assert anchors(by_hand)[0] != anchors(rules_of(tmp_path))[0]
    assert build(by_hand).mask("xB-12") & 1


def test_a_wrong_hand_written_anchor_is_refused_by_name(tmp_path, cache):
    with pytest.raises(BadRules) as refused:
        load(rules_of(tmp_path, WRONG), cache)
    assert Fault.RULE_UNPROVED is refused.value.fault
    assert "test.badge" in str(refused.value)
    assert not cache.exists()


def test_an_anchor_that_is_no_regex_is_refused_by_name(tmp_path, cache):
    with pytest.raises(BadRules) as refused:
        load(rules_of(tmp_path, "B-[0-9"), cache)
    assert Fault.RULE_SYNTAX is refused.value.fault
    assert "test.badge" in str(refused.value)


def test_an_anchor_with_too_many_states_is_refused_by_name(tmp_path, cache):
    with pytest.raises(BadRules) as refused:
        load(rules_of(tmp_path, HARD, "ab{20}c"), cache)
    assert Fault.RULE_TOO_LARGE is refused.value.fault
    assert "test.badge" in str(refused.value)


def check(*files):
    result = CliRunner().invoke(app, ["rules", "check", *map(str, files)], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_check_of_a_file_with_a_wrong_anchor_names_the_rule_and_fails(tmp_path):
    rules_of(tmp_path, WRONG)
    rules_of(tmp_path, RIGHT, regex=BADGE.replace("B-", "D-B-"), name="other")
    result = check(tmp_path / "badge.toml", tmp_path / "other.toml")
    assert 1 == result.exit_code
    complaints = [line for line in result.output.splitlines() if "test.badge" in line]
    assert any("not proved" in line for line in complaints)
    assert "test.other" not in result.output
