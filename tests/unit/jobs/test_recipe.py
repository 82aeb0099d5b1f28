"""From a name, a file and `--set` to an experiment in which nothing is left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from facegan import catalog, experiment, layout
from facegan.catalog import datasets
from facegan.errors import BadInputError
from facegan.experiment import Data, Experiment
from facegan.prepared import Manifest
from facegan.storage.memory import MemoryStore
from jobs import ingredients, recipe
from jobs.context import new_run_id
from jobs.shelf import Copy, shelf
from tests.fakes.datasets import fill, imagined, prepare


def resolve(
    named: str | Path, *settings: str, device: str = "cpu", cores: int = 4, there: Sequence[Manifest] = ()
) -> Experiment:
    """`there` is what is prepared, on this machine."""

    def look(name: str | None = None, _: str | None = None, /) -> Sequence[Copy]:
        return [Copy(manifest=m, here=True, stored=False) for m in there if name in {None, m.name}]

    return recipe.resolve(str(named), settings, device=device, cores=cores, look=look)


def fitting(data: Data) -> Manifest:
    """An array as an experiment wants it."""
    height, width, channels = datasets.shape(replace(data, cut=None))
    columns = ("label", "Smiling", "Eyeglasses", "age", "gender")
    found = imagined(data.name, digest="ab" * 32, crop=data.crop, columns=columns)
    return replace(found, height=height, width=width, channels=channels, size=data.size)


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_every_experiment_of_the_catalogue_resolves_with_nothing_left_open(name: str) -> None:
    data = catalog.find(name).experiment.data
    for device in ("cpu", "gpu"):
        found = resolve(name, device=device, there=[fitting(data)])
        assert found.training.compile in {"graph", "jit"}
        assert found.training.threads == 4
        assert found.training.images is None
        assert found.training.steps > 0
        assert found.data.digest == (datasets.pinned(data) or "ab" * 32)


def test_the_length_is_settled_in_steps() -> None:
    found = resolve("dcgan-mnist", "training.images=1000", "training.batch_size=64")
    assert (found.training.images, found.training.steps) == (None, 16)


def test_compile_and_threads_are_settled_by_table_and_machine() -> None:
    assert resolve("dcgan-mnist", device="cpu").training.compile == "graph"
    assert resolve("cogan-mnist", device="cpu").training.compile == "jit"
    assert resolve("dcgan-mnist", device="gpu").training.compile == "jit"
    assert resolve("dcgan-mnist", cores=7).training.threads == 7


def test_what_the_user_settled_is_left_alone() -> None:
    found = resolve("dcgan-mnist", "training.compile=jit", "training.threads=1", cores=8)
    assert (found.training.compile, found.training.threads) == ("jit", 1)


def test_settings_apply_in_order() -> None:
    assert resolve("dcgan-mnist", "training.steps=5", "training.steps=6").training.steps == 6


def test_an_unknown_experiment_is_quoted_and_the_known_ones_are_listed() -> None:
    with pytest.raises(BadInputError) as raised:
        resolve("dcgan-minst")
    assert raised.value.message == 'unknown experiment "dcgan-minst"'
    assert raised.value.hint == 'did you mean "dcgan-mnist"? known: ' + ", ".join(sorted(catalog.CATALOG))


def test_an_unknown_key_is_quoted_and_the_known_ones_are_listed() -> None:
    with pytest.raises(BadInputError, match=r'unknown key "training\.step"') as raised:
        resolve("dcgan-mnist", "training.step=5")
    assert raised.value.hint is not None
    assert 'did you mean "training.steps"?' in raised.value.hint
    assert all(key in raised.value.hint for key in experiment.known_keys())


def test_an_unknown_data_set_is_quoted_and_the_known_ones_are_listed() -> None:
    with pytest.raises(BadInputError, match='unknown data set "faces"') as raised:
        resolve("dcgan-mnist", "data.name=faces")
    mine = "your own: facegan-job data prepare faces --source PATH"
    assert raised.value.hint == f"known: celeba, cifar10, imdb-wiki, mnist, mnist-5k; {mine}"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("training.steps", '"training.steps" is not of the form key=value'),
        ("training.steps=many", 'training.steps takes a whole number, not "many"'),
        ("training.steps=0", 'training.steps must be at least 1, not "0"'),
        ("training.steps=-3", 'training.steps must be at least 1, not "-3"'),
        ("training.steps=1.5", 'training.steps takes a whole number, not "1.5"'),
        ("checkpoint.every_s=0", 'checkpoint.every_s must be more than 0, not "0.0"'),
        ("checkpoint.every_s=nan", 'checkpoint.every_s must be finite, not "nan"'),
        ("checkpoint.keep=1", 'checkpoint.keep must be at least 2, not "1"'),
        ("generator.beta_1=1", 'generator.beta_1 must be less than 1.0, not "1.0"'),
        ("training.compile=fast", 'unknown training.compile "fast"'),
        ("model.family=resnet", 'unknown model family "resnet"'),
        ("seed=-1", 'seed must be at least 0, not "-1"'),
        ("=5", 'unknown key ""'),
        ("data.only=lable=3", 'unknown column of mnist-5k, in data.only "lable"'),
        ("data.only=label", 'data.only is a column and its value, from 0 to 255, not "label"'),
        ("data.only=label=300", "from 0 to 255"),
        ("data.only=label=-1", "from 0 to 255"),
        ("data.only==1", "from 0 to 255"),
        ("data.cut=29", 'no window of "29" pixels (data.cut) fits into images of 28x28'),
    ],
)
def test_a_value_that_does_not_fit_is_quoted(setting: str, said: str) -> None:
    with pytest.raises(BadInputError) as raised:
        resolve("dcgan-mnist", setting)
    assert said in raised.value.message


def test_an_id_has_room_for_any_experiment() -> None:
    assert layout.check_run_id(new_run_id("a" * 63)).startswith("aaa")


def test_the_first_entry_says_everything_that_decides_the_bits() -> None:
    chosen = resolve("dcgan-mnist")
    body = recipe.created_body("a-run", chosen)
    assert body["run"] == "a-run"
    assert experiment.from_json(body["experiment"]) == chosen
    assert body["data"] == {"name": "mnist-5k", "digest": datasets.find("mnist-5k").digest}
    assert body["code"]


@pytest.mark.parametrize("run", ["", "A", "a b", "a/b", "../a", "-a", "a" * 64, "ä"])
def test_a_run_id_that_could_leave_its_folder_is_refused(run: str) -> None:
    with pytest.raises(BadInputError, match="cannot be the id of a run"):
        recipe.created_body(run, resolve("dcgan-mnist"))


CELEBA = "variant-celeba"  # at 64 pixels, without a crop
MINE = imagined("my-faces", digest="c" * 64, size=64)


def test_the_one_prepared_array_that_fits_is_settled() -> None:
    right = imagined(digest="1" * 64)
    others = [
        imagined(digest="2" * 64, size=128),
        imagined(digest="3" * 64, crop="reference"),
        imagined("my-faces", digest="4" * 64),
    ]
    assert resolve(CELEBA, there=[*others, right]).data.digest == "1" * 64


def test_without_a_fitting_array_the_hint_is_what_to_type() -> None:
    with pytest.raises(BadInputError) as raised:
        resolve("dcgan-celeba")
    assert raised.value.message == 'there is no prepared "celeba" at 64 px with crop reference'
    assert raised.value.hint == "facegan-job data prepare celeba --source PATH --size 64 --crop reference"
    with pytest.raises(BadInputError, match="there is: 1,000 of 64x64x3, crop none, 111111111111"):
        resolve("dcgan-celeba", there=[imagined(digest="1" * 64)])
    with pytest.raises(BadInputError) as raised:
        resolve("variant-cifar10")
    assert raised.value.hint == "facegan-job data prepare cifar10", "it is downloaded"


def test_of_several_that_fit_the_user_says_which() -> None:
    there = [imagined(digest="1" * 64, limit=500), imagined(digest="12" * 32)]
    with pytest.raises(BadInputError) as raised:
        resolve(CELEBA, there=there)
    assert "there are 2 of prepared" in raised.value.message
    assert "limit 500, 111111111111; " in raised.value.message
    assert raised.value.hint == "--set data.digest=111111111111 takes the first"
    assert resolve(CELEBA, "data.digest=12", there=there).data.digest == "12" * 32
    with pytest.raises(BadInputError, match="there are 2 of prepared"):
        resolve(CELEBA, "data.digest=1", there=there)
    with pytest.raises(BadInputError, match='no prepared "celeba" with digest "9"'):
        resolve(CELEBA, "data.digest=9", there=there)


def test_a_digest_does_not_make_other_images_fit() -> None:
    with pytest.raises(BadInputError, match="are 128x128x3, not 64x64x3"):
        resolve(CELEBA, "data.digest=1", there=[imagined(digest="1" * 64, size=128)])


def test_the_crop_of_an_array_chosen_by_its_digest_is_what_the_run_says() -> None:
    found = resolve("dcgan-celeba", "data.digest=1", there=[imagined(digest="1" * 64, crop="center")])
    assert (found.data.crop, found.data.digest) == ("center", "1" * 64)


def test_pictures_of_ones_own_are_data_like_any_other() -> None:
    assert resolve(CELEBA, "data.name=my-faces", there=[MINE]).data.digest == MINE.digest
    with pytest.raises(BadInputError, match='unknown data set "my-face"') as raised:
        resolve(CELEBA, "data.name=my-face", there=[MINE])
    assert str(raised.value.hint).startswith('did you mean "my-faces"? known: celeba')
    with pytest.raises(BadInputError, match=r'"\.\./up" cannot be the name of a data set'):
        resolve(CELEBA, "data.name=../up", there=[MINE])


def test_a_size_that_nobody_says_is_that_of_the_array() -> None:
    found = resolve("cogan-celeba-64", "data.name=my-faces", "data.size=none", "data.crop=none", there=[MINE])
    assert (found.data.size, found.data.digest) == (64, MINE.digest)
    with pytest.raises(BadInputError, match="are 64x48x3, and networks take square ones"):
        resolve("cogan-mnist", "data.name=my-faces", there=[replace(MINE, width=48)])


@pytest.mark.parametrize("setting", ["data.size=none", "data.size=28"])
def test_a_set_whose_digest_is_known_needs_nobody_to_look(setting: str) -> None:
    assert resolve("cogan-mnist", setting).data.digest == datasets.find("mnist").digest
    assert resolve("cogan-mnist", setting, "data.digest=cf85b8").data.digest == datasets.find("mnist").digest


def test_another_array_of_a_known_set_can_be_named() -> None:
    small = replace(imagined("mnist", size=28, digest="1" * 64, columns=("label",), limit=100), channels=1)
    assert resolve("cogan-mnist", "data.digest=11", there=[small]).data.digest == "1" * 64


def test_what_comes_inside_a_package_comes_as_it_is() -> None:
    for setting, hint in (
        ("size=32", "data.name=mnist"),
        ("crop=center", "data.name=mnist"),
        ("digest=1", "digest=none"),
    ):
        with pytest.raises(BadInputError, match='"mnist-5k" comes as it is: 28x28x1') as raised:
            resolve("dcgan-mnist", f"data.{setting}")
        assert hint in str(raised.value.hint)


def test_the_columns_of_the_array_are_the_known_ones() -> None:
    with pytest.raises(BadInputError) as raised:
        resolve("cogan-celeba-64", "data.domains=Smilin", "data.crop=none", there=[imagined(digest="1" * 64)])
    assert raised.value.hint == 'did you mean "Smiling"? known: Male, Smiling, edges, negative, quarter-turn'


def test_domains_say_nothing_to_networks_that_are_not_coupled() -> None:
    assert resolve("dcgan-mnist", "data.domains=Smiling").data.digest == datasets.find("mnist-5k").digest


def test_where_nothing_is_known_of_the_images_the_hint_says_so() -> None:
    bare = imagined("my-faces", digest="c" * 64, columns=())
    with pytest.raises(BadInputError, match=r'in data\.only "label"') as raised:
        resolve(CELEBA, "data.name=my-faces", "data.only=label=1", there=[bare])
    assert raised.value.hint == "there are none; --set data.only=none shows all images"


FACE = imagined(digest="1" * 64, crop="reference")
FACE_66 = imagined(digest="2" * 64, size=66, crop="center")
DIGIT_32 = imagined("mnist", digest="3" * 64, size=32, channels=1, columns=("label",))
FITTING = (FACE, FACE_66, DIGIT_32, imagined("my-faces", digest="c" * 64))


@pytest.mark.parametrize(
    ("named", "settings", "said", "hint"),
    [
        ("dcgan-mnist", "evaluation.metric=agreement", '"dcgan-28" has one', "--set evaluation.metric=none"),
        ("cogan-mnist", "evaluation.metric=agreement", 'they are "quarter-turn"', "--set data.domains=edges"),
        ("cogan-mnist", "data.domains=edges", 'cannot read the second domain, "edges"', "evaluation.metric=agreement"),
        ("dcgan-celeba", "evaluation.metric=digits-sure", "is of 64x64x3, without labels", "evaluation.metric=none"),
        ("cogan-mnist", "data.cut=20", "is of 20x20x1", "--set evaluation.metric=none"),
        ("dcgan-celeba", "model.first_dropout=0.2", "no place for a model.first_dropout", "model.first_dropout=0"),
        (
            "dcgan-mnist",
            "model.family=dcgan-64",
            'makes images of 64x64x3, not "28x28x1"',
            "--set data.name=celeba --set data.size=64",
        ),
        ("dcgan-celeba", "model.family=dcgan-28", 'images of 28x28x1, not "64x64x3"', "--set data.name=mnist"),
        ("dcgan-mnist", "data.name=mnist data.size=32", 'not "32x32x1"', "--set data.size=none"),
        ("dcgan-mnist", "data.cut=27", 'images of 28x28x1, not "27x27x1"', "--set data.cut=none"),
        (
            "dcgan-celeba",
            "model.family=dcgan-28 data.cut=32",
            'images of 28x28x1, not "32x32x3"',
            "--set data.name=mnist --set data.cut=none",
        ),
        ("cogan-faces-64", "data.cut=32", '64x64x3 or 128x128x3, not "32x32x3"', "--set data.cut=64"),
        ("dcgan-mnist", "model.family=vae training.compile=jit", 'unknown model family "vae"', "cogan-28"),
        ("dcgan-mnist", "session.lease_s=9", 'a session.lease_s of "9" is too short', "--set session.lease_s=10"),
    ],
)
def test_what_a_session_would_refuse_is_refused_before_there_is_one(
    named: str, settings: str, said: str, hint: str
) -> None:
    with pytest.raises(BadInputError) as raised:
        resolve(named, *settings.split(), there=FITTING)
    assert said in raised.value.message
    assert hint in str(raised.value.hint)


@pytest.mark.parametrize(
    ("named", "settings"),
    [
        ("cogan-mnist", "data.domains=negative"),
        ("cogan-mnist", "data.domains=edges evaluation.metric=agreement"),
        ("variant-celeba", "data.crop=reference model.first_dropout=0.2"),
        ("dcgan-mnist", "session.lease_s=10"),
        ("dcgan-celeba", "model.family=dcgan-64"),
        ("cogan-faces-64", "model.family=cogan-dense data.cut=32"),
    ],
)
def test_what_a_session_would_train_is_not(named: str, settings: str) -> None:
    assert resolve(named, *settings.split(), there=FITTING).data.digest


def test_data_on_this_machine_or_in_the_store_are_enough_for_a_session_here(tmp_path: Path) -> None:
    store = MemoryStore()
    chosen = resolve("cogan-mnist").data
    with pytest.raises(BadInputError, match='"mnist" cf85b8c3be4a… is neither on this machine nor in memory') as raised:
        ingredients.require_data(chosen, tmp_path, store)
    assert raised.value.hint == "facegan-job data prepare mnist"
    made = prepare(tmp_path / "mine")
    data = Data(name=made.name, digest=made.digest)
    ingredients.require_data(data, tmp_path / "mine", store)
    with pytest.raises(BadInputError, match="neither on this machine"):
        ingredients.require_data(data, tmp_path, store)
    with pytest.raises(BadInputError, match="neither where the session runs"):
        ingredients.require_data(data, None, store)
    fill(store, tmp_path / "mine")
    ingredients.require_data(data, tmp_path, store)
    ingredients.require_data(data, None, store)


def test_a_half_finished_upload_is_not_enough(tmp_path: Path) -> None:
    store = MemoryStore()
    made = fill(store, tmp_path / "mine")
    store.delete(layout.dataset_manifest(made.name, made.digest))
    with pytest.raises(BadInputError, match="neither where the session runs"):
        ingredients.require_data(Data(name=made.name, digest=made.digest), None, store)


def test_what_is_here_and_in_the_store_is_one_array_on_the_shelf(tmp_path: Path) -> None:
    store = MemoryStore()
    both = fill(store, tmp_path)
    here = prepare(tmp_path, "other", seed=1)
    away = fill(store, tmp_path / "elsewhere", name="third")
    look = shelf(tmp_path, store, print)
    assert [(copy.manifest, copy.here, copy.stored) for copy in look(None)] == [
        (both, True, True), (here, True, False), (away, False, True),
    ]  # fmt: skip
    assert [copy.manifest for copy in look("third")] == [away]
