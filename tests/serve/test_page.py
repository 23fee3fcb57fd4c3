"""The page at /docs, as a file and in a browser: it asks what it says it asks, and runs no other code."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from engine.errors import RowError
from engine.pipeline import Pipeline
from engine.runtime.serve.keys import Key, hash_of, new_key
from engine.runtime.serve.openapi.example import to_json
from engine.runtime.serve.page import page
from tests.serve.described import HOSTILE, ODD, SCRIPT, described
from tests.serve.running import Server, serving


class Parsed(html.parser.HTMLParser):
    """The tags, attributes, scripts and styles of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem in self.inside:
            self.inside[str(self.cdata_elem)][-1] += data


def policy() -> dict[str, str]:
    found = dict(page()[1])[b"content-security-policy"].decode()
    return dict(part.strip().partition(" ")[::2] for part in found.split(";"))


def test_the_policy_names_what_is_in_the_page() -> None:
    body, _ = page()
    parsed = Parsed(body.decode())
    found = policy()
    assert found["default-src"] == "'none'" and found["connect-src"] == "'self'"
    for tag in ("script", "style"):
        (text,) = parsed.inside[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert found[f"{tag}-src"] == f"'sha256-{digest}'"
    assert "unsafe" not in str(found)


def test_nothing_is_inline_or_from_elsewhere() -> None:
    body, _ = page()
    text = body.decode()
    parsed = Parsed(text)
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on") or name == "style"]
    links = [
        str(value) for _, name, value in parsed.attributes if name in ("src", "href", "action", "srcset")
    ]
    assert [link for link in links if not link.startswith("data:")] == [
        "openapi.json",
        "metrics",
        "openapi.json",
    ]
    (script,) = parsed.inside["script"]
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert word not in script
    assert not re.search(r"https?://", script) and "url(" not in parsed.inside["style"][0]
    for word in ("localStorage", "sessionStorage", "cookie", "indexedDB"):
        assert word not in script


def test_it_is_the_same_every_time() -> None:
    assert page() == page()


# -- in a browser

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PATIENCE = 30


def installed(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser is installed: {', '.join(names)}")
    return found


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = installed(*_BROWSERS)
    profile = tmp_path_factory.mktemp("profile")
    flags = ["headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run"]
    for flag in [*flags, f"user-data-dir={profile}", "window-size=1280,1000"]:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=installed("chromedriver"))
    found = webdriver.Chrome(options=options, service=service)
    try:
        yield found
    finally:
        found.quit()


@dataclass(frozen=True)
class Served:
    """A running server, and what it serves."""

    running: Server
    pipeline: Pipeline

    @property
    def url(self) -> str:
        return self.running.url


@contextmanager
def served(pipeline: Pipeline, key: bytes | None = None) -> Iterator[Served]:
    with TemporaryDirectory() as name:
        folder, options = Path(name), []
        pipeline.save(folder / "bundle")
        if key is not None:
            (folder / "keys.txt").write_text(f"{Key('someone', hash_of(key))}\n")
            (folder / "keys.txt").chmod(0o600)
            options = [f"server.keys={folder / 'keys.txt'}"]
        with serving(f"bundle={folder / 'bundle'}", *options) as running:
            yield Served(running, pipeline)


class Shown:
    """The page of a server, open in a browser."""

    def __init__(self, driver: Any, server: Served, *, keyed: bool = False) -> None:
        self.driver, self.server = driver, server
        self._requests: list[dict[str, Any]] = []
        driver.get_log("browser"), driver.get_log("performance")
        driver.get(f"{server.url}/docs")
        if not keyed:
            self.wait(lambda: self.one("#send").is_displayed())

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What the browser has asked since the page was opened."""
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                self._requests.append(event["params"]["request"])
        return self._requests

    @property
    def posted(self) -> list[str]:
        """The bodies of what it has posted."""
        return [each["postData"] for each in self.requests if each["method"] == "POST"]

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        found: list[Any] = self.driver.find_elements("css selector", selector)
        return found

    def wait(self, true: Any) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, _PATIENCE, 0.02).until(lambda _: true())

    def input(self, name: str) -> Any:
        """The field of this input, found by its label."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#fields label.name')]"
            ".find((label) => label.firstChild.data === arguments[0]).control",
            name,
        )

    def type(self, name: str, text: str) -> None:
        field = self.input(name)
        field.clear()
        field.send_keys(text)

    def missing(self, name: str) -> Any:
        return self.one(f"#{self.input(name).get_attribute('id')}-missing")

    def ask(self) -> tuple[str, dict[str, Any]]:
        """What is shown when the button was pressed: the status, and the JSON."""
        before = len(self.posted)
        self.driver.execute_script("document.getElementById('facts').replaceChildren()")
        self.one("#send").click()
        self.wait(lambda: self.all("#facts dd") and len(self.posted) > before)
        return self.facts()["status"], json.loads(self.one("#answer").text)

    def facts(self) -> dict[str, str]:
        names, values = self.all("#facts dt"), self.all("#facts dd")
        return {name.text: value.text for name, value in zip(names, values, strict=True)}

    def row(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.posted[-1])
        return found

    def check_quiet(self, *allowed: str) -> None:
        """Nothing was said on the console, and nobody else was asked anything."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        assert [text for text in said if not any(part in text for part in allowed)] == []
        asked = [each["url"] for each in self.requests]
        assert f"{self.server.url}/openapi.json" in asked
        # chrome: is the browser's own page of a new tab; no other page may ask for it
        mine = (f"{self.server.url}/", "data:", "chrome:")
        others = [url for url in asked if not url.startswith(mine)]
        assert others == []
        assert self.driver.execute_script("return window.hit") is None


def answered(server: Served, row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: to_json(value) for name, value in server.pipeline.predict_one(row).items()}
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(described()) as found:
        yield found


@pytest.mark.slow
def test_the_example_is_asked_and_answered(driver: Any, server: Served) -> None:
    shown = Shown(driver, server)
    assert driver.title == "all-kinds" and shown.one("#version").text == server.pipeline.version
    (example,) = _document(server)["components"]["schemas"]["Row"]["examples"]
    status, answer = shown.ask()
    assert status == "200 OK"
    assert shown.row() == example
    assert answer == answered(server, example)
    facts = shown.facts()
    assert facts["version"] == server.pipeline.version and re.fullmatch(r"\d+\.\d ms", facts["time"])
    shown.check_quiet()


@pytest.mark.slow
def test_what_is_typed_is_what_is_asked(driver: Any, server: Served) -> None:
    shown = Shown(driver, server)
    typed = {"n": "0.1000000000000000055", "r": "-2e3", "c": "never seen", "w": 'it\'s "x"', "t": "-5"}
    for name, text in typed.items():
        if name in ("c", "w") and shown.missing(name).is_selected():
            shown.missing(name).click()
        shown.type(name, text)
    shown.type("s", "2013-01-01T05:00:00+01:00")
    shown.type("flight", '{"id": [1, null]}')
    status, answer = shown.ask()
    assert status == "200 OK"
    row = shown.row()
    assert "0.1000000000000000055" in shown.posted[-1]  # its digits are not the browser's
    assert {name: row[name] for name in typed} == {
        "n": 0.1,
        "r": -2000,
        "c": "never seen",
        "w": 'it\'s "x"',
        "t": -5,
    }
    assert answer == answered(server, row)
    assert answer["flight"] == {"id": [1, None]}
    # missing: an empty number, a ticked category; an empty text is a text
    shown.type("n", "")
    shown.type("w", "")
    shown.missing("c").click()
    shown.type("flight", "UA 1")
    status, answer = shown.ask()
    row = shown.row()
    assert (row["n"], row["c"], row["w"], row["flight"]) == (None, None, "", "UA 1")
    assert status == "200 OK" and answer == answered(server, row)
    shown.type("n", "-inf")
    shown.type("r", ".5")
    status, answer = shown.ask()
    assert (shown.row()["n"], shown.row()["r"]) == ("-inf", 0.5)
    assert status == "200 OK" and answer["ratio"] == "-inf"
    shown.one("#reset").click()
    shown.ask()
    assert [shown.row()] == _document(server)["components"]["schemas"]["Row"]["examples"]
    shown.check_quiet()


@pytest.mark.slow
def test_a_refused_row_is_shown_at_its_field(driver: Any, server: Served) -> None:
    shown = Shown(driver, server)
    for name, text in (("r", ""), ("r", "many"), ("u", "violet"), ("s", "yesterday")):
        before = shown.input(name).get_attribute("value")
        if name == "u" and shown.missing("u").is_selected():
            shown.missing("u").click()
        shown.type(name, text)
        status, answer = shown.ask()
        with pytest.raises(RowError) as refused:
            server.pipeline.live().one(shown.row())
        assert status.startswith("422")
        assert answer == {"error": str(refused.value), "code": refused.value.code, "column": name}
        field = shown.input(name)
        assert field.get_attribute("aria-invalid") == "true"
        assert shown.one(f"#{field.get_attribute('aria-describedby')}").text == str(refused.value)
        shown.type(name, before or "2")
    status, _ = shown.ask()
    assert status == "200 OK" and not shown.all("[aria-invalid]")
    shown.check_quiet("422")  # Chromium tells of every status that is an error


@pytest.mark.slow
def test_the_document_can_be_read(driver: Any, server: Served) -> None:
    shown = Shown(driver, server)
    document = _document(server)
    schemas = document["components"]["schemas"]
    for table, schema in (("inputs", schemas["Row"]), ("outputs", schemas["Answer"])):
        rows = shown.all(f"#{table} tbody > tr")
        assert [row.find_element("css selector", "code").text for row in rows] == list(schema["properties"])
        for row, field in zip(rows, schema["properties"].values(), strict=True):
            assert field.get("x-kind", field.get("x-dtype")).replace("any", "") in row.text
            assert ("kept" in row.text) == bool(field.get("x-kept")) or table == "outputs"
            assert field["description"] in row.text
            for value in filter(None, (*field.get("enum", ()), *field.get("examples", ()))):
                assert value in row.text
    missing = [row.text for row in shown.all("#inputs tbody > tr td:nth-child(3)")]
    assert [
        name for name, text in zip(schemas["Row"]["properties"], missing, strict=True) if "not" in text
    ] == [
        "r",
        "s",
    ]
    routes = shown.all("#routes details")
    for route in routes:
        route.find_element("css selector", "summary").click()
    said = [route.text for route in routes]
    assert len(said) == sum(len(item.keys() & {"get", "post"}) for item in document["paths"].values())
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post"}:
            (text,) = (text for text in said if re.match(rf"{method.upper()}\s+{re.escape(path)}\s", text))
            for status in item[method]["responses"]:
                assert status in text
    shown.check_quiet()


@pytest.mark.slow
def test_the_curl_command_does_the_same(driver: Any, server: Served) -> None:
    shown = Shown(driver, server)
    shown.type("w", "it's $HOME `id` \"\\ ünï @x")
    _, answer = shown.ask()
    command = shown.one("#curl").get_property("textContent")
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=True)
    assert json.loads(done.stdout) == answer and shown.posted[-1] in shlex.split(command)
    shown.check_quiet()


@pytest.mark.slow
def test_hostile_names_do_nothing(driver: Any) -> None:
    with served(described("names")) as server:
        shown = Shown(driver, server)
        assert not shown.all("#all img, #all script, #all b")
        for name in (HOSTILE, SCRIPT, ODD, "7", "it's"):
            assert shown.input(name) is not None
        shown.type(ODD, "4")
        shown.type("it's", HOSTILE)
        shown.type("</textarea><b>kept</b>", HOSTILE)
        status, answer = shown.ask()
        row = shown.row()
        assert status == "200 OK" and row[ODD] == 4 and row["it's"] == HOSTILE
        assert answer == answered(server, row)
        assert json.dumps(HOSTILE) in shown.one("#answer").text
        shown.type(HOSTILE, HOSTILE)
        status, answer = shown.ask()
        assert status.startswith("422") and answer["column"] == HOSTILE
        for route in shown.all("#routes summary"):
            route.click()
        assert not shown.all("#all img, #all script, #all b")
        shown.check_quiet("422")


@pytest.mark.slow
def test_other_code_would_be_stopped_and_told(driver: Any, server: Served) -> None:
    """What a hole in the page would let in: its policy stops it, and the checks here tell."""
    shown = Shown(driver, server)
    put = "const made = document.createElement({!r}); {}; document.body.append(made)".format
    tries = {
        put("div", "made.innerHTML = '<b>x</b>'"): "TrustedHTML",
        put("script", "made.append('window.hit = 3')"): "TrustedScript",
        put("img", "made.src = '/x.png'"): "img-src",
        "fetch('http://localhost:9/').catch(() => 0)": "connect-src",
    }
    for code, word in tries.items():
        driver.execute_script(f"try {{ {code} }} catch (error) {{ console.error(error.message) }}")
        said: list[str] = []
        shown.wait(lambda: said.extend(entry["message"] for entry in driver.get_log("browser")) or said)  # noqa: B023
        assert word in " ".join(said), (code, said)
    assert driver.execute_script("return window.hit") is None


@pytest.mark.slow
def test_a_key_is_asked_for_and_sent(driver: Any) -> None:
    secret = new_key()
    key = secret.decode()
    with served(described(), secret) as server:
        shown = Shown(driver, server, keyed=True)
        shown.wait(lambda: shown.one("#trouble").is_displayed())
        assert "key" in shown.one("#trouble").text and not shown.one("#all").is_displayed()
        shown.one("#key").send_keys("wrong\n")
        shown.wait(lambda: "doesn't know" in shown.one("#trouble").text)
        shown.one("#key").clear()
        shown.one("#key").send_keys(f"{key}\n")
        shown.wait(lambda: shown.one("#send").is_displayed())
        status, _ = shown.ask()
        sent = [each["headers"].get("Authorization") for each in shown.requests if each["method"] == "POST"]
        assert status == "200 OK" and sent == [f"Bearer {key}"]
        command = shown.one("#curl").get_property("textContent")
        assert key not in command and "$API_KEY" in command
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, timeout=60, check=True, env={"API_KEY": key}
        )
        assert "score" in done.stdout.decode()
        kept = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        assert driver.execute_script(kept) == '[{},{},""]'
        shown.check_quiet("401")
        driver.refresh()
        shown.wait(lambda: shown.one("#trouble").is_displayed())
        assert shown.one("#key").get_property("value") == ""


@pytest.mark.slow
def test_the_keyboard_is_enough(driver: Any, server: Served) -> None:
    from selenium.webdriver import ActionChains, Keys

    shown = Shown(driver, server)
    order = []
    for _ in range(60):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        focused = driver.execute_script("return document.activeElement.id || document.activeElement.tagName")
        order.append(focused)
        if focused == "send":
            break
    fields = [field.get_attribute("id") for field in shown.all("#fields .field > :is(input, textarea)")]
    enabled = [name for name in fields if shown.one(f"#{name}").is_enabled()]
    assert [name for name in order if name in enabled] == enabled and order[-1] == "send"
    before = len(shown.posted)
    ActionChains(driver).send_keys(Keys.ENTER).perform()
    shown.wait(lambda: shown.one("#answer").is_displayed() and len(shown.posted) > before)
    # and from within a field
    shown.input("r").send_keys(Keys.ENTER)
    shown.wait(lambda: len(shown.posted) == before + 2)
    shown.check_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_can_be_read(driver: Any, server: Served, width: int, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        shown = Shown(driver, server)
        shown.ask()
        for route in shown.all("#routes summary"):
            route.click()
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        faint = driver.execute_script(_FAINT)
        assert faint == []
        shown.check_quiet()
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


# Texts whose contrast is below WCAG's 4.5 : 1. Source: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio
_FAINT = """
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = parts(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const found = getComputedStyle(at).backgroundColor;
    if (parts(found)[3] !== 0) return found;
  }
  return "rgb(255, 255, 255)";
};
const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
return [...document.querySelectorAll("body *:not(script, style, option)")]
  .filter((element) => element.checkVisibility() && !element.disabled && (own(element) || element.value))
  .map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 80)];
  })
  .filter(([contrast]) => contrast < 4.5);
"""


def _document(server: Served) -> dict[str, Any]:
    from engine.runtime.serve.openapi import openapi

    found: dict[str, Any] = json.loads(json.dumps(openapi(server.pipeline)))
    return found
