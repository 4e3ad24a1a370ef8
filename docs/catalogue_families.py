"""What the pages of the catalogue say of each family as a whole; of its techniques the code speaks (make_catalogue.py)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Family:
    """One page."""

    title: str
    about: str
    example: dict[str, object] = field(default_factory=dict)
    """Values of a recipe by path, as they stand in the example."""
    data: str = "digits"
    """What the example trains on."""
    command: str = ""
    """The example, where no recipe names the family."""
    slips: tuple[str, ...] = ()
    """Where the lecture notes are wrong or say too much, and no technique of its own says so."""
    picture: tuple[str, str] | None = None
    """File and what is to be seen on it."""


IMAGES = "digits.npz"
"""Made by the page itself: no set of images comes with scikit-learn as images."""

FAMILIES = {
    "model": Family(
        "Models",
        "The network, of `model.width` and `model.depth`. A `torch.nn.Module` of your own takes its place: `--model FILE.py:Name`, "
        "or `dressage.train(…, model=net)`.",
        {"model.name": "resnet", "model.width": 8, "model.depth": 1},
        IMAGES,
        slips=(
            "L6 has RepVGG 83 % faster than ResNet-50: a figure of whole networks on a GPU. The fusion is exact (4e-6); one fused "
            "block ran 1.7 times faster on a CPU.",
        ),
    ),
    "pool": Family(
        "Pooling",
        "How images get smaller between the stages of the convnet: an option of that model, and no value of the recipe by itself.",
        {"model.name": "convnet(pool=fractional)", "model.width": 8, "model.depth": 1},
        IMAGES,
    ),
    "activation": Family(
        "Activations",
        "The nonlinearity between layers. The gain is what `model.init` multiplies first weights by.",
        {"model.activation": "leaky_relu(slope=0.1)"},
        slips=(
            "DR10 prints GELU ≈ xα(1.702x): σ is meant, and the largest error is 0.0203.",
            "L6, C784 and R5 say that inputs which are all positive give a unit gradients all of one sign: exact for one example; "
            "in a batch of 64 it happens 29 % of the time.",
        ),
        picture=(
            "activations.svg",
            "Each function, and its derivative, over −4 … 4; of maxout one that a layer may have learned.",
        ),
    ),
    "norm": Family(
        "Normalisation",
        "What stands between a layer and its activation: linear or convolution → norm → activation → dropout.",
        {"model.norm": "group(groups=4)"},
    ),
    "init": Family(
        "First weights",
        'The rule that the first weights are drawn by; `model.output_bias = "prior"` lets all outputs begin at the shares of the '
        "classes. `dressage stats DATA` measures what becomes of a signal, "
        "`dressage stats --notes` makes the five tables of the notes.",
        {"model.init": "lsuv"},
        slips=(
            'L6 and C784 say of tanh with weights of sd 1 that "gradients will be all zero": 90 % of the units are saturated, yet '
            "the gradient grows 7.4e4-fold on its way back. Judge first weights by forward sd, "
            "saturated share and backward gain together.",
            "Their networks have 1000 rows of 500 inputs, not 10-D ones.",
        ),
        picture=(
            "init.svg",
            "The five tables of L6 and C784, 10 layers of 500 units: the sd of what each layer gives, and the gradient on its way "
            "back from layer 10.",
        ),
    ),
    "loss": Family(
        "Losses",
        "What is minimised: the mean over a batch. `loss.label_smoothing` spreads a share of the target evenly over the classes; "
        "several targets get `multi` by themselves, weighted by `loss.weights`.",
        {"loss.name": "huber(delta=1.0)"},
        data="diabetes",
    ),
    "regularize": Family(
        "Regularisation",
        "Penalties, constraints, forms of dropout and noise, in order. Plain values stand beside them: `regularize.dropout`, "
        "`regularize.weight_decay`, `loss.label_smoothing`, and `train.patience` for early stopping.",
        {"regularize.techniques": ["max_norm(limit=3.0)", "input_noise(std=0.1)"]},
        slips=(
            "The notes write ½λ‖W‖², λ‖W‖² and λθᵀθ in different places. Here it is ½λ‖w‖² in the loss, so that the gradient is "
            "λw; biases and norm parameters are left out unless asked for. With it the first loss of 3.0686 comes out that C784 "
            "prints for a regularisation of 1e3 (3.073 ± 0.0015; without the half 3.843).",
            "C784 says that L2 and weight decay are the same for SGD and momentum: exact for SGD; decoupled, λ acts like λ(1−ρ) "
            "beside a momentum ρ in the note's own form.",
            "DR10 stops when the validation accuracy decreases: noise stops it then. Patience is asked for, "
            "and the best snapshot kept.",
        ),
    ),
    "optim": Family(
        "Optimisers",
        "How a step is made from a gradient, at the rate `optim.lr`. `optim.momentum`, `beta1`, `beta2` and `eps` hold for all "
        "that have them; `clip_norm`, `clip_value` and `clip_adaptive` limit the gradient first.",
        {"optim.name": "sam(rho=0.05, base=adamw)", "optim.lr": 0.001},
        slips=(
            "CMU3 has √(v + ε) for LAMB and on some slides of AdaGrad and RMSProp; the papers and PyTorch have √v + ε.",
            "C784 lets BFGS make changes of rank 1: they are of rank 2.",
            'DR10 calls an update of 0.01 of the weights "about okay" and wants 0.001: a band is meant, about 1e-4 to 1e-2. Here '
            "only what lies outside 1e-5 to 0.1 is told, as a symptom beside other evidence.",
        ),
        picture=("optim.svg", "Forty steps in a ravine, ½(x² + 25y²): where each goes from the same start."),
    ),
    "schedule": Family(
        "Schedules",
        "How the learning rate moves, step by step: a pure function of the step, after a linear warm-up of `schedule.warmup`. "
        "`dressage plot-schedule NAME` draws any of them.",
        {"schedule.name": "warm_restarts(first=0.0667, factor=2.0)", "schedule.warmup": 0.05},
        slips=("DR10's inverse square root, α₀/√t, is infinite at t = 0: here t counts from 1.",),
        picture=("schedule.svg", "The share of the top rate over a run of 1000 steps."),
    ),
    "surface": Family(
        "Surfaces",
        "Functions of two numbers on which the paths of optimisers are drawn: `dressage plot-optim NAME NAME … --surface NAME`. "
        "Nothing that a recipe names.",
        command='dressage plot-optim sgd momentum adam --surface "ravine(steep=50)" --out paths.svg',
    ),
    "average": Family(
        "Averages of the weights",
        "What is validated, kept and predicted with, in place of the last weights.",
        {"average": "ema(decay=0.99)"},
        slips=(
            "C784 says that an average gives a small boost: small where the rate falls, but +4.8 points at a constant rate "
            "(an MLP on 5,000 images of CIFAR-10).",
        ),
    ),
    "augment": Family(
        "Augmentation",
        "Changes made to training batches, in order, never to validation or test data. Each sample has its own draw, keyed by "
        "seed, epoch and row, so that a resumed run draws the same. `dressage preview DATA --augment …` shows what they "
        "make of your data.",
        {"augment": ["random_crop(padding=1)", "gaussian_noise(sd=0.05)"]},
        IMAGES,
        picture=(
            "augment.jpg",
            "Every change of images at its defaults (random_crop with a padding of 12 pixels).",
        ),
    ),
    "preprocess": Family(
        "Preprocessing",
        "Steps fitted on the training part alone, saved with the run, and applied unchanged at validation, test and predict. "
        "`dressage eigen DATA` draws what principal components make of images.",
        {"data.preprocess": ["pca_whiten(n=0.95)"]},
    ),
    "transfer": Family(
        "Transfer",
        "Which layers of a network that is taken over from a trained run are trained, and from which epoch on: "
        "`dressage train DATA --transfer.source RUN --transfer.layers NAME`. Layer 0 is the head; `transfer.rate` and "
        "`transfer.decay` set the rates of the others. [Transfer learning](../transfer.md) has the rest.",
        command="dressage train digits --train.epochs 3 --out runs/first\n"
        "dressage train digits --transfer.source runs/first --transfer.layers \"staged(at='1,2')\" --train.epochs 3 "
        "--out runs/transfer",
    ),
    "views": Family(
        "Views at test time",
        "Views of each sample whose answers are averaged in the final judgement and in predict; validation "
        "while training stays plain.",
        {"evaluate.views": "mc_dropout(passes=20)", "regularize.dropout": 0.2},
    ),
    "members": Family(
        "Members of an ensemble",
        "How the networks of an ensemble come about: `dressage ensemble DATA --by NAME`. Nothing that a recipe names; "
        "`train.snapshots`, `data.bootstrap` and `data.split_seed` are what each sets in the recipe of its trainings.",
        command="dressage ensemble digits --by bagging --members 3 --train.epochs 3 --out ensembles/members",
    ),
    "combine": Family(
        "Combining networks",
        "How the answers of an ensemble's members become one: `dressage ensemble RUN RUN … --combine NAME`. Passes with dropout "
        "of one network are a view at test time, [mc_dropout](views.md#mc_dropout).",
        command="dressage ensemble digits --members 3 --train.epochs 3 --combine greedy --out ensembles/combine",
        slips=(
            "R5 lets the error fall linearly with the size of the ensemble: it is the squared error of k models that is 1/k of "
            "one's, and only where their errors are uncorrelated.",
            "The notes give an ensemble about 2 %: five MLPs gained 2.4 points on CIFAR-10 5k (n = 3), and on 10,000 images of "
            "Fashion-MNIST 0.1, which cannot be told from none.",
        ),
    ),
    "data": Family(
        "Named data sets",
        "Sets that go by a name where a path would stand: `dressage train DATA`. The data is no part of the recipe.",
        data="iris",
    ),
}
