"""The order of a page, its contents, and the files that it links to."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from loadtest.report.page_template import first_sentence, further_sentences, slug
from tests.analysis.builders import steady
from tests.report.pages import figureless, page_of


class Headings(HTMLParser):
    """The rank and identifier of each heading, and the address of each link."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[tuple[str, str | None]] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if re.fullmatch(r"h[1-6]", tag):
            self.ids.append((tag, given.get("id")))
        if tag == "a":
            self.links.append(given["href"] or "")


@pytest.fixture(scope="module")
def page(experiment_report: Path) -> str:
    return (experiment_report / "report.html").read_text()


def test_verdict_findings_table_figures_and_details_follow_each_other(page: str) -> None:
    found = [place for rank, place in Headings(page).ids if rank == "h2"]
    assert found == [
        *("verdict", "findings", "the-pools", "what-happened", "in-detail", "against-default"),
        *("errors-by-kind", "where-it-ran", "files", "how-to-repeat-it"),
    ]


def test_every_heading_has_an_identifier_and_every_section_a_link(page: str) -> None:
    headings = Headings(page)
    identifiers = [place for _, place in headings.ids]
    assert all(identifiers)
    assert len(set(identifiers)) == len(identifiers)
    inside = [link for link in headings.links if link.startswith("#")]
    assert inside == [f"#{place}" for rank, place in headings.ids if rank == "h2"]


def test_files_are_linked_from_where_the_page_is(
    experiment_report: Path, page: str, tmp_path: Path
) -> None:
    beside = [link for link in Headings(page).links if not link.startswith("#")]
    assert {"summary.json", "experiment.json", "runs/20%2B0-1.jsonl", "runs/20%2B0-1.log"} <= {
        *beside
    }
    assert all((experiment_report / unquote(link)).is_file() for link in beside)
    figureless(experiment_report, out=tmp_path / "elsewhere")
    links = Headings((tmp_path / "elsewhere" / "report.html").read_text()).links
    outside = [link for link in links if link.startswith("..")]
    assert len(outside) == 16  # the runs and a log
    assert all((tmp_path / "elsewhere" / unquote(link)).is_file() for link in outside)


def test_names_that_make_one_identifier_are_told_apart(tmp_path: Path) -> None:
    steady(tmp_path, "a+b:5+0", [9])
    steady(tmp_path, "verdict:5+0", [9], started=2)
    ids = [place for _, place in Headings(page_of(tmp_path)).ids]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("text", "made"), [("In detail", "in-detail"), ("20+0 & co", "20-0-co"), ("<+>", "part")]
)
def test_identifiers_are_words_with_hyphens(text: str, made: str) -> None:
    assert slug(text) == made


def test_a_caption_is_one_sentence_and_the_rest_is_folded(page: str) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, flags=re.S)
    assert len(captions) == 6
    for caption in captions:
        assert further_sentences(caption) == ""
    assert page.count("<summary>How to read it</summary>") == 6
    assert first_sentence("The p99.9 is 5 s. Both are. More.") == "The p99.9 is 5 s."
    assert further_sentences("The p99.9 is 5 s. Both are. More.") == "Both are. More."
