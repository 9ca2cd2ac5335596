import json

import pytest

from haystack_deformer.representations import RepresentationManifest

MANIFEST = RepresentationManifest("ab" * 16, "SQfp16", 384, "mini", {"lower_layers": 4, "model_type": "bert"})


@pytest.mark.parametrize(
    "other",
    [
        RepresentationManifest("cd" * 16, "SQfp16", 384),
        RepresentationManifest("ab" * 16, "SQ8", 384),
        RepresentationManifest("ab" * 16, "SQfp16", 768),
        RepresentationManifest("ab" * 16, "SQfp16", 384, format_version=2),
    ],
)
def test_other_spaces_have_other_names(other):
    assert other.identity != MANIFEST.identity
    assert other.folder_name != MANIFEST.folder_name


def test_name_and_details_do_not_make_another_space():
    same = RepresentationManifest("ab" * 16, "SQfp16", 384, "renamed", {"anything": 1})
    assert (same.identity, same.folder_name) == (MANIFEST.identity, MANIFEST.folder_name)


def test_folder_name_is_readable_and_safe():
    name = RepresentationManifest("ab", "OPQ96,PQ96/../x", 384).folder_name
    assert name.endswith("-OPQ96-PQ96-x")
    assert len(RepresentationManifest("ab", "x" * 500, 384).folder_name) < 60


def test_differences_field_by_field():
    other = RepresentationManifest("cd" * 16, "SQ8", 384, "maxi", {"lower_layers": 9, "window_length": 320})
    assert MANIFEST.differences(other) == {
        "codec": ("SQfp16", "SQ8"),
        "model": ("mini", "maxi"),
        "lower_layers": (4, 9),
        "model_type": ("bert", None),
        "window_length": (None, 320),
    }
    assert MANIFEST.differences(MANIFEST) == {}


def test_fingerprint_is_named_when_nothing_else_tells():
    other = RepresentationManifest("cd" * 16, "SQ8", 384, "mini", MANIFEST.details)
    assert MANIFEST.differences(other) == {"codec": ("SQfp16", "SQ8"), "fingerprint": ("abababababab", "cdcdcdcdcdcd")}


def test_written_and_read(tmp_path):
    (tmp_path / "manifest.json").write_bytes(MANIFEST.to_bytes())
    assert RepresentationManifest.read(tmp_path) == MANIFEST


def test_what_json_does_not_know_is_written_as_text(tmp_path):
    manifest = RepresentationManifest("ab", "Flat", 3, details={"folder": tmp_path})
    (tmp_path / "manifest.json").write_bytes(manifest.to_bytes())
    assert RepresentationManifest.read(tmp_path).details == {"folder": str(tmp_path)}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"fingerprint": "ab"}', "\udcff"])
def test_damaged(tmp_path, text):
    (tmp_path / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match="damaged or of a later release"):
        RepresentationManifest.read(tmp_path)


@pytest.mark.parametrize("change", [{"details": 5}, {"format_version": "later"}, {"details": None}])
def test_fields_of_the_wrong_kind(tmp_path, change):
    (tmp_path / "manifest.json").write_text(json.dumps({**json.loads(MANIFEST.to_bytes()), **change}))
    with pytest.raises(ValueError, match="damaged or of a later release"):
        RepresentationManifest.read(tmp_path)


def test_missing(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        RepresentationManifest.read(tmp_path)
