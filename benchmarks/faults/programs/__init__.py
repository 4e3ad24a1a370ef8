"""The programs: importing this fills the table."""

from importlib import import_module

FILES = (
    *("data_scale", "healthy_plain", "model_init", "optim_loop", "data_labels", "data_rows", "model_head", "loss_form"),
    *("optim_rate", "eval_modes", "healthy_odd", "healthy_steps", "healthy_small", "eval_fit", "loss_size"),
    *("optim_penalty", "data_copies"),
)
"""New ones at the end: a case's half follows from its place."""
for _name in FILES:
    import_module(f"{__name__}.{_name}")
