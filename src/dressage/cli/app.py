"""The commands by name. Each lives in its own file, imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from dressage import __version__
from dressage.cli.output import prepare
from dressage.cli.usage import as_usage_error

if TYPE_CHECKING:
    from cyclopts.help import DefaultFormatter

# name -> (where it is, its line in the help). The line stands here so that help need not import the commands.
COMMANDS = {
    "demo": ("demo:demo", "Train on digits that come with it, and show what comes out."),
    "train": ("train:train", "Train a network on a folder, a file or a named set."),
    "resume": ("resume:resume", "Go on with a run that was stopped, bit for bit."),
    "tune": ("tune:tune", "Tune a training in seven steps, within a time."),
    "lr": ("lr:lr", "Suggest a learning rate by a range test."),
    "search": ("search:search", "Search for settings: coarse to fine, with the winner's uncertainty."),
    "diagnose": ("diagnose:diagnose", "Say what went wrong in a run: cause, evidence, remedy."),
    "check": ("check:check", "Check data, network and loss before the first step."),
    "stats": ("stats:stats", "What the layers of a network give: spread, saturated, dead, gradients."),
    "trace": ("trace:trace", "The graph of a small batch or an expression, forward and in reverse."),
    "ensemble": ("ensemble:ensemble", "Several networks that answer as one: of runs, or trained here."),
    "landscape": ("landscape:landscape", "How sharp a minimum is, and what lies between runs."),
    "evaluate": ("evaluate:evaluate", "Scores of a run on its test part, or on new data."),
    "predict": ("predict:predict", "Predictions of a run for new files, as CSV."),
    "show": ("show:show", "One run: its scores, curves and recipe."),
    "runs": ("runs:runs", "All runs in a folder, as a table."),
    "list": ("list_family:list_family", "The techniques of a family, with formula and source."),
    "plot-schedule": ("plot_schedule:plot_schedule", "Draw how the learning rate of a schedule moves."),
    "plot-optim": ("plot_optim:plot_optim", "Draw the paths of optimisers on a surface."),
    "preview": ("preview:preview", "Draw what augmentation makes of the data: originals, and versions below."),
    "eigen": ("eigen:eigen", "Draw what principal components make of images."),
    "recipe": ("recipe:app", "Write, look at and check recipes."),
    "reproduce": ("reproduce:reproduce", "Repeat a run and name the first step that differs."),
    "doctor": ("doctor:doctor", "What this machine offers and whether all is well."),
    "completion": ("completion:completion", "Complete commands with the tabulator key in your shell."),
}


def build(words: Sequence[str] = ()) -> App:
    """The command line as cyclopts sees it, for these words."""
    at_top = not words or words[0].startswith("-")
    app = App(
        name="dressage",
        help="Trains neural networks by the whole procedure, watches it, and explains it.",
        help_format="plaintext",
        help_formatter=_help_formatter() if at_top or not {"--help", "-h"}.isdisjoint(words) else None,
        version=__version__,
        version_flags=["--version", "-V"],
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for position, (name, (where, line)) in enumerate(COMMANDS.items()):
        # With a line given here cyclopts does not read the command's file, nor its long text: right for the list only.
        app.command(f"dressage.cli.{where}", name=name, sort_key=position, help=line if at_top else None)
    return app


def run(words: list[str]) -> int:
    """Carries out one command line: its exit code. Raises DressageError, and what the command raises."""
    prepare()
    try:
        code = build(words)(words, exit_on_error=False, print_error=False)
        return code if isinstance(code, int) else 0
    except CycloptsError as error:
        raise as_usage_error(error) from None


def _help_formatter() -> DefaultFormatter:
    """Aligned columns under each heading, without the boxes that break when a line is copied or piped."""
    from cyclopts.help import DefaultFormatter, PanelSpec
    from rich.box import SIMPLE

    return DefaultFormatter(panel_spec=PanelSpec(box=SIMPLE, padding=(0, 0, 0, 3)))
