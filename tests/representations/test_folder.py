from __future__ import annotations

import json

import numpy as np
import pytest

from haystack_deformer.representations import (
    CorruptCodecError,
    RepresentationCodec,
    RepresentationFolder,
    RepresentationManifest,
    RepresentationStoreError,
)

ONE = RepresentationManifest("ab", "SQ8", 4, "one", {"lower_layers": 4})
TWO = RepresentationManifest("cd", "SQ8", 4, "two", {"lower_layers": 5})


def trained(seed: int) -> RepresentationCodec:
    codec = RepresentationCodec("SQ8", 4)
    codec.train(np.random.default_rng(seed).standard_normal((1_000, 4)))
    return codec


def test_spaces_side_by_side(tmp_path):
    folder = RepresentationFolder(tmp_path / "states")
    assert (folder.spaces(), folder.find(ONE), folder.others(ONE)) == ([], None, [])
    one, two = folder.create(ONE), folder.create(TWO)
    assert one.path != two.path
    assert folder.find(ONE) == one
    assert folder.create(ONE) == one
    assert folder.others(ONE) == [
        {
            "folder": two.path.name,
            "model": "two",
            "codec": "SQ8",
            "differs": {"model": ("two", "one"), "lower_layers": (5, 4)},
            "problem": "",
        }
    ]
    assert sorted(p.name for p in folder.path.iterdir()) == sorted([one.path.name, two.path.name])


@pytest.mark.parametrize("content", [None, "{", json.dumps({**json.loads(ONE.to_bytes()), "format_version": 99})])
def test_folder_of_our_name_with_something_else_in_it(tmp_path, content):
    folder = RepresentationFolder(tmp_path)
    first = folder.create(ONE).path
    (first / "manifest.json").unlink() if content is None else (first / "manifest.json").write_text(content)
    (first / "precious").write_text("kept")
    assert folder.find(ONE) is None
    second = folder.create(ONE)
    assert second.path.name == first.name + "-2"
    assert (first / "precious").read_text() == "kept"
    assert folder.find(ONE) == second
    assert [other["folder"] for other in folder.others(ONE)] == [first.name]


def test_path_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RepresentationStoreError, match="file where a folder is expected"):
        RepresentationFolder(tmp_path / "file")
    with pytest.raises(RepresentationStoreError, match="file where a folder is expected"):
        RepresentationFolder(tmp_path / "file" / "below").create(ONE)


def test_path_that_cannot_be_written_to():
    with pytest.raises(RepresentationStoreError, match="/proc/states"):
        RepresentationFolder("/proc/states").create(ONE)


def test_first_codec_wins(tmp_path):
    space = RepresentationFolder(tmp_path).create(ONE)
    assert space.load_codec() is None
    first, second = trained(1), trained(2)
    assert space.publish_codec(first) is first
    assert space.publish_codec(second).checksum == first.checksum
    assert space.load_codec().checksum == first.checksum
    assert sorted(p.name for p in space.path.iterdir()) == ["codec.faiss", "manifest.json"]


def test_damaged_codec(tmp_path):
    space = RepresentationFolder(tmp_path).create(ONE)
    space.publish_codec(trained(1))
    file = space.path / "codec.faiss"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CorruptCodecError, match=r"codec.faiss is damaged.*index again"):
        space.load_codec()


def test_codec_of_something_else(tmp_path):
    space = RepresentationFolder(tmp_path).create(ONE)
    (space.path / "codec.faiss").write_bytes(RepresentationCodec("SQfp16", 4).to_bytes())
    with pytest.raises(CorruptCodecError, match="not the codec of the states"):
        space.load_codec()


def test_several_processes_agree_on_space_and_codec(tmp_path, python, finish):
    script = """
        import sys, numpy as np
        from haystack_deformer.representations import *
        space = RepresentationFolder(sys.argv[1]).create(RepresentationManifest("ab", "SQ8", 4))
        codec = RepresentationCodec("SQ8", 4)
        codec.train(np.random.default_rng(int(sys.argv[2])).standard_normal((1_000, 4)))
        print("ready", flush=True); sys.stdin.readline()
        print(space.path.name, space.publish_codec(codec).checksum)
    """
    processes = [python(script, tmp_path, seed) for seed in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {finish(process) for process in processes}
    assert len(said) == 1
    [space] = RepresentationFolder(tmp_path).spaces()
    assert said == {f"{space.path.name} {space.load_codec().checksum}\n"}
