"""What an operation computes, and what it does with the gradient g of its output on the way back. L6, C784, CMU3."""

from __future__ import annotations

from collections.abc import Mapping

SAME = ("the same numbers in another shape", "g in the old shape")
WINDOW = ("the mean of each window", "g shared out evenly")
LARGEST = ("the largest of each window", "g to the largest, 0 else")
PRODUCT = ("A B", "∂A = g Bᵀ, ∂B = Aᵀ g")
CONVOLUTION = ("x ∗ W + b", "∂x = g ∗ W turned round, ∂W = x ∗ g, ∂b = Σ g")
NORM = ("γ (x − μ)/σ + β", "∂x = γ/σ (g − mean g − x̂ mean g x̂), ∂γ = Σ g x̂, ∂β = Σ g")

FORMULAS: Mapping[str, tuple[str, str]] = {
    "add": ("a + b", "∂a = g, ∂b = g"),
    "sub": ("a − b", "∂a = g, ∂b = −g"),
    "mul": ("a b", "∂a = g b, ∂b = g a"),
    "div": ("a / b", "∂a = g/b, ∂b = −g a/b²"),
    "pow": ("aᵇ", "∂a = g b aᵇ⁻¹"),
    "neg": ("−x", "∂x = −g"),
    "exp": ("eˣ", "∂x = g eˣ"),
    "log": ("log x", "∂x = g/x"),
    "sqrt": ("√x", "∂x = g/(2√x)"),
    "square": ("x²", "∂x = 2 g x"),
    "abs": ("|x|", "∂x = g sign x"),
    "sin": ("sin x", "∂x = g cos x"),
    "cos": ("cos x", "∂x = −g sin x"),
    "maximum": ("max(a, b)", "g to the larger, 0 else"),
    "minimum": ("min(a, b)", "g to the smaller, 0 else"),
    "linear": ("x Wᵀ + b", "∂x = g W, ∂W = gᵀ x, ∂b = Σ g"),
    "addmm": ("b + x W", "∂x = g Wᵀ, ∂W = xᵀ g, ∂b = Σ g"),
    **dict.fromkeys(("matmul", "mm", "bmm"), PRODUCT),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), CONVOLUTION),
    "embedding": ("row x of W", "g added to row x of ∂W"),
    "relu": ("max(0, x)", "∂x = g where x > 0, 0 else"),
    "leaky_relu": ("x where x > 0, αx else", "∂x = g where x > 0, αg else"),
    "tanh": ("tanh x", "∂x = g (1 − tanh² x)"),
    "sigmoid": ("σ(x) = 1/(1 + e⁻ˣ)", "∂x = g σ(x)(1 − σ(x))"),
    "gelu": ("x Φ(x)", "∂x = g (Φ(x) + x φ(x))"),
    "silu": ("x σ(x)", "∂x = g σ(x)(1 + x (1 − σ(x)))"),
    "elu": ("x where x > 0, α(eˣ − 1) else", "∂x = g where x > 0, g α eˣ else"),
    "softplus": ("log(1 + eˣ)", "∂x = g σ(x)"),
    "softmax": ("eˣ / Σ eˣ", "∂x = p (g − Σ g p)"),
    "log_softmax": ("x − log Σ eˣ", "∂x = g − p Σ g, p = softmax x"),
    "cross_entropy": ("−mean log softmax(x)_y", "∂x = g (softmax x − 1_y)/N"),
    "nll_loss": ("−mean x_y", "∂x = −g 1_y/N"),
    "mse_loss": ("mean (x − y)²", "∂x = 2 g (x − y)/n"),
    "binary_cross_entropy_with_logits": ("mean (log(1 + eˣ) − x y)", "∂x = g (σ(x) − y)/n"),
    "smooth_l1_loss": ("mean of ½d² near 0, |d| − ½ beyond", "∂x = g d near 0, g sign d beyond, over n"),
    "huber_loss": ("mean of ½d² near 0, δ|d| − ½δ² beyond", "∂x = g d near 0, g δ sign d beyond, over n"),
    **dict.fromkeys(("batch_norm", "layer_norm", "group_norm", "instance_norm"), NORM),
    "dropout": ("x m/(1 − p), m of 0 and 1", "∂x = g m/(1 − p)"),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "adaptive_max_pool2d", "amax"), LARGEST),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"), WINDOW),
    "sum": ("Σ x", "∂x = g for each"),
    "mean": ("mean x", "∂x = g/n for each"),
    **dict.fromkeys(("cat", "stack"), ("side by side", "g cut apart")),
    "scaled_dot_product_attention": ("softmax(Q Kᵀ/√d) V", "through the products and the softmax"),
    **dict.fromkeys(
        ("flatten", "reshape", "view", "permute", "transpose", "squeeze", "unsqueeze", "movedim", "T"), SAME
    ),
    **dict.fromkeys(("contiguous", "clone", "float", "double", "to", "type_as", "expand_as"), SAME),
}
"""Operation → (what it computes of x, or of a and b; the gradients of its inputs). p, m, x̂: as in the forward pass."""

_REVERSED = {"__radd__": "add", "__rmul__": "mul", "__rmatmul__": "matmul"}
_OPERATORS = {"__truediv__": "div", "true_divide": "div", "divide": "div", "multiply": "mul", "subtract": "sub"}


def operation_of(name: str) -> str:
    """One name for `relu_`, `__add__`, `__radd__` and their like."""
    if name in _REVERSED or name in _OPERATORS:
        return {**_REVERSED, **_OPERATORS}[name]
    plain = name.strip("_")
    return {"truediv": "div", "rtruediv": "rdiv", "iadd": "add", "imul": "mul", "isub": "sub"}.get(plain, plain)
