"""What is typed after `--cut` -> cuts whose values are tables or groups of layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UserError
from bench.studies.cuts.cut_options import one_cut, points_of


def test_keys_of_a_table_compose_and_are_swept(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "book.txt"
    file.parent.mkdir()
    file.write_text("a text")
    points = points_of(["flatten.pairs=1-2,3-4", "flatten.mlp_keep=0.25/0.5", f"flatten.text={file}"])
    assert points.swept == ("flatten.mlp_keep",)
    values = [point.cut.stated["flatten"] for point in points.points]
    assert [value["mlp_keep"] for value in values] == [0.25, 0.5]
    assert {value["text"] for value in values} == {str(file)}
    assert values[0]["pairs"] == [[1, 2], [3, 4]]


def test_groups_are_typed_with_a_hyphen() -> None:
    assert one_cut(["share=1-2"]).stated == {"share": [[1, 2]]}
    swept = points_of(["share=1-2/1-2,4-5"]).points
    assert [point.cut.stated["share"] for point in swept] == [[[1, 2]], [[1, 2], [4, 5]]]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["flatten=1-2", "flatten.mlp_keep=1"], "one is a table; give its keys only"),
        (["flatten.mlp_keep=1", "flatten=1-2"], "one is a table; give its keys only"),
        (["flaten.pairs=1-2"], "unknown key 'flaten.pairs'; did you mean 'flatten'"),
        (["flatten.pair=1-2"], "flatten = {'pair': '1-2'}: pairs: Field required"),
        (["share=1"], "give groups of two layers or more"),
        (["mlp_keep.first=0.5"], "mlp_keep"),
    ],
)
def test_what_makes_no_cut_is_refused_in_a_line(typed: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        one_cut(typed)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "Value error" not in str(refused.value)
