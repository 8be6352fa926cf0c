"""Plain archives are read as the standard library reads them; all others are left to it."""

import io
import tarfile

import pytest

from whipstaff.chart import plain_tar


def an_archive(*members, form=tarfile.USTAR_FORMAT):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for name, content, changes in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_700_000_000
            for field, value in changes.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_are_read_and_folders_passed_over(form):
    archive = an_archive(
        ("c", b"", {"type": tarfile.DIRTYPE}),
        ("c/Chart.yaml", b"name: c\n", {}),
        ("c/empty", b"", {}),
        ("c/block", b"x" * 512, {}),
        form=form,
    )
    assert plain_tar.members(archive) == [
        ("c/Chart.yaml", 1_700_000_000, b"name: c\n"),
        ("c/empty", 1_700_000_000, b""),
        ("c/block", 1_700_000_000, b"x" * 512),
    ]


def test_a_long_name_is_put_together_from_its_halves():
    name = "c/" + "folder/" * 20 + "file"
    assert plain_tar.members(an_archive((name, b"x", {})))[0].name == name


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(
            an_archive(("c/x", b"", {"type": tarfile.SYMTYPE, "linkname": "y"})), id="link"
        ),
        pytest.param(
            an_archive(("c/" + "n" * 150, b"x", {}), form=tarfile.GNU_FORMAT), id="long name"
        ),
        pytest.param(
            an_archive(("c/x", b"x", {"mtime": 1.5}), form=tarfile.PAX_FORMAT), id="extended header"
        ),
        pytest.param(an_archive(("c/x/", b"", {"type": tarfile.AREGTYPE})), id="old folder"),
        pytest.param(an_archive(("c/x", b"abc", {}))[:700], id="cut short"),
        pytest.param(an_archive(("c/x", b"abc", {})).replace(b"c/x", b"c/y"), id="wrong checksum"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\1" * 2048, id="no archive"),
    ],
)
def test_what_is_not_plain_is_left_to_the_standard_library(archive):
    assert plain_tar.members(archive) is None
