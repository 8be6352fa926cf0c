"""A headless browser for tests, and what it finds wrong with a page."""

import time
from contextlib import contextmanager, suppress

from selenium import webdriver
from selenium.common.exceptions import (
    NoAlertPresentException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.common.by import By

from tests.builders.live_releases import PATIENCE_SECONDS
from tools import browser

POLL_SECONDS = 0.05
PHONE = 320  # pixels of the narrowest that is told to be read

# What the driver says of an element that was replaced while it was looked at.
_REPLACED = "does not belong to the document"

_SCAN = """
const done = arguments[arguments.length - 1];
axe.run(document, arguments[0]).then(
  (found) => done(found.violations.map((one) => one.id + ": " + one.help + " "
    + one.nodes.slice(0, 3).map((node) => node.html + " " + node.failureSummary).join(" | "))),
  (error) => done(["axe failed: " + error]));
"""
_TOO_WIDE = """
const page = document.documentElement;
if (page.scrollWidth <= page.clientWidth) return [];
const wide = [...document.querySelectorAll("body *")].filter(
  (one) => one.getBoundingClientRect().right > page.clientWidth + 1 && !one.closest(".scroll"));
return ["" + page.scrollWidth, ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 300))];
"""


class Browser:
    """Chromium, and what people do with it."""

    def __init__(self, folder, *, scripts=True):
        options = webdriver.ChromeOptions()
        options.binary_location = browser.chromium()
        for argument in (
            *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
            *("--no-first-run", "--disable-background-networking", "--disable-sync"),
            *("--disable-component-update", "--no-proxy-server", "--window-size=1280,900"),
            f"--user-data-dir={folder}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.set_capability("unhandledPromptBehavior", "ignore")  # a dialog is a failure
        if not scripts:
            off = {"profile.managed_default_content_settings.javascript": 2}
            options.add_experimental_option("prefs", off)
        service = webdriver.ChromeService(executable_path=browser.driver())
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(PATIENCE_SECONDS)
        self.driver.set_script_timeout(PATIENCE_SECONDS)
        self._axe = browser.axe().read_text(encoding="utf-8")

    def close(self):
        self.driver.quit()

    # What people do.

    def open(self, url):
        self.driver.get(url)

    def click(self, text):
        """Click what is called so, a link or a button."""

        def clicked():
            element = self._named(text)
            if element is not None:
                element.click()
            return element

        self.until(clicked, f"nothing is called {text!r}")

    def fill(self, name, text):
        field = self.driver.find_element(By.NAME, name)
        field.clear()
        field.send_keys(text)

    def press(self, *keys):
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    # What they see.

    @property
    def url(self):
        return self.driver.current_url

    @property
    def text(self):
        """The text that is seen; empty between two pages."""
        try:
            return self.driver.find_element(By.TAG_NAME, "body").text
        except (NoSuchElementException, StaleElementReferenceException):
            return ""

    @property
    def focus(self):
        """What has the focus: its text, and whether that can be seen."""
        element = self.driver.switch_to.active_element
        outline = element.value_of_css_property("outline-style")
        return element.text or element.get_attribute("name") or "", outline not in ("none", "")

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def waits_for(self, text, seconds=PATIENCE_SECONDS):
        """Wait until a text is seen, without a reload."""
        return self.until(lambda: text in self.text, f"{text!r} is not seen", seconds)

    def until(self, holds, complaint, seconds=PATIENCE_SECONDS):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if found := holds():
                    return found
            except (NoSuchElementException, StaleElementReferenceException):
                pass  # between two pages
            except WebDriverException as error:
                if _REPLACED not in str(error.msg):
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(f"{complaint} at {self.url}: {self.text[:2000]}")
            time.sleep(POLL_SECONDS)

    # What is wrong.

    def troubles(self):
        """Return dialogs, errors of the console, and whether something ran that was written."""
        found = [
            f"{one['level']}: {one['message']}"
            for one in self.driver.get_log("browser")
            if one["level"] in ("SEVERE", "WARNING")
        ]
        with suppress(NoAlertPresentException):
            found.append(f"dialog: {self.driver.switch_to.alert.text}")
        if self.script("return window.hostile"):
            found.append("a hostile text ran")
        return found

    def barriers(self, scheme="light"):
        """Return what axe-core finds, in a light or a dark page."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        self.script(f"if (!window.axe) {{ {self._axe} }}")
        only = {} if scheme == "light" else {"runOnly": ["color-contrast"]}
        return self.driver.execute_async_script(_SCAN, only)

    def overflow(self, width=PHONE):
        """Return what makes the page too wide for a phone; empty if nothing does."""
        with self.as_wide_as(width):
            return self.script(_TOO_WIDE)

    @contextmanager
    def as_wide_as(self, width, height=640):
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def picture(self, path):
        """Keep what is seen as a PNG."""
        self.driver.save_screenshot(str(path))

    def _named(self, text):
        for kind in ("a", "button", "summary"):
            for element in self.driver.find_elements(By.TAG_NAME, kind):
                if element.text.strip() == text and element.is_displayed():
                    return element
        return None
