"""What a run will need, from numbers alone: memory by what it is for, and time by what it is spent on.

Memory at the worst moment, the backward pass of the largest forward pass (T tokens, S of them supervised):

    weights      4 bytes each that trains (float32); 4, 2, 1 or 0.52 each that is frozen, by precision or quantising;
                 2 more for each that trains under bf16, since autocast keeps a copy
    gradients    4 bytes a trained weight
    optimizer    8 bytes a trained weight: AdamW's two moments
    activations  T x layers x what a layer keeps for its backward pass (`kept`); with activation checkpointing T x
                 hidden x layers, and one layer in full
    logits       S x vocabulary x 12 bytes (likelihoods, their gradient, the gradient of the logits), 14 under bf16

Afterwards, in place of the last four, answers: keys and values of all tokens that are in the cache at once, and what a
layer at work holds of them.

Layers are taken to be of Llama's kind: two norms, attention that keeps queries, keys, values and what it put out, a
gated MLP. The kernel of attention is taken not to keep the square of the length. What the process itself needs is
measured, not reckoned. On a CPU the heap keeps holes between activations of many sizes: their share is measured on
models of 1 to 14 million parameters, 1.3 times the activations, or 2 times where adapters allocate in between.

Time is the sum of three: multiplications at the speed this machine multiplies matrices of the model's own size, other
work at the speed it moves memory, and a share for each of the many small operations. A token costs 2 FLOPs a weight
forward; backward as much again, and as much again for weights that train.
"""

from dataclasses import dataclass

from schemas.method import Method

# Bytes a quantised weight, with the constants that go with it (NF4 in blocks of 64, constants quantised again).
_QUANTISED: dict[Method, float] = {"qlora-8bit": 1.0, "qlora-4bit": 0.516}
# Small operations a layer runs: forward, and about twice as many backward.
_OPERATIONS, _OPERATIONS_ADAPTED = 60, 130
_HOLES, _HOLES_ADAPTED = 1.3, 2.0
# Times the kept activations are read or written, forward and backward together.
_PASSES = 6.0


@dataclass(frozen=True)
class Shape:
    """A model in numbers.

    Attributes:
        layers: Of encoder and decoder together.
        attention: Width of all heads' queries: heads x head_dim.
        keys: Width of the keys, and of the values.
        intermediate: Width of the MLP.
        n_linear: Weights of the layers' matrices, which quantising makes small.
        n_trained_linear: Those of them that train themselves.
        n_adapted: Matrices with an adapter.
    """

    layers: int
    hidden: int
    attention: int
    keys: int
    intermediate: int
    vocabulary: int
    n_parameters: int
    n_trainable: int
    n_linear: int
    n_trained_linear: int
    n_adapted: int


@dataclass(frozen=True)
class Work:
    """A run in numbers; places are tokens and padding.

    Attributes:
        steps: Optimizer steps.
        tokens: Trained on in all, without padding.
        places: Computed in all.
        supervised: Tokens with a loss, in all.
        pairs: Sum over forward passes of places x row width: what attention looks at.
        passes: Forward passes in all.
        largest: Places of the largest forward pass.
        most_supervised: Supervised tokens of the fullest one.
        validated: Places of all validations together.
        cached: Most places in the cache while the model answers.
    """

    steps: int
    tokens: int
    places: int
    supervised: int
    pairs: int
    passes: int
    largest: int
    most_supervised: int
    validated: int
    cached: int = 0


@dataclass(frozen=True)
class Means:
    """How it is computed.

    Attributes:
        method: What trains.
        bf16: Whether forward and frozen weights are bf16; else float32.
        checkpointing: Whether activations are worked out again.
        trained_layers: Layers that a gradient goes through.
        heap: Whether it lies in the C library's heap (a CPU), which keeps holes between what it gave out.
    """

    method: Method
    bf16: bool
    checkpointing: bool
    trained_layers: int
    heap: bool = False


@dataclass(frozen=True)
class Memory:
    """Bytes at the worst moment, by what they are for: `answers` after training, in place of the four before it."""

    process: float
    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    answers: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        training = self.gradients + self.optimizer + self.activations + self.logits
        return self.process + self.weights + max(training, self.answers)


@dataclass(frozen=True)
class Speeds:
    """What a machine does in a second.

    Attributes:
        flops: Multiplications and additions in matrix products of the model's size.
        bytes: Moved in plain work.
        operation: Seconds that a small operation takes however small it is.
        name: Of the machine's part that works.
    """

    flops: float
    bytes: float
    operation: float
    name: str


def kept(shape: Shape, means: Means) -> float:
    """Return the bytes that one layer keeps of one token until its backward pass."""
    h, a, k, i = shape.hidden, shape.attention, shape.keys, shape.intermediate
    size = 2 if means.bf16 else 4
    # Both norms read the stream; a gain that trains keeps what it scaled; queries, keys, values, output of attention
    # and a copy in the order of its projection; gate, its activation, up and their product.
    # Norms work in float32, whatever the rest does.
    norms = 2 * h * (2 if means.bf16 else 1)
    if shape.n_trained_linear:
        norms += 2 * h
    read = 2 * h
    if means.bf16 and shape.n_adapted:
        # Adapters are float32: each casts what it reads for itself (queries, keys, values; gate and up).
        read = 5 * h + a + i
    return size * (norms + read + 3 * a + 2 * k + 4 * i)


def memory_of(shape: Shape, work: Work, means: Means, process: float) -> Memory:
    """Return what training needs.

    Args:
        shape: The model.
        work: The run.
        means: How.
        process: Bytes the process needs before the model is there.
    """
    frozen_size = 2 if means.bf16 else 4
    frozen = shape.n_parameters - shape.n_trainable
    quantised = _QUANTISED.get(means.method)
    linear = shape.n_linear if quantised is not None else 0
    weights = (frozen - linear) * frozen_size + linear * (quantised or 0.0)
    weights += shape.n_trainable * (6 if means.bf16 else 4)
    layer = kept(shape, means)
    if quantised is not None and shape.layers:
        # The largest matrix is unpacked for its product.
        weights += 2 * shape.hidden * shape.intermediate
    size = 2 if means.bf16 else 4
    if means.checkpointing:
        activations = work.largest * (
            shape.hidden * size * means.trained_layers + (layer if means.trained_layers else 0)
        )
    else:
        activations = work.largest * layer * means.trained_layers
    # A layer at work holds its widest tensors and their gradients beside what is kept.
    activations += work.largest * size * (3 * shape.intermediate + 2 * shape.hidden)
    if means.heap:
        activations *= _HOLES_ADAPTED if shape.n_adapted else _HOLES
    logits = work.most_supervised * shape.vocabulary * (14 if means.bf16 else 12)
    answers = work.cached * size * (2.0 * shape.keys * shape.layers + 3 * shape.intermediate + 2 * shape.hidden)
    return Memory(
        process, weights, 4.0 * shape.n_trainable, 8.0 * shape.n_trainable, activations, float(logits), answers
    )


def flops_of(shape: Shape, work: Work, means: Means) -> float:
    """Return the floating-point operations of all steps and validations, those worked out again included."""
    forward = 2.0 * shape.n_linear * work.places
    attend = 4.0 * shape.attention * shape.layers * work.pairs
    head = 2.0 * shape.hidden * shape.vocabulary * work.supervised
    through = means.trained_layers / max(1, shape.layers)
    adapters = max(0, shape.n_trainable - shape.n_trained_linear) if shape.n_adapted else 0
    backward = forward * through + 2.0 * shape.n_trained_linear * work.places + 2 * attend * through + head
    backward += 3 * 2.0 * adapters * work.places
    again = (forward + attend) * through if means.checkpointing else 0.0
    trains_head = shape.n_trained_linear and shape.n_trainable > shape.n_trained_linear
    return (
        forward + attend + head * (2 if trains_head else 1) + backward + again + 2.0 * shape.n_linear * work.validated
    )


def seconds_of(shape: Shape, work: Work, means: Means, speeds: Speeds) -> float:
    """Return how long training takes, validations included, evaluation afterwards not."""
    through = means.trained_layers / max(1, shape.layers)
    moved = kept(shape, means) * shape.layers * work.places * _PASSES * (1 + through) / 2
    moved += work.supervised * shape.vocabulary * 4 * _PASSES
    # AdamW reads and writes weight, gradient and moments; clipping and zeroing pass over the gradient.
    moved += work.steps * shape.n_trainable * 4.0 * 11
    per_layer = _OPERATIONS_ADAPTED if shape.n_adapted else _OPERATIONS
    operations = (
        work.passes
        * per_layer
        * (shape.layers + 2 * means.trained_layers + (means.checkpointing * means.trained_layers))
    )
    return flops_of(shape, work, means) / speeds.flops + moved / speeds.bytes + operations * speeds.operation
