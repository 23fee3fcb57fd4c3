"""The verbs, as they are typed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import engine
from engine.cli.arguments import parse_arguments
from engine.cli.main import main
from engine.cli.verbs import VERBS
from tests.cli.conftest import Ran, Run, houses

ENGINE = [sys.executable, "-m", "engine"]


def shell(*argv: str, cwd: Path | None = None, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ENGINE, *argv], capture_output=True, text=True, cwd=cwd, **more)  # type: ignore[call-overload, no-any-return]


# -- what is typed


def test_flags_stand_anywhere() -> None:
    first = parse_arguments(["--json", "fit", "--config-dir", "conf", "a=1", "~b", "+c={d: 1}"])
    last = parse_arguments(["fit", "a=1", "~b", "+c={d: 1}", "--config-dir=conf", "--json"])
    assert first == last
    assert (first.verb, first.overrides, first.config_dir, first.json) == (
        "fit",
        ("a=1", "~b", "+c={d: 1}"),
        "conf",
        True,
    )


def test_an_override_may_hold_blanks_and_equals_signs() -> None:
    assert parse_arguments(["fit", 'source.path="data/year=2013"']).overrides == (
        'source.path="data/year=2013"',
    )


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_general_help_names_every_verb(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    text = capsys.readouterr().out
    assert [verb.name for verb in VERBS if f"\n  {verb.name} " not in text] == []


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_each_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: engine {verb} ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"engine {engine.__version__}\n"


# -- fit, batch, evaluate


def test_fit_says_what_it_did(run: Run, project: Path) -> None:
    ran = run("fit", "pipeline=prices", "source.path=houses.parquet", "--json")
    assert ran.code == 0
    facts = json.loads(ran.out)
    assert facts["rows"]["unlabelled"] == 8
    assert sum(facts["rows"].values()) == 400
    assert set(facts["metrics"]) == {"rmse", "mae", "r2"}
    assert facts["part"] == "test"
    assert (project / facts["folder"] / "manifest.json").is_file()
    assert "left out, because their target is missing: 8 rows" in ran.err
    assert "metrics of the test part" in ran.err


def test_fit_saves_where_it_is_told(run: Run, project: Path) -> None:
    assert run("fit", "pipeline=prices", "source.path=houses.parquet", "bundle=elsewhere/mine").code == 0
    assert (project / "elsewhere" / "mine" / "current").is_file()


def test_fit_of_a_bundle_fits_its_own_config_again(run: Run, project: Path) -> None:
    before = (project / "bundles" / "prices" / "current").read_text()
    same = run("fit", "bundle=bundles/prices", "source.path=houses.parquet", conf=False)
    assert same.code == 0, same.err
    assert (project / "bundles" / "prices" / "current").read_text() == before
    other = run(
        "fit", "bundle=bundles/prices", "source.path=houses.parquet", "stages.model.rounds=3", conf=False
    )
    assert other.code == 0
    assert (project / "bundles" / "prices" / "current").read_text() != before


def test_fit_says_when_nothing_was_saved(run: Run, project: Path) -> None:
    def fit(column: str) -> Ran:
        return run("fit", "pipeline=stated", "source.path=houses.parquet", f"+target.column={column}")

    first, again, other = fit("price"), fit("price"), fit("rooms")
    assert "saved version" in first.err
    assert "saved version" not in again.err and "unchanged: version" in again.err
    assert other.code == 2 and 'target: {"column": "price"} there, {"column": "rooms"} here' in other.err


def test_fit_reads_csv(run: Run, project: Path) -> None:
    pyarrow.csv.write_csv(houses(), "houses.csv")
    from_csv = run("fit", "pipeline=prices", "source.path=houses.csv", "bundle=csv", "--json")
    from_parquet = run("fit", "pipeline=prices", "source.path=houses.parquet", "bundle=parquet", "--json")
    assert (from_csv.code, from_parquet.code) == (0, 0), from_csv.err
    assert json.loads(from_csv.out)["version"] == json.loads(from_parquet.out)["version"]


def test_batch_equals_predict_many(run: Run, project: Path) -> None:
    ran = run(
        "batch",
        "bundle=bundles/prices",
        "source.path=houses.parquet",
        "sink.path=out.parquet",
        "--json",
        conf=False,
    )
    assert ran.code == 0
    facts = json.loads(ran.out)
    assert (facts["rows_in"], facts["rows_out"], facts["rejected"]) == (400, 400, 0)
    assert facts["files"] == ["out.parquet"]
    expected = engine.load("bundles/prices").predict_many(houses())
    assert pq.read_table("out.parquet").equals(expected.replace_schema_metadata(None))


def test_batch_with_a_runtime_option_changed(run: Run) -> None:
    given = ("batch", "bundle=bundles/prices", "source.path=houses.parquet")
    assert run(*given, "sink.path=all.parquet", "stages.decide.at=-1000", conf=False).code == 0
    assert pq.read_table("all.parquet")["dear"].to_pylist() == [True] * 400
    assert run(*given, "sink.path=scores.parquet", "~stages.decide", conf=False).code == 0
    assert pq.read_table("scores.parquet").schema.names == ["id", "score"]


def test_batch_of_a_pipeline_that_learns_nothing(run: Run) -> None:
    ran = run("batch", "pipeline=stated", "source.path=houses.parquet", "sink.path=out.parquet")
    assert ran.code == 0, ran.err
    sizes = pq.read_table("houses.parquet")["size"].to_pylist()
    found = pq.read_table("out.parquet")["twice"].to_pylist()
    assert [None if math.isnan(twice) else twice for twice in found] == [
        None if size is None else min(size, 9.0) * 2 for size in sizes
    ]


def test_evaluate_all_rows_or_the_part_that_fit_held_out(run: Run) -> None:
    fitted = json.loads(run("fit", "pipeline=prices", "source.path=houses.parquet", "--json").out)
    given = ("evaluate", "bundle=bundles/prices", "source.path=houses.parquet", "--json")
    part = json.loads(run(*given, "split.part=test", conf=False).out)
    assert {name: part["metrics"][name] for name in fitted["metrics"]} == fitted["metrics"]
    assert part["rows"] == fitted["rows"]["test"]
    assert part["unlabelled"] == 0  # rows without a target are in no part
    assert "target is missing" not in run(*given[:-1], "split.part=test", conf=False).err
    everything = json.loads(run(*given, conf=False).out)
    assert (everything["rows"], everything["unlabelled"]) == (392, 8)


def test_evaluate_prints_a_table(run: Run) -> None:
    ran = run("evaluate", "bundle=bundles/prices", "source.path=houses.parquet", conf=False)
    assert [line.split()[0] for line in ran.out.splitlines()] == ["rmse", "mae", "mape", "r2"]


def test_evaluate_against_another_target(run: Run, project: Path) -> None:
    pq.write_table(houses().append_column("asked", pa.array([1.0, 2.0] * 200)), "asked.parquet")
    ran = run(
        "evaluate",
        "bundle=bundles/prices",
        "source.path=asked.parquet",
        "target.column=asked",
        "--json",
        conf=False,
    )
    assert json.loads(ran.out)["rows"] == 400


def test_evaluate_by_the_classes_the_model_learned(run: Run, project: Path) -> None:
    """A table that holds only some of the classes must not shift them."""
    fit = (
        "fit",
        "pipeline=prices",
        "source.path=houses.parquet",
        "target.column=city",
        "bundle=cities",
        "~stages.decide",
        "stages.model.columns=[size, rooms]",
    )
    assert run(*fit).code == 0
    both = houses().filter(pa.compute.not_equal(houses()["city"], "Bath"))
    pq.write_table(both, "both.parquet")
    found = json.loads(run("evaluate", "bundle=cities", "source.path=both.parquet", "--json", conf=False).out)
    scored = engine.load("cities").predict_many(both)
    names = ["score_Bath", "score_Leeds", "score_York"]
    best = [max(names, key=lambda n: row[n]) for row in scored.to_pylist()]
    right = sum(f"score_{city}" == name for city, name in zip(both["city"].to_pylist(), best, strict=True))
    assert found["metrics"]["accuracy"] == pytest.approx(right / both.num_rows)


# -- check, explain, stages


def test_check_goes_through_all_that_batch_needs(run: Run, project: Path) -> None:
    ran = run(
        "check", "bundle=bundles/prices", "source.path=houses.parquet", "sink.path=out.parquet", conf=False
    )
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == [
        "plan",
        "pipeline",
        "program",
        "source",
        "sink",
        "run",
    ]
    assert not (project / "out.parquet").exists()


def test_check_of_a_pipeline_that_needs_a_fit(run: Run) -> None:
    ran = run("check", "pipeline=prices")
    assert ran.code == 0
    assert "fit        needed before it can answer: fill, city, model learn from data" in ran.out


def test_check_says_whether_a_server_may_start_so(run: Run, project: Path) -> None:
    ran = run("check", "bundle=bundles/prices", "server.workers=2", "server.grpc_port=null", conf=False)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "server     may listen at 127.0.0.1:8080, no gRPC, 2 workers"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("server.host=0.0.0.0", "server.host: 0.0.0.0 can be reached from other machines"),
        ("server.wrokers=2", "server.wrokers: 'server' has no option 'wrokers'. Did you mean 'workers'?"),
        ("server.keys=nowhere.txt", "nowhere.txt: the keys can't be read: No such file or directory"),
        ("server.tls_cert=nowhere.pem", "server.tls_key: it is needed with server.tls_cert"),
        ("server.predictions={path: log, omit: [nothing]}", "server.predictions.omit: no input or output"),
        ("server.predictions={path: log, hash: [size]}", "server.predictions.hash_key: hash needs a key"),
    ],
)
def test_check_finds_why_a_server_would_not_start(run: Run, project: Path, typed: str, told: str) -> None:
    ran = run("check", "bundle=bundles/prices", typed, conf=False)
    assert ran.code == 2
    assert told in ran.err
    assert not (project / "log").exists()


def test_check_finds_a_sink_that_is_there(run: Run) -> None:
    ran = run(
        "check", "bundle=bundles/prices", "source.path=houses.parquet", "sink.path=houses.parquet", conf=False
    )
    assert ran.code == 2
    assert ran.err == "houses.parquet: the sink is what the batch reads; write to another path\n"


def test_explain(run: Run) -> None:
    fitted = run("explain", "bundle=bundles/prices", conf=False)
    assert fitted.code == 0
    assert "outputs: id (kept), score: float32, dear: bool" in fitted.out
    assert "def kernel" in run("explain", "bundle=bundles/prices", "kernel=true", conf=False).out
    assert "not fitted" in run("explain", "pipeline=prices").out


def test_stages_lists_all_and_the_broken_ones_too(run: Run, project: Path) -> None:
    (project / "own").mkdir()
    (project / "own" / "shatter.py").write_text("raise RuntimeError('no glass here')\n")
    script = "import sys; from engine.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, "stages", "plugins=[own]"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "Limit a number to [lo, hi]" in lines["clip"]
    assert "RuntimeError: no glass here" in lines["shatter"]


def test_stages_in_full(run: Run) -> None:
    ran = run("stages", "clip", "threshold", "--json", conf=False)
    clip, threshold = json.loads(ran.out)
    assert [option["name"] for option in clip["options"]] == ["lo", "hi", "quantiles"]
    assert clip["options"][0] | {"help": ""} == {
        "name": "lo",
        "type": "float",
        "required": False,
        "default": "-inf",
        "change": "runtime",
        "help": "",
    }
    assert threshold["kind"] == "RowStage"
    assert "at  float = 0.5" in run("stages", "threshold", conf=False).out


# -- how it ends


def test_a_bug_shows_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: object) -> int:
        raise KeyError("x")

    monkeypatch.setattr("engine.cli.stages.run", broken)
    assert main(["stages"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert "this is a bug in engine" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError(13, "Permission denied", "out/x.parquet"), "out/x.parquet: Permission denied\n"),
        (OSError(28, "No space left on device", "cache/k.py"), "cache/k.py: No space left on device\n"),
    ],
)
def test_what_the_machine_refuses_is_no_bug(
    error: OSError, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(arguments: object) -> int:
        raise error

    monkeypatch.setattr("engine.cli.stages.run", refused)
    assert main(["stages"]) == 2
    assert capsys.readouterr().err == text


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [*ENGINE, "stages", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 141)


def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = (
        "import sys, time, pathlib, engine.cli.stages as s, engine.cli.main as m\n"
        f"s.run = lambda a: (pathlib.Path({str(ready)!r}).touch(), time.sleep(60))\n"
        "sys.exit(m.main(['stages']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        deadline = time.monotonic() + 30
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted\n")


def test_a_terminal_without_unicode_gets_the_help() -> None:
    done = shell("--help", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
