"""Images as people name them."""

import pytest

from whipstaff.cli.image_names import ImageRefused, image_values, operator_version

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "values"),
    [
        pytest.param("", {}, id="none"),
        pytest.param("whipstaff", {"repository": "whipstaff"}, id="a name"),
        pytest.param("a/b:1.2", {"repository": "a/b", "tag": "1.2"}, id="a tag"),
        pytest.param("host:5000/b", {"repository": "host:5000/b"}, id="a port is no tag"),
        pytest.param("host:5000/b:v1", {"repository": "host:5000/b", "tag": "v1"}, id="both"),
        pytest.param(f"b@{DIGEST}", {"repository": "b", "digest": DIGEST}, id="a digest"),
    ],
)
def test_an_image_is_taken_apart(image, values):
    assert image_values(image, "", canary=False) == values


@pytest.mark.parametrize("image", ["a b", ":1", "a@sha256:1", "a:", "a:b c"])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ImageRefused, match="no name of an image"):
        image_values(image, "", canary=False)


@pytest.mark.parametrize("image", ["a:1", f"a@{DIGEST}"])
def test_two_versions_are_one_too_many(image):
    with pytest.raises(ImageRefused, match="--version another"):
        image_values(image, "2", canary=False)
    with pytest.raises(ImageRefused, match="--canary another"):
        image_values(image, "canary", canary=True)
    with pytest.raises(ImageRefused, match="cannot both be set"):
        operator_version("2", canary=True)


def test_a_canary_is_always_fetched():
    assert operator_version("", canary=True) == "canary"
    assert image_values("a", "canary", canary=True) == {"repository": "a", "pullPolicy": "Always"}


@pytest.mark.parametrize("version", ["a b", "-", "a:b", "x" * 64])
def test_a_version_that_no_tag_can_have_is_refused(version):
    with pytest.raises(ImageRefused, match="no tag"):
        operator_version(version, canary=False)
