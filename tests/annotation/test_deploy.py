"""What the files for a team's Label Studio promise: fixed versions, this machine only, nobody told, no secret inside."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from annotation.server import VERSION
from tests.conftest import ROOT

DEPLOY = ROOT / "annotation" / "deploy"
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|API_KEY")
TWO_STEPS = ["annotate pull", "data"]


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    return found


def commands_in(text: str) -> list[str]:
    """Return what is asked of tuneloop, in order."""
    return re.findall(r"/bin/tuneloop ([a-z ]*[a-z])", text)


def test_every_image_has_a_version_and_label_studio_the_one_that_is_tested(services: dict[str, dict[str, Any]]) -> None:
    images = {name: service["image"] for name, service in services.items()}
    assert images["app"] == images["nginx"] == f"heartexlabs/label-studio:{VERSION}"
    assert images["db"].startswith("postgres:16")
    assert all(re.fullmatch(r"[a-z/-]+:\d[\w.-]*", image) for image in images.values())


def test_one_service_can_be_reached_and_that_from_this_machine_alone(services: dict[str, dict[str, Any]]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"nginx": ["${PUBLISH_ADDRESS:-127.0.0.1}:${PUBLISH_PORT:-8080}:8085"]}
    assert "PUBLISH_ADDRESS=127.0.0.1\n" in (DEPLOY / "env.example").read_text("utf-8")


def test_nobody_is_told_and_nobody_signs_up_without_a_link(services: dict[str, dict[str, Any]]) -> None:
    settings = services["app"]["environment"]
    assert {name: settings[f"LABEL_STUDIO_{name}"] for name in OFF_OR_ON} == OFF_OR_ON


OFF_OR_ON = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "DEBUG": "false",
    "TASK_LOCK_TTL": "3600",
}


def test_settings_are_texts_since_yaml_would_change_others(services: dict[str, dict[str, Any]]) -> None:
    values = [value for service in services.values() for value in service["environment"].values()]
    assert [value for value in values if not isinstance(value, str)] == []


def test_the_public_address_comes_from_the_environment_and_has_to_be_given(services: dict[str, dict[str, Any]]) -> None:
    for name in ("LABEL_STUDIO_HOST", "CSRF_TRUSTED_ORIGINS"):
        assert services["app"]["environment"][name].startswith(f"${{{name}:?")


def test_the_database_is_waited_for_and_outlives_its_container(services: dict[str, dict[str, Any]]) -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert "pg_isready" in services["db"]["healthcheck"]["test"][1]
    assert services["app"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    kept = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert kept == set(compose["volumes"])
    assert services["db"]["volumes"] == ["database:/var/lib/postgresql/data"]


def test_no_file_holds_a_secret_and_a_missing_one_stops_the_start(services: dict[str, dict[str, Any]]) -> None:
    given = {
        name: value
        for service in services.values()
        for name, value in service["environment"].items()
        if SECRET.search(name)
    }
    assert given.keys() == {"POSTGRE_PASSWORD", "POSTGRES_PASSWORD", "LABEL_STUDIO_PASSWORD"}
    assert all(re.fullmatch(r"\$\{\w+:\?[^}]+\}", value) for value in given.values())
    example = (DEPLOY / "env.example").read_text("utf-8")
    lines = dict(line.split("=", 1) for line in example.splitlines() if re.match(r"\w+=", line))
    assert [name for name, value in lines.items() if SECRET.search(name) and value] == []
    # The example names all that compose.yaml asks for, and nothing it does not.
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    assert asked == lines.keys()
    assert "annotation/deploy/.env" in (ROOT / ".gitignore").read_text("utf-8").split("\n")


def test_the_timer_pulls_and_then_makes_the_data_every_15_minutes() -> None:
    service = (DEPLOY / "tuneloop-pull.service").read_text("utf-8")
    assert commands_in(service) == TWO_STEPS
    # Only then does the second wait for the first and not start after a failure.
    assert "Type=oneshot\n" in service
    assert "LABEL_STUDIO_API_KEY=..." in service
    assert "OnCalendar=*:0/15\n" in (DEPLOY / "tuneloop-pull.timer").read_text("utf-8")


def test_the_crontab_does_the_same_one_at_a_time_and_backs_up_every_night() -> None:
    lines = [line for line in (DEPLOY / "tuneloop.crontab").read_text("utf-8").splitlines() if not line.startswith("#")]
    often, nightly = lines
    assert re.match(r"\*/15 \* \* \* \* cd /srv/tuneloop && ", often)
    assert "flock -n" in often
    assert re.findall(r"tuneloop ([a-z ]*[a-z])", often.partition("sh -c")[2]) == TWO_STEPS
    assert nightly.startswith("30 3 * * * ")
    assert nightly.endswith(".venv/bin/tuneloop annotate backup")


@pytest.mark.parametrize("name", ["compose.yaml", "tuneloop-pull.service", "tuneloop.crontab", "env.example"])
def test_the_page_for_a_team_tells_of_every_file(name: str) -> None:
    page = (ROOT / "docs" / "label-studio-for-a-team.md").read_text("utf-8")
    assert Path(name).stem in page
