"""The pages over HTTP: what they show, to whom, and that nothing of it runs."""

import asyncio
import base64
import re
from urllib.parse import urljoin

import pytest

from tests.builders.hostile_releases import (
    a_release_that_says,
    a_stored_revision_that_says,
    an_event_that_says,
)
from tests.builders.hostile_texts import HOSTILE
from tests.builders.little_api_server import LittleApiServer, a_gateway, a_release
from tests.builders.releases import a_chart, a_revision
from tests.builders.web_pages import Page
from whipstaff.gateway.pages import sessions
from whipstaff.serving.html import seen

BLOG = "/ui/namespaces/web/releases/blog"
PAGES = {
    "releases": "/ui/",
    "charts": "/ui/charts",
    "overview": BLOG,
    "objects": f"{BLOG}/objects",
    "values": f"{BLOG}/values",
    "diff": f"{BLOG}/diff",
    "notes": f"{BLOG}/notes",
    "events": f"{BLOG}/events",
    "plan": f"{BLOG}/plan",
}
TOKEN = "alice-token"


def a_repository():
    metadata = {"name": "charts", "namespace": "web", "uid": "u", "generation": 1}
    spec = {"url": "http://127.0.0.1:9"}
    return {"metadata": {**metadata, "resourceVersion": "1"}, "spec": spec}


def a_server(text="fine", plan="a plan"):
    server = LittleApiServer(a_release_that_says(text))
    server.allow("alice", "*", "*")
    for number in (1, 2):
        server.store(a_stored_revision_that_says(text, number))
    server.events = [an_event_that_says(text)]
    server.repositories = [a_repository()]
    name = "whipstaff.plan.blog"
    server.releases["web", "blog"]["status"]["plan"]["secretName"] = name
    packed = base64.b64encode(plan.encode()).decode()
    server.secrets["web", name] = {"data": {"plan": packed}, "metadata": {}}
    return server


@pytest.fixture
async def ask():
    async with a_gateway(a_server()) as asking:
        yield asking


@pytest.fixture
async def shop():
    """Two ordinary releases."""
    broken = a_release(
        "shop",
        "shop",
        conditions=[{"type": "Ready", "status": "False", "reason": "X", "message": "it is broken"}],
    )
    server = LittleApiServer(a_release(), broken)
    server.allow("alice", "*", "*")
    server.allow("bob", "list", "helmreleases", "web")
    server.allow("bob", "get", "helmreleases", "web")
    for number in (1, 2):
        config = {"port": 80 + number}
        server.store(
            a_revision(
                number,
                name="blog",
                namespace="web",
                config=config,
                notes="Open it in a browser.",
                chart=a_chart(values={"port": 80, "title": "A blog"}),
            )
        )
    async with a_gateway(server) as asking:
        yield asking


async def signed_in(ask, path, token=TOKEN, **more):
    """Ask as a browser does that has a token in its cookie."""
    cookies = {"Cookie": f"{sessions.TOKEN}={token}"}
    return await ask(path, token="", headers=cookies, **more)


def chunks(texts, limit=300):
    """Put texts together as long as no list cuts them."""
    found = [""]
    for text in texts:
        found[-1] += text
        if len(found[-1]) > limit:
            found.append("")
    return [one for one in found if one]


async def test_what_anyone_wrote_is_text_on_each_page():
    assert len(HOSTILE) >= 50
    plain = {}
    async with a_gateway(a_server()) as ask:
        for text in ["fine", *chunks(HOSTILE)]:
            await become(ask, text)
            for path in PAGES.values():
                answer = await signed_in(ask, path)
                assert answer.status == 200, answer.text
                page = Page(answer.text)
                shape = plain.setdefault(path, page.shape)
                # Long lines are folded where they have spaces: a comparison has more of the same.
                folded = path == PAGES["diff"] and set(page.shape) <= set(shape)
                assert folded or page.shape == shape
                assert not [link for link in page.links if re.match(r"[a-z]+:|//", link or "")]
                assert path in (PAGES["plan"], PAGES["charts"]) or seen(text) in page.text


async def become(ask, text):
    """Have the release, and all that belongs to it, say another text."""
    other = a_server(text, text)
    ask.server.secrets, ask.server.events = other.secrets, other.events
    release = other.releases["web", "blog"]
    release["metadata"]["resourceVersion"] = str(hash(text))
    ask.server.change(release)
    async with asyncio.timeout(60):
        while seen(text) not in Page((await signed_in(ask, "/ui/")).text).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_characters_that_nobody_sees_are_spelt_out():
    async with a_gateway(a_server("a\u202eb\x1b[1m\x00\ufeff")) as ask:
        for path in PAGES.values():
            text = (await signed_in(ask, path)).text
            assert not set("\u202e\x1b\x00\ufeff") & set(text)
    assert seen("a\u202eb") == "a\\u202eb"


async def test_a_page_lets_nothing_run_but_its_own_script(ask):
    for path in PAGES.values():
        answer = await signed_in(ask, path)
        policy = dict(
            part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", policy["script-src"])
        assert policy["script-src"][1:-1] in answer.text
        assert "unsafe" not in str(policy)
        assert "style=" not in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_all_links_are_relative_and_lead_somewhere(ask):
    links = {}
    for path in PAGES.values():
        for link in Page((await signed_in(ask, path)).text).links:
            assert not re.match(r"/|[a-z]+:", link)
            target = urljoin(ask.url + path, link).removeprefix(ask.url).partition("#")[0]
            links.setdefault(target, path)
    assert len(links) > 12
    for target, path in links.items():
        assert (await signed_in(ask, target)).status == 200, (target, path)


async def test_what_is_not_ready_comes_first_with_its_cause(shop):
    text = (await signed_in(shop, "/ui/")).text
    assert text.index(">shop<") < text.index("it is broken") < text.index(">blog<")


async def test_search_and_filters_are_in_the_url(shop):
    for query, names in (
        ("", {"blog", "shop"}),
        ("search=BROKEN", {"shop"}),
        ("namespace=web", {"blog"}),
        ("standing=failed&search=&chart=&sort=name", {"shop"}),  # as the form sends it
        ("search=none-such", set()),
    ):
        links = Page((await signed_in(shop, f"/ui/?{query}")).text).links
        assert {link.split("/")[3] for link in links if link.startswith("namespaces/")} == names


async def test_a_long_list_has_pages(shop):
    first = Page((await signed_in(shop, "/ui/?limit=1")).text)
    (link,) = [one for one in first.links if "continue=" in one]
    second = Page((await signed_in(shop, f"/ui/{link}")).text)
    names = [
        link.split("/")[3]
        for page in (first, second)
        for link in page.links
        if link.startswith("namespaces/")
    ]
    assert names == ["shop", "blog"]
    assert "?limit=1" in second.links


async def test_a_list_has_what_its_reader_may_list(shop):
    text = (await signed_in(shop, "/ui/", token="bob-token")).text
    assert (">blog<" in text, ">shop<" in text, "shop" in text) == (True, False, False)


async def test_two_revisions_stand_side_by_side(shop):
    text = (await signed_in(shop, f"{BLOG}/diff?from=1&to=2")).text
    assert "<del>port: 81</del>" in text
    assert "<ins>port: 82</ins>" in text
    assert "The objects are the same." in text


BLOG_MANIFEST = """---
# Source: blog/templates/{kind}.yaml
apiVersion: v1
kind: {kind}
metadata:
  name: blog
  labels:
    helm.sh/chart: blog-{number}
    a: a
    b: b
    c: c
data: {{number: "{data}"}}
"""


async def test_what_every_version_changes_is_folded_away():
    server = LittleApiServer(a_release())
    server.allow("alice", "*", "*")
    for number in (1, 2):
        facts = (("ConfigMap", number), ("Other", 0))
        manifest = "".join(
            BLOG_MANIFEST.format(kind=kind, number=number, data=data) for kind, data in facts
        )
        server.store(a_revision(number, name="blog", namespace="web", manifest=manifest))
    async with a_gateway(server) as ask:
        text = Page((await signed_in(ask, f"{BLOG}/diff?from=1&to=2")).text).text
    assert "2 changed" in text
    folded = text.index("1 object differs in labels of the chart's version alone")
    assert text.index("ConfigMap") < folded < text.index("Other")
    assert "+2 " in text


async def test_an_empty_page_says_what_to_do():
    server = LittleApiServer()
    server.allow("alice", "*", "*")
    async with a_gateway(server) as ask:
        assert "whipstaff install NAME CHART" in (await signed_in(ask, "/ui/")).text
        filtered = (await signed_in(ask, "/ui/?search=x")).text
        assert "No release is like that" in filtered
        assert "There are no HelmRepositories" in (await signed_in(ask, "/ui/charts")).text


async def test_a_list_says_what_has_drifted(shop):
    assert "drifted" not in (await signed_in(shop, "/ui/")).text
    release = a_release("blog", version="8")
    release["status"]["conditions"].append({"type": "Drifted", "status": "True"})
    shop.server.change(release)
    async with asyncio.timeout(60):
        while "drifted" not in (await signed_in(shop, "/ui/")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_time_is_told_with_the_exact_one_beside_it(shop):
    text = (await signed_in(shop, "/ui/")).text
    exact = 'datetime="2026-01-02T03:04:05Z" title="2026-01-02 03:04:05 UTC"'
    assert re.search(rf"<time {exact}>(2026-01-02|.* ago)</time>", text)


@pytest.mark.parametrize(
    ("path", "token", "status", "way"),
    [
        ("/ui/namespaces/shop/releases/shop", "bob-token", 403, "You are <strong>bob</strong>"),
        ("/ui/namespaces/web/releases/none", TOKEN, 404, "There is nothing here"),
        (f"{BLOG}/edits/approve?digest=x", TOKEN, 409, "It is another by now"),
    ],
)
async def test_a_page_that_fails_shows_a_way_on(shop, path, token, status, way):
    answer = await signed_in(shop, path, token=token)
    assert (answer.status, way in answer.text, "All releases" in answer.text) == (
        status,
        True,
        True,
    )


async def test_a_page_that_may_come_back_says_so(shop):
    shop.server.away = True
    answer = await signed_in(shop, BLOG)
    assert (answer.status, '<a href="">try again</a>' in answer.text) == (502, True)


async def test_a_repository_that_cannot_be_asked_says_why(ask):
    text = (await signed_in(ask, "/ui/charts")).text
    assert "web/charts" in text
    assert "None, as far as the repositories below tell." in text
    assert "127.0.0.1" in text
    assert 'class="unready"' in text


async def test_values_say_where_they_came_from(shop):
    text = Page((await signed_in(shop, f"{BLOG}/values?revision=1")).text).text
    assert re.search(r"port\s*81\s*an earlier spec", text)
    assert re.search(r"title\s*A blog\s*chart default", text)


async def test_a_pinned_revision_and_one_that_repeats_another_say_so(shop):
    told = "The release is pinned to revision"
    assert told not in (await signed_in(shop, f"{BLOG}/values")).text
    release = shop.server.releases["web", "blog"]
    release["spec"]["revision"] = 2
    release["status"]["history"] = [{"revision": 2, "madeFrom": 1}, {"revision": 1}]
    assert told in (await signed_in(shop, f"{BLOG}/values")).text
    release["spec"]["revision"] = 1
    assert told in (await signed_in(shop, f"{BLOG}/values")).text
    del release["spec"]["revision"]
    assert "has the values of revision 1" in (await signed_in(shop, f"{BLOG}/values")).text


async def test_notes_and_objects_are_shown(shop):
    assert "Open it in a browser." in (await signed_in(shop, f"{BLOG}/notes")).text
    text = Page((await signed_in(shop, f"{BLOG}/objects")).text).text
    assert re.search(r"settings\.yaml\s+✓\s+ConfigMap\s+settings", text), text


DEPLOYMENT = """---
# Source: blog/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: blog}
"""


def a_server_with_a_pod(text):
    server = LittleApiServer(a_release(revision=1, history=[{"revision": 1}]))
    server.allow("alice", "*", "*")
    server.store(a_revision(1, name="blog", namespace="web", manifest=DEPLOYMENT))
    selector = {"matchLabels": {"app": text}}
    server.workloads["web", "blog"] = {
        "metadata": {"name": "blog", "namespace": "web", "generation": 2},
        "spec": {"selector": selector, "replicas": 20},
        "status": {"observedGeneration": 1},
    }
    owner = {"kind": "ReplicaSet", "name": f"blog-{text}", "uid": "u", "controller": True}
    for number in range(12):
        metadata = {"name": text, "labels": {"pod-template-hash": text}, "ownerReferences": [owner]}
        waiting = {"reason": text, "message": f"{number} {text}"}
        container = {"name": text, "state": {"waiting": waiting}, "restartCount": 2}
        status = {"phase": "Running", "containerStatuses": [container]}
        server.pods.append({"metadata": {**metadata, "creationTimestamp": text}, "status": status})
    return server


async def test_pods_stand_below_their_workload_and_what_they_say_is_text():
    shapes = set()
    for text in ("fine", *HOSTILE[:4]):
        async with a_gateway(a_server_with_a_pod(text)) as ask:
            page = Page((await signed_in(ask, f"{BLOG}/objects")).text)
            shapes.add(tuple(page.shape))
            assert seen(f"ReplicaSet blog-{text}") in page.text
            assert "and 2 more Pods, 2 of which are not ready: kubectl -n web get pods" in page.text
    assert len(shapes) == 1


async def test_pods_that_the_caller_may_not_read_are_said_to_be_missing():
    server = a_server_with_a_pod("fine")
    server.allow("bob", "get", "helmreleases", "web")
    server.allow("bob", "get", "secrets", "web")
    async with a_gateway(server) as ask:
        text = Page((await signed_in(ask, f"{BLOG}/objects", token="bob-token")).text).text
        assert "What lives below 1 workload is not shown: deployments" in text
        assert "ReplicaSet" not in text


async def test_who_may_not_read_a_revision_is_told_so(shop):
    answer = await signed_in(shop, f"{BLOG}/values", token="bob-token")
    assert (answer.status, "forbidden" in answer.text) == (403, True)
    assert answer.headers["content-type"].startswith("text/html")


async def test_what_fails_is_told_on_a_page(shop):
    wrong = {
        "/ui/none": 404,
        "/ui/static/none.css": 404,
        "/ui/namespaces/web/releases/none": 404,
        "/ui/namespaces/Web/releases/x": 400,
        "/ui/?sort=x": 400,
        "/ui/?other=x": 400,
        f"{BLOG}/diff?from=1&to=9": 404,
        f"{BLOG}/plan": 404,
    }
    for path, status in wrong.items():
        answer = await signed_in(shop, path)
        assert (answer.status, path) == (status, path)
        assert answer.headers["content-type"].startswith("text/html")
        assert "All releases" in answer.text
    assert (await signed_in(shop, "/ui/static/..%2fsheets.py")).status == 400


async def test_the_root_leads_to_the_pages_wherever_it_is_served(shop):
    for path in ("/", "/ui"):
        answer = await shop(path, token="")
        assert (answer.status, answer.headers["location"]) == (307, "./ui/")


async def test_files_may_be_kept_and_need_no_token(shop):
    found = Page((await shop("/ui/sign-in", token="")).text)
    files = [link.removeprefix("./") for link in found.links if "static/" in link]
    assert len(files) == 3
    for link in files:
        answer = await shop(f"/ui/{link}", token="")
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_no_file_is_served_but_those_of_the_pages(shop):
    for name in ("..%2fsheets.py", "%2e%2e/sheets.py", "../sheets.py", "%5c..", "none.js", ""):
        assert (await shop(f"/ui/static/{name}", token="")).status in (400, 401, 404)


async def a_form(ask, path="/ui/sign-in", **cookies):
    """Return the fields of a page's form, and the cookies of the browser that has it."""
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    answer = await ask(path, token="", headers={"Cookie": sent} if sent else {})
    kept = answer.headers.get("set-cookie", "").split(";")[0]
    known = dict([kept.split("=", 1)]) if kept else {}
    return Page(answer.text).fields, {**cookies, **known}


async def send(ask, path, fields, cookies, **headers):
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return await ask(
        path, token="", method="POST", data=fields, headers={"Cookie": sent, **headers}
    )


async def test_a_token_signs_in_and_leads_back(shop):
    wanted = "/ui/namespaces/web/releases/blog/diff?from=1&to=2"
    led = await shop(wanted, token="")
    assert led.status == 303
    assert led.headers["location"].startswith("../../../../sign-in?next=")
    path = "/ui/sign-in?" + led.headers["location"].partition("?")[2]
    fields, cookies = await a_form(shop, path)
    answer = await send(shop, "/ui/sign-in", {**fields, "token": f" {TOKEN}\n"}, cookies)
    assert (answer.status, answer.headers["location"]) == (
        303,
        "./" + wanted.removeprefix("/ui/"),
    )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{sessions.TOKEN}={TOKEN};")
    for part in ("HttpOnly", "SameSite=strict"):
        assert part in cookie
    assert "path" not in cookie.lower()
    assert (await signed_in(shop, wanted)).status == 200


async def test_the_cookie_of_a_page_over_tls_goes_nowhere_else():
    server = a_server()
    async with a_gateway(server, tls_names=("127.0.0.1",)) as ask:
        answer = await ask("/ui/sign-in", token="")
        assert "Secure" in answer.headers["set-cookie"]


async def test_a_token_that_nobody_knows_is_told_where_it_was_given(shop):
    fields, cookies = await a_form(shop)
    for token in ("nobody", "x" * 3801, "", "a b"):
        answer = await send(shop, "/ui/sign-in", {**fields, "token": token}, cookies)
        assert answer.status in (400, 401)
        assert "set-cookie" not in answer.headers
    assert (await signed_in(shop, "/ui/", token="nobody")).status == 303


async def test_signing_out_forgets_the_token(shop):
    fields, cookies = await a_form(shop, "/ui/sign-out", **{sessions.TOKEN: TOKEN})
    answer = await send(shop, "/ui/sign-out", fields, cookies)
    assert answer.status == 303
    assert f'{sessions.TOKEN}=""; HttpOnly; Max-Age=0' in answer.headers["set-cookie"]


async def test_a_form_of_another_site_is_not_taken(shop):
    fields, cookies = await a_form(shop)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://hostile.example"},  # an older browser
        {"Origin": "null"},
    ):
        answer = await send(shop, "/ui/sign-in", {**fields, "token": TOKEN}, cookies, **headers)
        assert (answer.status, "set-cookie" in answer.headers) == (403, False)
    own = {"Origin": shop.url}
    answer = await send(shop, "/ui/sign-in", {**fields, "token": TOKEN}, cookies, **own)
    assert answer.status == 303


async def test_a_form_that_no_page_of_this_browser_had_is_not_taken(shop):
    fields, cookies = await a_form(shop)
    for key, cookie in (("0" * 32, None), ("", None), ("", ""), ("x", "x")):
        known = cookies if cookie is None else {**cookies, sessions.FORM: cookie}
        sent = {**fields, "token": TOKEN, "form": key}
        assert (await send(shop, "/ui/sign-in", sent, known)).status == 403


async def test_a_form_that_is_none_is_refused(shop):
    usual = "application/x-www-form-urlencoded"
    for body, kind, status in (
        (b"{}", "application/json", 415),
        (b"token=a&token=b&form=x", usual, 400),
        (b"&".join(b"a%d=1" % number for number in range(30)), usual, 400),
        (b"a=" + b"b" * 17_000, usual, 413),
        (b"token=%ff", usual, 400),
        (b"token", usual, 400),
        (b"", usual, 403),
    ):
        headers = {"Content-Type": kind}
        answer = await shop("/ui/sign-in", token="", method="POST", data=body, headers=headers)
        assert (answer.status, body) == (status, body)


@pytest.mark.parametrize(
    "text",
    [
        *("https://hostile.example/", "//hostile.example", "/\\hostile.example", "javascript:x"),
        *(
            "../../x",
            "a/../../x",
            "a//b",
            "\thttps:x",
            "namespaces/web?next=//x",
            "",
            "?//x",
            "?..",
            "/?x",
        ),
    ],
)
def test_after_signing_in_nobody_is_led_elsewhere(text):
    assert sessions.next_page(text) == ""


@pytest.mark.parametrize("text", ["?search=a&standing=failed", "charts?page=2", "charts"])
def test_after_signing_in_everybody_is_led_back(text):
    assert sessions.next_page(text) == text


async def test_a_link_of_another_site_leads_to_the_page_all_the_same(shop):
    answer = await shop(BLOG, token="", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status, 'http-equiv="refresh"' in answer.text) == (200, True)


async def test_looking_without_a_token_is_no_guess_at_one():
    async with a_gateway(a_server(), failures_per_second=0.001, failures_burst=2) as ask:
        for _ in range(6):
            assert (await ask("/ui/", token="")).status == 303
        statuses = [(await signed_in(ask, "/ui/", token="guess")).status for _ in range(4)]
        assert statuses == [303, 303, 429, 429]


async def test_a_page_has_no_other_methods(shop):
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"):
        for path in PAGES.values():
            assert (await signed_in(shop, path, method=method)).status == 405
