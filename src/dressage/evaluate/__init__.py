"""What judges a trained network: metrics with intervals, a baseline beside them, confusion, the worst mistakes.

`evaluation.json` in a run folder holds one object a judged part: `{"test": …, "validation": …, "train": …}`. Each is
what `judge` returns, the `Evaluation` of `dressage.evaluate.format`. What is not defined is null: no NaN, no infinity.

    part        name of the part: train, train_dev, validation, test
    network     where a run trained two: "refit", the one that has learned from the validation rows too and predicts,
                judged on the test part; "first" on the other parts
    views       where the recipe names them: the views of each row whose answers were averaged, as written
    task        "classification", "regression", "multi": several targets, each one or the other; or "contrastive": none
    n           rows judged
    nonfinite   rows whose output was not finite; each counts as wrong, in a regression no metric is given
    headline    name of the metric that stands for the whole: "accuracy", "r2" or "contrastive_accuracy"
    metrics     {name: {"value", "low", "high"}}: the value and its 95 % interval, each a number or null
                classification: accuracy, balanced_accuracy, macro_f1, log_loss (nats), and roc_auc with two classes
                regression: r2, rmse, mae; the last two in the target's units; several targets: the mean over them
    baseline    {"name", "prediction", "metrics"}: what an answer that looks at no input scores: the majority class
                (for log_loss the class frequencies) or the mean, both of the training part

In a classification also
    classes     names of the classes, in the order of their numbers
    per_class   [{"name", "n", "precision", "recall", "f1"}]: a value and interval each
    confusion   C lists of C counts, [true][predicted]; null above 200 classes
    confused    [{"true", "predicted", "count", "share"}]: the ten commonest confusions, as a share of the true class
    mistakes    the ten most confident wrong answers: [{"row", "id", "true", "predicted", "probability" (that of
                the predicted class), "probability_true"}]

In a regression also
    targets     names of the targets
    per_target  [{"name", "r2", "rmse", "mae"}]
    points      {"true": [...], "predicted": [...]}: at most 400 rows of the first target, drawn evenly, for a picture
    mistakes    the ten largest residuals, in standard deviations of their target: [{"row", "id", "true", "predicted",
                "residual"}], with "target" where there are several

Of several targets, task "multi", `metrics` and `baseline` have the metrics of all, "<target> <metric>", and
    each        {target: its own evaluation, as above}
    mistakes    the worst of each target, with its name as "target"

Of a training without labels, task "contrastive", `metrics` has contrastive_accuracy, the share of views whose other view
is the most alike of all among 512 samples, and contrastive_loss; the baseline is chance, and there are no mistakes.

Intervals: Wilson's for accuracy, precision and recall; Zou and Donner's for balanced accuracy; the delta method's for
macro F1; Newcombe's for ROC AUC; a bootstrap of 2,000 resamples, keyed by the seed, for log loss, R², RMSE and MAE.

Beside the parts, "gaps" holds what the gaps between their errors say (`dressage.evaluate.bias_variance`)
    unit        what an error is: "share wrong" or "RMSE"
    target_known, errors        {part: {"value", "low", "high", "n"}}; "target" among them, 0 where none is known
    gaps        [{"name", "from", "to", "value", "low", "high", "beyond_noise"}]: avoidable_bias, variance, data_mismatch,
                validation_overfit; the intervals hold together 95 % of the time
    largest     name of the largest gap beyond its noise, or null; rivals: those that cannot be told from it
    said, next, notes           the same in words: one sentence, what to do for each gap, what could not be told
Of several targets it has "each", the same for each of them, and their words together.

A mistake also has "picture" (a data URI of a small PNG) or "fields" ({column: value}) where `show` gives one.
"""

from __future__ import annotations

from dressage.evaluate.bias_variance import diagnose
from dressage.evaluate.bias_words import gaps_of
from dressage.evaluate.contrastive import judge_views
from dressage.evaluate.exhibit import exhibit, picture
from dressage.evaluate.format import Estimate, Evaluation
from dressage.evaluate.judge import judge
from dressage.evaluate.several import judge_several
from dressage.evaluate.words import METRICS, metric_name, refit_sentence, sentence, verdict

__all__ = [
    "METRICS",
    "Estimate",
    "Evaluation",
    "diagnose",
    "exhibit",
    "gaps_of",
    "judge",
    "judge_several",
    "judge_views",
    "metric_name",
    "picture",
    "refit_sentence",
    "sentence",
    "verdict",
]
