"""Preprocessing fitted: from the training rows of a source and the steps of a recipe to a `Preprocess`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import torch
from torch import Tensor

from dressage.data.preprocess.encode import Encoding, encode, fit_encoding
from dressage.data.preprocess.fitted import Preprocess, cast_of, feature_names
from dressage.data.preprocess.moments import image_moments
from dressage.data.preprocess.numeric import Fitted, everywhere, fit_numeric
from dressage.data.preprocess.principal import Covariance, Projection, fit_principal, image_covariance
from dressage.data.preprocess.steps import Affine, Impute, Kind, OneHot, Principal, Quantile, Step, catalogue
from dressage.data.preprocess.target import target_of
from dressage.data.source import Source
from dressage.errors import RecipeError

NUMERIC = (Affine, Quantile, Principal)


def fit_preprocess(source: Source, rows_train: Tensor, steps: Sequence[str]) -> Preprocess:
    """Fits `steps`, in order, on the training rows (int64). Raises RecipeError for a step that is not for such data."""
    built = built_steps(steps, source.kind)
    target = target_of(source, rows_train)
    scale, shift, encodings, fitted = None, None, list[Encoding](), list[Fitted | Projection]()
    sample = shape = tuple(source.x.shape[1:])
    if isinstance(source.x, Tensor) and source.kind == "images":
        scale, shift, fitted = _fit_images(source.x, rows_train, built)
        shape = (sample[2], *sample[:2])
    elif isinstance(source.x, Tensor):
        fitted = _fit_array(source.x, rows_train, built)
    else:
        encodings, fitted = _fit_table(source, rows_train, built)
    names = feature_names(encodings, fitted)
    left = [len(step.components) for step in fitted if isinstance(step, Projection) and not step.back]
    shape = (len(names),) if source.kind == "table" else (left[-1],) if left else shape
    return Preprocess(
        source.kind,
        list(steps),
        shape,
        sample if source.kind != "table" else shape,
        names,
        cast_of(scale, shift, fitted, shape),
        target,
        encodings,
        fitted,
        list(source.columns),
        source.task,
        list(source.classes),
        list(source.heads),
    )


def built_steps(steps: Sequence[str], kind: Kind) -> list[Step]:
    """The steps of a recipe. Raises RecipeError for one that is not for such data, or comes too late."""
    built = [_build(written, kind) for written in steps]
    _check_order(built)
    return built


def _build(written: str, kind: Kind) -> Step:
    step = catalogue.build(written)
    if kind not in step.kinds:
        fitting = ", ".join(name for name in catalogue if kind in catalogue.build(name).kinds)
        raise RecipeError.of(
            "data.preprocess", f"{step.name} is not for {kind}", f"expected one of {fitting}", "take another step"
        )
    return step


def _check_order(steps: Sequence[Step]) -> None:
    """Raises RecipeError for a step per channel after one that leaves vectors."""
    made = next((i for i, step in enumerate(steps) if isinstance(step, Principal) and not step.back), len(steps))
    late = next((step for step in steps[made:] if step.name.endswith("per_channel")), None)
    if late is not None:
        found, expected = f"{late.name} after {steps[made].name}", "components have no channels"
        raise RecipeError.of("data.preprocess", found, expected, f"put {late.name} first, or take standardize")


def _fit_images(x: Tensor, rows: Tensor, steps: Sequence[Step]) -> tuple[Tensor, Tensor, list[Fitted | Projection]]:
    """Steps as one scale and shift of the pixels 0…255, which count as 0…1; those from the first projection on as they are."""
    channels, shape = x.shape[-1], tuple(x.shape[1:])
    scale, shift = torch.full((channels,), 1 / 255, dtype=torch.float64), torch.zeros(channels, dtype=torch.float64)
    first = next((i for i, step in enumerate(steps) if isinstance(step, Principal)), len(steps))
    if not steps:
        return scale, shift, []
    pixels = image_covariance(x, rows) if first < len(steps) else None
    now = (pixels.moments(shape) if pixels is not None else image_moments(x, rows)).moved(scale, shift)
    for step in steps[:first]:
        assert isinstance(step, Affine)
        a, b = step.fit(now)
        now, scale, shift = now.moved(a, b), scale * a, shift * a + b
    if pixels is None:
        return scale, shift, []
    size, done = len(pixels.mean), list[Fitted | Projection]()
    scale, shift = everywhere(scale, size), everywhere(shift, size)
    known = pixels.scaled(scale, shift)
    shift, known = (
        shift - known.mean,
        replace(known, mean=torch.zeros_like(known.mean)),
    )  # centred, a product loses no bits
    for step in steps[first:]:
        if done:
            known = _after(known, done[-1])
        if isinstance(step, Principal):
            done.append(fit_principal(step, known))
        else:
            assert isinstance(step, Affine)
            done.append(Fitted(*step.fit(known.moments(shape if len(known.mean) == size else (-1,)))))
    return scale.view(shape), shift.view(shape), done


def _after(known: Covariance, step: Fitted | Projection) -> Covariance:
    if isinstance(step, Projection):
        return known.mapped(*step.affine())
    size = len(known.mean)
    return known.scaled(everywhere(step.scale, size), everywhere(step.shift, size))


def _fit_array(x: Tensor, rows: Tensor, steps: Sequence[Step]) -> list[Fitted | Projection]:
    numeric = [step for step in steps if isinstance(step, NUMERIC)]
    if x.dim() == 2 and any(step.name.endswith("per_channel") for step in numeric):
        raise RecipeError.of(
            "data.preprocess",
            "a step per channel on rows of single features",
            "expected samples with channels",
            "use center or standardize",
        )
    return fit_numeric(numeric, lambda start, stop: x[rows[start:stop]].double(), len(rows), x[0].numel())


def _fit_table(source: Source, rows: Tensor, steps: Sequence[Step]) -> tuple[list[Encoding], list[Fitted | Projection]]:
    table: pa.Table = source.x.take(pa.array(rows.numpy()))
    impute = next((step for step in steps if isinstance(step, Impute)), Impute())
    onehot = next((step for step in steps if isinstance(step, OneHot)), OneHot())
    kinds = {column.name: column.kind for column in source.columns}
    encodings = [fit_encoding(name, kinds[name], table[name], impute, onehot) for name in table.column_names]
    width = max(1, sum(len(e.numbers()) + len(e.flags()) for e in encodings))
    numeric = [step for step in steps if isinstance(step, NUMERIC)] if any(e.numbers() for e in encodings) else []
    fitted = fit_numeric(
        numeric,
        lambda start, stop: encode(table.slice(start, stop - start), encodings)[0],
        table.num_rows,
        width,
        [name for e in encodings for name in e.numbers()],
    )
    return encodings, fitted
