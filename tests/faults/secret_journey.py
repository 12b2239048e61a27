"""A project's whole life with secrets in the environment, run where no network is: `secret_journey.py FOLDER SHARE SEED`.

Every command's output goes to FOLDER/logs; FOLDER/commands.json says how each ended. What anything tries to reach
beyond this machine is written to FOLDER/attempts.txt by a hook that every Python process here loads. Two servers
stand in for a model and a Label Studio: one answers, the other refuses and tells in its answer all that it was sent,
as a server with a debugging page does.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.conftest import RECIPE, write_project
from tests.train.chat_server import chat_server, said

ROOT = Path(__file__).resolve().parents[2]
MARK, WORD = "plantedsecret", "quillwort"
SECRETS = {
    name: f"{MARK}{number:02}xq{number * 7919}"
    for number, name in enumerate(
        (
            "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LABEL_STUDIO_API_KEY",
            "TUNELOOP_ENDPOINT_KEY", "TUNELOOP_JUDGE_KEY", "TUNELOOP_DRAFT_KEY", "TUNELOOP_PUBLISH_SALT", "OPENAI_API_KEY",
            "WANDB_API_KEY", "GITHUB_TOKEN", "PGPASSWORD",
        )
    )
}  # fmt: skip
PROXY = f"http://user:{MARK}99@proxy.invalid:3128"
# Reaching out is what these are for; here they find no network.
REACH = ("hf://", "s3://", "hub.toml")
_WITHOUT = ("fsck", "gc", "remove", "fetch", "source", "template", "no-such-command")
OPEN = """
[[ingest.sources]]
name = "open"
path = "open.jsonl"
template = "instruct"
to_write = true
fields = { instruction = "q" }
[ingest]"""
TRAIN = f'\n[train]\nbase = "tiny"\nbase_text = "base.txt"\nbase_tokenizer = {json.dumps(str(ROOT / "data/sample/tokenizer"))}\nepochs = 1\nbatch_size = 4\n'
HOOK = """
import os, socket
def _tell(what):
    with open(os.environ["ATTEMPTS"], "a") as file:
        file.write(f"{os.environ.get('COMMAND', '')}\\t{what}\\n")
def _is_far(address):
    host = str(address[0]) if isinstance(address, tuple) else ""
    return bool(host) and not host.startswith("127.") and host not in ("localhost", "::1", "0.0.0.0", "::")
def _wrapped(original):
    def call(self, address, *more):
        if _is_far(address):
            _tell(address)
        return original(self, address, *more)
    return call
class _Socket(socket.socket):
    connect = _wrapped(socket.socket.connect)
    connect_ex = _wrapped(socket.socket.connect_ex)
socket.socket = _Socket
_ask = socket.getaddrinfo
def _asked(host, *words, **options):
    if host and _is_far((host.decode() if isinstance(host, bytes) else host,)):
        _tell(host)
    return _ask(host, *words, **options)
socket.getaddrinfo = _asked
"""
IMPORTS = """
import importlib, pkgutil, sys
for name in ("schemas", "pipeline", "annotation", "train"):
    for one in pkgutil.iter_modules(importlib.import_module(name).__path__, f"{name}."):
        if not one.name.endswith("__main__"):
            importlib.import_module(one.name)
missing = []
for name in ("datasets", "transformers", "peft", "torch", "s3fs", "ray", "huggingface_hub", "label_studio_sdk", "tiktoken"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        missing.append(name)
print(f"without: {missing}")
"""
HELP = """
from pipeline.cli import app, run
def walk(one, words):
    run([*words, "--help"])
    for name in one:
        if not name.startswith("-"):
            walk(one[name], [*words, name])
walk(app, [])
"""
# Without these a part of the journey shows nothing: rows, pages, an error, and that the hook hears.
ALWAYS = ("data", "browse", "check --recipe password.toml")
CONTROL = "import socket; socket.socket().connect_ex(('192.0.2.1', 9))"


@contextmanager
def teller() -> Iterator[str]:
    """Yield the address of a server that refuses everything and says what it was sent, secrets and all."""

    class Handler(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            # Keys first, or they are cut off with the end of what is told.
            sent = sorted(self.headers.items(), key=lambda one: "auth" not in one[0].lower())
            body = json.dumps({"detail": "Invalid token.", "sent": dict(sent)}).encode()
            self.send_response(401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_HEAD = do_PATCH = _refuse  # noqa: N815 - names that the base class calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()


def commands(good: str, bad: str, share: float, rng: random.Random) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Yield what is run, and what is in the environment besides; of a share below 1 a part in the same order."""
    with_password = good.replace("://", f"://user:{MARK}98@")
    for words in (
        "data", "check", "log", "show split", "report", "browse", "duplicates", "fsck", "doctor", "tag v1",
        "publish v1 --to published --acknowledge pii", "fetch published --to fetched", "annotate tasks --to tasks.json",
        "template check", "source inspect questions.jsonl", "draft --recipe bad-draft.toml", "draft", "data", "evaluate --generations answers.jsonl",
        f"evaluate --model {bad}/v1", f"evaluate --model {with_password}",
        "check --recipe password.toml", "annotate doctor", "annotate push", "annotate pull", "annotate backup --to b.gz",
        "publish v1 --to hf://owner/name --acknowledge pii", "fetch hf://owner/name --to hub",
        "publish v1 --to s3://bucket/prefix --acknowledge pii", "fetch s3://bucket/prefix --to bucket", "data --recipe hub.toml",
        f"publish v1 --to s3://{MARK}97@bucket/prefix --acknowledge pii", "no-such-command", "data --recipe nowhere.toml",
        f"evaluate --model {good}", "train", "report", "feedback --to queue.json", "preview", "annotate pages", "export --to out",
        "remove --source notes --yes", "gc --keep 1", "doctor",
    ):  # fmt: skip
        if words not in ALWAYS and (rng.random() >= share or (words == "train" and share < 1)):
            continue
        told = {"LABEL_STUDIO_URL": bad} if words.startswith("annotate") else {}
        named = words.split()
        if "--recipe" not in named and named[0] not in _WITHOUT:
            named += ["--recipe", "recipe.toml"]
        yield named, {**told, "AWS_ENDPOINT_URL": bad} if "s3://bucket" in words else told


def main(folder: Path, share: float, rng: random.Random) -> None:
    """Run it all, or a part, and write down how each command ended."""
    place = write_project(folder / "project", RECIPE.replace("[ingest]", OPEN.lstrip("\n"), 1)).root
    with chat_server(lambda _, __: (200, said(f"A {WORD}."))) as (good, _), teller() as bad:
        _write(place, good, bad)
        hook = folder / "hook"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(HOOK)
        (folder / "attempts.txt").touch()
        (folder / "logs").mkdir()
        shared = {
            "PATH": os.environ["PATH"], "HOME": str(folder / "home"), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
            "PYTHONPATH": f"{hook}:{ROOT}", "ATTEMPTS": str(folder / "attempts.txt"), **SECRETS, "AWS_ACCESS_KEY_ID": "known",
            "HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "NO_PROXY": "127.0.0.1,localhost",
        }  # fmt: skip
        todo = [(["-m", "pipeline", *words], more) for words, more in commands(good, bad, share, rng)] + [
            (["-c", one], {}) for one in (IMPORTS, HELP, CONTROL) if one == CONTROL or rng.random() < share
        ]
        done = []
        for number, (words, more) in enumerate(todo):
            name = "control" if words[-1] == CONTROL else " ".join(words)[:80]
            ended = subprocess.run(
                [sys.executable, *words], cwd=place, env={**shared, **more, "COMMAND": name.splitlines()[0]}, capture_output=True, check=False,
            )  # fmt: skip
            (folder / "logs" / f"{number:02}.out").write_bytes(ended.stdout)
            (folder / "logs" / f"{number:02}.err").write_bytes(ended.stderr)
            done.append([name, ended.returncode, ended.stderr.decode("utf-8", "replace")[-600:]])
    (folder / "commands.json").write_text(json.dumps(done))


def _write(place: Path, good: str, bad: str) -> None:
    (place / "open.jsonl").write_text(json.dumps({"q": f"Where does the {WORD} grow?"}) + "\n")
    with (place / "questions.jsonl").open("a") as file:
        file.write(json.dumps({"q": f"Is the {WORD} a fern?", "a": f"The {WORD} is a lycophyte."}) + "\n")
    (place / "base.txt").write_text("\n\n".join(f"Document {n} tells of {n * n} ships." for n in range(60)))
    (place / ".env").write_text("".join(f"{name}={MARK}-of-a-file-{value}\n" for name, value in SECRETS.items()))
    (place / "answers.jsonl").write_text('{"id": "none", "answer": "x"}\n')
    recipe = (place / "recipe.toml").read_text()
    draft = '[draft]\nmodel = "m"\nlicense = "MIT"\nmax_share = 1\nendpoint = '
    hub = '[[ingest.sources]]\nname = "far"\npath = "hf://owner/name"\ntemplate = "instruct"\nrevision = "0123456789012345678901234567890123456789"\n'
    (place / "recipe.toml").write_text(f"{recipe}{TRAIN}{draft}{json.dumps(good)}\n")
    (place / "bad-draft.toml").write_text(f"{recipe}{TRAIN}{draft}{json.dumps(bad + '/v1')}\n")
    (place / "password.toml").write_text(f"{recipe}{draft}{json.dumps(good.replace('://', f'://user:{MARK}96@'))}\n")
    (place / "hub.toml").write_text(f'name = "hub"\n{hub}[format]\ntokenizer = "tokenizer"\n')


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), random.Random(sys.argv[3]))
