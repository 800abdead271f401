"""Projects are added, changed and removed without a restart; a broken file changes nothing."""

import os

from consumer.domain.errors import Reason
from consumer.projects import Projects
from consumer.settings import load

SHOP = '[projects.shop]\napi_key = "a"\nsecret_key = "hunter2"\n'
GAME = '[projects.game]\napi_key = "a"\nsecret_key_file = "{}"\n'


def written(file, text):
    """The file with another time stamp, whatever the resolution of the machine's clock."""
    stamp = file.stat().st_mtime_ns + 10**9 if file.exists() else None
    file.write_text(text, encoding="utf-8")
    if stamp:
        os.utime(file, ns=(stamp, stamp))


def projects(file):
    return Projects(load(file), look_every_s=0)


def test_a_project_comes_and_goes_with_the_file(tmp_path):
    """And says which of the two it is: removed, or without a key."""
    file = tmp_path / "dsr.toml"
    written(file, SHOP)
    live = projects(file)
    assert live.access("game") is Reason.PROJECT_REMOVED
    written(file, SHOP + GAME.format(tmp_path / "key"))
    assert set(live.rules()) == {"shop", "game"}
    assert live.access("game") is Reason.CREDENTIALS_MISSING
    written(tmp_path / "key", "s3cret\n")
    assert live.access("game").keys.secret_key.reveal() == "s3cret"
    written(file, GAME.format(tmp_path / "key"))
    assert live.access("shop") is Reason.PROJECT_REMOVED


def test_a_broken_file_is_logged_and_changes_nothing(tmp_path, capsys):
    """Neither the file's text nor a secret is printed."""
    file = tmp_path / "dsr.toml"
    written(file, SHOP)
    live = projects(file)
    written(file, SHOP + "[projects.shop\n")
    assert set(live.rules()) == {"shop"}
    assert live.access("shop").keys.secret_key.reveal() == "hunter2"
    printed = capsys.readouterr().out
    assert "settings_not_read" in printed
    assert "hunter2" not in printed


def test_a_projects_org_cannot_move_while_the_service_runs(tmp_path):
    """It decides the partition: open requests would be looked for where they are not."""
    file = tmp_path / "dsr.toml"
    written(file, SHOP)
    live = projects(file)
    written(file, SHOP + 'org = "other"\n')
    assert live.rules()["shop"].org == "shop"


def test_without_a_file_the_settings_stay_as_they_are():
    """Everything came from the environment or from a program."""
    live = Projects(load(projects={"shop": {"api_key": "a", "secret_key": "b"}}), look_every_s=0)
    assert set(live.rules()) == {"shop"}
