"""Pictures of a report as files and as terminal text, each a pure function of plain data."""

from fpcheck.report.pictures.figure import write_png
from fpcheck.report.pictures.page import write_page
from fpcheck.report.pictures.svg import write_svg

__all__ = ["write_page", "write_png", "write_svg"]
