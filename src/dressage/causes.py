"""The causes that dressage names and the symptoms that lead to them, each with a fixed id that findings carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A fault of a training: what a person sees of it, what tells it from the others, and what to do."""

    id: str
    seen: str
    told_by: str
    remedy: str


def _by_id(*causes: Cause) -> Mapping[str, Cause]:
    return {cause.id: cause for cause in causes}


CAUSES: Mapping[str, Cause] = _by_id(
    Cause(
        "data.unscaled_inputs",
        "learning is slow, the loss is large",
        "columns of very different size, and a continuation with standardised inputs that learns better",
        "standardise with the statistics of the training part, or normalise at the input",
    ),
    Cause(
        "data.all_positive_inputs",
        "updates zig-zag, units saturate",
        "the mean of most columns is large beside their spread (a note at pixels from 0 to 1)",
        "subtract the mean",
    ),
    Cause(
        "data.target_unscaled",
        "R² at or below 0, a loss near the variance of the target",
        "mean or spread of the target far from what the outputs reach",
        "standardise the target, and undo it in predictions",
    ),
    Cause(
        "data.nonfinite",
        "NaN at the first step",
        "a NaN or infinite value in the rows",
        "fill in or drop what is named",
    ),
    Cause(
        "data.shuffled_labels",
        "training rows are learned by heart, validation stays at chance",
        "nearest neighbours and a linear model are at chance on validation rows too",
        "see that rows and labels are still paired",
    ),
    Cause(
        "data.label_noise",
        "the training loss falls in two stages, validation is best early",
        "rows that cross-validated neighbours contradict with confidence",
        "relabel the rows that are listed; label smoothing, early stopping",
    ),
    Cause(
        "data.class_imbalance",
        "one answer for all rows, accuracy at the share of the largest class",
        "class shares of more than 10 to 1, and next to none of the small class found",
        "weights of classes, a balanced sampler, a threshold, a balanced metric",
    ),
    Cause(
        "data.leakage",
        "validation is too good",
        "the same rows in both parts, or a column that gives the answer away",
        "split by groups, drop the column",
    ),
    Cause(
        "data.split_shift",
        "a gap between training and validation from the first epoch",
        "a classifier tells training from validation rows; class shares differ",
        "split anew, so that validation is like the use",
    ),
    Cause("data.no_shuffle", "a loss like a saw within epochs", "batches of one label after another", "shuffle=True"),
    Cause("data.duplicates", "a gap although there are many rows", "few of the rows are unique", "remove copies"),
    Cause(
        "model.symmetric_init",
        "the units of a layer do the same",
        "weights of units that are equal pair by pair",
        "an initialisation that draws at random (He, Xavier)",
    ),
    Cause(
        "model.init_too_small",
        "the loss stays where guessing is",
        "activations that fade from layer to layer, and weights of usual size that learn better",
        "He or Xavier, a norm layer",
    ),
    Cause(
        "model.init_too_large",
        "a first loss far above that of guessing, saturated units",
        "activations that grow from layer to layer, and weights of usual size that learn better",
        "He or Xavier",
    ),
    Cause(
        "model.saturated_activation",
        "the loss is flat",
        "tanh or sigmoid units, or gates of a recurrent layer, at their ends on most rows",
        "smaller weights or rate, ReLU, a norm layer, scaled inputs",
    ),
    Cause(
        "model.dead_relu",
        "the loss is flat, gradients are exactly 0",
        "units that are 0 on every row",
        "a lower rate, He, leaky ReLU, a norm layer",
    ),
    Cause(
        "model.missing_nonlinearity",
        "an error like that of a linear model",
        "linear layers in a row, a linear model that does as well, and one that is not linear that does better",
        "an activation between them",
    ),
    Cause(
        "model.wrong_output_activation",
        "one answer for all rows, or a loss with a floor",
        "outputs whose range cannot hold the targets",
        "the output that fits the loss",
    ),
    Cause(
        "model.wrong_output_size",
        "a loss below 0 or with a floor",
        "the number of outputs is not that of the classes, or labels of -1 and 1 where the loss takes 0 and 1",
        "one output a class, and cross-entropy",
    ),
    Cause(
        "model.bottleneck",
        "no gap, a high training error",
        "a wider network, or a simple model, that learns the training rows better",
        "a wider or deeper network",
    ),
    Cause(
        "loss.double_softmax",
        "cross-entropy that does not fall below log(1 + (C − 1)/e)",
        "probabilities given to a loss that takes logits",
        "give the loss the logits",
    ),
    Cause(
        "loss.logits_as_probs",
        "NaN from the logarithm of a negative number",
        "values outside [0, 1] given to a loss that takes probabilities",
        "the loss that takes logits",
    ),
    Cause(
        "loss.mse_for_classes",
        "slow learning of classes",
        "class numbers as targets of a squared error, and cross-entropy that learns better",
        "cross-entropy",
    ),
    Cause("loss.wrong_sign", "a loss without end below 0", "the metric falls with the loss", "change the sign"),
    Cause(
        "loss.sum_reduction",
        "the loss is as large as the batch, updates explode",
        "twice the rows give twice the loss",
        'reduction="mean"',
    ),
    Cause(
        "loss.shape_broadcast",
        "the mean is predicted for every row",
        "the loss changes when targets get the shape of the outputs",
        "y.view_as(outputs)",
    ),
    Cause(
        "optim.lr_too_high",
        "NaN, a loss above the first one, or stuck high",
        "from the same weights a lower rate does better",
        "a third to a tenth of the rate, warm-up, clipping",
    ),
    Cause(
        "optim.lr_too_low",
        "the loss is flat or creeps along a line",
        "from the same weights ten times the rate does better",
        "a range test",
    ),
    Cause(
        "optim.exploding_gradients",
        "NaN, spikes of the loss",
        "gradients that grow from layer to layer or from step to step",
        "clipping, initialisation, a norm layer",
    ),
    Cause(
        "optim.vanishing_gradients",
        "the loss is flat",
        "gradients of the first layers, or first steps, far below those of the last, and weights there that do not move",
        "ReLU and its kin, residual connections, a norm layer, initialisation",
    ),
    Cause(
        "optim.no_zero_grad",
        "the loss is unsteady, and gets worse",
        "the gradient that is used has the one before in it (accumulation on purpose is told apart)",
        "optimizer.zero_grad() each step",
    ),
    Cause(
        "optim.frozen_params",
        "learning stops at what a smaller network reaches",
        "parameters that get no gradient or are not in the optimiser (a note where that was asked for)",
        "nn.ModuleList, optimizer.add_param_group",
    ),
    Cause(
        "optim.momentum_too_high",
        "slow waves of the loss",
        "from the same weights an ordinary momentum does better",
        "0.9",
    ),
    Cause(
        "optim.bn_small_batch",
        "training and eval mode disagree",
        "batch norm on batches of four rows or fewer, and larger batches that do better",
        "larger batches, group norm",
    ),
    Cause(
        "optim.over_regularised",
        "no gap, a high training error, weights that shrink",
        "without regularisation it does better",
        "less of it",
    ),
    Cause(
        "optim.too_few_epochs",
        "it stopped while the loss was falling",
        "a continuation that goes on gaining",
        "more epochs",
    ),
    Cause(
        "optim.schedule_collapsed",
        "the loss goes flat at once",
        "a rate a thousandth of what it was while the loss was falling, and the first rate that goes on learning",
        "step the schedule once an epoch, or make it longer",
    ),
    Cause(
        "eval.train_mode_at_eval",
        "validation is noisy and low",
        "the network was in training mode while it was validated",
        "model.eval()",
    ),
    Cause(
        "eval.eval_mode_in_training",
        "statistics of batch norm that never move",
        "the network was in eval mode while it was trained",
        "model.train() after each validation",
    ),
    Cause(
        "eval.preprocess_mismatch",
        "validation is bad from the first epoch",
        "validation inputs that are training-like inputs scaled or moved",
        "one transform for both",
    ),
    Cause(
        "eval.overfit",
        "the gap grows, the validation loss rises",
        "the validation metric fell below its best, beyond its noise",
        "regularisation, augmentation, early stopping, more data",
    ),
    Cause(
        "eval.underfit",
        "no gap, a high error",
        "a simple model does better, and no other cause was proven",
        "a larger network, another rate",
    ),
    Cause(
        "pipe.data_stall",
        "training is slow",
        "more than half of the time is spent waiting for batches",
        "workers, a cache, pinned memory",
    ),
)
"""What is wrong, by id."""

SYMPTOMS: Mapping[str, str] = {
    "sym.nonfinite_loss": "the loss is not finite",
    "sym.loss_increasing": "the loss rises",
    "sym.loss_not_decreasing": "the loss does not fall",
    "sym.oscillation": "the loss swings",
    "sym.plateau": "the loss has stopped falling",
    "sym.initial_loss_wrong": "the first loss is not what the task implies",
    "sym.update_ratio_out_of_range": "updates are very large or very small beside the weights",
    "sym.constant_output": "the outputs are the same for every row",
    "sym.gap": "training and validation are apart",
    "sym.val_metric_too_good": "validation is better than can be",
}
"""What is seen, by id: a reason to look."""
