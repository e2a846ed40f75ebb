"""A suite: the one TOML file that says what a run does; `bench.suite.suite_file` reads it.

Every table is a pydantic model that forbids unknown keys. Tables that configure a plugin (`gates`, `energy`)
take the plugin's own options beside the fixed keys; those are checked against the plugin.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from energy.cadence import USUAL_S


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Model(_Table):
    """Weights under a key such as `full` or `small`."""

    name: str = Field(min_length=1)
    """A name of `bench models`, a hub id (`EleutherAI/pythia-70m`), a path relative to the suite."""
    revision: str | None = None
    """Commit or tag of a hub model; the default is the branch `main`, and its commit is recorded."""
    dtype: str = Field(default="float32", min_length=1)
    """Of the weights, the cache and the arithmetic: float32, bfloat16, float16, or what a backend offers."""
    layers: int | None = Field(default=None, ge=1)
    """Keep only the first layers: a smaller model that needs no second download."""

    url: str | None = Field(default=None, min_length=1)
    """Of a server on this machine that runs it, such as `http://127.0.0.1:11434/v1`; for backend `openai`."""

    def __str__(self) -> str:
        if self.url is not None:
            return f"{self.name}, served at {self.url}"
        layers = f", first {self.layers} layers" if self.layers else ""
        return f"{self.name}, {self.dtype}{layers}"


class Prompts(_Table):
    """The prompt set, the same for every configuration."""

    file: str | None = None
    """A .txt, .jsonl or .json file, relative to the suite; or the name of a set that comes along."""
    limit: int | None = Field(default=None, ge=1)
    """Use only the first prompts of the file."""
    tokens: int | None = Field(default=None, ge=1)
    """Instead of a file: one prompt of exactly so many tokens, as `bench run --pp` makes it."""
    chat: bool | None = None
    """Write prompts as chats by the model's own template: true, false, or left out: where it has one."""
    system: str | None = None
    """A system turn in front of every chat that has none."""
    template: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the chat template, such as `{ enable_thinking = false }`."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Prompts:
        if (self.file is None) == (self.tokens is None):
            raise ValueError('give either file = "prompts.txt" or tokens = 512')
        if self.chat is False and (self.system is not None or self.template):
            raise ValueError("system and template belong to chats: remove them, or chat = false")
        return self


SAMPLING = ("temperature", "top_p", "top_k", "min_p", "do_sample", "sampling")
"""Settings of other tools that are refused by name."""


class Generation(_Table):
    """Greedy decoding, the same for every configuration unless a gate's budget says otherwise."""

    max_new_tokens: int = Field(default=64, ge=1)
    """Of each answer, unless a budget says otherwise. Left out beside `minutes`: as many up to 64 as fit."""
    ignore_eos: bool = True
    """True: fixed length, equal work in every configuration. False: stop at the end-of-sequence token."""

    batch: int = Field(default=1, ge=1)
    """Equal requests that run at a time: so many copies of a prompt, unless a budget says otherwise."""

    prompt_cache: bool = False
    """Compute the tokens that all prompts begin with once, outside every window, unless a budget says
    otherwise; requests feed the rest. Of torch and MLX; `backend_options.openai` has its own."""

    def __str__(self) -> str:
        tokens = f"{'' if self.ignore_eos else 'up to '}{self.max_new_tokens} generated tokens"
        return tokens if self.batch == 1 else f"{tokens}, batch {self.batch}"

    @model_validator(mode="before")
    @classmethod
    def _is_greedy(cls, data: Any) -> Any:
        """Sampling is refused by name: people who know other tools will try it."""
        asked = [key for key in SAMPLING if isinstance(data, dict) and key in data]
        if asked:
            raise ValueError(
                f"{asked[0]} is a setting of sampling, but decoding is greedy: with sampling, equal work and "
                "lookup have no meaning; remove the key"
            )
        return data


class Protocol(_Table):
    """How the numbers are made. The defaults are what a claim needs; shorter runs say that they are."""

    minutes: float | None = Field(default=None, gt=0)
    """In place of `blocks` and `min_window_s`: they are chosen so that the run ends in so many minutes."""
    blocks: int = Field(default=5, ge=1)
    """Repetitions of the whole counterbalanced order. The unit of statistics: a claim needs 5."""
    looks: tuple[int, ...] = ()
    """Blocks after which the verdict is looked at, such as `[5, 10, 20]`; the last is `blocks`."""
    min_window_s: float = Field(default=60.0, gt=0)
    """A window holds whole repeats until it is this long: short windows are mostly edge."""
    self_test_s: float = Field(default=5.0, ge=0)
    """Length of each load of the meter's self-test, for sources that have a meter; 0 leaves it out."""
    reading_s: float = Field(default=USUAL_S, gt=0)
    """Seconds between readings that the lengths here are for; a slower meter lengthens those that need it."""
    idle_s: float = Field(default=20.0, gt=0)
    """Length of each idle measurement, with the models loaded and nothing running."""
    cool_down_s: float = Field(default=1.0, ge=0)
    """Shortest rest before each window, so that one window's heat and tail do not fall into the next."""
    cool_down_limit_s: float = Field(default=120.0, ge=0)
    """Longest wait for nominal thermal pressure and idle power; that it was too short is recorded."""
    warm_up_s: float = Field(default=30.0, gt=0)
    """Longest warm-up per backend and model; it ends earlier once a request stops getting faster."""
    latency_prompts: int = Field(default=4, ge=0)
    """Prompts whose tokens are timed one by one before the first window, outside every window; 0: none."""
    request_deadline_s: float = Field(default=600.0, gt=0)
    """A request that takes longer has hung: its worker is replaced and its window is void."""
    load_deadline_s: float = Field(default=1800.0, gt=0)
    """Longest time for loading one backend's models."""
    threshold: float = Field(default=0.02, gt=0, lt=1)
    """Practical threshold as a fraction of the joules: a smaller effect is of no use to anybody."""
    a_a: bool = True
    """Run the baseline twice per backend; the difference is the noise of every effect."""

    @model_validator(mode="after")
    def _minutes_decide_alone(self) -> Protocol:
        stated = [key for key in ("blocks", "min_window_s", "looks") if key in self.model_fields_set]
        if self.minutes is not None and stated:
            raise ValueError(
                f"minutes = {self.minutes:g} decides what {stated[0]} says too: remove one of them"
            )
        return self

    @model_validator(mode="after")
    def _looks_are_a_plan(self) -> Protocol:
        if not self.looks:
            return self
        from analysis.effect import (
            FEWEST_BLOCKS,  # with statistics, which a suite without looks does not need
        )

        looks = list(self.looks)
        if looks != sorted(set(looks)) or looks[0] < FEWEST_BLOCKS or looks[-1] != self.blocks:
            raise ValueError(
                f"looks = {looks} must ascend, begin at {FEWEST_BLOCKS} or later, "
                f"and end at blocks = {self.blocks}"
            )
        return self


class GateConfig(BaseModel):
    """A gate under a label; other keys are options of the plugin."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    plugin: str = Field(min_length=1)
    """Which gate; the label itself where it is left out."""

    @property
    def options(self) -> dict[str, Any]:
        """The plugin's own keys."""
        return dict(self.model_extra or {})


class Energy(BaseModel):
    """The energy source; other keys are options of the source."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    source: str = Field(default="auto", min_length=1)
    """`auto` takes the best real meter of this machine, or says aloud that it models."""
    cross_check: tuple[str, ...] = ()
    """Further sources that run beside it and check its joules."""

    @property
    def options(self) -> dict[str, Any]:
        """The source's own keys."""
        return dict(self.model_extra or {})


class Suite(_Table):
    """The whole file."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
    """Stands in the names of run folders."""
    seed: int = Field(default=0, ge=0)
    """Decides the order of windows and every random gate."""
    backends: tuple[str, ...] = Field(min_length=1)
    """Each runs every gate; see `bench doctor --plugins`. One may stand there once for each of its devices:
    `["torch@mps", "torch@cpu"]`; or whole and split over processes: `["mlx", "mlx@tensor"]`."""
    backend_options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Options of a backend, such as `[backend_options.torch] device = "cpu"`."""
    models: dict[str, Model] = Field(min_length=1)
    prompts: Prompts
    generation: Generation = Generation()
    gates: dict[str, GateConfig] = Field(default={"ungated": GateConfig(plugin="ungated")}, min_length=1)
    """What is compared; the ungated model alone where there is no table."""
    protocol: Protocol = Protocol()
    energy: Energy = Energy()

    @model_validator(mode="before")
    @classmethod
    def _label_names_the_plugin(cls, data: Any) -> Any:
        """`[gates.length]` needs no `plugin` key: its label is the default."""
        gates = data.get("gates") if isinstance(data, dict) else None
        if not isinstance(gates, dict):
            return data
        named = {k: {"plugin": k, **v} if isinstance(v, dict) else v for k, v in gates.items()}
        return {**data, "gates": named}

    @model_validator(mode="after")
    def _is_comparable(self) -> Suite:
        if self.baseline_or_none is None:
            raise ValueError("no baseline to compare with: add a table [gates.ungated]")
        for backend in self.backend_options:
            if backend not in self.backends:
                raise ValueError(f"backend_options.{backend}: the suite has no backend {backend!r}")
        if len(set(self.backends)) != len(self.backends):
            raise ValueError(
                f"backends {list(self.backends)} names one twice: remove the second, or say where it runs, "
                "as in torch@cpu"
            )
        return self

    @property
    def sizes_answers(self) -> bool:
        """Whether the length of answers is left to the minutes: each run chooses its own."""
        return self.protocol.minutes is not None and "max_new_tokens" not in self.generation.model_fields_set

    @property
    def baseline_or_none(self) -> str | None:
        """Label of the first ungated gate, if there is one."""
        return next((label for label, gate in self.gates.items() if gate.plugin == "ungated"), None)

    @property
    def baseline(self) -> str:
        """Label of the ungated gate that every other arm is compared with."""
        label = self.baseline_or_none
        assert label is not None, "checked by the validator"
        return label
