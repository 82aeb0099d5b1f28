"""What a session of the stand-in for Kaggle finds attached. The marks are those of `rules`."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from tests.fakes.kaggle import Kaggle
from tests.kaggle.calling import create, dataset, printed, push
from tests.waiting import until


def test_an_output_is_the_input_of_another_kernel(kaggle: Kaggle) -> None:
    # Of the newest complete version, by owner and slug as of 2026 or by slug alone as before [F]; what is not to be had
    # is named in the answer, and the session runs without it [S].
    push(kaggle, text="open('out', 'w').write('carried')")
    kaggle.over("first-one")
    push(kaggle, text="open('out', 'w').write('broken'); raise SystemExit(1)")
    kaggle.over("first-one")
    reading = "import pathlib\nfor p in sorted(pathlib.Path('/kaggle/input').rglob('out')): print(p, p.read_text())"
    sources = ["ada/first-one", "ada/no-such"]
    for layout, path in (("2026", "/kaggle/input/notebooks/ada/first-one/out"), ("old", "/kaggle/input/first-one/out")):
        kaggle.set(layout=layout)
        answer = push(kaggle, f"reads-{layout}", reading, kernelDataSources=sources)
        assert answer.json["invalidKernelSources"] == ["ada/no-such"]
        assert kaggle.over(f"reads-{layout}").log.plain().splitlines()[0] == f"{path} carried"


def test_a_data_set_is_mounted_read_only(kaggle: Kaggle) -> None:
    # By owner and slug as of 2026, by slug alone as before [F].
    kaggle.set(dataset_hidden_s=0, dataset_processing_s=0)
    create(kaggle, "my-data", {"file": b"inside"})
    text = """
import pathlib
for path in sorted(pathlib.Path("/kaggle/input").rglob("file")):
    print(path, path.read_text())
    try:
        path.write_text("mine")
    except OSError as error:
        print(error.strerror)
"""
    for layout, path in (("2026", "/kaggle/input/datasets/ada/my-data/file"), ("old", "/kaggle/input/my-data/file")):
        kaggle.set(layout=layout)
        push(kaggle, f"reads-{layout}", text, datasetDataSources=["ada/my-data"])
        lines = kaggle.over(f"reads-{layout}").log.plain().splitlines()
        assert lines[:2] == [f"{path} inside", "Read-only file system"]


def test_a_data_set_that_is_not_ready_is_left_out(kaggle: Kaggle) -> None:
    # Named in the answer, which is no refusal [S].
    kaggle.set(dataset_hidden_s=3600, dataset_processing_s=3600)
    create(kaggle, "my-data", {"file": b"inside"})
    answer = push(kaggle, datasetDataSources=["ada/my-data", "bob/none"]).json
    assert (answer["error"], answer["invalidDatasetSources"]) == ("", ["ada/my-data", "bob/none"])
    kaggle.clock.skip(hours=1)
    until(lambda: dataset(kaggle, "my-data").code == 200)


def test_data_of_somebody_else(kaggle: Kaggle, tmp_path: Path) -> None:
    # As CelebA is: public, and attached by name [F].
    (tmp_path / "img").mkdir()
    (tmp_path / "img/1.jpg").write_bytes(b"jpg")
    kaggle.datasets.publish("jessicali9530/celeba-dataset", tmp_path)
    text = "import os; print(os.listdir('/kaggle/input/datasets/jessicali9530/celeba-dataset/img'))"
    assert printed(kaggle, text, datasetDataSources=["jessicali9530/celeba-dataset"]).startswith("['1.jpg']")


def test_an_archive_is_unpacked(kaggle: Kaggle) -> None:
    # That is how the client sends a folder: zipped, and unpacked by the service into a folder of its name [S].
    kaggle.set(dataset_hidden_s=0, dataset_processing_s=0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner/deep.txt", "deep")
    create(kaggle, "my-data", {"folder.zip": packed.getvalue(), "pkg-1-py3-none-any.whl": packed.getvalue()})
    text = "import os; print(sorted(os.listdir('/kaggle/input/datasets/ada/my-data')))"
    found = printed(kaggle, text, datasetDataSources=["ada/my-data"])
    assert found.startswith("['folder', 'pkg-1-py3-none-any.whl']")
