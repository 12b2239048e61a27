"""The people who review: invited by a link, with the languages they read, and shut out again without losing a word.

    data/people/people.json   {"ann@example.org": {"languages": ["de", "en"], "active": true}}

The folder is private: names and addresses stand there and in data/annotations, and nowhere else.
"""

import json
import re
import subprocess
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from annotation.answer_shapes import INVITATION, PERSON
from annotation.connection import Connection
from annotation.private_file import write_private
from annotation.server import program, running
from pipeline.annotations import name_people
from pipeline.snapshot import make_folder
from schemas import AnnotationError, ConfigError, ServiceError, Strict

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SUCH_AS = "such as: tuneloop annotate people add ann@example.org --languages de,en"
_SHUT_OUT = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "label_studio.core.settings.label_studio")
import label_studio
sys.path.insert(0, os.path.dirname(label_studio.__file__))
import django
django.setup()
from users.models import User
print(User.objects.filter(email__iexact=sys.argv[1]).update(is_active=sys.argv[2] == "True"))
"""


class Person(Strict):
    """What we know of one who reviews."""

    languages: list[str] = Field(title="codes of the languages they read, such as de")
    active: bool = Field(default=True, title="false: may not log in; the answers stay")
    lead: bool = Field(default=False, title="true: their word settles disputes")


_PEOPLE = TypeAdapter(dict[str, Person])


def people_file(data_root: Path) -> Path:
    """Return where the people stand."""
    return data_root / "people" / "people.json"


def read_people(data_root: Path) -> dict[str, Person]:
    """Return address to person; empty before anybody was added.

    Raises:
        AnnotationError: The file cannot be read.
    """
    path = people_file(data_root)
    if not path.exists():
        return {}
    try:
        return _PEOPLE.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise AnnotationError(
            f"the list of people cannot be read: {error}", where=str(path), fix="mend the file, or add the people anew"
        ) from error


def leads(connection: Connection, data_root: Path) -> set[str]:
    """Return the addresses of those whose word settles disputes: the token's owner, and who was added as a lead.

    Raises:
        AnnotationError: The list of people cannot be read.
        ServiceError: The server does not answer, or refuses.
    """
    owner = str(connection.get("/api/current-user/whoami", PERSON)["email"]).lower()
    return {owner} | {email for email, person in read_people(data_root).items() if person.lead}


def add_person(connection: Connection, data_root: Path, email: str, languages: list[str], *, lead: bool = False) -> str:
    """Write a person down and return the link by which they sign up; who is there keeps the account.

    Raises:
        ConfigError: No address, or no languages.
        ServiceError: The server does not answer, or refuses.
    """
    email = email.strip().lower()
    wrong = [] if _ADDRESS.fullmatch(email) else [f"{email!r} is no e-mail address"]
    wrong += [f"{one!r} is no code of a language" for one in languages if not _LANGUAGE.fullmatch(one)]
    if not languages:
        wrong.append("no language is given")
    problems = [ConfigError(what, where="tuneloop annotate people add", fix=_SUCH_AS) for what in wrong]
    if problem := ConfigError.of(problems):
        raise problem
    known = read_people(data_root)
    _write(data_root, known | {email: Person(languages=sorted(set(languages)), lead=lead)})
    # A pseudonym before the first answer, so that there is a page for them.
    name_people(data_root, [email])
    return f"{connection.url}{connection.get('/api/invite', INVITATION)['invite_url']}"


def set_active(connection: Connection, data_root: Path, email: str, active: bool) -> int:
    """Let a person in or shut them out of the local server, and return how many accounts that concerned.

    Label Studio's own way, taking somebody off the organization, leaves them logged in and renames them to 'Deleted'.

    Raises:
        ConfigError: Nobody has that address.
        ServiceError: The server is not ours, so its own administrator has to do it; or it fails.
    """
    email = email.strip().lower()
    known = read_people(data_root)
    if email not in known:
        raise ConfigError(
            f"nobody is called {email!r}", where=str(people_file(data_root)), fix="`tuneloop annotate people list`"
        )
    local = running(data_root)
    if local is None or local.url != connection.url:
        raise ServiceError(
            "who may log in to a team's server is settled there",
            where=connection.url,
            fix=f"as its administrator untick or tick Active for {email} under {connection.url}/admin/users/user/",
        )
    n = _shut_out(data_root, email, active)
    _write(data_root, known | {email: known[email].model_copy(update={"active": active})})
    return n


def _shut_out(data_root: Path, email: str, active: bool) -> int:
    folder = (data_root / "label-studio" / "server").absolute()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_LOG_LEVEL": "ERROR",
    }
    words = [str(program().parent / "python"), "-c", _SHUT_OUT, email, str(active)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our words
    if done.returncode:
        raise ServiceError(
            f"the account cannot be changed: {done.stderr.strip()[-500:]}",
            where=str(folder),
            fix="look whether the folder is whole and may be written",
        )
    return int(done.stdout.split()[-1])


def _write(data_root: Path, people: dict[str, Person]) -> None:
    path = people_file(data_root)
    make_folder(path.parent).chmod(0o700)
    write_private(path, json.dumps(_PEOPLE.dump_python(people), indent=1, ensure_ascii=False, sort_keys=True))
