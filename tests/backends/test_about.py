"""What a backend says of itself, and what is said where a library is missing."""

import sys

import pytest

from backends.about import LOGIT_TOLERANCE, About, about, about_of
from backends.base import BackendError, MissingLibrary
from backends.echo import load as echo
from backends.mlx import load as mlx
from backends.torch import load as torch


def test_a_factory_that_says_nothing_has_the_defaults():
    said = about_of(lambda: None)
    assert said == About()
    assert said.weight_files == ("*.safetensors",)
    assert said.logit_tolerance == LOGIT_TOLERANCE
    assert said.versions() == {}
    said.require()


def test_what_is_put_on_a_factory_is_found_there():
    said = About(packages=("numpy", "no-such-package"))

    @about(said)
    def load() -> None:
        """A factory."""

    assert about_of(load) is said
    assert list(said.versions()) == ["numpy"]


@pytest.mark.parametrize(("module", "extra"), [(torch, "joulebench[torch]"), (mlx, "joulebench[mlx]")])
def test_a_missing_library_is_one_error_with_the_line_to_type(
    module, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path
):
    for name in about_of(module.load).needs:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingLibrary, match="pip install 'joulebench") as raised:
        module.load(folder=tmp_path)
    assert raised.value.install == extra
    assert raised.value.missing == about_of(module.load).needs
    assert isinstance(raised.value, BackendError)


def test_the_stand_in_needs_nothing():
    assert about_of(echo.load).missing == ()
    assert about_of(echo.load).tools is None


@pytest.mark.parametrize("module", [torch, mlx])
def test_tools_answer_whether_the_gpu_works(module):
    tools = about_of(module.load).tools
    assert tools is not None
    assert tools().gpu_works() in (True, False)
