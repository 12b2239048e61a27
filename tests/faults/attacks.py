"""S1: hostile texts in every field of every page, in a real Chromium. S2: hostile templates.

Pages are opened without the policy that they carry, which would stop a script by itself: what is tested is that no text
of the data becomes markup in the first place.
"""

import importlib.util
import os
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hostile_pages import again, make_all, recorded
from playwright.sync_api import Page, Route, sync_playwright
from table import Line

from pipeline.wording import RenderError, Wording

ANCHORS = ("S1", "S2")
ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared" / "data"))
CHROMIUM = Path("/usr/bin/chromium")
_ADDRESS = re.compile(r"[\s\x00-\x1f]*[a-z][a-z\s]*:", re.IGNORECASE)
_AT_ONCE = 8
HERE = "http://page.invalid/"
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
# What 3 * 3 comes to, in the ways that the payload lists write it: allowed, and harmless.
_ARITHMETIC = ("9", "$9", "4[[3*3]]")
# What acts by itself or when it is touched; none of it is on a page of ours.
_ACTS = """() => [...document.querySelectorAll('*')].filter(e =>
    /^(script|iframe|frame|img|image|object|embed|link|base|form|input|button|textarea|video|audio|source|track|marquee|portal|applet|isindex|use|animate|set|foreignobject|math)$/i
        .test(e.localName)
    || (e.localName === 'meta' && /refresh/i.test(e.httpEquiv))
    || [...e.attributes].some(a => /^on/i.test(a.name) || /^[\\s\\x00-\\x1f]*(javascript|vbscript|data):/i.test(a.value) && a.name !== 'title' && a.name !== 'content')
    ).map(e => e.outerHTML.slice(0, 80))"""
_HITS = "window.hits = []; for (const n of ['alert', 'confirm', 'prompt', 'print', 'open']) window[n] = m => window.hits.push(`${n}(${m})`);"

OWN = (
    # Out of an attribute, an element, a comment, a style sheet, a script.
    '"><script>alert(1)</script>', "'><img src=x onerror=alert(1)>", '" autofocus onfocus=alert(1) x="', "' onmouseover='alert(1)' x='",
    "` onload=alert(1) x=`", "--><script>alert(1)</script>", "]]><script>alert(1)</script>", "</style><script>alert(1)</script>",
    "</script><script>alert(1)</script>", "</title><script>alert(1)</script>", "</textarea><img src=x onerror=alert(1)>",
    "</noscript><img src=x onerror=alert(1)>", "</svg><script>alert(1)</script>", "</main></body><script>alert(1)</script>",
    "<<script>alert(1);//<</script>", "<scr<script>ipt>alert(1)</scr</script>ipt>", "<script\x0c>alert(1)</script>",
    "<script/x>alert(1)</script>", "<ScRiPt>alert(1)</sCrIpT>", "<img/src=x/onerror=alert(1)>", "<img src=x\nonerror\n=\nalert(1)>",
    # SVG, MathML, what loads by itself.
    "<svg onload=alert(1)>", "<svg/onload=alert(1)//", "<svg><script>alert(1)</script></svg>", "<svg><script href=//evil.invalid/x.js />",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>", "<svg><use href=//evil.invalid/x.svg#x>", "<svg><image href=//evil.invalid/x.png>",
    "<svg><foreignObject><iframe srcdoc='<script>alert(1)</script>'></foreignObject></svg>", "<svg><style>@import '//evil.invalid/x.css'</style>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<math href='javascript:alert(1)'>x</math>",
    "<iframe src=javascript:alert(1)>", "<iframe srcdoc='&lt;script&gt;parent.alert(1)&lt;/script&gt;'>", "<object data=//evil.invalid/x.swf>",
    "<embed src=//evil.invalid/x>", "<video src=x onerror=alert(1)>", "<audio src=x onerror=alert(1)>", "<video><source onerror=alert(1)>",
    "<body onload=alert(1)>", "<details open ontoggle=alert(1)>x", "<marquee onstart=alert(1)>x", "<input autofocus onfocus=alert(1)>",
    "<img src=//evil.invalid/pixel.gif>", "<img srcset='//evil.invalid/a 1x'>", "<picture><source srcset=//evil.invalid/a><img></picture>",
    "<link rel=stylesheet href=//evil.invalid/x.css>", "<link rel=prefetch href=//evil.invalid/x>", "<link rel=dns-prefetch href=//evil.invalid>",
    "<script src=//evil.invalid/x.js></script>", "<script type=module>import '//evil.invalid/x.js'</script>", "<base href=//evil.invalid/>",
    "<meta http-equiv=refresh content='0;url=//evil.invalid/'>", "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<meta http-equiv=Set-Cookie content=a=b>", "<form action=//evil.invalid><input type=submit>", "<button formaction=javascript:alert(1)>x",
    # Links, of which nobody need press one.
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)", "vbscript:msgbox(1)",
    "data:text/html,<script>alert(1)</script>", "<a href=javascript:alert(1)>x</a>", "[x](javascript:alert(1))", "![x](//evil.invalid/x.png)",
    "<a href=//evil.invalid ping=//evil.invalid/ping>x</a>",
    # CSS.
    "<style>@import '//evil.invalid/x.css';</style>", "<style>*{background:url(//evil.invalid/x)}</style>",
    "<p style='background:url(//evil.invalid/x)'>", "<p style=\"width:expression(alert(1))\">", "}*{background:url(//evil.invalid/x)}",
    "<div style='position:fixed;inset:0;background:#fff'>", "<style>main{display:none}</style>",
    # Code points: wide brackets, UTF-7, nulls, other encodings, direction, what normalises to <.
    "＜script＞alert(1)＜/script＞", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "<\x00script>alert(1)</script>", "\u2028<script>alert(1)</script>",
    "\ufeff<script>alert(1)</script>", "\u202e<script>alert(1)</script>", "﹤script﹥alert(1)﹤/script﹥", "\ud83d\ude00<img src=x onerror=alert(1)>".encode("utf-16", "surrogatepass").decode("utf-16"),
    "%3Cscript%3Ealert(1)%3C/script%3E", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)&#60;/script&#62;", "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "\u212acript<img src=x onerror=alert(1)>", "<ı mg src=x onerror=alert(1)>", "<script>\u2029alert(1)</script>",
    # Templates in the page, the server or the framework.
    "{{ 7 * 191 }}", "{% for x in range(9) %}x{% endfor %}", "${7*191}", "#{7*191}", "<%= 7*191 %>", "{{constructor.constructor('alert(1)')()}}",
    "<div ng-app>{{$on.constructor('alert(1)')()}}</div>", "<x-foreach v-html=\"'<img src=x onerror=alert(1)>'\">",
    # The DOM: names that shadow, shadow roots.
    "<img name=getElementById><form id=hits>", "<template shadowrootmode=open><script>alert(1)</script></template>", "<div is=x-y onclick=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<!--><img src=x onerror=alert(1)>-->", "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<plaintext>", "<xmp><img src=x onerror=alert(1)></xmp>", "<select><img src=x onerror=alert(1)>", "<table><script>alert(1)</script>",
)  # fmt: skip


def run(share: float, seed: int) -> Iterator[Line]:
    """Give what hostile texts did on pages, and hostile templates in the sandbox."""
    rng = random.Random(seed)
    yield from _pages(_some(payloads(), share, rng))
    yield _templates(_some(templates(), share, rng))


def payloads() -> list[str]:
    """Return our own list, with that of the Big List of Naughty Strings and of ssti-payloads where they are."""
    found = list(OWN)
    naughty = SHARED / "blns" / "blns.txt"
    if naughty.is_file():
        section = naughty.read_text("utf-8").partition("#\tScript Injection")[2].partition("#\tSQL Injection")[0]
        found += [line for line in section.splitlines() if line.strip() and not line.startswith("#")]
    return list(dict.fromkeys([*found, *_template_lists()]))


def templates() -> list[str]:
    """Return the bombs of the sandbox's test, and the lines of the payload lists that are templates at all."""
    spec = importlib.util.spec_from_file_location("bombs", ROOT / "tests" / "pipeline" / "test_sandbox.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [*module.BOMBS, *(line for line in _template_lists() if "{{" in line or "{%" in line)]


def _template_lists() -> list[str]:
    paths = sorted((SHARED / "ssti-payloads").rglob("*.txt"))
    return list(dict.fromkeys(line for path in paths for line in path.read_text("utf-8").splitlines() if line.strip()))


def _some(of: Sequence[str], share: float, rng: random.Random) -> list[str]:
    return list(of) if share >= 1 else rng.sample(list(of), max(5, round(share * len(of))))


def _pages(texts: Sequence[str]) -> Iterator[Line]:
    if not CHROMIUM.exists():
        yield Line("S1", "hostile texts on pages", 0, {}, note="not run: no Chromium on this machine")
        return
    with tempfile.TemporaryDirectory() as name, recorded() as templates, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        window = browser.new_page()
        window.add_init_script(_HITS)
        made = make_all(Path(name), texts)
        yield _line("hostile inputs, whole pages", {name: [text] for name, text in made.items()}, window, len(texts))
        # Filling a template is recorded too, so what was recorded is taken before.
        together = _together(texts)
        filled = {name: (again(given, text) for text in together) for name, given in sorted(templates.items())}
        yield _line("payloads before every text of a page", filled, window, len(texts))
        bare = [f'<!doctype html><main>{text}<p title="{text}"></p></main>' for text in texts]
        acting = sum(bool(_trouble(window, text)) for text in bare)
        yield Line(
            "S1", "control: the same payloads let through", len(texts), {"acted": acting, "inert by itself": len(texts) - acting},
            must_see=("acted",), note="so the hooks hear what runs and what is asked for",
        )  # fmt: skip
        browser.close()


def _together(texts: Sequence[str]) -> list[str]:
    """Join eight payloads to one text, but for those that act only where a text begins, such as in an address."""
    alone = [text for text in texts if _ADDRESS.match(text)]
    others = [text for text in texts if text not in alone]
    return [*alone, *(" ".join(others[n : n + _AT_ONCE]) for n in range(0, len(others), _AT_ONCE))]


def _line(what: str, pages: Mapping[str, Iterable[str]], window: Page, n: int) -> Line:
    problems, counts = [], Counter[str]()
    for name, texts in pages.items():
        for text in texts:
            found = _trouble(window, _POLICY.sub("", text))
            counts["acted" if found else "shown as text"] += 1
            problems += [f"S1 {name}: {found[:3]}"] if found else []
    return Line(
        "S1", what, counts.total(), counts, bad=counts["acted"], must_see=("shown as text",),
        note=f"{n} payloads, {len(pages)} kinds of page: {', '.join(sorted({name.rpartition('/')[2].partition('.')[0] for name in pages}))[:300]}",
        problems=tuple(problems[:10]),
    )  # fmt: skip


def _trouble(window: Page, text: str) -> list[str]:
    """Return what a page ran, asked for or holds that could act."""
    found: list[str] = []

    def serve(route: Route) -> None:
        if route.request.url == HERE:
            route.fulfill(body=text.encode("utf-8", "surrogatepass"), content_type="text/html; charset=utf-8")
            return
        found.append(f"asked for {route.request.url}")
        route.abort()

    def dialog(box: object) -> None:
        found.append("dialog")
        box.dismiss()  # type: ignore[attr-defined]

    window.route("**/*", serve)
    window.on("dialog", dialog)
    try:
        window.goto(HERE)
        found += window.evaluate("window.hits")
        found += window.evaluate(_ACTS)
    except Exception as error:  # noqa: BLE001 - a page that leads elsewhere ends what was asked of it
        found.append(f"left the page: {type(error).__name__}")
    window.remove_listener("dialog", dialog)
    window.unroute("**/*", serve)
    return found


def _templates(texts: Sequence[str]) -> Line:
    """Render each with long fields, in this process: that it goes on to the end is part of the test."""
    values = {"a": "x" * 900_000, "b": "y" * 50_000}
    counts, slowest, gave = Counter[str](), 0.0, []
    for text in texts:
        begun = time.process_time()
        try:
            said = Wording(text, "here").render(values)
        except (ValueError, RenderError) as error:
            counts["stopped"] += 1
            assert str(error)
        else:
            if said in _ARITHMETIC:
                counts["arithmetic"] += 1
                continue
            counts["gave a text"] += 1
            gave.append(f"S2 {text[:60]!r} gave {said[:60]!r}")
        slowest = max(slowest, time.process_time() - begun)
    late = [f"S2 slowest took {slowest:.1f} s of the processor"] if slowest > 3 else []
    plain = Wording("{{ b[:3] }}: {{ a|length }}", "here").render(values)
    benign = [] if plain == "yyy: 900000" else [f"S2 a harmless template gave {plain[:60]!r}"]
    return Line(
        "S2", "hostile templates in the sandbox", len(texts), counts, bad=counts["gave a text"], must_see=("stopped",),
        note=f"slowest {slowest:.2f} s of the processor; a harmless one renders", problems=(*gave[:5], *late, *benign),
    )  # fmt: skip
