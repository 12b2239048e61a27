"""Personal data in texts: found by kind, and blanked out where that is asked for.

    "Write to ann@example.org, v1.2.3.4"   ->   [Finding("email", 9, 24)], redacted "Write to [EMAIL], v1.2.3.4"

datafog finds candidates; what it cannot know from the shape alone is checked here, because ordinary text is full of
long decimals, version numbers and ids: in 80,000 public texts of instruction data 22 of its 76 findings were such.
IBANs, which it knows for one country only, are found here by their check digits.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import datafog
import pyarrow as pa
import pyarrow.compute as pc

# Nothing leaves this machine, even where someone set DATAFOG_TELEMETRY; read by datafog at every call.
os.environ["DATAFOG_NO_TELEMETRY"] = "1"

KINDS = ("email", "phone", "credit_card", "ipv4", "iban", "ssn")
_DATAFOG = {
    "EMAIL": "email",
    "PHONE": "phone",
    "CREDIT_CARD": "credit_card",
    "IP_ADDRESS": "ipv4",
    "SSN": "ssn",
}

# RE2, over a whole batch: no finding is possible in a text without one of these. Classes of ASCII keep it at memory
# speed (Unicode ones cost 50 times as much), which is why numbers in other digits are not looked for.
_GAP = r"[\s\x{00A0}\x{202F}().-]{0,2}"
_HINT = "|".join(
    (
        r"@[^\s@]",
        rf"(?:[0-9]{_GAP}){{9}}",
        rf"\+(?:[0-9]{_GAP}){{8}}",
        r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
        r"[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}",
    )
)
# datafog's pattern for emails takes time quadratic in the length of a run of signs: pieces bound it.
_PIECE = re.compile(r".{1,1000}(?:(?<![\d+().-])(?=\s)|\Z)|.{1,1000}", re.DOTALL)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_SSN = re.compile(r"(?!9)\d{3}-\d{2}-\d{4}")
_NANP = re.compile(
    r"(?:\+?1[-.\s]?)?(?:\(\d{3}\)\s?\d{3}[-.\s]\d{4}|\d{3}[-.]\d{3}[-.]\d{4}|[2-9]\d{2}\s[2-9]\d{2}\s\d{4})"
)
_PHONE_TAIL = re.compile(r"[ .-]?[0-9]{2,4}(?![0-9])")
_MOST_PHONES_HAVE = 11  # digits, with the country's
_VERSION_BEFORE = re.compile(r"(?:\b(?:v|ver|version|release|section|build)\.?:?\s*|[A-Za-z]/)\Z", re.IGNORECASE)
_LEAST_PHONE_DIGITS = 8


class Finding(NamedTuple):
    """One thing found: what it is, and where, in characters."""

    kind: str
    start: int
    end: int


def hinted(texts: Sequence[str | None]) -> list[int]:
    """Return the positions of texts that may hold a finding, told at memory speed; none of the others does."""
    found: list[int] = pc.indices_nonzero(pc.match_substring_regex(pa.array(texts, pa.string()), _HINT)).to_pylist()
    return found


def find(texts: Sequence[str]) -> dict[int, list[Finding]]:
    """Return what was found, in order of place, by position of the text; texts without findings are left out."""
    found = {i: find_one(texts[i]) for i in hinted(texts)}
    return {i: findings for i, findings in found.items() if findings}


def find_one(text: str) -> list[Finding]:
    """Return what was found in one text, in order of place, without overlaps."""
    found: list[Finding] = []
    for piece in _PIECE.finditer(text):
        for entity in datafog.scan(piece[0], engine="regex", entity_types=list(_DATAFOG)).entities:
            kind, start, end = _DATAFOG[entity.type], piece.start() + entity.start, piece.start() + entity.end
            if kind == "email":
                # datafog takes quotes and other signs that stand before an address as part of it.
                start += len(entity.text) - len(entity.text.lstrip("!#$%&'*+-/=?^`{|}~"))
            if kind == "phone" and text[start] == "+":
                end = _phone_end(text, start, end)
            if text[start:end].isascii() and _CHECKS[kind](text, start, end):
                found.append(Finding(kind, start, end))
    ibans = [Finding("iban", m.start(), m.end()) for m in _IBAN.finditer(text) if _is_iban(m[0])]
    apart = [f for f in found if not any(f.start < i.end and i.start < f.end for i in ibans)]
    return _without_overlaps(sorted(ibans + apart, key=_start))


def redact(text: str, findings: Sequence[Finding]) -> str:
    """Return the text with every finding replaced by its kind, such as [EMAIL]."""
    for finding in reversed(findings):
        text = f"{text[: finding.start]}[{finding.kind.upper()}]{text[finding.end :]}"
    return text


def _without_overlaps(findings: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
    return kept


def _start(finding: Finding) -> int:
    return finding.start


def _phone_end(text: str, start: int, end: int) -> int:
    """Return where a number with a country code ends: datafog stops after four groups, and many have five."""
    while sum(map(str.isdigit, text[start:end])) < _MOST_PHONES_HAVE and (group := _PHONE_TAIL.match(text, end)):
        end = group.end()
    return end


def _is_phone(text: str, start: int, end: int) -> bool:
    """Whether digits are grouped as people write numbers to call, and are no tail of a longer number."""
    phone, before = text[start:end], text[max(0, start - 1) : start]
    if before in tuple("0123456789.,/=_*<>$€£"):
        return False
    if phone.startswith("+"):
        return sum(map(str.isdigit, phone)) >= _LEAST_PHONE_DIGITS
    return bool(_NANP.fullmatch(phone))


def _is_card(text: str, start: int, end: int) -> bool:
    """Whether the Luhn sum is divisible by ten: every second digit from the right doubled, digits summed."""
    digits = [int(character) for character in text[start:end] if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_address(text: str, start: int, end: int) -> bool:
    """Whether four numbers are an address of a machine, rather than a version, a section or a mask."""
    octets = text[start:end].split(".")
    if any(len(octet) > 1 and octet.startswith("0") for octet in octets):
        return False
    if text[end : end + 2].lstrip(".")[:1].isdigit() or text[max(0, start - 1) : start] == ".":
        return False
    one_digit = all(len(octet) == 1 for octet in octets) and len(set(octets)) > 1
    if one_digit or _VERSION_BEFORE.search(text[max(0, start - 12) : start]):
        return False
    address = ipaddress.IPv4Address(text[start:end])
    return not (address.is_loopback or address.is_unspecified or address.is_reserved or address.is_multicast)


def _is_ssn(text: str, start: int, end: int) -> bool:
    return bool(_SSN.fullmatch(text[start:end])) and text[max(0, start - 1) : start] != "-"


def _is_email(text: str, start: int, end: int) -> bool:
    return text[start:end].find("@") > 0


def _is_iban(text: str) -> bool:
    """Whether the remainder by 97 is 1, letters read as 10 to 35, the first four signs last (ISO 13616)."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


_CHECKS: dict[str, Callable[[str, int, int], bool]] = {
    "email": _is_email, "phone": _is_phone, "credit_card": _is_card, "ipv4": _is_address, "ssn": _is_ssn,
}  # fmt: skip
