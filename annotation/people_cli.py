"""`tuneloop annotate people`: who reviews, in which languages, and who no longer does."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from annotation.cli_options import DataRoot, say
from annotation.connection import connect
from annotation.people import add_person, people_file, read_people, set_active
from pipeline.annotations import annotation_files, pseudonyms

app = App(name="people", help="Who reviews: invite, list, shut out, let in again.")
Email = Annotated[str, Parameter(help="e-mail address of the person")]


@app.command
def add(
    email: Email,
    *,
    languages: Annotated[str, Parameter(help="codes of the languages they read, with commas between")],
    lead: Annotated[bool, Parameter(help="their word settles disputes")] = False,
    data_root: DataRoot = Path("data"),
) -> None:
    """Write a person down and print the link by which they sign up.

    Example: tuneloop annotate people add ann@example.org --languages de,en
    """
    given = [code.strip().lower() for code in languages.split(",") if code.strip()]
    link = add_person(connect(data_root), data_root, email, given, lead=lead)
    say(f"{email} stands in {people_file(data_root)}; send this link: whoever has it can sign up, with that address")
    sys.stdout.write(f"{link}\n")


@app.command
def disable(email: Email, *, data_root: DataRoot = Path("data")) -> None:
    """Shut a person out; every answer of theirs stays and counts.

    Example: tuneloop annotate people disable ann@example.org
    """
    n = set_active(connect(data_root), data_root, email, active=False)
    say(f"{email} may not log in any more; {'' if n else 'there was no account yet; '}all answers stay")


@app.command
def enable(email: Email, *, data_root: DataRoot = Path("data")) -> None:
    """Let a person in again.

    Example: tuneloop annotate people enable ann@example.org
    """
    set_active(connect(data_root), data_root, email, active=True)
    say(f"{email} may log in again")


@app.command(name="list")
def list_people(*, data_root: DataRoot = Path("data")) -> None:
    """List the people with their languages and pseudonyms.

    Example: tuneloop annotate people list
    """
    names = pseudonyms(annotation_files(data_root).values())
    for email, person in sorted(read_people(data_root).items()):
        state = ("\tlead" if person.lead else "") + ("" if person.active else "\tdisabled")
        sys.stdout.write(f"{names.get(email, '-')}\t{email}\t{','.join(person.languages)}{state}\n")
