"""Every route and every role: the table decides, and nothing is open by accident."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from notify.people import Role
from notify.web.console.routing import ConsoleAction, Route
from notify.web.console.table import ROUTES
from tests.support.console import ConsoleRig


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    with ConsoleRig(tmp_path_factory.mktemp("console")) as rig:
        yield rig


def _path(route: Route) -> str:
    return route.path.replace("{", "").replace("}", "")


@pytest.mark.parametrize("role", [None, *Role])
def test_a_role_gets_exactly_its_routes(rig: ConsoleRig, role: Role | None) -> None:
    """Without a session each route leads to the sign-in; with too few rights it is refused."""
    browser = rig.browser(role)
    for route in ROUTES:
        answer = browser.request(route.method, _path(route))
        if role is None:
            assert answer.status_code == 303, route
            assert answer.headers["location"].startswith("/sign-in"), route
        elif role.covers(route.needs):
            assert answer.status_code not in (401, 403, 405, 500), (route, answer.text)
        else:
            assert answer.status_code == 403, route


def test_a_post_from_another_site_is_refused_on_each_route(rig: ConsoleRig) -> None:
    """Whatever the rights of the user that the browser belongs to."""
    browser = rig.browser(Role.ADMIN)
    for route in ROUTES:
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = browser.request("POST", _path(route), headers=headers)
        assert answer.status_code == 403, route


def test_a_page_answers_get_only() -> None:
    """A page changes nothing, and an action is never a link: two routes have one address."""
    pages = [route.path for route in ROUTES if route.method == "GET"]
    assert len(pages) == len(set(pages))
    actions = [route.path for route in ROUTES if route.method == "POST"]
    assert len(actions) == len(set(actions))
    assert all(route.needs in Role for route in ROUTES)
    for route in ROUTES:
        if isinstance(route, ConsoleAction) and route.needs is Role.VIEWER:
            assert not route.changes, route
