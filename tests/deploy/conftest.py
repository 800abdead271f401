"""Where a tool cannot be had its tests are skipped; in CI that is a failure."""

import os

import pytest

from tests.deploy import tools


def _or_missing(make):
    try:
        return make()
    except tools.Unavailable as reason:
        if os.environ.get("REQUIRE_DEPLOY_TOOLS"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def helm():
    return _or_missing(lambda: tools.installed(tools.HELM))


@pytest.fixture(scope="session")
def actionlint():
    return _or_missing(lambda: tools.installed(tools.ACTIONLINT))


@pytest.fixture(scope="session")
def reader():
    return _or_missing(tools.reader)


@pytest.fixture(scope="session")
def module():
    return lambda name: _or_missing(lambda: tools.module(name))


@pytest.fixture(scope="session")
def packages():
    return lambda *names: _or_missing(lambda: tools.packages(*names))
