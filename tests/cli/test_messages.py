"""What people read when they made a mistake: the whole text, exit code 2, nothing on stdout."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from engine.config.config import ROOT_KEYS
from engine.registry import Registry
from tests.cli.conftest import Run, houses

FIT = ("fit", "pipeline=prices", "source.path=houses.parquet")
BATCH = ("batch", "bundle=bundles/prices", "sink.path=out.parquet")
NO_TARGET = "_target_ is refused: names come from the registry of plugins only (use: NAME)"
CLIP = (
    "  options: columns (required), lo: float = -inf, hi: float = inf, "
    "quantiles: list[float | None] | None = null\n"
    "  set by: command line        stage built in: plugins/clip.py\n"
)


def refused(run: Run, *argv: str) -> str:
    """The message of a refused command: text alone, on stderr alone."""
    ran = run(*argv)
    assert ran.code == 2, ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err
    return ran.err


VERBS = "demo, fit, batch, serve, evaluate, promote, check, explain, trace, stages, schema, new"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(
            ("fitt",),
            f"there is no verb 'fitt'. Did you mean 'fit'?\n  verbs: {VERBS}\n",
            id="verb",
        ),
        pytest.param(
            ("pipeline=prices", "source.path=x"),
            f"'pipeline=prices': a verb comes first: engine VERB pipeline=prices\n  verbs: {VERBS}\n",
            id="no verb",
        ),
        pytest.param(
            ("fit", "--jsn"),
            "there is no flag '--jsn'. Did you mean '--json'?\n"
            "  flags: --config-dir, -m, --json, --help, -h, --version\n"
            "  all else is written without dashes: key=value, as in stages.model.rounds=5\n",
            id="flag",
        ),
        pytest.param(
            (*FIT, "-m"), "-m: sweeps aren't built yet; run engine fit once for each value\n", id="sweep"
        ),
        pytest.param(
            ("fit", "prices"),
            "'prices' is no override: write key=value, +key=value or ~key. Did you mean pipeline=prices?\n",
            id="a pipeline's bare name",
        ),
        pytest.param(
            ("evaluate", "houses.parquet"),
            "'houses.parquet' is no override: write key=value, +key=value or ~key."
            " Did you mean source.path=houses.parquet?\n",
            id="a source's bare name",
        ),
        pytest.param(
            ("batch", "bundles/prices"),
            "'bundles/prices' is no override: write key=value, +key=value or ~key."
            " Did you mean bundle=bundles/prices?\n",
            id="a bundle's bare name",
        ),
        pytest.param(
            ("stages", "clop"),
            f"no stage is called 'clop'. Did you mean 'clip'?\n  stages: {', '.join(Registry().names())}\n",
            id="stage to show",
        ),
        pytest.param(
            (*FIT, "stages.squeeze.use=clop"),
            "stages.squeeze.use: no stage is called 'clop'. Did you mean 'clip'?\n"
            f"  stages: {', '.join(Registry().names())}\n  set by: command line\n",
            id="stage to use",
        ),
        pytest.param(
            (*FIT, "stages.squeeze.hgh=3"),
            "stages.squeeze.hgh: 'clip' has no option 'hgh'. Did you mean 'hi'?\n" + CLIP,
            id="option",
        ),
        pytest.param(
            (*FIT, "stages.squeze.hi=3"),
            "stages.squeze: no stage is labelled 'squeze'. Did you mean 'squeeze'?\n"
            "  labels: fill, city, squeeze, model, decide\n"
            "  to add a stage: '+stages.squeze={use: NAME, columns: [NAME]}'\n"
            "  set by: command line\n",
            id="label",
        ),
        pytest.param(
            (*FIT, "stages.squeeze.columns=[room]"),
            "stages.squeeze.columns: there is no column 'room'. Did you mean 'rooms'? Columns here: "
            "size: number, rooms: number, city: category, sold: timestamp, city_*: number\n"
            "  set by: command line        stage built in: plugins/clip.py\n",
            id="column",
        ),
        pytest.param(
            ("fit", "pipelin=prices"),
            "pipelin: no such key 'pipelin'. Did you mean 'pipeline'?\n"
            f"  keys: {', '.join((*ROOT_KEYS, 'pipeline'))}\n  set by: command line\n",
            id="root key",
        ),
        pytest.param(
            (*FIT, "kernel=true", "by=id", "gate=1"),
            "3 mistakes in the config:\n\n"
            "kernel: engine fit doesn't take 'kernel'\n  taken by: explain\n\n"
            "by: engine fit doesn't take 'by'\n  taken by: evaluate\n\n"
            "gate: engine fit doesn't take 'gate'\n  it isn't built yet: no verb takes it\n",
            id="keys of other verbs",
        ),
        pytest.param(
            (*FIT, "target.value=price > 3"),
            "target.value: the value 'price > 3' needs quotes\n  write: 'target.value=\"price > 3\"'\n",
            id="quotes",
        ),
        pytest.param(
            (*FIT, "stages.squeeze.hi=high"),
            "stages.squeeze.hi: 'hi' of 'clip' must be a number, not the text 'high'\n" + CLIP,
            id="type",
        ),
        pytest.param(
            ("batch", "bundle=bundles/prices", "executor.threads=0", "rejects.max=lots"),
            "2 mistakes in the config:\n\n"
            "executor.threads: 'threads' of 'local' must be at least 1 and at most 4,096, not 0\n"
            "  options: threads: int | None = null, attempts: int = 3\n"
            "  set by: command line        executor built in: plugins/executors/local.py\n\n"
            "rejects.max: 'max' of 'rejects' must be int | float | None, not the text 'lots'\n"
            "  options: path: str | None = null, max: int | float | None = 0\n  set by: command line\n",
            id="range",
        ),
        pytest.param(
            ("explain", "pipeline=prices", "bundle=bundles/prices"),
            "bundle: a pipeline and a bundle are both given, and each would be the pipeline; remove one\n"
            "  pipeline: conf/pipeline/prices.yaml\n  bundle: bundles/prices\n",
            id="pipeline and bundle",
        ),
        pytest.param(
            ("explain", "pipeline=prices", "kernel=true"),
            "kernel: a pipeline that isn't fitted has no kernel yet\n"
            "  fit the pipeline, then: engine explain bundle=PATH kernel=true\n",
            id="kernel of nothing",
        ),
        pytest.param(
            ("batch", "bundle=bundles/prices", "stages.squeeze.hi=3"),
            "stages.squeeze.hi: needs a refit: 'model' learned from what 'squeeze' gave\n"
            "  to refit: engine fit bundle=bundles/prices source.path=PATH stages.squeeze.hi=3.0\n",
            id="refit",
        ),
        pytest.param(
            (*FIT, "target.column=prise"),
            "houses.parquet: there is no column 'prise', which target names. Did you mean 'price'?\n"
            "  columns there: id, size, rooms, city, sold, price\n",
            id="target's column",
        ),
        pytest.param(
            (*FIT, "target=null"),
            "target: the pipeline doesn't say what is learned\n"
            "  add target.column=NAME, or 'target.value=\"price > 10\"'\n",
            id="no target",
        ),
        pytest.param(
            ("fit", "pipeline=prices"),
            "source.path: a path is needed: a file (.parquet or .arrow or .feather or .arrows or .csv or .jsonl or .ndjson) or a folder\n",  # noqa: E501
            id="no source",
        ),
        pytest.param(
            (*BATCH, "source.path=hoses.parquet"),
            "hoses.parquet: no such file or folder. Did you mean 'houses.parquet'?\n",
            id="no such file",
        ),
        pytest.param(
            (*FIT, "bundle=houses.parquet"),
            "bundle: houses.parquet is a file, so nothing can be saved in houses.parquet\n",
            id="a file for a bundle",
        ),
        pytest.param(
            ("explain", "bundle=bundles/price"),
            "there is no bundle bundles/price. Did you mean 'prices'?\n  bundles holds: prices\n",
            id="no such bundle",
        ),
        pytest.param(
            ("explain", "bundle=conf"),
            "conf is no bundle: it has neither 'current' (a bundle's folder) nor 'manifest.json' "
            "(the folder of one version)\n",
            id="no bundle",
        ),
        pytest.param(
            ("explain", "pipeline=stated", "stages.squeeze._target_=os.system"),
            f"stages.squeeze._target_: {NO_TARGET}\n  set by: command line\n",
            id="_target_ typed",
        ),
        pytest.param(
            ("batch", "bundle=bundles/prices", "rejects=1"),
            "rejects: must be a mapping such as {max: 100}, not 1\n  set by: command line\n",
            id="no mapping",
        ),
        pytest.param(
            ("batch", "bundle=bundles/prices", "executor.batch_rows=9223372036854775808"),
            "executor.batch_rows: 'batch_rows' of 'executor' must be at least 1 and at most 16,777,216, "
            "not 9,223,372,036,854,775,808\n"
            "  options: batch_rows: int | None = null, shard_rows: int | None = null\n"
            "  set by: command line\n",
            id="batch_rows",
        ),
        pytest.param(
            ("batch", "bundle=bundles/prices", "rejects.max=1.0"),
            "rejects.max: expected a count (100), a share below 1 (0.01), or null: as many as there are; "
            "1.0 is no share below 1\n"
            "  as a count: rejects.max=1; all rows: rejects.max=null\n"
            "  options: path: str | None = null, max: int | float | None = 0\n  set by: command line\n",
            id="a share of 1",
        ),
        pytest.param(
            (*FIT, "bundle=1"),
            "bundle: must be the path of a folder, not 1; quote it: 'bundle=\"1\"'\n",
            id="a number for a bundle",
        ),
        pytest.param(
            (*FIT, "bundle=''"), "bundle: must be the path of a folder, not ''\n", id="no text for a bundle"
        ),
        pytest.param(
            ("explain", "bundle=''"),
            "bundle: must be the path of a folder, not ''\n",
            id="no text for a bundle to read",
        ),
        pytest.param(
            (*FIT, "split.seed=-1"),
            "split.seed: must be at least 0, not -1\n  set by: command line\n",
            id="seed below 0",
        ),
        pytest.param(
            (*FIT, "stages.decide.use=null"),
            "stages.decide.use: a stage can't be without the plugin that it is made by\n"
            "  to remove the stage: ~stages.decide\n"
            "  to switch it off: stages.decide.enabled=false\n  set by: command line\n",
            id="use=null",
        ),
        pytest.param(
            (*FIT, "plugins=[conf]"),
            "plugins: conf holds no stages; each is a file of its own, NAME.py\n  set by: command line\n",
            id="a folder without plugins",
        ),
        pytest.param(
            ("stages", "plugins=[conf]"),
            "plugins: conf holds no stages; each is a file of its own, NAME.py\n  set by: command line\n",
            id="stages of a folder without plugins",
        ),
        pytest.param(
            ("batch", "bundle=bundles/prices", "source.path=houses.parquet", "keep=[dear]"),
            "keep: 'dear' is an output column already, which 'decide' makes: remove it from keep\n"
            "  set by: command line\n",
            id="keep names a decision",
        ),
        pytest.param(
            ("batch", "bundle=bundles/prices", "source.path=houses.parquet", "keep=[score]"),
            "keep: 'score' is an output column already: remove it from keep\n  set by: command line\n",
            id="keep names a score",
        ),
        pytest.param(
            (*BATCH, "source.path=houses.parquet", "rejects.path=houses.parquet", "sink.mode=replace"),
            "houses.parquet: the file of rejects is what the batch reads; set rejects.path to another path\n",
            id="rejects over the source",
        ),
        pytest.param(
            ("explain", "pipeline=stated", "+stages.m={use: xgboost, columns: [size], model: /dev/zero}"),
            "/dev/zero is no regular file\n",
            id="a device for a model",
        ),
        pytest.param(
            ("explain", "pipeline=stated", "+stages.a={_target_: os.system}"),
            f"stages.a._target_: {NO_TARGET}\n  set by: command line\n",
            id="_target_ added",
        ),
    ],
)
def test_message(argv: tuple[str, ...], message: str, run: Run) -> None:
    assert refused(run, *argv) == message


def test_pipeline(run: Run) -> None:
    first, *rest = refused(run, "fit", "pipeline=price").splitlines()
    assert first == "pipeline: there is no pipeline 'price'. Did you mean 'prices'?"
    assert rest[0] == "  pipelines: flights, prices, stated"


# -- sources that don't fit


def changed(column: str, values: Any) -> pa.Table:
    table = houses()
    return table.set_column(table.schema.get_field_index(column), column, values)


@pytest.mark.parametrize(
    ("table", "argv", "message"),
    [
        pytest.param(
            houses().drop_columns(["rooms"]),
            BATCH,
            "new.parquet: the columns don't fit the pipeline's inputs\n"
            "  rooms: no such column.\n"
            "  columns there: id, size, city, sold, price\n"
            "  if it may be absent: 'inputs.NAME={kind: …, optional: true}'\n",
            id="missing column",
        ),
        pytest.param(
            changed("city", pa.array(range(400))),
            BATCH,
            "new.parquet: the columns don't fit the pipeline's inputs\n"
            "  city: expected text for a category, found int64\n",
            id="numbers for a category",
        ),
        pytest.param(
            changed("rooms", pa.array(["two"] * 400)),
            BATCH,
            "new.parquet: the columns don't fit the pipeline's inputs\n"
            "  rooms: expected a number, found string\n",
            id="texts for a number",
        ),
        pytest.param(
            changed("price", pa.array([1.0] * 400)),
            ("fit", "pipeline=prices"),
            "target: 'price' has the same value, 1 in all 400 rows; there is nothing to learn\n",
            id="constant target",
        ),
        pytest.param(
            changed("price", pa.nulls(400, pa.float64())),
            ("fit", "pipeline=prices"),
            "target: none of the 400 rows has a value for 'price'; there is nothing to learn from\n",
            id="target without values",
        ),
    ],
)
def test_source_that_does_not_fit(
    table: pa.Table, argv: tuple[str, ...], message: str, run: Run, project: Path
) -> None:
    pq.write_table(table, "new.parquet")
    assert refused(run, *argv, "source.path=new.parquet") == message
    assert not (project / "out.parquet").exists()


NO_FOOTER = (
    "can't be read as Parquet: Parquet magic bytes not found in footer. "
    "Either the file is corrupted or this is not a parquet file.\n"
)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("new.csv", lambda whole: b"", "new.csv: the file is empty (0 bytes)\n"),
        ("new.parquet", lambda whole: b"x" * 99, f"new.parquet: {NO_FOOTER}"),
        ("new.parquet", lambda whole: whole[:3000], f"new.parquet: {NO_FOOTER}"),
        (
            "new.txt",
            lambda whole: b"a",
            "new.txt: no format has the extension '.txt'; there are .parquet, .arrow, .feather, .arrows, .csv, .jsonl, .ndjson\n",  # noqa: E501
        ),
    ],
    ids=["empty", "no Parquet", "truncated", "format"],
)
@pytest.mark.parametrize("verb", ["batch", "evaluate", "check"])
def test_source_that_cannot_be_read(
    name: str, content: Callable[[bytes], bytes], message: str, verb: str, run: Run
) -> None:
    Path(name).write_bytes(content(Path("houses.parquet").read_bytes()))
    sink = () if verb == "evaluate" else ("sink.path=out.parquet",)
    ran = run(verb, "bundle=bundles/prices", f"source.path={name}", *sink, conf=False)
    assert (ran.code, ran.err) == (2, message)


# -- files that are not to be trusted


@pytest.fixture
def version(project: Path) -> Path:
    """The folder of the bundle's version in use, relative to the working folder."""
    bundle = Path("bundles/prices")
    return bundle / "versions" / (bundle / "current").read_text().strip()


def edit(manifest: Path, **changes: Any) -> None:
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))


def test_bundle_of_another_format(run: Run, version: Path) -> None:
    edit(version / "manifest.json", format=2)
    assert refused(run, "explain", "bundle=bundles/prices") == (
        f"{version}/manifest.json is of format 2, written by engine 0.1.0; this is engine 0.1.0, "
        "which reads format 1: upgrade inference-engine\n"
    )


def test_bundle_with_a_changed_byte(run: Run, version: Path) -> None:
    file = version / "learned.arrow"
    content = bytearray(file.read_bytes())
    was = hashlib.sha256(content).hexdigest()
    content[100] ^= 1
    file.write_bytes(content)
    assert refused(run, "explain", "bundle=bundles/prices") == (
        f"{file} was changed after it was written:\n"
        f"  expected sha256 {was}\n  found    sha256 {hashlib.sha256(content).hexdigest()}\n"
    )


def test_bundle_that_names_a_file_elsewhere(run: Run, version: Path) -> None:
    manifest = version / "manifest.json"
    files = json.loads(manifest.read_text())["files"]
    edit(manifest, files=files | {"../secret.json": {"bytes": 1, "sha256": "0"}})
    assert refused(run, "explain", "bundle=bundles/prices") == (
        f"{manifest} lists the file '../secret.json': only plain names are allowed, no folders and no '..'\n"
    )


def test_bundle_that_names_code(run: Run, version: Path) -> None:
    """Also where sizes and sha256 are made to match."""
    config = json.loads((version / "config.json").read_text())
    config["stages"]["squeeze"]["_target_"] = "os.system"
    content = json.dumps(config).encode()
    (version / "config.json").write_bytes(content)
    manifest = version / "manifest.json"
    files = json.loads(manifest.read_text())["files"]
    files["config.json"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    edit(manifest, files=files)
    assert refused(run, "explain", "bundle=bundles/prices") == (
        f"{version}/config.json holds stages.squeeze._target_, which names code to run; a bundle must not\n"
    )


def test_pipeline_file_that_names_code(run: Run, project: Path) -> None:
    (project / "conf" / "pipeline" / "evil.yaml").write_text(
        "# @package _global_\nname: evil\ninputs: {x: number}\nstages:\n  a: {_target_: os.system}\n"
    )
    assert refused(run, "explain", "pipeline=evil") == (
        f"stages.a._target_: {NO_TARGET}\n  set by: conf/pipeline/evil.yaml\n"
    )


def test_pipeline_file_that_is_no_yaml(run: Run, project: Path) -> None:
    (project / "conf" / "pipeline" / "torn.yaml").write_text("# @package _global_\nname: [torn\n")
    assert refused(run, "explain", "pipeline=torn").startswith("conf/pipeline/torn.yaml, line ")


def test_pipeline_file_that_sets_what_is_not_built(run: Run, project: Path) -> None:
    (project / "conf" / "pipeline" / "soon.yaml").write_text(
        "# @package _global_\nname: soon\ninputs: {x: number}\nsweep: {trials: 1}\n"
    )
    assert refused(run, "explain", "pipeline=soon") == (
        "sweep: it isn't built yet: no verb takes it\n  set by: conf/pipeline/soon.yaml\n"
    )


def test_file_that_is_no_model(run: Run) -> None:
    Path("hello.ubj").write_text("hello")
    stage = "+stages.m={use: xgboost, columns: [size], model: hello.ubj}"
    assert refused(run, "explain", "pipeline=stated", stage) == (
        "hello.ubj is no XGBoost model: it starts with b'hello'; expected an XGBoost model saved by "
        'booster.save_model("model.ubj") or ("model.json")\n'
    )


def test_a_fit_that_refuses_a_value_says_which(run: Run) -> None:
    text = houses().drop_columns(["rooms"]).append_column("rooms", pa.array(["3"] * 399 + ["x"]))
    pyarrow.csv.write_csv(text, "houses.csv")
    fit = ("fit", "pipeline=prices", "source.path=houses.csv")
    assert refused(run, *fit) == (
        "1 labelled row is refused; the first is row 399: rooms: expected a number, found 'x'\n"
        "  to take such values as missing: 'inputs.rooms={kind: number, invalid: null}'\n"
    )
    assert run(*fit, "inputs.rooms={kind: number, invalid: null}").code == 0


def test_a_category_for_a_model_without_classes(run: Run) -> None:
    given = ("evaluate", "bundle=bundles/prices", "source.path=houses.parquet", "target.column=city")
    assert refused(run, *given) == (
        "target: it is a category, and 'model' learned no classes: its score is one number\n"
        '  a condition on it would fit: target.column=null \'target.value="NAME == \\"TEXT\\""\'\n'
    )
    assert run(*given[:3], "target.column=null", r'target.value="city == \"York\""').code == 0


def test_what_is_there_is_not_overwritten(run: Run) -> None:
    Path("out.parquet").write_text("precious")
    assert refused(run, *BATCH, "source.path=houses.parquet") == (
        "out.parquet: the file exists; to replace it: sink.mode=replace\n"
    )
    assert Path("out.parquet").read_text() == "precious"


@pytest.mark.parametrize("pipeline", ["prices", "stated"])
def test_check_holds_the_sink_against_the_source(run: Run, pipeline: str) -> None:
    given = ("check", f"pipeline={pipeline}", "source.path=houses.parquet", "sink.path=houses.parquet")
    ran = run(*given, "sink.mode=replace")
    assert (ran.code, ran.err) == (
        2,
        "houses.parquet: the sink is what the batch reads; write to another path\n",
    )


def test_check_writes_nothing(run: Run, project: Path) -> None:
    before = sorted(project.rglob("*"))
    given = ("check", "bundle=bundles/prices", "source.path=houses.parquet", "sink.path=o/zz/yy/q.csv")
    assert run(*given, conf=False).code == 0
    assert sorted(project.rglob("*")) == before


def test_all_rows_may_be_rejected_where_that_is_said(run: Run) -> None:
    Path("new.csv").write_text("size\nx\ny\n")
    given = ("batch", "pipeline=stated", "source.path=new.csv", "sink.path=out.csv")
    assert run(*given).code == 2
    ran = run(*given, "rejects.max=null")
    assert ran.code == 0, ran.err
    assert "2 rejected" in ran.err


def test_a_bundle_is_read_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.bundle

    paths: list[object] = []
    once = engine.bundle.read

    def counted(path: str) -> object:
        paths.append(path)
        return once(path)

    monkeypatch.setattr(engine.bundle, "read", counted)
    assert run("explain", "bundle=bundles/prices", conf=False).code == 0
    assert paths == ["bundles/prices"]


def test_a_bundle_with_stages_of_ones_own(run: Run, project: Path) -> None:
    (project / "own").mkdir()
    (project / "own" / "halve_it.py").write_text(
        "from engine.stage import ColumnStage, stage\n"
        "from engine.schema import Kind\n\n\n"
        "@stage('halve_it')\nclass HalveIt(ColumnStage):\n"
        '    """Half of a number."""\n\n'
        "    accepts = (Kind.NUMBER,)\n\n"
        "    def express(self, column, learned):\n        return column / 2\n"
    )
    own = ("plugins=[own]", "+stages.half={use: halve_it, columns: [rooms], before: model}")
    fitted = run(*FIT, *own, "bundle=own/bundle")
    assert fitted.code == 0, fitted.err
    ran = run("explain", "bundle=own/bundle", "plugins=[own]", conf=False)
    assert ran.code == 0, ran.err


def test_a_librarys_warning_is_one_line(run: Run) -> None:
    code = (
        "import warnings, sys\nfrom engine.cli import main\n"
        "def run(arguments):\n"
        "    warnings.warn('[12:00:00] WARNING: /src/x/context.cc:44: No GPU,\\n  so: CPU.', UserWarning)\n"
        "    return 0\n"
        "main._run = run\nsys.exit(main.main([]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "warning: No GPU, so: CPU.\n")


def test_a_pipeline_in_a_folder_that_was_not_named(run: Run) -> None:
    Path("own/pipeline").mkdir(parents=True)
    Path("own/pipeline/elsewhere.yaml").write_text("# @package _global_\nname: elsewhere\n")
    said = refused(run, "explain", "pipeline=elsewhere")
    assert said.splitlines()[:2] == [
        "pipeline: there is no pipeline 'elsewhere'.",
        "  there is one in own: add --config-dir own",
    ]


def test_a_file_parted_by_another_character(run: Run) -> None:
    pyarrow.csv.write_csv(houses(), "houses.csv", pyarrow.csv.WriteOptions(delimiter=";"))
    said = refused(run, "fit", "pipeline=prices", "source.path=houses.csv")
    assert "  the file seems to be parted by ';': 'source.delimiter=\";\"'\n" in said
    assert run("fit", "pipeline=prices", "source.path=houses.csv", 'source.delimiter=";"').code == 0


def test_more_is_told_of_an_input_in_its_short_form(run: Run) -> None:
    assert run("explain", "pipeline=stated", "inputs.size.missing=reject").code == 0
