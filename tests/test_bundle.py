"""Bundles: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engine.plugins.xgboost import XGBoost
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engine import bundle
from engine.bundle import Contents, check_plugin_versions, compute_version, read, write
from engine.bundle.arrays import learned_bytes, read_learned
from engine.errors import BundleError
from engine.schema import Kind
from engine.stage import FitContext, Part

CONFIG: dict[str, Any] = {
    "name": "small",
    "inputs": {"a": "number", "b": {"kind": "number", "missing": "fail"}},
    "keep": ["id"],
    "outputs": None,
    "stages": {
        "squeeze": {"use": "clip", "columns": ["a"], "lo": -float("inf"), "hi": 3.5},
        "model": {"use": "xgboost", "rounds": 3, "params": {"max_depth": 2}},
    },
    "seed": 7,
}
PLUGINS = {"clip": 1, "xgboost": 1}


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 100))
    part = Part({"a": a, "b": b}, (a > b).astype(float))
    return dict(XGBoost(rounds=3).fit(part.columns, FitContext(train=part, target=Kind.BOOLEAN)))


@pytest.fixture
def contents(model: dict[str, Any]) -> Contents:
    learned = {
        "squeeze": {},
        "encode": {
            "mean": np.array([1.5, np.nan, -np.inf]),
            "grid": np.arange(6, dtype=np.int32).reshape(2, 3),
            "scalar": np.array(2.5, np.float32),
            "flags": np.array([True, False]),
            "none": np.empty((0, 4)),
            "names": ("ä", "", "b c"),
            "vocabularies": (("x", "y"), (), ("z",)),
        },
        "model": model,
    }
    return Contents(
        config=CONFIG,
        learned=learned,
        golden=pa.table({"a": [1.0, None], "score": pa.array([0.5, 0.25], pa.float32())}),
        profile=pa.table({"column": ["a"], "mean": [float("nan")]}),
        metrics={"auc": 0.75, "loss": float("inf"), "by": {"x": [1, 2]}},
        plugin_versions=PLUGINS,
        overrides=("seed=7", "stages.squeeze.hi=3.5"),
        data={"rows": 100, "columns": ["a", "b"], "sha256": "0" * 64},
    )


def said(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        read(path)
    return str(caught.value)


def relist(folder: Path, name: str, **more: Any) -> None:
    """Make the manifest agree with a file that was changed, as an attacker would."""
    where = folder / "manifest.json"
    document = json.loads(where.read_bytes())
    data = (folder / name).read_bytes()
    document["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    where.write_text(json.dumps({**document, **more}))


def edit(folder: Path, **more: Any) -> None:
    where = folder / "manifest.json"
    where.write_text(json.dumps({**json.loads(where.read_bytes()), **more}))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def assert_same_learned(found: Any, wanted: Any) -> None:
    assert found.keys() == wanted.keys()
    for label, values in wanted.items():
        assert found[label].keys() == values.keys()
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                assert found[label][name].dtype == value.dtype
                assert found[label][name].shape == value.shape
                assert found[label][name].tobytes() == value.tobytes()
            else:
                assert found[label][name] == value


# -- there and back


def test_there_and_back(tmp_path: Path, contents: Contents) -> None:
    path = tmp_path / "bundles" / "small"
    folder = write(path, contents)
    found = read(path)
    assert folder == path / "versions" / found.version[:12]
    assert (path / "current").read_text() == f"{found.version[:12]}\n"
    assert sorted(item.name for item in folder.iterdir()) == [
        "config.json", "golden.arrow", "learned.arrow", "manifest.json", "model-model.ubj", "profile.arrow",
    ]  # fmt: skip
    assert found.config == CONFIG
    assert list(found.config["stages"]) == ["squeeze", "model"]
    assert_same_learned(found.learned, contents.learned)
    assert found.golden == contents.golden
    assert found.profile is not None and found.profile.schema == contents.profile.schema  # type: ignore[union-attr]
    for name in ("metrics", "plugin_versions", "overrides", "data"):
        assert getattr(found, name) == getattr(contents, name)
    assert found.origin == bundle.this_origin()
    assert read(folder).version == found.version == compute_version(CONFIG, contents.learned, PLUGINS)


def test_the_model_scores_after_reading(tmp_path: Path, contents: Contents) -> None:
    write(tmp_path / "b", contents)
    rows = np.random.default_rng(1).normal(size=(20, 2)).astype(np.float32)
    stage = XGBoost()
    before = stage.make_scorer(contents.learned["model"]).many(rows)
    assert np.array_equal(stage.make_scorer(read(tmp_path / "b").learned["model"]).many(rows), before)


def test_manifest(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    found = bundle.read_manifest(tmp_path / "b")
    assert found == bundle.read_manifest(folder)
    assert found.platform == bundle.this_platform()
    assert found.packages["numpy"] == np.__version__ and set(found.packages) == {
        "numpy", "xgboost", "numba", "pyarrow",
    }  # fmt: skip
    assert set(found.files) == {item.name for item in folder.iterdir()} - {"manifest.json"}
    assert found.created.endswith("Z")


def test_optional_tables_may_be_left_out(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", dataclasses.replace(contents, golden=None, profile=None))
    assert not (folder / "golden.arrow").exists()
    assert read(folder).golden is None and read(folder).profile is None


def test_json_is_strict(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)

    def refuse(name: str) -> None:
        raise AssertionError(f"a bare {name}")

    for name in ("config.json", "manifest.json"):
        json.loads((folder / name).read_bytes(), parse_constant=refuse)


learned_arrays = st.sampled_from(["f8", "f4", "i8", "i4", "u1", "?", ">f8"]).flatmap(
    lambda dtype: arrays(np.dtype(dtype), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
texts = st.lists(st.text(max_size=5), max_size=4).map(tuple)
learned_values = st.one_of(learned_arrays, texts, st.lists(texts, max_size=3).map(tuple))


@given(st.dictionaries(st.text(max_size=4), st.dictionaries(st.text(max_size=4), learned_values, max_size=3)))
@settings(max_examples=100, deadline=None)
def test_learned_there_and_back(learned: dict[str, dict[str, Any]]) -> None:
    found = read_learned(learned_bytes(learned), "learned.arrow")
    native = {
        label: {
            name: np.asarray(value, value.dtype.newbyteorder("<")) if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }
        for label, values in learned.items()
    }
    assert_same_learned(found, native)
    assert compute_version({}, learned, {}) == compute_version({}, found, {})


def test_other_values_can_not_be_learned() -> None:
    with pytest.raises(TypeError) as caught:
        learned_bytes({"fill": {"mean": {"a": 1}}})
    assert str(caught.value) == "fill.mean is a dict; stages learn numeric arrays and tuples of text only"
    with pytest.raises(TypeError) as caught:
        learned_bytes({"fill": {"mean": np.array(["a", None], object)}})
    assert str(caught.value) == "fill.mean: an array of object can't be stored"


# -- the version


def changed(config: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**config, **more}


def test_version_ignores_order_without_meaning(contents: Contents) -> None:
    wanted = compute_version(CONFIG, contents.learned, PLUGINS)
    assert len(wanted) == 64
    flipped = {
        **dict(reversed(CONFIG.items())),
        "stages": {label: dict(reversed(stage.items())) for label, stage in CONFIG["stages"].items()},
    }
    learned = {label: dict(reversed(values.items())) for label, values in reversed(contents.learned.items())}
    assert compute_version(flipped, learned, dict(reversed(PLUGINS.items()))) == wanted
    assert compute_version(changed(CONFIG, seed=8, name="other"), contents.learned, PLUGINS) == wanted


def test_version_covers_all_that_changes_an_answer(contents: Contents, model: dict[str, Any]) -> None:
    learned = dict(contents.learned)
    stages = CONFIG["stages"]
    mean = learned["encode"]["mean"]
    bits = np.array(mean)
    bits[0] = np.nextafter(bits[0], 9)
    damaged = model["model"].copy()
    damaged[-9] ^= 1

    def with_mean(value: Any) -> dict[str, Any]:
        return {**learned, "encode": {**learned["encode"], "mean": value}}

    found = [
        compute_version(CONFIG, learned, PLUGINS),
        compute_version(changed(CONFIG, keep=["id", "a"]), learned, PLUGINS),
        compute_version(changed(CONFIG, outputs=["score"]), learned, PLUGINS),
        compute_version(changed(CONFIG, inputs=dict(reversed(CONFIG["inputs"].items()))), learned, PLUGINS),
        compute_version(changed(CONFIG, stages=dict(reversed(stages.items()))), learned, PLUGINS),
        compute_version(
            changed(CONFIG, stages={**stages, "squeeze": {**stages["squeeze"], "hi": 3.6}}), learned, PLUGINS
        ),
        compute_version(CONFIG, with_mean(bits), PLUGINS),
        compute_version(CONFIG, with_mean(mean.astype(np.float32)), PLUGINS),
        compute_version(CONFIG, with_mean(mean.reshape(3, 1)), PLUGINS),
        compute_version(CONFIG, {**learned, "model": {**model, "model": damaged}}, PLUGINS),
        compute_version(CONFIG, {**learned, "model": {**model, "classes": ("a", "b")}}, PLUGINS),
        compute_version(CONFIG, learned, {**PLUGINS, "clip": 2}),
    ]
    assert len(set(found)) == len(found)


def test_an_identical_refit_reuses_the_folder(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    before = snapshot(tmp_path / "b")
    again = dataclasses.replace(contents, metrics={"auc": 0.9})
    assert write(tmp_path / "b", again) == folder
    assert snapshot(tmp_path / "b") == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"target": {"column": "y"}}, 'target: null there, {"column": "y"} here'),
        ({"seed": 8}, "seed: 7 there, 8 here"),
        ({"golden": 0}, "golden: null there, 0 here"),
    ],
)
def test_a_version_made_otherwise_is_not_taken_for_the_same(
    tmp_path: Path, contents: Contents, change: dict[str, Any], line: str
) -> None:
    folder = write(tmp_path / "b", contents)
    before = snapshot(tmp_path / "b")
    other = dataclasses.replace(contents, config=CONFIG | change)
    for _ in range(2):
        with pytest.raises(BundleError) as caught:
            write(tmp_path / "b", other)
        assert str(caught.value) == (
            f"{folder} holds this version already: it answers the same, but was made otherwise, "
            f"and a version never changes\n  {line}\n"
            f"  save it in another bundle: bundle=PATH   or remove that version: rm -r {folder}"
        )
    assert snapshot(tmp_path / "b") == before
    assert read(write(tmp_path / "other", other)).config == other.config
    shutil.rmtree(folder)
    assert write(tmp_path / "b", other) == folder
    assert read(tmp_path / "b").config == other.config


def test_golden_rows_are_not_lost_on_a_version_without(tmp_path: Path, contents: Contents) -> None:
    bare = dataclasses.replace(contents, golden=None)
    write(tmp_path / "b", bare)
    with pytest.raises(BundleError, match="\n  golden rows: none there\n"):
        write(tmp_path / "b", contents)
    write(tmp_path / "b", bare)
    write(tmp_path / "c", contents)
    write(tmp_path / "c", bare)
    assert read(tmp_path / "c").golden == contents.golden


def test_versions_live_side_by_side(tmp_path: Path, contents: Contents) -> None:
    path = tmp_path / "b"
    first = write(path, contents)
    other = dataclasses.replace(contents, plugin_versions={**PLUGINS, "clip": 2})
    second = write(path, other, make_current=False)
    assert bundle.versions(path) == tuple(sorted((first.name, second.name)))
    assert read(path).version[:12] == first.name
    bundle.set_current(path, second.name)
    assert read(path).version[:12] == second.name
    with pytest.raises(BundleError) as caught:
        bundle.set_current(path, "0" * 12)
    assert str(caught.value) == (
        f"{path} has no version '000000000000'.\n  versions: {', '.join(bundle.versions(path))}"
    )


def test_a_wrong_version_is_a_bug(tmp_path: Path, contents: Contents) -> None:
    with pytest.raises(ValueError, match="the contents make version"):
        write(tmp_path / "b", dataclasses.replace(contents, version="0" * 64))


# -- what is refused on writing


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"stages": {"a": {"use": "clip", "x": [{"_target_": "os.system"}]}}},
            "the config holds stages.a.x.0._target_, which names code to run; a bundle must not",
        ),
        (
            {"plugins": ["mine"]},
            "the config names folders of plugins, which a bundle must not: they would run any code; "
            "give plugins=[…] on the command line",
        ),
        (
            {"source": {"url": "postgres://user:secret@host"}},
            "the config has the key 'source', which is not a pipeline's; a bundle holds no other",
        ),
        ({"name": object}, "<class 'object'> (type) is no plain value; a bundle holds JSON"),
        (
            {"stages": {"a": {"map": {1: "x"}}}},
            "1 can't be a key in a bundle: JSON's keys are texts; quote it",
        ),
    ],
)
def test_configs_that_are_refused(
    tmp_path: Path, contents: Contents, config: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BundleError) as caught:
        write(tmp_path / "b", dataclasses.replace(contents, config=config))
    assert str(caught.value) == reason
    assert not (tmp_path / "b").exists()


def test_a_label_that_names_no_file(tmp_path: Path, contents: Contents, model: dict[str, Any]) -> None:
    with pytest.raises(BundleError) as caught:
        write(tmp_path / "b", dataclasses.replace(contents, learned={"../m": model}))
    assert str(caught.value) == (
        "the stage '../m' has a model, but its label can't name a file; use letters, digits, _ . -"
    )


# -- what is refused on reading


def test_no_such_bundle(tmp_path: Path, contents: Contents) -> None:
    write(tmp_path / "flights", contents)
    assert said(tmp_path / "flihgts") == (
        f"there is no bundle {tmp_path}/flihgts. Did you mean 'flights'?\n  {tmp_path} holds: flights"
    )
    assert said(tmp_path / "no" / "b") == (
        f"there is no bundle {tmp_path}/no/b.\n  there is no folder {tmp_path}/no"
    )


def test_not_a_bundle(tmp_path: Path) -> None:
    assert said(tmp_path) == (
        f"{tmp_path} is no bundle: it has neither 'current' (a bundle's folder) "
        "nor 'manifest.json' (the folder of one version)"
    )


def test_current_is_missing(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents, make_current=False)
    assert said(tmp_path / "b") == (
        f"{tmp_path}/b has no file 'current', which says what version is in use\n"
        f"  versions: {folder.name}; give one of them as the bundle, or promote it"
    )


def test_current_is_wrong(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    current = tmp_path / "b" / "current"
    current.write_text("012345678901\n")
    assert said(tmp_path / "b") == (
        f"{current} names version 012345678901, which isn't there\n  versions: {folder.name}"
    )
    current.write_text("../../etc\n")
    assert said(tmp_path / "b") == f"{current} says '../../etc'; expected a version's 12 hex digits"
    current.unlink()
    current.symlink_to(folder / "config.json")
    assert said(tmp_path / "b") == f"{current} is a link; a bundle holds regular files only"


@pytest.mark.parametrize("name", ["config.json", "learned.arrow", "model-model.ubj", "golden.arrow"])
def test_a_changed_byte(tmp_path: Path, contents: Contents, name: str) -> None:
    folder = write(tmp_path / "b", contents)
    data = bytearray((folder / name).read_bytes())
    wanted = hashlib.sha256(data).hexdigest()
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    assert said(folder) == (
        f"{folder}/{name} was changed after it was written:\n"
        f"  expected sha256 {wanted}\n  found    sha256 {hashlib.sha256(data).hexdigest()}"
    )


def test_another_size_and_a_missing_file(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    size = (folder / "config.json").stat().st_size
    with (folder / "config.json").open("ab") as file:
        file.write(b" ")
    assert said(folder) == f"{folder}/config.json has {size + 1:,} bytes; {size:,} at most were expected"
    (folder / "config.json").unlink()
    assert said(folder) == f"{folder}/config.json is missing"


def test_a_changed_file_with_a_matching_manifest(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    config = json.loads((folder / "config.json").read_bytes())
    config["stages"]["squeeze"]["hi"] = 4.0
    (folder / "config.json").write_text(json.dumps(config))
    relist(folder, "config.json")
    assert said(folder).startswith(f"{folder}: its files make version ")
    assert said(folder).endswith("; it was changed after it was written")


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("../x", ": only plain names are allowed, no folders and no '..'"),
        ("..", ": only plain names are allowed, no folders and no '..'"),
        ("/etc/passwd", ": only plain names are allowed, no folders and no '..'"),
        ("a/b", ": only plain names are allowed, no folders and no '..'"),
        ("a\\b", ": only plain names are allowed, no folders and no '..'"),
        (".hidden", ": only plain names are allowed, no folders and no '..'"),
        ("", ": only plain names are allowed, no folders and no '..'"),
        ("code.py", ", which no bundle of format 1 has"),
    ],
)
def test_unsafe_names(tmp_path: Path, contents: Contents, name: str, rest: str) -> None:
    folder = write(tmp_path / "b", contents)
    where = folder / "manifest.json"
    document = json.loads(where.read_bytes())
    document["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    where.write_text(json.dumps(document))
    assert said(folder) == f"{where} lists the file {name!r}{rest}"


def test_links_and_odd_files(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    file = folder / "learned.arrow"
    moved = tmp_path / "elsewhere.arrow"
    file.rename(moved)
    file.symlink_to(moved)
    assert said(folder) == f"{file} is a link; a bundle holds regular files only"
    file.unlink()
    os.mkfifo(file)
    assert said(folder) == f"{file} is no regular file"
    file.unlink()
    file.mkdir()
    assert said(folder) == f"{file} is no regular file"


def test_a_version_that_is_a_link(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert said(tmp_path / "b") == f"{folder} is a link; a bundle holds regular files and folders only"


def test_files_that_are_not_listed_are_not_read(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    (folder / "model-other.ubj").write_bytes(b"x")
    (folder / "evil.pkl").write_bytes(pickle.dumps([1]))
    assert list(read(folder).learned) == list(contents.learned)


def test_other_formats_and_newer_engines(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    where = folder / "manifest.json"
    here = bundle.read_manifest(folder).engine
    edit(folder, format=2, engine="7.1.0")
    assert said(folder) == (
        f"{where} is of format 2, written by engine 7.1.0; this is engine {here}, which reads format 1: "
        "upgrade inference-engine"
    )
    edit(folder, format=0)
    assert said(folder).endswith("which reads format 1: fit the pipeline again")
    edit(folder, format=1)
    assert said(folder) == (
        f"{where} was written by engine 7.1.0; this is engine {here}: upgrade inference-engine"
    )


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("", " is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("{not json", None),
        ('{"format": 1, "x": NaN}', " is not JSON: a bare NaN is no JSON"),
        ("[]", " is no manifest of a bundle: it has no 'format'"),
        ('{"format": 1}', " is damaged: 'files' is missing"),
        ('{"format": 1, "files": []}', None),
        ('{"format": 1, "files": {"config.json": {"bytes": -1, "sha256": ""}}}', None),
        ("[" * 100_000, None),
    ],
)
def test_a_damaged_manifest(tmp_path: Path, contents: Contents, text: str, rest: str | None) -> None:
    folder = write(tmp_path / "b", contents)
    where = folder / "manifest.json"
    where.write_text(text)
    found = said(folder)
    assert found.startswith(str(where))
    if rest is not None:
        assert found == f"{where}{rest}"


def test_a_manifest_without_what_is_required(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    edit(folder, files={})
    assert said(folder) == f"{folder}/manifest.json doesn't list config.json, learned.arrow"
    (folder / "manifest.json").write_bytes(b" " * (2**24 + 1))
    assert said(folder) == f"{folder}/manifest.json has 16,777,217 bytes; 16,777,216 at most were expected"


@pytest.mark.parametrize(
    ("change", "rest"),
    [
        (
            {"stages": {"a": {"use": "clip", "_target_": "os.system"}}},
            " holds stages.a._target_, which names code to run; a bundle must not",
        ),
        (
            {"plugins": ["/tmp/evil"]},
            " names folders of plugins, which a bundle must not: they would run any code; "
            "give plugins=[…] on the command line",
        ),
        ({"sink": {}}, " has the key 'sink', which is not a pipeline's; a bundle holds no other"),
    ],
)
def test_a_config_that_was_tampered_with(
    tmp_path: Path, contents: Contents, change: dict[str, Any], rest: str
) -> None:
    folder = write(tmp_path / "b", contents)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **change}).replace("-Infinity", "0"))
    relist(folder, "config.json")
    assert said(folder) == f"{folder}/config.json{rest}"


def test_a_config_that_is_no_json(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    (folder / "config.json").write_text("{name: x}")
    relist(folder, "config.json")
    assert said(folder).startswith(f"{folder}/config.json is not JSON: ")
    (folder / "config.json").write_text("[]")
    relist(folder, "config.json")
    assert said(folder) == f"{folder}/config.json is no mapping"


@pytest.mark.parametrize("keep", [0, 1, 7, 50, 400, -1, -8, -100])
def test_truncated_learned(tmp_path: Path, contents: Contents, keep: int) -> None:
    folder = write(tmp_path / "b", contents)
    file = folder / "learned.arrow"
    file.write_bytes(file.read_bytes()[:keep])
    relist(folder, "learned.arrow")
    assert said(folder).startswith(f"{file} is no whole Arrow file: ")


def test_learned_of_another_shape(tmp_path: Path, contents: Contents) -> None:
    folder = write(tmp_path / "b", contents)
    file = folder / "learned.arrow"
    shutil.copy(folder / "golden.arrow", file)
    relist(folder, "learned.arrow")
    assert said(folder) == f"{file} has other columns than what stages learned: ['a', 'score']"


def test_learned_rows_are_checked() -> None:
    import engine.bundle.arrays as stored

    good = {"stage": "s", "name": "n", "kind": "array", "dtype": "<f8", "shape": [2], "data": bytes(16)}
    for change, reason in (
        ({"dtype": "|O"}, "an array of an unknown dtype '|O'"),
        ({"kind": "pickle"}, "a value of an unknown kind 'pickle'"),
        ({"shape": [3]}, "cannot reshape array of size 2 into shape (3,)"),
        ({"shape": [-1]}, "an array of the shape (-1,)"),
        ({"shape": None}, "a part is missing"),
        ({"kind": "texts"}, "a part is missing"),
        ({"kind": "texts", "texts": ["a", None]}, "a part is missing"),
    ):
        table = pa.Table.from_pylist([{**good, **change}], schema=stored._schema())
        with pytest.raises(BundleError) as caught:
            read_learned(stored.table_bytes(table), "learned.arrow")
        assert str(caught.value) == f"learned.arrow: s.n can't be read: {reason}"


def test_plugins_of_another_version() -> None:
    check_plugin_versions({"clip": 1}, {"clip": 1, "other": 3}, "b")
    with pytest.raises(BundleError) as caught:
        check_plugin_versions({"clip": 1, "mine": 1}, {"clip": 2, "miner": 1}, "bundles/flights")
    assert str(caught.value) == (
        "bundles/flights was made with other plugins:\n"
        "  stage 'clip' was of version 1, here it is of version 2\n"
        "  stage 'mine' is not installed here. Did you mean 'miner'?\n"
        "  install those, or name their folder: plugins=[DIR]; or fit again with these"
    )


# -- crashes

CRASH = """
import sys
import numpy as np
from engine.bundle import Contents, write
write(sys.argv[1], Contents(
    config={"name": "n", "stages": {}},
    learned={"fill": {"mean": np.array([float(sys.argv[2])])}, "m": {"model": np.zeros(3, np.uint8)}},
))
"""
POINTS = (
    "bundle.file.config.json", "bundle.file.model-m.ubj", "bundle.file.learned.arrow", "bundle.before-rename",
    "bundle.renamed", "bundle.before-current", "bundle.current-replaced",
)  # fmt: skip


def run(path: Path, value: float, point: str = "") -> int:
    environment = {**os.environ, "ENGINE_FAILPOINT": point}
    return subprocess.run([sys.executable, "-c", CRASH, path, str(value)], env=environment).returncode


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_one_whole_version_in_use(tmp_path: Path, point: str) -> None:
    path = tmp_path / "b"
    assert run(path, 1.0) == 0
    before = {name: data for name, data in snapshot(path).items() if name.startswith("versions/")}
    assert run(path, 2.0, point) == -signal.SIGKILL
    value = read(path).learned["fill"]["mean"][0]
    assert value == (2.0 if point == "bundle.current-replaced" else 1.0)
    after = snapshot(path)
    assert {name: after.get(name) for name in before} == before
    assert all(read(path / "versions" / name) for name in bundle.versions(path))
    assert run(path, 2.0) == 0
    assert read(path).learned["fill"]["mean"][0] == 2.0


@pytest.mark.parametrize("point", ["bundle.file.config.json", "bundle.renamed", "bundle.before-current"])
def test_a_crash_in_the_first_write_leaves_no_bundle(tmp_path: Path, point: str) -> None:
    path = tmp_path / "b"
    assert run(path, 1.0, point) == -signal.SIGKILL
    with pytest.raises(BundleError):
        read(path)
    assert run(path, 1.0) == 0
    assert read(path).learned["fill"]["mean"][0] == 1.0


def test_what_crashes_left_is_removed_a_day_later(tmp_path: Path, contents: Contents) -> None:
    path = tmp_path / "b"
    for name in ("old", "new"):
        (path / "versions" / f".tmp-{name}").mkdir(parents=True)
        (path / f".current-{name}").write_text("x")
    for item in (path / "versions" / ".tmp-old", path / ".current-old"):
        os.utime(item, (0, 0))
    write(path, contents)
    left = {item.name for item in (*path.iterdir(), *(path / "versions").iterdir())}
    assert left >= {".tmp-new", ".current-new"} and not left & {".tmp-old", ".current-old"}


def test_writers_at_once(tmp_path: Path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", CRASH, str(tmp_path / "b"), "3.0"]) for _ in range(4)]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    assert read(tmp_path / "b").learned["fill"]["mean"][0] == 3.0
    assert len(list((tmp_path / "b" / "versions").iterdir())) == 1
