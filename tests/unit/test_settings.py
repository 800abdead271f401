"""Settings: one file and the environment, all errors at once, no secret in print."""

import pytest

from consumer.domain.errors import Fatal, Reason
from consumer.settings import load

GOOD = """
[projects.shop]
org = "acme"
api_key = "public"
secret_key_file = "{file}"
hold_hours = 2
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "secret").write_text("first\n", encoding="utf-8")
    path = tmp_path / "dsr.toml"
    path.write_text(GOOD.format(file=tmp_path / "secret"), encoding="utf-8")
    return path


def test_keys_are_read_again_from_their_file(file):
    """A rotation needs no restart; a file that is gone is no key."""
    settings = load(file)
    assert settings.access("shop").keys.secret_key.reveal() == "first"
    (file.parent / "secret").write_text("second", encoding="utf-8")
    assert settings.access("shop").keys.secret_key.reveal() == "second"
    (file.parent / "secret").unlink()
    assert settings.access("shop") is None
    assert settings.access("nowhere") is None


def test_the_environment_wins_over_the_file(file, monkeypatch):
    """For any setting, however deep."""
    monkeypatch.setenv("DSR_PROJECTS__SHOP__DAILY_CAP", "7")
    monkeypatch.setenv("DSR_KAFKA__REPLICA", "dsr-7")
    settings = load(file)
    assert (settings.rules()["shop"].daily_cap, settings.kafka.replica) == (7, "dsr-7")
    assert settings.rules()["shop"].hold_ms == 7_200_000


def test_all_errors_are_listed_together_and_none_quotes_a_value(tmp_path):
    """A person mends the file once."""
    path = tmp_path / "dsr.toml"
    path.write_text(
        'lingr_s = 1\n[kafka]\npartitions = "hunter2"\n[projects.shop]\nregion = "mars"\nsecret_key = "hunter2"\n',
        encoding="utf-8",
    )
    with pytest.raises(Fatal) as caught:
        load(path)
    assert caught.value.reason is Reason.INVALID_SETTINGS
    for name in ("lingr_s", "kafka.partitions", "projects.shop.region"):
        assert name in caught.value.detail
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_key_is_given_once(tmp_path):
    """Neither not at all nor twice."""
    path = tmp_path / "dsr.toml"
    path.write_text('[projects.shop]\napi_key = "a"\napi_key_file = "b"\nsecret_key = "c"\n', encoding="utf-8")
    with pytest.raises(Fatal, match="api_key or api_key_file"):
        load(path)


def test_secrets_print_as_stars(file):
    """Wherever the settings are printed."""
    assert "public" not in repr(load(file))


def test_a_file_that_is_missing_or_no_toml_is_said_to_be(tmp_path):
    """By a sentence, not a traceback."""
    with pytest.raises(Fatal, match="does not exist"):
        load(tmp_path / "nowhere.toml")
    (tmp_path / "bad.toml").write_text("= =", encoding="utf-8")
    with pytest.raises(Fatal, match="not valid TOML"):
        load(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("DSR_PROJECTS", "hunter2", "DSR_PROJECTS is not JSON"), ("DSR_LINGERS", "1", "DSR_LINGERS: no such setting")],
)
def test_a_variable_that_cannot_be_used_is_named(name, value, said, file, monkeypatch):
    """Not the file's fault; and a misspelt one would never be noticed. Never with its value."""
    monkeypatch.setenv(name, value)
    with pytest.raises(Fatal) as refused:
        load(file)
    assert said in refused.value.detail
    assert "hunter2" not in refused.value.detail


def test_a_file_that_is_no_toml_is_said_with_the_place(tmp_path):
    """Line and column, and nothing of what stands there."""
    file = tmp_path / "dsr.toml"
    file.write_text("linger_s = 1\n[projects.shop\n", encoding="utf-8")
    with pytest.raises(Fatal, match="at line 2, column 15"):
        load(file)
