"""A class's thirty sheets: how soon a teacher sees them counted, and what finding the answers in the files costs.

python -m benchmarks.sheets
"""

import json
import sys
import tempfile
from html.parser import HTMLParser
from time import perf_counter

from playwright.sync_api import Page, sync_playwright

from benchmarks._page import served
from benchmarks._ratio import report
from benchmarks.laboratory import at_most
from seglab.lessons import files, sheet

LESSON, STUDENTS, BODY = "e", 30, 30_000  # of what a sheet is for a reader, pictures included: letters


def sheets() -> list[bytes]:
    lesson = files.find(LESSON)
    return [handed_in(lesson, n) for n in range(STUDENTS)]


def handed_in(lesson: files.Lesson, n: int) -> bytes:
    """A sheet as large as those that the page makes, in which every question is answered."""
    answers = {
        name: {
            "first": ask.options[n % len(ask.options)].key if ask.options else "because",
            "sure": sheet.SURENESS[n % 3],
            "again": ask.options[0].key if ask.options else None,
            "note": "edges",
        }
        for name, ask in lesson.asks.items()
    }
    found = {
        "sheet": 1, "lesson": LESSON, "hash": files.content_hash(lesson), "number": f"{n:032x}", "evidence": {},
        "name": f"student {n}", "answers": answers, "keep": "so", "times": [60 * k for k in range(len(lesson.steps))],
    }  # fmt: skip
    body = "<p>What came out, and why.</p>" * (BODY // 30)
    return f"<!doctype html><html><body>{body}{sheet.OPENED}{json.dumps(found)}{sheet.CLOSED}</body></html>".encode()


class Finder(HTMLParser):
    """The rival: the standard library's parser of HTML, which finds the same element."""

    def __init__(self, content: bytes):
        super().__init__()
        self.inside, self.found = False, ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found += data


def shown(page: Page, address: str, handed: list[bytes]) -> float:
    """Seconds from the pick of the files to the last of them in the table, in a page that has not seen any before."""
    page.goto("about:blank")
    page.goto(f"{address}#learn?sheets=1")
    page.wait_for_selector(".sheets input", state="attached")
    page.wait_for_timeout(2000)
    given = [{"name": f"{n:02}.html", "mimeType": "text/html", "buffer": each} for n, each in enumerate(handed)]
    began = perf_counter()
    page.set_input_files(".sheets input", given)
    page.wait_for_function(f"() => document.querySelectorAll('table.marks tbody tr').length === {STUDENTS}")
    return perf_counter() - began


def in_browser(address: str, handed: list[bytes]) -> list[float]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        found = [shown(page, address, handed) for _ in range(6)]
        browser.close()
    return found


def main() -> None:
    handed = sheets()
    with tempfile.TemporaryDirectory() as home, served([sys.executable, "app.py"], home) as (address, _):
        first, *later = in_browser(address, handed)
    at_most("thirty sheets on the screen, where nobody has opened the lesson yet", first, 2, "s")
    at_most("the same again, the median of 5", sorted(later)[2], 2, "s")

    def ours() -> None:
        for each in handed:
            sheet.parsed(each, "x.html")

    def rival() -> None:
        for each in handed:
            sheet.Sheet.model_validate(json.loads(Finder(each).found))

    report("thirty sheets read, against html.parser", ours, rival, 0.5)


if __name__ == "__main__":
    main()
