"""What axe-core finds wrong with the page for those who do not see it, or not well: nothing.

AXE names its axe.min.js: `npm pack axe-core`, then `tar xzf axe-core-*.tgz package/axe.min.js`.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from seglab import runs
from tests.conftest import serving, tiny
from tests.lessons import at_step

CHROMIUM = "/usr/bin/chromium"
AXE = Path(os.environ.get("AXE") or "nowhere")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"there is no {CHROMIUM}"),
    pytest.mark.skipif(not AXE.is_file(), reason="AXE does not name axe-core's axe.min.js"),
]
READY = {  # what is there once a tab is whole
    "start": "#start .ways a",
    "learn": "#learn .lessons a",
    f"learn?{at_step('a', 'Predict')}": ".lesson-step[data-open=true] form",
    f"learn?{at_step('a', 'Scores')}": ".outcome .whys li",
    f"learn?{at_step('a', 'Talk')}&teach=1": ".countdown",
    f"learn?{at_step('a', 'The document')}": "table.beside",
    f"learn?{at_step('a', 'Your sheet')}": ".handout iframe",
    f"learn?{at_step('spoiled', 'Case 1')}": ".inspect table.scores",
    "learn?sheets=1": ".sheets .drop",
    f"learn?{at_step('a', 'Talk')}&present=1&class=K7QF": ".presenter .qr canvas",
    "train": ".charts canvas, .samples img",
    "predict": ".panels figcaption small",
    "compare": "#scores table",
    "compare?view=where": ".where .numbers table",
    "compare?view=real": "#lab-real table",
    "compare?view=why": "#lab-why table",
    "compare?view=crf": ".crf-view .numbers table, .crf-search button",
    "compare?view=grid&masks=1&runs=encoder_decoder,unet,unet_vgg16": "#lab-grid img.mask, button.point",
}
DETAILS = ".seglab-form details:not(.menu, .choose)"
OPEN = f"() => document.querySelectorAll('{DETAILS}').forEach(each => each.open = true)"
VIOLATIONS = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.flatMap(
  rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)}`))"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a page that has two finished runs."""
    home = tmp_path_factory.mktemp("access") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(home))
        for loss in ("cross_entropy", "focal"):
            list(runs.work(runs.create(tiny(loss=loss), loss)))
    with serving(home) as found:
        yield found.address


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_tab(address, language, theme):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=theme)
        page.goto(f"{address}?lang={language}&__theme={theme}")
        page.add_script_tag(path=AXE)
        for tab, ready in READY.items():
            page.evaluate(f"location.hash = '#{tab}'")
            for each in ready.split(", "):
                expect(page.locator(each).first).to_be_visible(timeout=30_000)
            page.evaluate(OPEN)
            page.wait_for_load_state("networkidle")
            assert page.evaluate(VIOLATIONS) == [], tab
        browser.close()
