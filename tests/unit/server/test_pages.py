"""Pages for people: what charts say is shown, and nothing of it runs."""

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

import pytest

from tests.builders.chart_servers import a_chart, a_chart_server, put

SCRIPT = "<script>alert(1)</script>"
EVIL = f"""{SCRIPT}<img src=x onerror=alert(1)>"'`{{{{ 70707 * 70707 }}}}{{% raw %}}"""


class Page(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.attributes = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    @property
    def links(self):
        return [value for name, value in self.attributes if name in {"href", "src"}]


@pytest.fixture
async def ask(tmp_path):
    async with a_chart_server(tmp_path) as asking:
        yield asking


async def test_charts_are_listed_with_their_newest_stable_version(ask):
    for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
        await ask.upload(a_chart(version=version, extra="description: what it is\n"))
    answer = await ask.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "/charts/demo/1.1.0" in Page(answer.text).links
    assert "what it is" in answer.text
    assert "3 versions" in answer.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("", {"blog", "database", "queue"}, id="nothing asked for"),
        pytest.param("BLO", {"blog"}, id="part of a name, in any case"),
        pytest.param("stores", {"database"}, id="a word of the description"),
        pytest.param("messaging", {"queue"}, id="a keyword"),
        pytest.param("stores%20data", {"database"}, id="two words"),
        pytest.param("stores%20messages", set(), id="two words that no chart has both of"),
        pytest.param("%3Cscript%3E", set(), id="markup"),
    ],
)
async def test_charts_are_searched_by_name_description_and_keyword(ask, query, found):
    await ask.upload(a_chart("blog", extra="description: pages\n"))
    await ask.upload(a_chart("database", extra="description: stores data\n"))
    await ask.upload(a_chart("queue", extra="keywords: [messaging, messages]\n"))
    page = await ask.get(f"/?q={query}")
    links = Page(page.text).links
    assert {link.split("/")[2] for link in links if link.startswith("/charts/")} == found
    assert "<script>" not in page.text


async def test_a_long_list_has_pages(ask):
    for number in range(51):
        await ask.upload(a_chart(f"chart-{number:02}"))
    first, second = await ask.get("/"), await ask.get("/?page=2")
    assert "page 1 of 2" in first.text
    assert "?q=&page=2" in Page(first.text).links
    assert "/charts/chart-50/1.0.0" in Page(second.text).links
    for odd in ("0", "-1", "x", "99999999999999999999999"):
        assert (await ask.get(f"/?page={odd}")).status == 200


async def test_a_chart_shows_its_versions_readme_and_values(ask):
    await ask.upload(a_chart())
    readme = "# Demo\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [link](https://example.com/x)\n"
    archive = a_chart(
        version="1.1.0", extra="appVersion: '9'\n", README_md=readme, values_yaml="a: <b>\n"
    )
    await ask.upload(archive)
    answer = await ask.get("/charts/demo/1.1.0")
    page = Page(answer.text)
    assert "<h1>Demo</h1>" in answer.text
    assert {"table", "details", "section"} <= set(page.elements)
    assert {"https://example.com/x", "/charts/demo/1.0.0"} <= set(page.links)
    assert "a: &lt;b&gt;" in answer.text
    assert hashlib.sha256(archive).hexdigest() in answer.text


async def test_latest_and_ranges_lead_to_a_version(ask):
    await ask.upload(a_chart(version="1.1.0+b"))
    for asked in ("latest", "1.x"):
        answer = await ask.get(f"/charts/demo/{asked}")
        assert (answer.status, answer.headers["location"]) == (307, "/charts/demo/1.1.0%2Bb")
    assert (await ask.get("/charts/demo/1.1.0%2Bb")).status == 200


async def test_nothing_that_a_chart_says_is_markup_or_a_template(ask):
    quoted = EVIL.replace("\\", "\\\\").replace('"', '\\"')
    extra = (
        f'description: "{quoted}"\nappVersion: "{quoted}"\nhome: "javascript:alert(1)"\n'
        f'sources: ["data:text/html,{SCRIPT}", "https://example.com/\\"><script>"]\n'
        f'kubeVersion: ">=1.0"\nkeywords: ["{quoted}"]\n'
        f'maintainers: [{{name: "{quoted}", url: "javascript:1"}}]\n'
        f'dependencies: [{{name: "{quoted}", version: "1", repository: ""}}]\n'
    )
    readme = (
        f"{EVIL}\n\n[a](javascript:alert(1)) [b](vbscript:x) [c](data:text/html,x) <b>bold</b>\n\n"
        "![picture](https://evil.example.com/pixel.png)\n\n<iframe src=x></iframe>\n\n"
        "<https://example.com/auto>\n\n```html\n<script>x</script>\n```\n"
    )
    answer = await ask.upload(a_chart(extra=extra, README_md=readme, values_yaml=f"# {EVIL}\n"))
    assert answer.status == 201
    for path in ("/", "/charts/demo/1.0.0", "/?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E"):
        text = (await ask.get(path)).text
        page = Page(text)
        assert not {"script", "iframe", "img", "b", "object", "link"} & set(page.elements)
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert [link for link in page.links if not link.startswith(("/", "https://", "?"))] == []
        assert str(70707 * 70707) not in text


async def test_the_policy_lets_nothing_run_and_nothing_come_from_elsewhere(ask):
    for path in ("/", "/charts/none/1.0.0"):
        answer = await ask.get(path, headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"]
        style = re.search("<style>(.*?)</style>", answer.text, re.DOTALL).group(1)
        digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"url\(|@import|https?://(?!127)", style)


async def test_a_page_fits_a_phone_and_the_dark(ask):
    text = (await ask.get("/")).text
    assert 'name="viewport" content="width=device-width' in text
    assert "color-scheme: light dark" in text


async def test_a_readme_that_is_no_markdown_is_text(ask):
    await ask.upload(a_chart(README_txt="# no heading <b>"))
    text = (await ask.get("/charts/demo/1.0.0")).text
    assert "<pre># no heading &lt;b&gt;</pre>" in text


async def test_a_chart_without_readme_says_so(ask):
    await ask.upload(a_chart())
    assert "This chart has no README." in (await ask.get("/charts/demo/1.0.0")).text


async def test_a_page_that_is_not_there_is_a_page(ask):
    answer = await ask.get("/charts/none/1.0.0", headers={"Accept": "text/html"})
    assert answer.status == 404
    assert "there is no such chart here" in answer.text
    program = await ask.get("/charts/none/1.0.0")
    assert program.json == {"error": "there is no such chart here"}


async def test_with_many_repositories_the_first_page_lists_them(tmp_path):
    for name in ("org/team", "org/other", ".hidden/x", "api/x"):
        put(tmp_path / name, a_chart())
    async with a_chart_server(tmp_path, depth=2, context_path="/museum") as ask:
        links = Page((await ask.get("/")).text).links
        assert links == ["/museum/org/other", "/museum/org/team"]
        page = (await ask.get("/org/team")).text
        assert "/museum/org/team/charts/demo/1.0.0" in Page(page).links
        assert f"helm repo add charts {ask.url}/org/team" in page
        chart = Page((await ask.get("/org/team/charts/demo/1.0.0")).text)
        assert "/museum/org/team/charts/demo-1.0.0.tgz" in chart.links
        assert (await ask.get("/org/team/")).status == 200
