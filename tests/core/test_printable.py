from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.core.printable import printable


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("a\tb\r", "a\\tb\\r"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b2J", "\\x9b2J"),  # the one-byte form of ESC [
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),  # right-to-left override
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028sep", "line\\u2028sep"),
        ("\udc80 undecodable", "\\udc80 undecodable"),
        ("[red]markup[/red]", "[red]markup[/red]"),  # not markup to us, so left as it is
    ],
)
def test_a_character_that_could_draw_is_shown_as_its_escape(hostile, shown):
    assert printable(hostile) == shown


def test_letters_of_any_script_stay():
    assert printable("слой 层 μ=1") == "слой 层 μ=1"


def test_ascii_only_names_signs_and_greek_letters():
    assert printable("ρ ≤ 1 → ∞", ascii_only=True) == "rho <= 1 -> inf"
    assert printable("χ₁, ‖W‖₂", ascii_only=True) == "chi_1, ||W||_2"
    assert printable("層", ascii_only=True) == "\\u5c64"


@given(st.text())
def test_nothing_that_comes_out_can_move_the_cursor(text):
    shown = printable(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text())
def test_ascii_only_is_printable_ascii(text):
    shown = printable(text, ascii_only=True)
    assert shown.isascii()
    assert not shown or shown.isprintable()
