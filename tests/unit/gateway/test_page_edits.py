"""The buttons of the pages: each shows its edit first, and makes it once it is confirmed."""

from urllib.parse import quote

import pytest

from tests.builders.hostile_texts import HOSTILE
from tests.builders.little_api_server import LittleApiServer, a_gateway, a_release
from tests.builders.web_pages import Page
from whipstaff.gateway.pages import sessions
from whipstaff.serving.html import seen

BLOG = "/ui/namespaces/web/releases/blog"
HISTORY = [{"revision": number, "chart": "blog", "version": "1.2.3"} for number in (3, 2, 1)]
COOKIES = {sessions.TOKEN: "alice-token", sessions.FORM: "0123456789abcdef" * 2}


@pytest.fixture
def server():
    release = a_release(history=HISTORY, revision=3, plan={"digest": "sha256:ab"})
    found = LittleApiServer(release)
    found.allow("alice", "*", "*")
    for verb in ("get", "list"):
        found.allow("bob", verb, "helmreleases", "web")
    return found


@pytest.fixture
async def ask(server):
    async with a_gateway(server) as asking:
        yield asking


def spec(server):
    return server.releases["web", "blog"]["spec"]


async def browse(ask, path, method="GET", cookies=COOKIES, **more):
    sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    headers = {**sent, **more.pop("headers", {})}
    return await ask(path, token="", method=method, headers=headers, **more)


@pytest.mark.parametrize(
    ("path", "shown", "field", "value"),
    [
        ("rollback?revision=1", "revision: 1", "revision", 1),
        ("pin", "revision: 3", "revision", 3),
        ("suspend", "suspend: true", "suspend", True),
        ("approve?digest=sha256:ab", "approvedPlan: sha256:ab", "approvedPlan", "sha256:ab"),
    ],
)
async def test_a_button_shows_its_edit_and_makes_it(ask, server, path, shown, field, value):
    action = path.partition("?")[0]
    page = await browse(ask, f"{BLOG}/edits/{path}")
    assert (page.status, shown in page.text) == (200, True)
    assert server.writes == []
    fields = Page(page.text).fields
    answer = await browse(ask, f"{BLOG}/edits/{action}", "POST", data=fields)
    assert (answer.status, answer.headers["location"]) == (303, f"../../blog?done={action}")
    assert spec(server)[field] == value
    after = await browse(ask, f"{BLOG}?done={action}")
    assert "the edit was made" in after.text


@pytest.mark.parametrize(("field", "value"), [("suspend", True), ("revision", 2)])
async def test_what_a_button_set_another_takes_away(ask, server, field, value):
    spec(server)[field] = value
    action = {"suspend": "resume", "revision": "unpin"}[field]
    page = await browse(ask, f"{BLOG}/edits/{action}")
    assert f"{field}: null" in page.text
    await browse(ask, f"{BLOG}/edits/{action}", "POST", data=Page(page.text).fields)
    assert field not in spec(server)


async def test_a_pass_is_asked_for(ask, server):
    page = await browse(ask, f"{BLOG}/edits/reconcile")
    assert "whipstaff.dev/requestedAt" in page.text
    await browse(ask, f"{BLOG}/edits/reconcile", "POST", data=Page(page.text).fields)
    annotations = server.releases["web", "blog"]["metadata"]["annotations"]
    assert annotations["whipstaff.dev/requestedAt"]


async def test_who_syncs_the_release_is_named(ask, server):
    labels = {"argocd.argoproj.io/instance": "apps"}
    server.releases["web", "blog"]["metadata"]["labels"] = labels
    assert "Argo CD syncs this HelmRelease" in (await browse(ask, f"{BLOG}/edits/pin")).text


async def test_the_plan_that_was_read_is_the_one_that_is_approved_of(ask, server):
    page = await browse(ask, f"{BLOG}/edits/approve?digest=sha256:ab")
    server.releases["web", "blog"]["status"]["plan"] = {"digest": "sha256:cd"}
    answer = await browse(ask, f"{BLOG}/edits/approve", "POST", data=Page(page.text).fields)
    assert (answer.status, server.writes) == (409, [])


async def test_nobody_else_s_page_makes_an_edit(ask, server):
    fields = Page((await browse(ask, f"{BLOG}/edits/pin")).text).fields
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for change, headers in (
        ({"form": "f" * 32}, {}),
        ({"form": ""}, {}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
        ({}, {"Origin": "https://hostile.example"}),
        ({}, {"Content-Type": "text/plain"}),
    ):
        data = "&".join(f"{name}={value}" for name, value in (fields | change).items())
        answer = await browse(
            ask, f"{BLOG}/edits/pin", "POST", data=data.encode(), headers=kind | headers
        )
        assert answer.status in (403, 415)
    assert server.writes == []


async def test_a_token_in_a_header_does_not_stand_for_the_form(ask, server):
    """A proxy may add a token to whatever a browser sends, another site's form included."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await ask(f"{BLOG}/edits/pin", method="POST", data=b"form=", headers=headers)
    assert (answer.status, server.writes) == (403, [])


async def test_who_may_only_read_is_refused_by_the_api_server(ask, server):
    cookies = {**COOKIES, sessions.TOKEN: "bob-token"}
    fields = Page((await browse(ask, f"{BLOG}/edits/pin", cookies=cookies)).text).fields
    answer = await browse(ask, f"{BLOG}/edits/pin", "POST", cookies, data=fields)
    assert (answer.status, server.writes) == (403, [])


async def test_a_button_that_makes_no_sense_is_refused(ask, server):
    for path, status in (
        ("uninstall", 400),  # no button does that
        ("rollback?revision=9", 409),
        ("rollback?revision=x", 400),
        ("approve", 400),
        ("approve?digest=sha256:00", 409),
        ("pin?other=1", 400),
    ):
        answer = await browse(ask, f"{BLOG}/edits/{path}")
        assert (answer.status, path) == (status, path)
    assert server.writes == []


async def test_what_is_written_in_an_edit_is_text(ask, server):
    for text in HOSTILE:
        digest = text[:100]
        server.releases["web", "blog"]["status"]["plan"] = {"digest": digest}
        page = await ask(f"{BLOG}/edits/approve?digest={quote(digest)}", token="alice-token")
        assert page.status == 200
        found = Page(page.text)
        assert "script" not in [tag for tag, names in found.shape if "integrity" not in names]
        assert not [tag for tag, names in found.shape if any(n.startswith("on") for n in names)]
        assert found.fields["digest"] == seen(digest)
