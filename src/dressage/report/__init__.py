"""What a person is shown of a run: one HTML file, curves as a picture, a card in a notebook.

write_report(folder)            report.html in the run folder
curve_picture(history, path)    the training curves as an SVG file
run_html(folder)                a short card for a notebook
"""

from __future__ import annotations

from dressage.report.notebook import run_html
from dressage.report.plots import curve_picture
from dressage.report.write import write_report

__all__ = ["curve_picture", "run_html", "write_report"]
