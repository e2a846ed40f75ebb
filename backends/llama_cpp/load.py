"""Open a GGUF file in llama.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from backends.about import About, about
from backends.base import Backend, ModelError

CONTEXT = 8192
"""Positions that are reserved unless more are asked for: a model of 128k would take gigabytes."""

ABOUT = About(
    needs=("xllamacpp",),
    install="joulebench[llama-cpp]",
    packages=("xllamacpp",),
    weight_files=("*.gguf",),
    dtype_of_file=True,
    lacks=(
        "cuts",
        "layers",
        "logits",
        "hidden",
        "redundancy",
        "probes",
        "batches",
        "prompt_cache",
        "kv_bits",
    ),
)


@about(ABOUT)
def load(
    *,
    folder: Path,
    dtype: str = "float32",
    layers: int | None = None,
    threads: Annotated[int, Field(ge=1)] | None = None,
    prefill_chunk: Annotated[int, Field(ge=1)] = 512,
    gpu_layers: Annotated[int, Field(ge=0)] | None = None,
    context: Annotated[int, Field(ge=1)] | None = None,
) -> Backend:
    """llama.cpp on a GGUF file, quantised as it is: Metal on a Mac, else CPU.

    Args:
        folder: A GGUF file, or a folder that holds one.
        dtype: Not used: the file says how its weights are stored.
        layers: All of them; a file can't be shortened.
        threads: That compute a forward; none leaves it to llama.cpp.
        prefill_chunk: Prompt tokens of a forward at most.
        gpu_layers: Layers on the GPU; none puts all of them there.
        context: Positions to reserve; none reserves the model's own, but 8192 at most.

    Raises:
        MissingLibrary: xllamacpp is not installed.
        ModelError: There is no GGUF file or more than one, it is damaged, or llama.cpp can't load it.
    """
    ABOUT.require()
    file = gguf_of(folder)
    if layers is not None:
        raise ModelError(f"layers = {layers}, but llama.cpp runs all layers of a file", fix="leave it out")
    from backends.llama_cpp.decoder import LlamaCppBackend

    return LlamaCppBackend(file, threads=threads, chunk=prefill_chunk, gpu_layers=gpu_layers, context=context)


def gguf_of(folder: Path) -> Path:
    """The GGUF file that is meant: `folder` itself, or the one in it. Of a split model it is the first part.

    Raises:
        ModelError: There is none, or more than one.
    """
    if folder.is_file():
        return folder
    found = sorted(folder.glob("[!.]*.gguf"))  # macOS hides `._NAME` beside a file on disks of other systems
    files = [file for file in found if "-of-" not in file.stem or "-00001-of-" in file.stem]
    if not files:
        raise ModelError(f"{folder} holds no *.gguf", fix="give the path of a GGUF file")
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise ModelError(f"{folder} holds {len(files)} GGUF files: {names}", fix=f"name one: {files[0]}")
    return files[0]
