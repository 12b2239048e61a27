"""Two data versions as one HTML page: no script, nothing loaded, no text of the data; it looks like the report."""

from dataclasses import replace
from importlib.resources import files

from markupsafe import Markup

from schemas.versions import VersionDifference, Versions
from train.evidence_words import finds_from, p_words
from train.figure import Interval, interval_plot, interval_strip, limits_of
from train.page import Checked, environment, report_style

_BADGES = {"better": "B is better", "worse": "B is worse", "unclear": "No evidence"}


def versions_page(found: Versions) -> str:
    """Return the page, whole: its style and its figures are in it."""
    template = environment().from_string(files("train").joinpath("versions.html.jinja").read_text("utf-8"))
    readings = [one.found.reading for one in found.differences]
    reading = "worse" if "worse" in readings else "unclear" if "unclear" in readings else "better"
    limits = limits_of(_interval(one) for one in found.templates)
    return template.render(
        found=found,
        reading=reading,
        badge=_BADGES[reading],
        checked=Checked.of("test", found.b.n_test, found.b.n_test_reviewed),
        figures=[
            (one, interval_plot([_interval(one)], f"{name}, B minus A"), name)
            for one in found.differences
            for name in ["score" if one.found.measure == "score" else "NLL"]
        ],
        rows=[(one, _interval(one), interval_strip(_interval(one), limits)) for one in found.templates],
        finds_from=finds_from,
        p_words=p_words,
        style=Markup(report_style()),  # noqa: S704 - our own file
    )


def _interval(one: VersionDifference) -> Interval:
    return replace(Interval.of(one.found), label=one.template or "B minus A")
