"""The gateway's pages in a real browser, on a real control plane."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.builders.browsers import PHONE, Browser
from tests.builders.charts import packed
from tests.builders.gateways import RunningGateway, behind_the_api_server, grant, own_address
from tests.builders.hostile_texts import HOSTILE
from tests.builders.live_releases import LiveReleases
from tests.builders.permissions import an_account
from tests.builders.small_charts import HANGS, a_packed_chart, app_chart
from tools.chartrepo import ChartRepository

pytestmark = pytest.mark.browser

PLACE = "ui-web"
# A folder, to have the pictures of docs/web-page.md made anew.
PICTURES = os.environ.get("WHIPSTAFF_PICTURES", "")
RULES = (
    ("whipstaff.dev", ["helmreleases"], ["get", "list", "patch"]),
    ("whipstaff.dev", ["helmrepositories"], ["list"]),
    ("", ["secrets"], ["get"]),
    ("", ["events", "pods"], ["list"]),
    ("apps", ["deployments"], ["get"]),
)
SETTINGS = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  text: {{ .Values.text | toJson }}
  replicas: {{ .Values.replicas | quote }}
"""
SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: 80}]
"""
NOTES = "Open {{ .Release.Name }} in a browser: {{ .Values.text }}\n"
VALUES = "text: plain\nreplicas: 1\npassword: ''\n"
ALL = "\n".join(HOSTILE)


def blog_chart(version):
    parts = {"settings": SETTINGS, "service": SERVICE, "notes": NOTES}
    return a_packed_chart("blog", version, VALUES, **parts)


def hostile_chart():
    """A chart that says all that a chart may say in words that would run."""
    printable = " ".join(text for text in HOSTILE if text.isprintable())
    said = json.dumps(printable, ensure_ascii=False)
    head = f"apiVersion: v2\nname: hostile\nversion: 1.0.0\ndescription: {said}\nhome: {said}\n"
    files = {
        "Chart.yaml": f"{head}appVersion: {said}\nsources: [{said}]\nicon: {said}\n",
        "values.yaml": "text: ''\nreplicas: ''\n",
        "templates/settings.yaml": SETTINGS,
        "templates/NOTES.txt": NOTES,
    }
    return packed(files, top="hostile")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    started = Browser(tmp_path_factory.mktemp("browser"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def site(operator, browser):
    with ChartRepository() as served:
        for version in ("1.0.0", "1.1.0"):
            served.add(blog_chart(version))
        served.add(hostile_chart())
        served.add(app_chart())
        cluster = operator.cluster
        cluster.kubectl("create", "namespace", PLACE)
        grant(cluster)
        found = Site(cluster, served.url, browser)
        yield found
        assert found.gateway.stop() == 0
        cluster.kubectl("delete", "namespace", PLACE, "--wait=false")


class Site:
    """Some releases, someone who may edit them, and the gateway."""

    def __init__(self, cluster, charts, browser):
        self.cluster = cluster
        self.browser = browser
        self.gateway = RunningGateway(cluster, name="gateway-pages")
        an_account(cluster, PLACE, "editor", *RULES)
        self.token = cluster.service_account_token(PLACE, "editor")
        self.releases = releases = LiveReleases(cluster, PLACE, charts)
        repository = {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRepository",
            "metadata": {"name": "charts", "namespace": PLACE},
            "spec": {"url": charts},
        }
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(repository))
        for name in ("blog", "waits", "keys"):
            releases.create(name, "blog", version="1.0.0", values={"text": "one"})
        releases.create("broken", "nothing")
        releases.create("hangs", "app", values=HANGS)
        releases.create("hostile", "hostile", values={"text": ALL, "replicas": ALL, ALL[:300]: 1})
        for name in ("blog", "waits", "keys"):
            releases.settled(name, revision=1)
        releases.edit("blog", chart={"version": "1.1.0"}, values={"text": "two"})
        releases.edit("waits", approval="Manual", values={"text": "two"})
        releases.settled("blog", revision=2)
        releases.settled("hostile", revision=1)
        releases.edit("hostile", values={"text": f"{ALL} again"})
        hostile = releases.settled("hostile", revision=2)
        self.tell_event(hostile)
        releases.until("waits", lambda one: one["status"].get("plan"))
        releases.until("broken", lambda one: one["status"].get("conditions"))

    def tell_event(self, release):
        about = release["metadata"]
        event = {
            "metadata": {"name": "hostile.1", "namespace": PLACE},
            "involvedObject": {
                "apiVersion": "whipstaff.dev/v1",
                "kind": "HelmRelease",
                **{key: about[key] for key in ("name", "namespace", "uid")},
            },
            "type": "Warning",
            "reason": "Hostile",
            "message": ALL[:1000],
            "firstTimestamp": "2026-01-01T00:00:00Z",
            "lastTimestamp": "2026-01-01T00:00:00Z",
        }
        self.cluster.api.request("POST", f"/api/v1/namespaces/{PLACE}/events", event)

    def page(self, name="", part="", base=""):
        path = f"namespaces/{PLACE}/releases/{name}{part}" if name else part
        return f"{base or self.gateway.url}/ui/{path}"

    def sign_in(self, page, browser=None):
        """Go to a page, by way of the one that asks for a token."""
        browser = browser or self.browser
        browser.open(page)
        if "/sign-in" in browser.url:
            browser.fill("token", self.token)
            browser.click("Sign in")
        browser.until(lambda: browser.url == page, "signing in led elsewhere")


PAGES = {
    "releases": ("", ""),
    "search": ("", "?search=hostile&namespace=ui-web"),
    "charts": ("", "charts"),
    "overview": ("hostile", ""),
    "objects": ("hostile", "/objects"),
    "values": ("hostile", "/values"),
    "compare": ("hostile", "/diff?from=1&to=2"),
    "notes": ("hostile", "/notes"),
    "events": ("hostile", "/events"),
    "plan": ("waits", "/plan"),
    "not ready": ("broken", ""),
    "edit": ("blog", "/edits/rollback?revision=1"),
    "problem": ("none", ""),
    "sign out": ("", "sign-out"),
    "sign in": ("", "sign-in"),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_nothing_and_keeps_nobody_out(site, page):
    browser = site.browser
    name, part = PAGES[page]
    site.sign_in(site.page())
    browser.troubles()
    browser.open(site.page(name, part))
    assert browser.text
    expected = "404" if page == "problem" else None
    assert [one for one in browser.troubles() if not (expected and expected in one)] == []
    assert browser.barriers() == []
    assert browser.barriers("dark") == []
    assert browser.overflow(PHONE) == []
    if page == "compare":
        assert "<svg onload=" in browser.text


def test_charts_are_shown_with_the_releases_that_are_behind(site):
    browser = site.browser
    site.sign_in(site.page("", "charts"))
    assert re.search(r"keys\s+in ui-web blog 1\.0\.0 1\.1\.0 1 1\.0\.0", browser.text), browser.text
    assert re.search(r"blog 1\.1\.0 2 ui-web/charts", browser.text), browser.text


def test_what_is_waited_for_is_named_with_its_cause(site):
    browser = site.browser
    site.releases.until("hangs", lambda one: one["status"].get("unready"))
    site.sign_in(site.page("hangs"))
    browser.waits_for("Deployment hangs")

    def told():
        (one,) = site.releases.get("hangs")["status"]["unready"]
        return one["cause"] in browser.text

    browser.until(told, "the cause is not seen")
    browser.click("Objects")
    browser.waits_for("not ready: ")
    assert "✗ Deployment hangs" in browser.text
    assert re.search(r"ReplicaSet hangs-\w+\s+✗ Pod hangs-\w+", browser.text), browser.text
    browser.open(site.page("", "?search=hangs"))
    browser.waits_for("Deployment hangs: ")


def test_signing_in_leads_back_and_signing_out_ends_it(site):
    browser = site.browser
    browser.driver.delete_all_cookies()
    site.sign_in(site.page("blog", "/values"))
    (cookie,) = [one for one in browser.driver.get_cookies() if one["name"] == "whipstaff-token"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/ui")
    assert "whipstaff-token" not in browser.script("return document.cookie")
    browser.click("Sign out")
    browser.until(lambda: browser.url.endswith("/ui/sign-out"), "it is not asked about")
    browser.click("Sign out")
    browser.until(lambda: browser.url.endswith("/ui/sign-in"), "it does not end")
    browser.open(site.page("blog"))
    assert "/sign-in?next=" in browser.url


def test_each_button_shows_its_edit_and_makes_it(site):
    browser, releases = site.browser, site.releases
    site.sign_in(site.page("blog"))
    steps = (
        ("Roll back to 1…", "Roll back", "revision: 1", lambda spec: spec.get("revision") == 1),
        ("Unpin…", "Unpin", "revision: null", lambda spec: "revision" not in spec),
        ("Pin…", "Pin", "revision: 4", lambda spec: spec.get("revision") == 4),
        ("Suspend…", "Suspend", "suspend: true", lambda spec: spec.get("suspend") is True),
        ("Resume…", "Resume", "suspend: null", lambda spec: "suspend" not in spec),
        ("Reconcile…", "Reconcile", "whipstaff.dev/requestedAt", lambda _: True),
    )
    for number, (button, confirm, shown, done) in enumerate(steps):
        before = releases.get("blog")["metadata"]["generation"]
        browser.click(button)
        browser.waits_for(shown)
        assert releases.get("blog")["metadata"]["generation"] == before
        browser.click(confirm)
        browser.waits_for("the edit was made")
        releases.until("blog", lambda one, done=done: done(one["spec"]))
        if number < 2:
            releases.settled("blog", revision=3 + number)
            browser.waits_for(f"Roll back to {2 + number}…")
    assert releases.get("blog")["metadata"]["annotations"]["whipstaff.dev/requestedAt"]
    assert browser.troubles() == []


def test_a_plan_is_read_and_approved_of(site):
    browser = site.browser
    site.sign_in(site.page())
    browser.waits_for("waits for approval")
    browser.open(site.page("waits"))
    browser.click("Look at it")
    browser.waits_for("~ change ConfigMap")
    browser.click("Approve…")
    browser.waits_for("approvedPlan: sha256:")
    browser.click("Approve")
    site.releases.settled("waits", revision=2)
    browser.waits_for("revision 2" if "/plan" in browser.url else "Roll back to 1…")


def test_who_syncs_a_release_from_git_is_named_before_it_is_edited(site):
    labels = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    path = site.releases.path("keys")
    site.cluster.api.request("PATCH", path, {"metadata": {"labels": labels}})
    site.sign_in(site.page("keys", "/edits/suspend"))
    site.browser.waits_for("Flux syncs this HelmRelease")
    site.cluster.api.request("PATCH", path, {"metadata": {"labels": dict.fromkeys(labels)}})


def test_what_happens_shows_without_a_reload(site):
    browser = site.browser
    site.sign_in(site.page("", "?search=keys"))
    browser.script("window.stayed = 1")
    site.releases.edit("keys", suspend=True)
    browser.waits_for("suspended\n")
    site.releases.edit("keys", suspend=None)
    browser.until(lambda: "∥ suspended" not in browser.text, "it stays suspended")
    assert browser.script("return window.stayed") == 1


def test_a_release_is_pinned_without_a_mouse(site):
    browser = site.browser
    site.sign_in(site.page("", "?search=keys"))
    browser.press(Keys.TAB)
    assert browser.focus == ("Skip to the content", True)
    browser.press(Keys.ENTER)

    def go_to(text):
        for _ in range(60):
            browser.press(Keys.TAB)
            found, visible = browser.focus
            assert visible, found
            if found == text:
                browser.press(Keys.ENTER)
                return
        raise AssertionError(f"no key leads to {text!r}")

    go_to("keys")
    browser.waits_for("Conditions")
    go_to("Pin…")
    browser.waits_for("revision: 1")
    go_to("Pin")
    browser.waits_for("pinned to revision 1")
    assert site.releases.get("keys")["spec"]["revision"] == 1


@pytest.fixture(scope="module")
def proxied(site):
    """A gateway behind a Service: its path on the API server."""
    address = own_address()
    gateway = RunningGateway(
        site.cluster,
        *("--address", f"{address}:0", "--tls-name", address),
        name="gateway-pages-proxied",
    )
    yield behind_the_api_server(site.cluster, PLACE, gateway, address)
    gateway.stop()


def test_the_pages_work_behind_the_api_server_s_proxy(site, proxied):
    """The browser speaks to `kubectl proxy`, that to the API server, and that to the gateway."""
    cluster, browser = site.cluster, site.browser
    proxy = subprocess.Popen(
        [cluster.programs["kubectl"], "proxy", "--port=0"],
        env=cluster.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        base = "http://" + re.search(r"127\.0\.0\.1:\d+", proxy.stdout.readline())[0] + proxied
        browser.until(lambda: _answers(browser, f"{base}/ui/sign-in"), "it does not answer")
        site.sign_in(site.page("keys", base=base))
        browser.troubles()
        suspended_and_resumed(site)
        browser.click("Releases")
        browser.waits_for("hostile")
        assert browser.url == f"{base}/ui/"
        assert browser.troubles() == []
    finally:
        proxy.terminate()
        proxy.wait(timeout=60)
        proxy.stdout.close()


def test_the_dashboard_opens_the_pages_as_its_account(site, proxied):
    """`whipstaff dashboard` signs in whoever has its URL, and nobody else."""
    cluster, browser = site.cluster, site.browser
    command = [
        *(sys.executable, "-m", "whipstaff", "dashboard", "--no-browser"),
        *("-n", PLACE, "--service", "gateway", "--service-account", f"{PLACE}/editor"),
    ]
    browser.until(lambda: _answers_through(cluster, proxied), "the proxy knows no endpoints")
    with subprocess.Popen(
        command, env=cluster.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            url = re.search(r"http://127\.0\.0\.1:\S+", process.stdout.readline()).group()
            root = url.partition("/?")[0]
            browser.open(f"{root}/ui/")
            assert "hostile" not in browser.text
            browser.open(url)
            browser.waits_for("hostile")
            assert "system:serviceaccount:ui-web:editor" in browser.text
            browser.click("keys")
            browser.waits_for("Conditions")
            browser.troubles()  # the page that nobody was let to see
            suspended_and_resumed(site)
            assert browser.troubles() == []
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def suspended_and_resumed(site):
    """Press a button on the page of `keys`; what others do after shows without a reload."""
    site.browser.click("Suspend…")
    site.browser.click("Suspend")
    site.browser.waits_for("suspended\n")
    site.browser.script("window.stayed = 1")
    site.releases.edit("keys", suspend=None)
    site.browser.until(lambda: "∥ suspended" not in site.browser.text, "it stays suspended")
    assert site.browser.script("return window.stayed") == 1


def _answers_through(cluster, path):
    try:
        cluster.kubectl("get", "--raw", f"{path}/livez")
    except RuntimeError:
        return False
    return True


def _answers(browser, url):
    browser.open(url)
    return "Sign in" in browser.text


def test_without_scripts_all_of_it_works(site, tmp_path):
    browser = Browser(tmp_path, scripts=False)
    try:
        site.sign_in(site.page("blog"), browser)
        browser.click("Suspend…")
        browser.click("Suspend")
        browser.waits_for("the edit was made")
        assert site.releases.get("blog")["spec"]["suspend"] is True
        browser.click("Resume…")
        browser.click("Resume")
        browser.waits_for("the edit was made")
    finally:
        browser.close()


@pytest.mark.skipif(not PICTURES, reason="WHIPSTAFF_PICTURES names no folder")
def test_pictures_for_the_documentation(site):
    browser, folder = site.browser, Path(PICTURES)
    site.sign_in(site.page("", "?namespace=ui-web"))
    browser.barriers("light")
    browser.picture(folder / "releases.png")
    browser.open(site.page("blog"))
    browser.picture(folder / "release.png")
    browser.open(site.page("hangs", "/objects"))
    browser.waits_for("ReplicaSet")
    browser.picture(folder / "objects.png")
    browser.open(site.page("blog", "/diff?from=1&to=2"))
    browser.barriers("dark")
    browser.picture(folder / "compare-dark.png")
    browser.barriers("light")
    with browser.as_wide_as(360, 720):
        browser.open(site.page("blog"))
        browser.picture(folder / "phone.png")
