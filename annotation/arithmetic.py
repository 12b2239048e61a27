"""Sums that do not compute, found in a text; nothing is ever evaluated as code.

    "12 * 7 = 85"            wrong: 84
    "10 / 3 = 3.33"          right: rounded
    "2 + 2 = 4 + 1 = 5"      wrong: 2 + 2 is not 4 + 1
    "2x + 3 = 7", "f(3) = 4" no sums of numbers alone: not looked at

In doubt a sum is right: numbers are read with the point and with the comma as decimal sign, and what stands beside a
letter, a power, a bracket or a per cent sign is left alone.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

_NUMBER = r"\d{1,3}(?:[,.]\d{3})+(?:[,.]\d+)?(?!\d)|\d{1,15}(?:[.,]\d{1,10})?(?!\d)"
_SIGNED = rf"[-−]?[$€£]?(?:{_NUMBER})"
_SIDE = rf"{_SIGNED}(?: ?[-+*/x×·÷−–] ?{_SIGNED}){{0,30}}"
# What a kernel can look for before Python parses; RE2 knows no lookarounds.
HAS_EQUATION = r"\d\s?[-+*/x×·÷−–]\s?[-−$€£]{0,2}\d[^=≈]{0,80}[=≈]\s*[-−$€£]{0,2}\d"
PLAIN_SUM = r"^[^\d\n]{0,60}\d[\d\s.,$€£()+*/x×·÷−–-]*[\s=?.]*$"
_EQUATION = re.compile(rf"(?<![\w.,)\]}}^%/*+×÷:°'\"{{\\]){_SIDE}(?: *[=≈] *{_SIDE})+")
# A letter, a power or a per cent sign after the last number makes it another number; an operator starts a longer sum.
_GOES_ON = re.compile(r"[\w%^²³!°(/*+×÷=:]|[.,]\d| \d|\s*(?:[*/+×÷=^(<>]|[-−–x]\s?[\d(]|\w?\^|%|mod\b)")
_GOES_BEFORE = re.compile(r"(?:[+*/×÷^−–<>!]|[=<>!]=|\b(?:of|x)|\b\w?-|[\w)]\s-|\d)\s*$")
# 9x - 21 has an unknown in it, and whether 3 / 1/4 is 12 is a matter of taste.
_UNCLEAR = re.compile(r"x ?[-−$]|/ ?[$\d.,]+ ?[/÷]")
_PARTS = re.compile(rf"({_SIGNED})|([-+*/x×·÷−–])")
_IS_PLAIN = re.compile(rf"^[^\d\n]{{0,60}}?({_SIDE})\s*=?\s*\??\.?$")
_BULLET = re.compile(r"(?:^|\n)\s*[-*+–]\s*$")
_SIDES = re.compile(_SIDE)
_ROUNDED = Fraction(1, 200)
# In characters; also keeps the search short, which takes the square of the length at worst.
_LONGEST_SUM = 200


def has_wrong_sum(text: str) -> bool:
    """Return whether an equation of numbers in the text is wrong, however its numbers are read."""
    return any(_are_far_apart(left, right) for equation in _equations(text) for left, right in _neighbours(equation))


def misses_sum(prompt: str, answer: str) -> bool:
    """Return whether the prompt is a plain sum, such as "What is 12 * 7?", and no number in the answer is its result.

    An answer without digits says nothing here, and neither does a lone 9/11 or 3-2, which need not be a sum.
    """
    asked = _IS_PLAIN.match(prompt) if len(prompt) <= _LONGEST_SUM else None
    if asked is None or not re.search(r"\s[-−–/]\s|[+*x×·÷]", asked[1]):
        return False
    given = [one.group() for one in _SIDES.finditer(answer)]
    numbers = [one.group() for one in re.finditer(_SIGNED, answer)]
    return bool(numbers) and all(_are_far_apart(asked[1], one) for one in [*given, *numbers])


def _equations(text: str) -> Iterator[str]:
    for found in _EQUATION.finditer(text):
        before = text[max(0, found.start() - 20) : found.start()]
        if _GOES_ON.match(text, found.end()) or (_GOES_BEFORE.search(before) and not _BULLET.search(before)):
            continue
        if not _UNCLEAR.search(found.group()):
            yield found.group()


def _neighbours(equation: str) -> Iterator[tuple[str, str]]:
    """Yield what should be equal: from the first sum on, since "week 2 = 35 + 35" begins with no number of its own."""
    sides = re.split(r" *[=≈] *", equation)
    for left, right in pairwise(sides):
        if _is_sum(left) or (left is not sides[0] and _is_sum(right)):
            yield left, right


def _is_sum(side: str) -> bool:
    return sum(1 for _ in re.finditer(_NUMBER, side)) > 1


def _are_far_apart(left: str, right: str) -> bool:
    """Return whether two sides differ by more than rounding in both ways to read their numbers."""
    for decimal in ".,":
        one, other = _value(left, decimal), _value(right, decimal)
        if one is None or other is None:
            return False
        gap, is_rough = abs(one - other), "/" in left + right or "÷" in left + right or decimal in left + right
        step = max(_step(left, decimal), _step(right, decimal)) if is_rough else Fraction(0)
        if gap == 0 or gap < step or (is_rough and gap <= _ROUNDED * abs(one)):
            return False
    return True


def _step(side: str, decimal: str) -> Fraction:
    """Return one unit of the last digit, where a side is one number; a sum is exact."""
    if _is_sum(side):
        return Fraction(0)
    _, _, digits = side.partition(decimal)
    return Fraction(1, 10 ** len(digits.strip()))


def _value(side: str, decimal: str) -> Fraction | None:
    """Return what a side comes to, products first; None where it divides by zero."""
    total, factor, sign, operator = Fraction(0), Fraction(0), 1, "+"
    for number, symbol in _PARTS.findall(_spaced(side)):
        if symbol:
            operator = symbol
            continue
        read = _read(number, decimal)
        if operator in "*x×·":
            factor *= read
        elif operator in "/÷":
            if not read:
                return None
            factor /= read
        else:
            total += sign * factor
            factor, sign = read, -1 if operator in "-−–" else 1
    return total + sign * factor


def _spaced(side: str) -> str:
    """Return a side with blanks around each operator, so that "5-3" is no 5 beside a -3."""
    return re.sub(r"(?<=\d)\s?([-+*/x×·÷−–])\s?", r" \1 ", side)


def _read(number: str, decimal: str) -> Fraction:
    is_negative = number[0] in "-−"
    digits = number.lstrip("-−$€£").replace("," if decimal == "." else ".", "")
    value = Fraction(digits.replace(decimal, ".") if digits.count(decimal) <= 1 else digits.replace(decimal, ""))
    return -value if is_negative else value
