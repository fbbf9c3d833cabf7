"""Pages of runs: what they show, that they are inert, and that they open."""

import itertools
import re
from pathlib import Path

import pytest
from lxml import html as parser

from agent.store.memory import HashEmbedder
from evals.paired import compare
from evals.record import Ratio
from evals.report import charts
from evals.report.comparison import comparison_html, comparison_markdown, differing, sentence
from evals.report.facts import headline
from evals.report.html import confusion_rows, error_kinds, to_html
from evals.report.markdown import to_markdown
from evals.report.view import CaseView, RunView, chosen, view_of
from evals.results import results_of
from evals.run import run_suite
from evals.work import Parts, Plan
from tests.desk import answer, settings_for
from tests.evals.manifest import manifest
from tests.evals.scores import many, score
from tests.evals.suite import rows, write_suite

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
HOSTILE = "<script>alert(1)</script>\u202e\x07 \"'><img src=x onerror=alert(2)>{{7*7}}"


def made_up(scores, **facts):
    """A view without a run on disk."""
    from evals.record import Spent

    cases = tuple(CaseView(score=one, text=f"Claim {one.case_id}", tags=("number",)) for one in chosen(scores))
    return RunView(manifest(**facts), results_of("mills", scores), tuple(scores), Spent(), cases)


@pytest.fixture
def run(tmp_path):
    """A real run on a suite whose texts are hostile."""
    from agent.llm.fake import ScriptedModel

    cases = [row | {"tags": [HOSTILE]} for row in rows()]
    cases[0] |= {"text": f"The mill in Norvik burnt down on 4 March 2019. {HOSTILE}"}
    suite = write_suite(tmp_path / "mills", cases=cases)
    settings = settings_for(tmp_path / "runs", cache_dir=tmp_path / "cache")
    parts = Parts(embedder=lambda settings: HashEmbedder(), model=ScriptedModel(answer))
    return run_suite(Plan(suite=suite), settings, parts=parts)


def test_all_that_is_known_of_a_case_is_on_the_page(run):
    """Claim, classes, quotes with publisher and date, gold, checks, searches, hits, facts of the run."""
    page = parser.fromstring(to_html(view_of(run)))
    text = page.text_content()
    for told in (
        "The Norvik mill made 900 tons of flour in 2018.", "gold Refuted", "Trade Review", "2023-01-01",
        "number: the claim says 900 tons, the source says 400 tons", "Searched for", "by meaning",
        run.manifest.id, "5 cases · 0 unscored", "Setting: passages",
    ):  # fmt: skip
        assert told in text, told
    assert len(page.xpath("//section//details")) >= 5


def test_outside_text_is_inert(run):
    """No element, attribute or template of a claim or tag takes effect, and what is not seen is gone."""
    text = to_html(view_of(run))
    page = parser.fromstring(text)
    assert not page.xpath("//script | //img | //iframe | //object | //link")
    assert "\u202e" not in text
    assert "\x07" not in text
    assert "{{7*7}}" in page.text_content()
    assert not re.search(r"\son\w+=", re.sub(r"&[^;]+;", "", "".join(re.findall(r"<[^>]*>", text))))


def test_the_policy_forbids_scripts_and_requests(run):
    """The one style is allowed by its hash."""
    text = to_html(view_of(run))
    assert "default-src 'none'; style-src 'sha256-" in text
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)


def test_the_same_run_gives_the_same_page(run):
    """A report is a pure function of the run."""
    assert to_html(view_of(run)) == to_html(view_of(run))


def test_a_run_whose_suite_is_gone_still_has_a_page(run, tmp_path):
    """It says what is missing, and shows what the run itself kept."""
    (tmp_path / "mills" / "claims.jsonl").unlink()
    view = view_of(run)
    assert "own texts are not shown" in to_html(view)
    assert "The Norvik mill made 900 tons of flour in 2018." in to_html(view)


def test_headings_go_down_by_steps_and_tables_have_heads(run):
    """For readers who hear the page."""
    page = parser.fromstring(to_html(view_of(run)))
    levels = [int(heading.tag[1]) for heading in page.xpath("//h1 | //h2 | //h3 | //h4")]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert all(cell.get("scope") for cell in page.xpath("//th"))
    for chart in page.xpath("//svg"):
        assert chart.get("role") == "img"
        assert chart.xpath("title")[0].text


def test_states_are_told_by_sign_and_word():
    """Right, wrong, failed, unscored, abstained and doubtful cases can be told without colour."""
    scores = [
        score("a", confidence=0.9), score("b", found="refuted", confidence=0.8, abstained=True, doubtful=True),
        score("c", found=None, failure="judge: garbage"), score("d", unscored="unreadable"),
    ]  # fmt: skip
    text = parser.fromstring(to_html(made_up(scores))).text_content()
    for told in ("✓", "✗", "!", "?", "wrong: gold", "abstained", "doubtful", "judge: garbage", "Unscored. unreadable"):
        assert told in text, told


def test_a_long_run_shows_wrong_cases_first_and_says_what_it_leaves_out():
    """1,000 wrong and 200 right ones; the file with all is named."""
    scores = many(3000, skill=0.5)
    shown = chosen(scores)
    assert len(shown) <= 1200
    states = [one.is_right for one in shown]
    assert states == sorted(states)
    text = parser.fromstring(to_html(made_up(scores))).text_content()
    assert f"{len(shown)} of 3000 cases are shown" in text
    assert "cases.jsonl" in text


def test_cases_asked_for_are_shown_besides():
    """A comparison needs those that changed, wherever they stand."""
    scores = many(3000, skill=0.9)
    right = [one.case_id for one in scores if one.is_right]
    assert set(right[-3:]) <= {one.case_id for one in chosen(scores, right[-3:])}


def test_errors_are_grouped_by_what_was_taken_for_what():
    """Largest kind first, the surest first within, with their tags."""
    scores = [score(f"a{n}", found="refuted", confidence=n / 10) for n in range(3)]
    scores.append(score("b", gold="refuted", found="supported"))
    first, second = error_kinds(made_up(scores).cases)
    assert (first.gold, first.found, [case.score.case_id for case in first.cases]) == (
        "Supported",
        "Refuted",
        ["a2", "a1", "a0"],
    )
    assert first.tags == (("number", 3),)
    assert len(second.cases) == 1


def test_confusion_has_a_cell_for_every_class():
    """Also for those that were never found; shares are of the row."""
    ((gold, cells),) = confusion_rows({"supported": {"refuted": 1, "supported": 3}})
    assert gold == "supported"
    assert cells == (("refuted", 1, 0.25), ("supported", 3, 0.75))


def test_the_headline_names_the_first_metric_with_its_interval():
    """Nothing scored is said as such."""
    assert re.match(
        r"\d+\.\d % \(95 % interval .* on 30 of 30 cases of mills\.", headline(results_of("mills", many(30)))
    )
    assert "nothing in them could be scored" in headline(results_of("mills", [score("a", unscored="x")]))


def test_charts_of_nothing_are_nothing():
    """No empty axes."""
    for made in (
        charts.intervals([]),
        charts.reliability([]),
        charts.coverage([]),
        charts.retrieval([]),
        charts.seconds([]),
    ):
        assert made == ""


def test_markdown_tells_the_same_figures(run):
    """Metrics, confusion, errors, facts; a claim cannot break the table or add markup."""
    text = to_markdown(view_of(run))
    assert "| accuracy |" in text
    assert "| gold |" in text
    assert "<script>" not in text
    assert f"Run: {run.manifest.id}" in text


def changed(scores, number):
    wrong = [one.case_id for one in scores if not one.is_right][:number]
    return [one.model_copy(update={"found": one.gold}) if one.case_id in wrong else one for one in scores]


def test_a_comparison_shows_what_differs_and_both_sides_of_each_change():
    """Facts of the two runs, differences with intervals, fixed and broken cases with both outcomes."""
    before = many(80, skill=0.3)
    after = changed(before, 20)
    found = compare(before, after)
    one, other = made_up(before), made_up(after, models={"judge": "large"})
    page = parser.fromstring(comparison_html(one, other, found)).text_content()
    assert "The second run is better: 20 cases were fixed and 0 broken" in page
    assert "models: judge" in page
    assert "large" in page
    assert page.count("Before: gold") == page.count("After: gold") == 20
    text = comparison_markdown(one, other, found)
    assert "## Fixed: 20" in text
    assert text.count("→") == 20
    assert "**better**" in text


def test_runs_about_other_things_are_warned_of():
    """A half against the whole says little."""
    scores = many(20)
    page = comparison_html(made_up(scores), made_up(scores, half="tuning"), compare(scores, scores))
    assert "The two runs differ in half: all and tuning." in page


def test_the_sentence_does_not_claim_what_the_test_does_not_show():
    """Chance, gain, loss and nothing in common have words of their own."""
    scores = many(80, skill=0.3)
    assert "cannot be told apart" in sentence(compare(scores, changed(scores, 1)))
    assert "is worse" in sentence(compare(changed(scores, 20), scores))
    ratios = [score(f"c{n}", gold=None, found=None, ratios={"mrr": Ratio(top=1)}) for n in range(3)]
    assert "classify nothing in common" in sentence(compare(ratios, ratios))


def test_the_time_of_a_run_is_no_difference():
    """Nor are id and place."""
    assert differing(manifest(), manifest(id="f" * 16, started="2027-01-01T00:00:00+00:00", suite_folder="/x")) == ()
    assert differing(manifest(), manifest(settings={"passages": 7})) == (("settings: passages", "5", "7"),)


@pytest.mark.browser
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}")
def test_in_a_browser(run, tmp_path):
    """Both pages open without a request or a complaint, fit a narrow screen, and open their cases by keyboard."""
    from playwright.sync_api import sync_playwright

    view = view_of(run)
    pages = {"run.html": to_html(view), "compared.html": comparison_html(view, view, compare(view.scores, view.scores))}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, text in pages.items():
            path = tmp_path / name
            path.write_text(text, encoding="utf-8")
            requests, complaints = [], []
            page = browser.new_page(viewport={"width": 320, "height": 800})
            page.on("request", lambda request, seen=requests: seen.append(request.url))
            page.on("console", lambda message, seen=complaints: seen.append(message.text))
            page.on("pageerror", lambda error, seen=complaints: seen.append(str(error)))
            page.on("dialog", lambda dialog, seen=complaints: seen.append(dialog.message))
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") == 320
            if page.locator("summary").count():
                page.locator("summary").first.focus()
                page.keyboard.press("Enter")
                assert page.locator("details[open]").count() == 1
            assert requests == [path.as_uri()]
            assert complaints == []
        browser.close()
