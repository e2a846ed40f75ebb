"""What a conductor asks of a worker and what it hears back: dataclasses here, JSON objects on the wire.

A worker that obeys more commands (`bench.studies.question_worker`) has its messages where their subject is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args

from backends.base import BackendInfo, Redundancy
from backends.cut import FULL, Cut
from backends.guard import Verdict
from bench.run.observed import Answered, Counted, Latency, Settled
from bench.run.workers.logits import LogitComparison
from bench.suite.config import GateConfig
from bench.suite.prompt_forms import Chat, Prompt

A = TypeVar("A")


@dataclass(frozen=True)
class Message(Generic[A]):
    """A question to which the answer is an `A`."""

    command: ClassVar[str]
    """Its name on the wire: that of its class, `time_tokens` for `TimeTokens`."""

    def __init_subclass__(cls) -> None:
        cls.command = re.sub(r"\B([A-Z])", r"_\1", cls.__name__).lower()

    @classmethod
    def answer(cls) -> type[A]:
        """The class of the answer: the `A` of `class ...(Message[A])`."""
        return cast(type[A], get_args(cls.__dict__["__orig_bases__"][0])[0])


@dataclass(frozen=True, kw_only=True)
class Named:
    """What every message has on the wire beside its fields."""

    command: str


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a worker can't do what it was asked, and what to do about it."""

    what: str
    fix: str | None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The answer of a worker that is fine and can't; in every other answer there is no error."""

    error: Refusal | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    """It is done, and there is nothing to say about it."""


@dataclass(frozen=True, kw_only=True)
class ModelToLoad:
    """A model and how to load it."""

    folder: Path | None
    """None where the backend needs no weights."""
    options: dict[str, Any] = field(default_factory=dict)
    """The other options of the backend's factory."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What was loaded, by model key."""

    loaded: dict[str, BackendInfo]


@dataclass(frozen=True, kw_only=True)
class Load(Message[Loaded]):
    """Load every model and make every gate."""

    models: dict[str, ModelToLoad]
    gates: dict[str, GateConfig] = field(default_factory=dict)
    max_new_tokens: int = 1
    """Of a request whose budget does not say."""
    ignore_eos: bool = False
    batch: int = 1
    """Like the tokens of a request whose budget does not say."""
    prompt_cache: bool = False
    """Like these."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Token ids by model key and prompt id."""

    ids: dict[str, dict[str, list[int]]]
    chats: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the chat template that wrote the prompts, by model key; none for plain text."""


@dataclass(frozen=True, kw_only=True)
class Encode(Message[Encoded]):
    """Tokenise every prompt for every model, so that no window contains it."""

    prompts: list[Prompt]
    chat: Chat | None = None
    """How they are written as chats; None: they are plain text."""


@dataclass(frozen=True, kw_only=True)
class Ready(Message[Done]):
    """Match the controls to their gates, and prepare every cut that some prompt will get."""

    gate_model: str
    """Key of the model whose token ids the gates see."""


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """Whether each gate takes effect, by label."""

    gates: dict[str, Verdict]


@dataclass(frozen=True, kw_only=True)
class Guard(Message[Guarded]):
    """Does each gate take effect?"""

    baseline: str
    """Label of what the others are set beside."""


@dataclass(frozen=True, kw_only=True)
class Synchronized:
    """The instant at which every device was idle."""

    now_s: float
    others: list[float] = field(default_factory=list)
    """The same of every other rank on its own clock, where several run a model together."""


@dataclass(frozen=True, kw_only=True)
class Synchronize(Message[Synchronized]):
    """Wait until every device is idle, then read the clock."""


@dataclass(frozen=True, kw_only=True)
class Request(Message[Answered]):
    """One prompt under one gate."""

    prompt_id: str
    gate: str


@dataclass(frozen=True, kw_only=True)
class Warmed:
    """How long it took."""

    seconds_s: float


@dataclass(frozen=True, kw_only=True)
class Warm(Message[Warmed]):
    """One request without a gate."""

    model: str
    prompt_id: str


@dataclass(frozen=True, kw_only=True)
class TimeTokens(Message[Latency]):
    """A request whose tokens are timed one by one; nothing else of it is kept."""

    prompt_id: str
    gate: str


@dataclass(frozen=True, kw_only=True)
class Discard(Message[Done]):
    """A request of which nothing is kept: the first after a rest may be slow."""

    prompt_id: str
    gate: str


@dataclass(frozen=True, kw_only=True)
class Resize(Message[Done]):
    """From now on answers have another length, where a budget does not say."""

    max_new_tokens: int


@dataclass(frozen=True, kw_only=True)
class AllSettled:
    """Of each request since the last such question, in their order."""

    requests: list[Settled]
    counted: list[Counted] = field(default_factory=list)
    """Of each, where a server answers; else none."""


@dataclass(frozen=True, kw_only=True)
class Settle(Message[AllSettled]):
    """What is worth knowing of the requests since the last call; asked for once a window is closed."""


@dataclass(frozen=True, kw_only=True)
class LogitsSent:
    """Logits as little-endian float32 in hexadecimal."""

    shape: tuple[int, int]
    """Positions and vocabulary."""
    float32_hex: str


@dataclass(frozen=True, kw_only=True)
class AskLogits(Message[LogitsSent]):
    """Logits at every position of a prompt; or after it, one by one through the cache."""

    model: str
    ids: list[int]
    fed: list[int] = field(default_factory=list)
    """Tokens that are fed after the prompt; without any, all positions of the prompt are asked for."""
    float32_layers: int | None = None
    """Load so many of the first layers in float32 for this; None: the model as it is loaded."""
    cut: Cut = FULL
    product_bits: int | None = None
    """On the CPU, with the inputs of every product rounded to so many bits of mantissa; float32 has 23."""


@dataclass(frozen=True, kw_only=True)
class Forget(Message[Done]):
    """Free what was loaded in float32 for a comparison."""


@dataclass(frozen=True, kw_only=True)
class LogitsCompared:
    """One for each cut."""

    comparisons: list[LogitComparison]


@dataclass(frozen=True, kw_only=True)
class CompareLogits(Message[LogitsCompared]):
    """Teacher-forced logits under cuts beside those without; see `logits.py`."""

    model: str
    ids: list[int]
    cuts: list[Cut]
    first: int
    """Position from which on they are compared."""


@dataclass(frozen=True, kw_only=True)
class AskRedundancy(Message[Redundancy]):
    """How little each attention, MLP and block changes the residual stream over some ids."""

    model: str
    ids: list[int]
    cut: Cut = FULL
    """What is left out meanwhile."""
