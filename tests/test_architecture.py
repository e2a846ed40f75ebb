"""The shape of the code: who may import whom, and what start-up must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEAVES = ("backends", "energy", "analysis")
PACKAGES = ("bench", *LEAVES)
ROOMS = ("cli", "fleet", "studies", "report", "run", "suite", "show", "errors", "typed", "lifeline")
"""The rooms of `bench`, top first: each may use those below it, and none above."""
HEAVY = (
    *("torch", "mlx", "transformers", "pandas", "scipy", "matplotlib", "numpy", "pyarrow"),
    *("dask", "distributed", "asyncssh"),
)

SAID = {
    *("error", "warning", "caution", "reason", "refusal", "note", "why", "what", "fix", "meaning", "msg"),
    *("words", "subject", "verdict", "quantised"),
}
"""Names of what is said to a person, which no code reads."""
READS = {
    *("startswith", "endswith", "partition", "rpartition", "split", "rsplit", "splitlines", "find", "index"),
    *("removeprefix", "removesuffix", "replace", "strip", "match", "search", "fullmatch", "findall", "sub"),
}
"""Methods of text, and functions of `re`, that take it apart."""

MOST_LINES = {"file": 300, "function": 40, "signature": 30}
"""Of a function its statements count; its docstring does not, and its signature by itself.

A long docstring explains, and the signature of a command is its options.
"""

CLOCKS = {
    name + unit for name in ("perf_counter", "monotonic", "process_time", "time") for unit in ("", "_ns")
}
"""Functions of `time` that say what time it is."""


def nodes_in(code: str) -> Sequence[ast.AST]:
    """Of its syntax tree."""
    return list(ast.walk(ast.parse(code)))


@cache
def nodes_of(file: Path) -> Sequence[ast.AST]:
    """Of a file's syntax tree."""
    return nodes_in(file.read_text(encoding="utf-8"))


@cache
def modules_of(file: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in the file."""
    names: set[str] = set()
    for node in nodes_of(file):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports_of(file: Path) -> set[str]:
    """Top-level names of everything a file imports."""
    return {name.split(".")[0] for name in modules_of(file)}


def room_of(name: str) -> str:
    """The room of a dotted name such as `bench.run.store.read`."""
    return name.split(".")[1]


@pytest.mark.parametrize("package", LEAVES)
def test_a_leaf_imports_no_project_code_outside_itself(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        foreign = imports_of(file) & (set(PACKAGES) - {package})
        assert not foreign, f"{file.relative_to(ROOT)} imports {foreign}"


def test_the_conductor_has_every_arrow_and_tests_are_not_imported() -> None:
    used = set().union(*(imports_of(file) for file in (ROOT / "bench").rglob("*.py")))
    assert {"backends", "energy"} <= used
    assert "tests" not in used


def test_the_rooms_of_the_conductor_are_those_that_are_named() -> None:
    no_rooms = ("__init__.py", "__pycache__", "py.typed")
    here = {path.stem for path in (ROOT / "bench").iterdir() if path.name not in no_rooms}
    assert here == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_go_down_only(room: str) -> None:
    top = ROOT / "bench" / room
    climbs = {
        (file.relative_to(ROOT / "bench").as_posix(), room_of(name))
        for file in ([top.with_suffix(".py")] if not top.is_dir() else top.rglob("*.py"))
        for name in modules_of(file)
        if name.startswith("bench.") and room_of(name) in ROOMS[: ROOMS.index(room)]
    }
    assert not climbs


def test_a_class_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in nodes_of(file):
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(str(file.relative_to(ROOT)))
    assert not {name: files for name, files in places.items() if len(files) > 1}


def test_no_module_of_the_conductor_imports_a_heavy_library_at_the_top_of_the_command_line() -> None:
    code = (
        "import sys; sys.argv = ['bench', '--help']\n"
        "from bench.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Measure" in done.stdout
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_every_plugin_can_be_imported_without_a_model_library() -> None:
    code = (
        "import sys\nfrom bench.suite.plugins import listing\n"
        "assert len(listing()) >= 10\n"
        "print([name for name in ('torch', 'mlx', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_unpickled_or_run_by_a_shell() -> None:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            assert not imports_of(file) & {"pickle", "shelve", "marshal", "dill", "cloudpickle"}, file
            for word in ("shell=True", "os.system", "trust_remote_code=True", "killall", "pkill"):
                assert word not in text, f"{file}: {word}"


def is_said(node: ast.AST, caught: set[str]) -> bool:
    """Whether an expression is something that is said to a person, or an error that was caught."""
    name = getattr(node, "id", None) or getattr(node, "attr", None)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        name = node.slice.value
    return isinstance(name, str) and (name in caught or name.removesuffix("s") in SAID)


def read_prose(nodes: Sequence[ast.AST]) -> list[int]:
    """Lines that take apart what is said to a person, or look for words in it."""
    caught = {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    lines = []
    for node in nodes:
        read: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READS:
            sought = [] if node.func.attr == "index" else node.args  # the place of a verdict in a list
            read = [node.func.value, *sought]
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant):
            read = [
                b
                for op, b in zip(node.ops, node.comparators, strict=True)
                if isinstance(op, ast.In | ast.NotIn)
            ]
        if any(is_said(part, caught) for one in read for part in ast.walk(one)):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "code",
    [
        "try: f()\nexcept E as gone: g(str(gone).partition('; ')[0])",
        "any(warning.startswith('joules are ') for warning in report.warnings)",
        "re.search('`(.+)`', refusal.what)",
        "'sudo' in error.fix",
        "problem['msg'].removeprefix('Value error, ')",
        "one.words.removeprefix(f'{one.subject}: ')",
        "next(one for one in VERDICTS if row.verdict.startswith(one))",
        "folder.quantised.startswith('mlx')",
    ],
)
def test_what_takes_prose_apart_is_seen(code: str) -> None:
    assert read_prose(nodes_in(code))


def test_no_code_reads_what_is_said_to_a_person() -> None:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            lines = read_prose(nodes_of(file))
            assert not lines, f"{file.relative_to(ROOT)}, lines {lines}: take a value instead"


def asserts_on_clocks(nodes: Sequence[ast.AST]) -> list[int]:
    """Lines that assert on what a clock says, or on the difference of two readings."""

    def reads(node: ast.AST) -> bool:
        calls = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
        return any(ast.unparse(function).removeprefix("time.") in CLOCKS for function in calls)

    taken = {
        ast.unparse(target)
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and reads(node.value)
        for target in node.targets
        if isinstance(node.value.op, ast.Sub)
    }
    return [
        node.lineno
        for node in nodes
        if isinstance(node, ast.Assert)
        for compared in ast.walk(node)
        if isinstance(compared, ast.Compare)
        and (reads(compared) or taken & {ast.unparse(part) for part in ast.walk(compared)})
    ]


@pytest.mark.parametrize(
    "code",
    [
        "assert time.perf_counter() - begin_s < 5",
        "assert perf_counter() < deadline_s",
        "took_s = time.monotonic() - begin_s\nassert took_s < 5",
    ],
)
def test_an_assertion_on_a_clock_is_seen(code: str) -> None:
    assert asserts_on_clocks(nodes_in(code))


def test_no_test_asserts_how_long_something_takes() -> None:
    """A busy machine would fail it. Speed is for `benchmarks/`; deadlines are tested on made-up clocks."""
    for file in (ROOT / "tests").rglob("*.py"):
        code = file.read_text(encoding="utf-8")
        lines = asserts_on_clocks(nodes_in(code)) if any(f"{clock}(" in code for clock in CLOCKS) else []
        assert not lines, f"{file.relative_to(ROOT)}, lines {lines}: assert something else than a time"


def lengths(nodes: Sequence[ast.AST]) -> list[tuple[str, int, int]]:
    """Each function with the lines of its statements, without the docstring, and of its signature."""
    functions = []
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            has_more = ast.get_docstring(node) is not None and len(node.body) > 1
            begin = node.body[1 if has_more else 0].lineno
            statements = (node.end_lineno or begin) - begin + 1
            functions.append((node.name, statements, node.body[0].lineno - node.lineno))
    return functions


def test_the_length_of_a_function_is_that_of_its_statements() -> None:
    code = 'def f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n    b = a\n\n    return b\n'
    assert lengths(nodes_in(code)) == [("f", 3, 3)]
    assert lengths(nodes_in('def f():\n    """Only this."""')) == [("f", 1, 1)]


@pytest.mark.parametrize("package", PACKAGES)
def test_files_and_functions_are_short(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        where = file.relative_to(ROOT)
        assert text.count("\n") <= MOST_LINES["file"], where
        for name, statements, signature in lengths(nodes_of(file)):
            assert statements <= MOST_LINES["function"], f"{where}: {name}"
            assert signature <= MOST_LINES["signature"], f"{where}: {name}"
