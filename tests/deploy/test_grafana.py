"""The dashboards, by Grafana's own types."""

import json

import pytest

from tests.deploy.tools import ROOT, run

DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").iterdir())
COMPILER = ["--noEmit", "--skipLibCheck", "--strict", "--moduleResolution", "bundler", "--module", "esnext"]


@pytest.fixture(scope="module")
def check(packages, tmp_path_factory):
    """What the compiler has to say of a dashboard; nothing if it is one."""
    folder = packages("@grafana/schema@13.2.3", "typescript@5.9.3")
    told = tmp_path_factory.mktemp("dashboards")
    (told / "node_modules").symlink_to(folder / "node_modules")

    def checked(*dashboards):
        lines = [f"export const d{n}: Dashboard = {json.dumps(one)};" for n, one in enumerate(dashboards)]
        source = told / "check.ts"
        source.write_text("\n".join(['import type { Dashboard } from "@grafana/schema";', *lines]), encoding="utf-8")
        return run(folder / "node_modules" / ".bin" / "tsc", *COMPILER, source, cwd=told).stdout

    return checked


def test_every_dashboard_is_one(check):
    """Its panels, targets, links and time range."""
    assert "" == check(*(json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS))


def test_grafana_would_find_it(check):
    """The check can fail."""
    dashboard = json.loads(DASHBOARDS[0].read_text(encoding="utf-8"))
    assert "DashboardCursorSync" in check(dashboard | {"graphTooltip": "shared"})
    assert "panelz" in check(dashboard | {"panelz": []})
