"""Renders templates by promptsource's own package: a line of JSON in, a line of JSON out.

{"jinja": "{{text}} ||| {{label}}", "choices": "", "row": {"text": "A", "label": 1}}  ->  {"pieces": ["A", "1"]}

Fields are not cut (`truncate=False`), as promptsource cuts them to 2,048 characters unless told otherwise.
"""

import json
import sys

from promptsource.templates import Template

for line in sys.stdin:
    asked = json.loads(line)
    try:
        template = Template("asked", asked["jinja"], "", answer_choices=asked["choices"] or None)
        said = {"pieces": template.apply(asked["row"], truncate=False)}
    except Exception as error:  # noqa: BLE001 - whatever it raises, it gives no text
        said = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
