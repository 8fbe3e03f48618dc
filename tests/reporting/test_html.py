# SPDX-License-Identifier: Apache-2.0
import base64
import itertools
import re
from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.slow

VOID = {"meta", "img", "br", "use", "path", "circle", "rect", "link", "input", "hr"}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.data, self.ids, self.links, self.stack = [], [], [], [], [], []
        self.attributes, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "data":
            self.data.append(found["value"])
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack:
            self.text.append(data)


@pytest.fixture
def page(told, integrity, rendered):
    return Page(rendered(told, integrity=integrity)["report.html"].decode())


def numbers(value):
    if isinstance(value, dict):
        return [n for key, item in value.items() if key not in ("parameters", "level") for n in numbers(item)]
    if isinstance(value, list):
        return [n for item in value for n in numbers(item)]
    return [value] if isinstance(value, float) else []


def test_there_is_no_script_and_nothing_to_load(told, rendered, integrity):
    text = rendered(told, integrity=integrity)["report.html"].decode()
    page = Page(text)
    policy = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert {"script", "iframe", "object", "link", "form", "base"}.isdisjoint(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    sources = [value for name, value in page.attributes if name in ("src", "srcset", "poster")]
    assert all(value.startswith("data:image/svg+xml;base64,") for value in sources)
    assert "@import" not in text
    assert "url(" not in text


def test_the_page_is_well_formed_with_headings_in_order(page):
    assert page.stack == []
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(page.headings))


def test_ids_are_unique_and_inner_links_lead_somewhere(page):
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert all(link.startswith(("#", "https://")) for link in page.links)


def test_every_number_of_the_json_stands_on_the_page(page, told):
    shown = {float(value) for value in page.data}
    wanted = [n for f in told.to_dict()["findings"] for n in numbers([f["estimates"], f["observations"], f["limit"]])]
    assert wanted
    assert {number for number in wanted if number not in shown} == set()


def test_undefined_is_a_reason_and_never_zero(page):
    text = " ".join(page.text)
    assert "Fewer than 10 patients: too few for a number" in text
    assert "What could not be judged, and why" in text
    assert "None" not in text
    assert "nan" not in text.split()


def test_a_verdict_has_words_and_a_shape_of_its_own(page):
    shapes = {value for name, value in page.attributes if name == "href" and value.startswith("#i-")}
    assert {"#i-failed", "#i-warned", "#i-measured", "#i-not_assessable"} <= shapes
    assert {"Outside the limit", "Needs a look", "Could not be judged", "Measured, not judged"} <= {
        text.strip() for text in page.text
    }


@pytest.mark.parametrize("name", ["hostile", "hostile_told"])
def test_hostile_text_is_only_text(name, hostile_text, request, rendered):
    text = rendered(request.getfixturevalue(name), integrity={"status": hostile_text, "head": hostile_text})[
        "report.html"
    ].decode()
    page = Page(text)
    assert page.stack == []
    assert {"script"}.isdisjoint(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for image in (value for name, value in page.attributes if name == "src"):
        assert image.startswith("data:image/svg+xml;base64,")
        assert b"\x00" not in base64.b64decode(image.split(",")[1])
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\ud800-\udfff]", text)
    assert "شمال" in text


def test_the_seal_says_what_it_does_not_show(report, integrity, rendered):
    text = rendered(report, integrity=integrity)["report.html"].decode()
    assert "c3" * 32 in text
    assert "signer not known" in text
    assert "not that the model, the data or the people behind them were honest" in text
    assert "monai-ethics verify" in rendered(report)["report.html"].decode()


def test_words_that_judge_people_or_models_are_not_ours(empty, told, rendered, integrity):
    for item in (empty, told):
        text = " ".join(Page(rendered(item, integrity=integrity)["report.html"].decode()).text).lower()
        assert not re.search(r"\b(fair|unbiased|safe|anonymous|ethical)\b", text)
