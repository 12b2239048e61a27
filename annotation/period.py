"""The stretch of time a report is about: `--since 7d`, `--since 2026-11-01`, `--since all`.

"7d" at 2026-11-27 10:00  -> from 2026-11-20 10:00
"""

import re
from datetime import UTC, datetime, timedelta

from schemas import ConfigError
from schemas.annotation import utc_time

# Answers of an export without times are given this one.
LONG_AGO = utc_time("1970-01-01")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def since_moment(text: str, now: datetime) -> str:
    """Return the moment as `Annotation` writes moments; for "all" one before every answer.

    Args:
        text: A number with h, d or w, such as ``7d``; an ISO date or time; or ``all``.
        now: The present, with a time zone.

    Raises:
        ConfigError: It is none of these, or lies in the future.
    """
    if text == "all":
        return LONG_AGO
    if match := re.fullmatch(r"(\d{1,4})([hdw])", text):
        moment = now - int(match[1]) * _UNITS[match[2]]
        return utc_time(moment.isoformat())
    try:
        found = utc_time(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no time", where="--since", fix="give 7d, 24h, 2w, 2026-11-01 or all") from None
    if found > utc_time(now.isoformat()):
        raise ConfigError(f"{text!r} lies in the future", where="--since", fix="give a date that has passed")
    return found


def day_of(moment: str) -> str:
    """Return the day of a moment, in UTC, such as ``2026-11-27``."""
    return moment[:10]


def week_of(moment: str) -> str:
    """Return the ISO week of a moment, such as ``2026-W48``."""
    year, week, _ = datetime.fromisoformat(moment).isocalendar()
    return f"{year}-W{week:02d}"


def days_between(first: str, now: datetime) -> list[str]:
    """Return every day from that of `first` until yesterday, in UTC; none if `first` is of today."""
    start, today = datetime.fromisoformat(day_of(first)).date(), now.astimezone(UTC).date()
    return [(start + timedelta(days=n)).isoformat() for n in range((today - start).days)]
