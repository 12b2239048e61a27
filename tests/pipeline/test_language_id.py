import subprocess
import sys

import pytest

from pipeline.language_id import known_languages, language_of


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The harbour of Lund opened a second pier on Monday after two years of work."),
        ("de", "Der Hafen von Lund wurde am Montag nach zwei Jahren Arbeit wieder geöffnet."),
        ("ar", "افتتح ميناء لوند رصيفا ثانيا يوم الاثنين بعد عامين من العمل."),
        ("he", "נמל לונד פתח מזח שני ביום שני לאחר שנתיים של עבודה."),
    ],
)
def test_the_longest_text_tells(language, text):
    assert language_of(["OK", text]) == language


@pytest.mark.parametrize("texts", [[], [""], ["OK"], ["2 + 2 = 4, 3 + 3 = 6, 12345678901234567890"]])
def test_short_texts_and_numbers_are_not_told(texts):
    assert language_of(texts) is None


def test_languages_go_by_two_letters():
    assert {"en", "de", "zh"} <= known_languages()


def test_telling_opens_no_connection_and_writes_nothing():
    script = (
        "import socket, sys, tempfile\n"
        "from pipeline.language_id import language_of\n"
        "def watch(event, args):\n"
        "    is_written = event == 'open' and set(str(args[1] or '')) & set('wax+') and args[0] != tempfile.gettempdir()\n"
        "    if event.startswith('socket.') or is_written:\n"  # a file without a name in the folder for those
        "        print(event, args)\n"
        "sys.addaudithook(watch)\n"
        "assert language_of(['The harbour opened a second pier on Monday.']) == 'en'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
