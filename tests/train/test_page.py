import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.report import (
    ARM_MEANINGS,
    ARMS,
    Advice,
    Comparison,
    CurvePoint,
    Doubtful,
    DoubtfulRow,
    Forgetting,
    Mean,
    Model,
    Report,
    Sample,
    Slice,
)
from train.figure import number, signed
from train.page import MAX_ANSWER_CHARS, MAX_NAME_CHARS, Checked, Standing, duration, page

A4_WIDTH = 688  # pixels at 96 an inch between margins of 14 mm
VOID = {"meta", "link", "img", "br", "hr", "input", "base", "source"}
LOADS = {"src", "href", "srcset", "data", "action", "formaction", "poster", "background", "xlink:href", "style"}


class Parsed(HTMLParser):
    """The tags, the text a reader sees, and the style sheets of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words, self.styles = [], [], [], []
        self.feed(text)
        self.close()
        self.text = "\n".join(self.words)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} is closed out of turn"

    def handle_data(self, data):
        (self.styles if "style" in self.open else self.words).append(data)


def compared(than, measure, difference, low, high):
    return Comparison(
        better="tuned", than=than, measure=measure, difference=difference, low=low, high=high, n=40, n_groups=31
    )


def report(**changes):
    scores = {"majority": (0.11, 3.3), "nearest": (0.22, 2.2), "base": (0.33, 1.1), "tuned": (0.44, 0.7)}
    means = [Mean(arm=arm, score=score, nll=nll) for arm, (score, nll) in scores.items()]
    whole = Report(
        recipe="sample",
        data_version="842b0b5a",
        split="test",
        n=40,
        n_reviewed=0,
        n_train=3927,
        n_train_reviewed=12,
        model=Model(
            run="3f9c21b0", base="tiny", method="lora", n_parameters=5_000_000, n_trainable=390_000, steps=736,
            best_step=460, train_seconds=412.3, tokens_per_second=2311.7,
        ),
        verdict="Better than base.",
        means=means,
        comparisons=[
            compared("base", "score", 0.123, 0.061, 0.187),
            compared("base", "nll", -0.456, -0.512, -0.401),
        ],
        slices=[
            Slice(by="template", value="classify", n=19, metric="accuracy", means=means, against_base=compared("base", "score", 0.31, 0.21, 0.41)),
            Slice(by="source", value="tickets", n=21, metric="chrf, rouge_l", means=means, against_base=compared("base", "score", -0.1, -0.2, -0.05)),
        ],
        forgetting=Forgetting(text="base.txt", n_documents=300, base_nll=2.103, tuned_nll=2.188, low=0.071, high=0.099),
        curve=[CurvePoint(step=step, train_loss=2 / step, validation_nll=1.5 if step == 460 else None) for step in (10, 460, 736)],
        samples=[
            Sample(
                example="0badcafe", template="classify", prompt="Which label?", reference="refund",
                answers={"tuned": "billing", "base": "the the"}, scores={"tuned": 0.0, "base": 0.125},
            )
        ],
    )  # fmt: skip
    return whole.model_copy(update=changes)


def poisoned(value, texts):
    """Return the model with every free text replaced; `texts` collects what stands in their place."""

    def poison(old):
        texts.append(
            f"</section></svg></style><script>alert({len(texts)})</script><img src=x onerror=alert(1)>{{{{ 'a' * 9 }}}}\"'&"
        )
        return texts[-1]

    changes = {}
    for name, field in type(value).model_fields.items():
        old = getattr(value, name)
        if field.annotation is str:
            changes[name] = poison(old)
        elif isinstance(old, BaseModel):
            changes[name] = poisoned(old, texts)
        elif isinstance(old, list):
            changes[name] = [poisoned(one, texts) for one in old]
        elif isinstance(old, dict) and all(isinstance(one, str) for one in old.values()):
            changes[name] = {key: poison(one) for key, one in old.items()}
    return value.model_copy(update=changes)


def test_the_page_loads_nothing_and_runs_nothing():
    found = Parsed(page(report()))
    assert not {tag for tag, _ in found.tags} & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "img",
        "image",
        "use",
        "base",
        "form",
    }
    names = {name for _, attributes in found.tags for name, _ in attributes}
    assert not names & LOADS
    assert not [name for name in names if name.startswith("on")]
    assert not re.search(r"url\(|@import|http", "".join(found.styles))


def test_the_policy_of_the_page_lets_in_its_own_style_and_nothing_else():
    found = Parsed(page(report()))
    policy = next(
        dict(attributes)["content"]
        for tag, attributes in found.tags
        if "Content-Security-Policy" in dict(attributes).values()
    )
    digest = base64.b64encode(hashlib.sha256("".join(found.styles).encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_hostile_text_in_any_field_changes_no_tag_and_is_read_as_text():
    texts = []
    bad = poisoned(report(), texts)
    # Far from the answers, so that no word is marked: marks have a test of their own.
    far = bad.samples[0].model_copy(update={"reference": bad.samples[0].reference + " far" * 160})
    plain, hostile = Parsed(page(report())), Parsed(page(bad.model_copy(update={"samples": [far]})))
    assert len(texts) == 16  # as many free texts as `report` has
    assert hostile.tags == plain.tags
    assert [text for text in texts if text[:MAX_NAME_CHARS] not in hostile.text] == []
    assert "a" * 9 not in hostile.text


@settings(max_examples=25)
@given(st.text(max_size=60))
def test_no_text_of_an_answer_can_leave_its_place(text):
    sample = report().samples[0]
    parsed = [
        Parsed(page(report(slices=[], samples=[sample.model_copy(update={"answers": {"tuned": answer}})])))
        for answer in ("billing", text)
    ]
    assert parsed[0].tags == parsed[1].tags


def test_every_value_of_the_report_is_on_the_page():
    given = report()
    text = Parsed(page(given)).text
    values = [number(value) for mean in given.means for value in (mean.score, mean.nll)]
    for one in [*given.comparisons, *(one.against_base for one in given.slices)]:
        values += [signed(one.difference), signed(one.low), signed(one.high)]
    values += [
        "2.103",
        "2.188",
        "+0.085",
        "+0.071",
        "+0.099",
        "0.125",
        *(ARM_MEANINGS[mean.arm] for mean in given.means),
    ]
    values += ["842b0b5a", "3f9c21b0", "390,000 of 5,000,000", "736, kept: step 460", "6 min 52 s", "2,312 tokens/s"]
    values += ["classify", "tickets", "accuracy", "chrf, rouge_l", "Which label?", "refund", "billing", "the the"]
    values += ["40 examples in 31 groups", "tuneloop feedback --to queue.jsonl", "Better than base."]
    assert [value for value in values if value not in text] == []


def test_a_slice_shows_each_arm_in_its_column_and_a_dash_for_an_arm_that_is_missing():
    one = report().slices[0]
    text = Parsed(page(report(slices=[one.model_copy(update={"means": one.means[1:]})], samples=[]))).words
    row = [word for word in text[text.index("classify") :] if word.strip()]
    assert row[1] == "accuracy"
    cells = row[2 : row.index("Training")]
    assert cells[-4:] == ["–", "0.220", "0.330", "0.440"]


def test_the_badge_says_no_evidence_where_one_interval_holds_zero():
    found = report(
        comparisons=[compared("base", "score", 0.1, 0.05, 0.15), compared("nearest", "nll", -0.1, -0.3, 0.1)]
    )
    parsed = Parsed(page(found))
    assert ("span", (("class", "badge unclear"),)) in parsed.tags
    assert "No evidence in 1 of 2" in parsed.words
    assert "No evidence of improvement: in 1 of 2 comparisons" in parsed.text
    assert "against nearest (NLL)." in parsed.text


@pytest.mark.parametrize(
    ("intervals", "reading", "badge"),
    [
        ([(0.1, 0.2), (0.1, 0.3)], "better", "Better in 2 of 2"),
        ([(0.1, 0.2), (-0.1, 0.3)], "unclear", "No evidence in 1 of 2"),
        ([(0.0, 0.2)], "unclear", "No evidence in 1 of 1"),  # touches zero
        ([(0.1, 0.2), (-0.1, 0.3), (-0.3, -0.1)], "worse", "Worse in 1 of 3"),  # worse is never hidden
        ([], "unclear", "No evidence"),
    ],
)
def test_better_needs_every_comparison_and_worse_needs_one(intervals, reading, badge):
    standing = Standing.of([compared("base", "score", (low + high) / 2, low, high) for low, high in intervals])
    assert (standing.reading, standing.badge) == (reading, badge)


def test_a_comparison_of_other_arms_does_not_speak_for_the_tuned_model():
    other = compared("majority", "score", 0.2, 0.1, 0.3).model_copy(update={"better": "base"})
    assert Standing.of([other]).badge == "No evidence"


def test_the_words_name_what_is_worse():
    words = Standing.of([compared(than, "score", -0.2, -0.3, -0.1) for than in ("base", "nearest")]).words
    assert words == (
        "Worse: in all 2 comparisons the whole 95 % interval lies on the worse side: against base (Score) and nearest (Score)."
    )


@pytest.mark.parametrize(
    ("n", "n_reviewed", "words", "is_loud"),
    [
        (215, 0, "None of the 215 test examples has been checked by a person.", True),
        (1, 0, "The one test example has not been checked by a person.", True),
        (215, 1, "1 of the 215 test examples (1 %) have been checked by people.", False),
        (215, 214, "214 of the 215 test examples (99 %) have been checked by people.", False),  # 99.5: not all
        (215, 215, "All 215 test examples have been checked by people.", False),
    ],
)
def test_how_much_is_checked_is_said_in_words_and_loudly_where_it_is_nothing(n, n_reviewed, words, is_loud):
    assert Checked.of("test", n, n_reviewed) == Checked(words, is_loud)
    parsed = Parsed(page(report(n=n, n_reviewed=n_reviewed)))
    assert words in parsed.text
    assert ("The figures are as good as the data." in parsed.text) == is_loud


def test_a_long_text_is_cut_and_the_rest_is_counted():
    sample = report().samples[0].model_copy(update={"reference": "a" * (MAX_ANSWER_CHARS + 1234)})
    text = Parsed(page(report(samples=[sample]))).text
    assert "a" * MAX_ANSWER_CHARS in text
    assert "a" * (MAX_ANSWER_CHARS + 1) not in text
    assert "… 1,234 more characters" in text


def test_a_text_that_just_fits_is_not_called_cut():
    sample = report().samples[0].model_copy(update={"reference": "a" * MAX_ANSWER_CHARS})
    assert "more character" not in Parsed(page(report(samples=[sample]))).text


def test_bidirectional_and_control_characters_are_shown_harmlessly():
    sample = report().samples[0].model_copy(update={"answers": {"tuned": "abc\u202edef\x07"}})
    whole = page(report(samples=[sample]))
    assert "abc⟨U+202E⟩def⟨U+0007⟩" in whole
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", whole)


def test_answers_stand_side_by_side_in_the_order_of_the_arms():
    sample = report().samples[0].model_copy(update={"answers": dict.fromkeys(reversed(ARMS), "x"), "scores": {}})
    words = Parsed(page(report(samples=[sample]))).words
    titles = [word for word in words[words.index("prompt") :] if word in ("prompt", "reference", *ARMS)]
    assert titles == ["prompt", "reference", *ARMS]


def test_an_answer_near_the_reference_has_its_differences_marked_and_no_markup_of_its_own():
    bait = "<script>alert(1)</script>"
    sample = (
        report()
        .samples[0]
        .model_copy(
            update={
                "reference": "The pool opens in June.",
                "answers": {"tuned": f"The pool opens in {bait}."},
                "scores": {},
            }
        )
    )
    whole = page(report(samples=[sample]))
    assert "<del>June</del>" in whole
    assert "<ins>&lt;script&gt;alert(1)&lt;/script&gt;</ins>" in whole
    assert bait not in whole


def test_an_answer_far_from_the_reference_or_equal_to_it_has_no_marks():
    for answer in ("Refund, please.", "The pool opens in June."):
        sample = (
            report()
            .samples[0]
            .model_copy(update={"reference": "The pool opens in June.", "answers": {"tuned": answer}, "scores": {}})
        )
        shown = page(report(samples=[sample])).partition('<article class="sample">')[2]
        assert answer in shown
        assert "<ins>" not in shown
        assert "<del>" not in shown


def test_advice_stands_above_the_arms_and_an_arm_that_failed_says_why():
    found = report(
        advice=Advice(reading="as-well", words="Retrieved examples <do> as well."),
        left_out={"few-shot": "no row has room"},
        arm_notes={"retrieved": "30 of 40 rows have all 3"},
        notes=["2 examples have no answer"],
        external="out/merged",
    )
    text = Parsed(page(found)).text
    assert text.index("Is tuning worth it here?") < text.index("The arms")
    for words in ("Retrieved examples <do> as well.", "few-shot is left out", "no row has room", "30 of 40 rows"):
        assert words in text
    assert "out/merged" in text
    assert "Learning curve" not in text


def test_an_arm_without_likelihood_has_a_dash_and_no_bar():
    means = [Mean(arm="copy", score=0.2, nll=None), *report().means]
    parsed = Parsed(page(report(means=means)))
    assert "–" in parsed.text
    labels = [dict(attributes).get("aria-label", "") for tag, attributes in parsed.tags if tag == "svg"]
    assert [("copy" in label) for label in labels if "of each arm" in label] == [True, False]


def test_a_report_of_one_arm_one_slice_and_one_reading_is_a_whole_page():
    small = report(
        means=report().means[-1:], comparisons=[], slices=report().slices[:1], curve=report().curve[:1], samples=[]
    )
    parsed = Parsed(page(small))
    assert parsed.open == []
    assert "What the data allow to say" not in parsed.text
    assert "Answers" not in parsed.words
    assert "By template" in parsed.text
    assert "By source" not in parsed.text


def test_a_report_with_nothing_but_its_heads_is_a_whole_page():
    assert (
        Parsed(
            page(report(means=[], comparisons=[], slices=[], curve=[], samples=[], n=0, n_train=0, n_train_reviewed=0))
        ).open
        == []
    )


def test_comparisons_on_one_measure_alone_draw_one_figure():
    parsed = Parsed(page(report(comparisons=report().comparisons[1:])))
    labels = [dict(attributes).get("aria-label", "") for tag, attributes in parsed.tags if tag == "svg"]
    assert [label.split(":")[0] for label in labels if "differences" in label] == ["NLL"]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.071, 0.099, "The model forgot"),
        (-0.01, 0.02, "No sign of forgetting"),
        (-0.03, -0.01, "Nothing was forgotten"),
    ],
)
def test_forgetting_is_told_in_words(low, high, words):
    changed = report().forgetting.model_copy(update={"low": low, "high": high})
    assert words in Parsed(page(report(forgetting=changed))).text


def test_a_duration_has_the_units_that_matter():
    assert [duration(seconds) for seconds in (0.25, 59.94, 60, 412.3, 7384)] == [
        "0.2 s",
        "59.9 s",
        "1 min 0 s",
        "6 min 52 s",
        "2 h 3 min",
    ]


def test_a_page_depends_on_its_report_alone():
    assert page(report()) == page(report())


@pytest.mark.slow
def test_a_real_browser_asks_for_nothing_and_reports_nothing(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no chromium to render the page with")
    asked = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Trap)
    Thread(target=server.serve_forever, daemon=True).start()
    bait = f'<img src="http://127.0.0.1:{server.server_port}/bait"><script>console.log("ran")</script>'
    sample = report().samples[0].model_copy(update={"answers": {"tuned": bait, "base": f"</div>{bait}"}})

    def told_by_browser(name, text):
        (tmp_path / f"{name}.html").write_text(text, "utf-8")
        done = subprocess.run(
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--enable-logging=stderr", f"--user-data-dir={tmp_path / name}", "--window-size=1280,2400",
                f"--screenshot={tmp_path / name}.png", (tmp_path / f"{name}.html").as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path,
        )  # fmt: skip
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        return [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    try:
        whole = page(report(samples=[sample]))
        assert told_by_browser("page", whole) == []
        assert asked == []
        # The bait is seen to work: as markup it is asked for and runs; under the page's policy it is refused.
        assert told_by_browser("bare", f"<h1>{'bait ' * 900}</h1>{bait}")
        assert asked == ["/bait"]
        refused = told_by_browser("refused", whole.replace("<h2>Training", f"{bait}<h2>Training"))
        assert len(refused) == 2
        assert all("Content Security Policy" in line for line in refused)
        assert asked == ["/bait"]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_on_paper_all_arms_of_a_slice_fit_beside_its_name(chromium):
    one = report().slices[0]
    names = ("question-answer", "long, 64 to 224 tokens", "data/shop/tickets-of-all-branches-2026.jsonl")
    means = [Mean(arm=arm, score=0.25, nll=1.1) for arm in ARMS]
    slices = [one.model_copy(update={"value": name, "means": means}) for name in names]
    paper = chromium.new_page(viewport={"width": A4_WIDTH, "height": 1000})
    paper.emulate_media(media="print")
    paper.set_content(page(report(slices=slices, means=means)))
    rows = paper.eval_on_selector_all(".slices tbody tr", "rows => rows.map(row => row.offsetHeight)")
    assert len(rows) >= len(names)
    assert max(rows) <= 100, "a name stands letter below letter"
    assert paper.evaluate("document.documentElement.scrollWidth") <= A4_WIDTH
    paper.close()


def test_doubted_train_answers_are_shown_as_text_with_what_the_model_would_have_said():
    row = DoubtfulRow(
        example="9f3c", template="qa", origin="q.jsonl:7", prompt="Capital of <b>France</b>?", reference="Lyon",
        answer="Paris", doubt=6.7,
    )  # fmt: skip
    found = Doubtful(n=40, by_template={"qa": (3, 30), "sum": (0, 10)}, rows=[row])
    given = page(report().model_copy(update={"doubtful": found}))
    text = " ".join(Parsed(given).words)
    assert "these 40 train answers firmly expect another one in 3 of them" in text
    assert "qa · q.jsonl:7 · doubt 6.700" in text
    assert "Capital of <b>France</b>?" in text
    assert "<b>France" not in given
    assert "Likely mistakes" not in page(report())
