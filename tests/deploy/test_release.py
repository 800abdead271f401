"""The release workflow, by actionlint."""

import pytest

from tests.deploy.tools import ROOT, run

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"


def test_actionlint_finds_nothing_to_blame(actionlint):
    """Fields, expressions, contexts and runners."""
    done = run(actionlint, "-shellcheck=", "-pyflakes=", WORKFLOW)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("broken", [("needs: [wheels, sdist]", "needs: [wheel]"), ("matrix.os", "matrix.oss")])
def test_actionlint_would_find_it(actionlint, tmp_path, broken):
    """The check can fail."""
    text = WORKFLOW.read_text(encoding="utf-8")
    assert broken[0] in text
    (tmp_path / "release.yml").write_text(text.replace(*broken))
    assert run(actionlint, "-shellcheck=", "-pyflakes=", tmp_path / "release.yml").returncode == 1
