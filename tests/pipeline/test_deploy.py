"""What the files for containers promise, and their start as another user with nothing writable but /data and /tmp."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from numba.core.caching import CacheImpl

from pipeline.cli import app
from pipeline.code import FIRST_PARTY
from tests.conftest import ROOT

DEPLOY = ROOT / "pipeline" / "deploy"
USER = "10001"


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, lines that go on joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.M).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in text.splitlines() if line]


@pytest.fixture(scope="module")
def environment(steps: list[tuple[str, str]]) -> dict[str, str]:
    """Return what the image sets for the program."""
    (last,) = [rest for word, rest in steps if word == "ENV" and "XDG_CACHE_HOME" in rest]
    return dict(one.split("=", 1) for one in shlex.split(last))


def copied(steps: list[tuple[str, str]]) -> list[str]:
    """Return what the image takes from the checkout."""
    return [name for word, rest in steps if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]]


def test_the_image_is_built_by_the_steps_of_make_setup(steps: list[tuple[str, str]]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    setup = re.search(r"^\$\(STAMP\):\n((?:\t.*\n)+)", makefile, re.M)
    assert setup
    wanted = re.findall(r"(?:install (?:--.*|\S*\$\(TORCH\)\S*)|-m venv|-m pipeline\.warm)", setup[1])
    done = [rest for word, rest in steps if word == "RUN"]
    of_ours = [re.search(r"install (?:--re|--no|\$).*|-m venv|-m pipeline\.warm", rest) for rest in done[: len(wanted)]]
    named = [one[0].replace("${TORCH}", "$(TORCH)") if one else "" for one in of_ours]
    assert [name.replace('"', "") for name in named] == wanted
    torch = re.search(r"^TORCH +\?= (.*)$", makefile, re.M)
    assert torch
    assert [rest for word, rest in steps if word == "ARG"][1].startswith(f'TORCH="{torch[1]} --index-url ')


def test_every_package_is_in_the_image_and_every_file_that_is_taken_is_sent_to_the_builder(
    steps: list[tuple[str, str]],
) -> None:
    lines = [line for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines() if line[0] != "#"]
    names = copied(steps)
    assert {*FIRST_PARTY, "data/sample"} <= {*names}
    assert all((ROOT / name).exists() for name in names)
    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line[0] == "!") == sorted(names)
    assert {"**/.env", "**/deploy"} <= {*lines[len(names) :]}  # after what is let in, or they would not hold


def test_the_image_runs_as_nobody_in_particular_and_hears_sigterm(steps: list[tuple[str, str]]) -> None:
    last = [word for word, _ in steps].index("FROM", 2)
    final = steps[last:]
    assert ("USER", f"{USER}:{USER}") in final
    assert ("STOPSIGNAL", "SIGTERM") in final
    assert ("WORKDIR", "/data") in final
    assert [rest for word, rest in final if word == "COPY"] == ["--from=build /opt/tuneloop /opt/tuneloop"]
    # What is given at build time stands in the history of the image for everybody to read.
    assert {rest.partition("=")[0] for word, rest in steps if word == "ARG"} == {"PYTHON", "TORCH"}


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["tuneloop"]
    return found


def test_compose_takes_the_label_studio_that_is_there_and_keeps_its_name_and_so_its_volumes() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    other = (DEPLOY / compose["include"][0]["path"]).resolve()
    assert other == ROOT / "annotation" / "deploy" / "compose.yaml"
    theirs = yaml.safe_load(other.read_text("utf-8"))
    assert compose["name"] == theirs["name"]
    assert not compose["services"].keys() & theirs["services"].keys()
    address = compose["services"]["tuneloop"]["environment"]["LABEL_STUDIO_URL"]
    assert address == f"http://nginx:{theirs['services']['nginx']['ports'][0].rpartition(':')[2]}"


def test_the_service_of_compose_may_write_to_its_folder_alone_and_has_its_secret_in_a_file(
    service: dict[str, Any],
) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == f"{USER}:{USER}"
    assert service["profiles"]  # `up` starts the server alone
    assert service["environment"]["LABEL_STUDIO_API_KEY_FILE"] == f"/run/secrets/{service['secrets'][0]}"
    assert "LABEL_STUDIO_API_KEY" not in service["environment"]
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert (context / service["build"]["dockerfile"]).is_file()


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    _, job = yaml.safe_load_all((DEPLOY / "job.yaml").read_text("utf-8"))
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def test_the_job_may_do_nothing_that_it_need_not(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(USER)
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["initContainers"], *pod["containers"]]:
        allowed = container["securityContext"]
        assert (allowed["readOnlyRootFilesystem"], allowed["allowPrivilegeEscalation"]) == (True, False)
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        mounted = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        assert {mounted[name] for name in ("project", "tmp")} == {"/data", "/tmp"}
        assert all(name["value"].startswith(f"{mounted['secrets']}/") for name in container["env"])
        assert container["resources"]["limits"]["memory"]
    assert pod["terminationGracePeriodSeconds"] > 30


@pytest.mark.slow
def test_commands_in_the_files_are_commands(pod: dict[str, Any], environment: dict[str, str]) -> None:
    words = [container["args"] for container in [*pod["initContainers"], *pod["containers"]]]
    texts = [(DEPLOY / name).read_text("utf-8") for name in ("Dockerfile", "compose.yaml")]
    words += [line.split() for text in texts for line in re.findall(r"tuneloop ((?:data|annotate)\b.*)", text)]
    assert len(words) == 5
    for one in words:
        app.parse_args(one, exit_on_error=False)


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "job.yaml"])
def test_the_page_tells_of_every_file(name: str) -> None:
    assert f"pipeline/deploy/{name}" in (ROOT / "docs" / "deploy.md").read_text("utf-8")


@pytest.mark.slow
def test_the_sample_runs_as_the_image_runs_it_with_read_only_code_and_no_home(
    steps: list[tuple[str, str]], environment: dict[str, str], tmp_path: Path
) -> None:
    """No Docker is needed: its user, its files, its environment and its words, on a copy of what it would copy."""
    code, data, temporary = (tmp_path / name for name in ("code", "data", "tmp"))
    for name in copied(steps):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__", ".env", "deploy"))
        else:
            shutil.copy2(ROOT / name, code / name)
    # What `make setup` compiled here is what the image's own step would compile.
    of_numba = CacheImpl._locator_classes[0].get_suitable_cache_subpath(str(code / "pipeline" / "warm.py"))
    compiled = code / "numba" / of_numba
    compiled.mkdir(parents=True)
    for path in (ROOT / "pipeline" / "__pycache__").glob("*.nb[ic]"):
        shutil.copy2(path, compiled)
    for folder in (data, temporary):
        folder.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, int(USER), int(USER))
    subprocess.run(["chmod", "-R", "a-w", str(code)], check=True)

    def here(text: str) -> str:
        return re.sub(r"(?<![\w/])/(opt/tuneloop|data|tmp)\b", lambda m: str({"opt/tuneloop": code, "data": data, "tmp": temporary}[m[1]]), text)  # fmt: skip

    settings = {name: here(value) for name, value in environment.items() if name != "HOME"}
    settings |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(code),
        "TMPDIR": str(temporary),
    }
    start = [here(word) for word in yaml.safe_load(next(rest for word, rest in steps if word == "ENTRYPOINT"))]
    # Of what root may do, reading alone is left, since Python may lie in a folder that is closed to others.
    as_user = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]  # fmt: skip
    before = {*tmp_path.rglob("*")}

    def tuneloop(*words: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*(as_user if os.geteuid() == 0 else []), *start, *words],
            cwd=code, env=settings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    made = tuneloop("data", "--data-root", str(data / "data"))
    named = re.search(r"split [0-9a-f]{8}", (ROOT / "README.md").read_text("utf-8"))
    assert named
    assert named[0] in made.stderr  # the same split as anywhere
    assert "steps" in tuneloop("train", "--dry-run", "--data-root", str(data / "data")).stdout
    new = {*tmp_path.rglob("*")} - before
    assert {path.relative_to(tmp_path).parts[0] for path in new} == {"data", "tmp"}
    assert not list(tmp_path.rglob("~"))
    assert {path.stat().st_uid for path in new if path.is_file()} == {int(USER) if os.geteuid() == 0 else os.geteuid()}
