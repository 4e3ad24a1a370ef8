"""Programs written without sight of the rules, to be run once: importing this fills the table, after all others."""

from importlib import import_module

from .. import fresh  # noqa: F401

FILES = (
    *("tables", "pairs", "splits", "layers", "heads", "costs", "pace", "flow", "looks"),
    *("sound_losses", "sound_nets", "sound_loops"),
)
for _name in FILES:
    import_module(f"{__name__}.{_name}")
