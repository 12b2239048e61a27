"""Licences: what well-known ones forbid, and which do not go together.

    {"CC-BY-SA-4.0", "CC-BY-NC-4.0"}  ->  conflict: the one asks that all of it may be sold, the other forbids it
    {"CC-BY-ND-4.0"}                  ->  may not be passed on: prompts made of it are a changed work
    {None}                            ->  not stated: nobody has said that it may be passed on

This is a reading aid for people, no legal advice: it knows a handful of licences by their SPDX names.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import combinations

NOT_STATED = "not stated"
_CLOSED = ("proprietary", "all-rights-reserved", "unlicensed", "none", "confidential", "internal")


@dataclass(frozen=True)
class Terms:
    """What a licence says, as far as it matters for passing data on.

    Attributes:
        commercial: Whether it may be used in business.
        changes: Whether changed versions may be passed on.
        same_terms: Licences that the whole must be under; empty where it asks for none.
        note: A further condition, as a phrase.
    """

    commercial: bool = True
    changes: bool = True
    same_terms: frozenset[str] = frozenset()
    note: str = ""


def _same(*names: str) -> Terms:
    return Terms(same_terms=frozenset(names))


_FREE = Terms()
_NAMED = Terms(note="asks that the authors be named")
_NO_BUSINESS = Terms(commercial=False, note="asks that the authors be named")
_NO_CHANGES = Terms(changes=False)
_SHARE_NC = frozenset({"cc-by-nc-sa-4.0"})
_DATA = {
    "cc0-1.0": _FREE,
    "pddl-1.0": _FREE,
    "unlicense": _FREE,
    "mit": _NAMED,
    "apache-2.0": _NAMED,
    "bsd-2-clause": _NAMED,
    "bsd-3-clause": _NAMED,
    "cc-by-3.0": _NAMED,
    "cc-by-4.0": _NAMED,
    "odc-by-1.0": _NAMED,
    "cdla-permissive-2.0": _NAMED,
    # A later one of its kind is allowed by the earlier; GPL-3.0 is allowed by CC-BY-SA-4.0, not the other way round.
    "cc-by-sa-3.0": _same("cc-by-sa-3.0", "cc-by-sa-4.0"),
    "cc-by-sa-4.0": _same("cc-by-sa-4.0", "gpl-3.0-only", "gpl-3.0-or-later"),
    "odbl-1.0": _same("odbl-1.0"),
    "gfdl-1.3-only": _same("gfdl-1.3-only"),
    "gpl-2.0-only": _same("gpl-2.0-only"),
    "gpl-3.0-only": _same("gpl-3.0-only"),
    "gpl-3.0-or-later": _same("gpl-3.0-or-later", "gpl-3.0-only"),
    "cc-by-nc-3.0": _NO_BUSINESS,
    "cc-by-nc-4.0": _NO_BUSINESS,
    "cc-by-nc-sa-3.0": Terms(commercial=False, same_terms=_SHARE_NC | {"cc-by-nc-sa-3.0"}),
    "cc-by-nc-sa-4.0": Terms(commercial=False, same_terms=_SHARE_NC),
    "cc-by-nd-3.0": _NO_CHANGES,
    "cc-by-nd-4.0": _NO_CHANGES,
    "cc-by-nc-nd-3.0": Terms(commercial=False, changes=False),
    "cc-by-nc-nd-4.0": Terms(commercial=False, changes=False),
}
# Of models, for drafts that one wrote; these are no SPDX names.
_MODELS = {
    "llama3": Terms(note="asks that a model trained on it have Llama at the start of its name"),
    "llama3.1": Terms(note="asks that a model trained on it have Llama at the start of its name"),
    "llama3.2": Terms(note="asks that a model trained on it have Llama at the start of its name"),
    "gemma": Terms(note="asks that its terms of use go along with it"),
}
TERMS: dict[str, Terms] = {**_DATA, **_MODELS}


@dataclass(frozen=True)
class Licensed:
    """Something with a licence.

    Attributes:
        what: Such as `source news` or `drafts by qwen`.
        licence: As the recipe or the draft says; None where nothing is said.
    """

    what: str
    licence: str | None

    @property
    def stated(self) -> str:
        """The licence, for people."""
        return self.licence or NOT_STATED


def spdx(licence: str | None) -> str | None:
    """Return a licence that has an SPDX name and is known here, in small letters as hubs write it; else None."""
    name = _plain(licence)
    return name if name in _DATA else None


def forbidden(all_of: Iterable[Licensed]) -> list[str]:
    """Return a sentence for each thing that may not be passed on at all."""
    found = []
    for one in all_of:
        name = _plain(one.licence)
        if name in _CLOSED or name.startswith("licenseref-"):
            found.append(f"{one.what} is under {one.licence}, which lets nobody pass it on")
        elif name in TERMS and not TERMS[name].changes:
            found.append(f"{one.what} is under {one.licence}, which forbids changed versions, and these rows are one")
    return found


def conflicts(all_of: Iterable[Licensed]) -> list[str]:
    """Return a sentence for each two licences under which nothing that joins them can be passed on."""
    holders = _holders(all_of)
    found = []
    for one, other in combinations(sorted(name for name in holders if name in TERMS), 2):
        left, right = TERMS[one], TERMS[other]
        why = ""
        if left.same_terms and right.same_terms:
            if not left.same_terms & right.same_terms:
                why = "each asks that the whole be under its own terms"
        elif (left.same_terms and left.commercial and not right.commercial) or (
            right.same_terms and right.commercial and not left.commercial
        ):
            why = "one asks that the whole may be used in business, the other forbids it"
        if why:
            names = [
                f"{_spelled(holders[name])} ({', '.join(it.what for it in holders[name])})" for name in (one, other)
            ]
            found.append(f"{names[0]} and {names[1]} do not go together: {why}")
    return found


def remarks(all_of: Iterable[Licensed]) -> list[str]:
    """Return what else a reader must know: no business, further conditions, licences unknown or not stated."""
    found = []
    for name, them in sorted(_holders(all_of).items()):
        who = ", ".join(it.what for it in them)
        if not name:
            found.append(f"{who}: the licence is not stated, so nobody has said that it may be passed on")
        elif name in TERMS:
            terms = TERMS[name]
            said = [] if terms.commercial else ["forbids use in business"]
            said += [terms.note] if terms.note else []
            said += ["asks that the whole be under the same terms"] if terms.same_terms else []
            if said:
                found.append(f"{who}: {_spelled(them)} {' and '.join(said)}")
        elif name not in _CLOSED:
            found.append(f"{who}: {_spelled(them)} is no licence that tuneloop knows; read it")
    return found


def shared(licences: Collection[str | None]) -> str | None:
    """Return the one licence that all are under, as it is spelled; None if they are several or one is not stated."""
    names = {_plain(one) for one in licences}
    return next(iter(licences)) if len(names) == 1 and "" not in names else None


def _holders(all_of: Iterable[Licensed]) -> dict[str, list[Licensed]]:
    found: dict[str, list[Licensed]] = {}
    for one in all_of:
        found.setdefault(_plain(one.licence), []).append(one)
    return found


def _spelled(them: list[Licensed]) -> str:
    return them[0].stated


def _plain(licence: str | None) -> str:
    return "-".join((licence or "").lower().split())
