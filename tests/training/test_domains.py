"""Image domains: which images they show, as what, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from facegan.data import Images, domains
from facegan.errors import BadInputError


def numbered(count: int, height: int = 5, width: int = 5) -> Images:
    """Images of noise; row i has i in its corner."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, height, width, 3)).astype(np.uint8)
    pixels[:, 0, 0, 0] = np.arange(count)
    smiling = np.array([0, 1, 0, 0, 1, 0, 0], np.uint8)[:count]
    return Images(images=pixels, columns={"Smiling": smiling, "none": np.zeros(count, np.uint8)})


def test_a_plain_gan_sees_all_images_as_they_are() -> None:
    images = numbered(7)
    (domain,) = domains.single(images)
    assert len(domain) == 7
    assert domain.nbytes == images.images.nbytes
    assert np.shares_memory(domain.whole(), images.images)
    assert np.array_equal(domain.take(np.array([6, 0, 6])), images.images[[6, 0, 6]])


@pytest.mark.parametrize("name", domains.LOOKS)
def test_halves_have_no_image_in_common(name: str) -> None:
    images = numbered(7)
    first, second = domains.pair(images, name)
    assert (len(first), len(second)) == (3, 3)
    assert np.array_equal(first.whole(), images.images[:3])
    assert np.array_equal(second.whole(), domains.LOOKS[name](images.images[3:6]))
    assert np.array_equal(second.take(np.array([2, 0])), second.whole()[[2, 0]])


def test_the_looks() -> None:
    pixels = numbered(4).images
    assert np.array_equal(domains.turned(pixels), ndimage.rotate(pixels, 90, axes=(1, 2)))
    assert np.array_equal(domains.upright(domains.turned(pixels)), pixels)
    assert np.array_equal(domains.negative(pixels), 255 - pixels)
    dilated = ndimage.grey_dilation(pixels, size=(1, 3, 3, 1), mode="constant", cval=0)
    assert np.array_equal(domains.edges(pixels), dilated - pixels)
    assert domains.edges(np.full((1, 4, 4, 1), 200, np.uint8)).max() == 0


def test_a_column_parts_the_images() -> None:
    images = numbered(7)
    without, having = domains.pair(images, "Smiling")
    assert without.whole()[:, 0, 0, 0].tolist() == [0, 2, 3, 5, 6]
    assert having.whole()[:, 0, 0, 0].tolist() == [1, 4]
    assert having.take(np.array([1, 0]))[:, 0, 0, 0].tolist() == [4, 1]


def test_many_images_are_made_ready_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = domains.pair(numbered(7), "edges")[1].whole()
    monkeypatch.setattr(domains, "CHUNK", 2)
    assert np.array_equal(domains.pair(numbered(7), "edges")[1].whole(), whole)


@pytest.mark.parametrize(
    ("images", "name", "message", "hint"),
    [
        (numbered(7), "Smilin", 'unknown domains "Smilin"', "quarter-turn, edges, negative, Smiling, none"),
        (numbered(7), "none", 'domain b of "none" is empty', "data.only"),
        (numbered(1), "edges", 'domain a of "edges" is empty', "data.domains"),
        (numbered(6, height=4), "quarter-turn", "images of 4x5 cannot be turned", "data.size=64"),
    ],
)
def test_refusals(images: Images, name: str, message: str, hint: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        domains.pair(images, name)
    assert hint in str(caught.value.hint)
