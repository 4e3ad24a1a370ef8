"""The programs: importing this fills the table. New files are added at the end, so that cases keep their half."""

from . import data_scale, healthy_plain, model_init, optim_loop  # noqa: F401
