"""The OpenAPI document says what the pipeline takes and gives: no more, and no less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

import engine
from engine.config.config import Config
from engine.errors import RowError
from engine.pipeline import Pipeline
from engine.runtime.serve.openapi import PUBLIC, Limits, openapi
from engine.runtime.serve.openapi.example import to_json
from tests.evaluate.made import pipeline as of_task
from tests.random_pipelines import KINDS as FILTERS
from tests.serve.described import ALL, HOSTILE, ODD, SCRIPT, accepted, described

TASKS = ("binary", "classes", "class", "quantiles", "ranking")


def pipelines() -> dict[str, Pipeline]:
    return {"all": described(), "names": described("names"), "bare": described(golden=0)} | {
        task: of_task(task) for task in TASKS
    }


KINDS = ("all", "names", "bare", *TASKS)


def document(pipeline: Pipeline, **more: Any) -> dict[str, Any]:
    """The document as a client gets it."""
    found: dict[str, Any] = json.loads(json.dumps(openapi(pipeline, **more), allow_nan=False))
    return found


def checker(document: dict[str, Any], name: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
    assert "date-time" in formats.checkers
    return jsonschema.Draft202012Validator(schema, format_checker=formats)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref" and isinstance(inner, str):
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def sent(answer: dict[str, Any]) -> Any:
    """An answer as a client reads it."""
    return msgspec.json.decode(msgspec.json.encode({name: to_json(value) for name, value in answer.items()}))


# -- the document


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_valid(kind: str, keys: bool) -> None:
    found = document(pipelines()[kind], keys=keys, limits=Limits(1 << 20, 1000, 5.0))
    OpenAPIV31SpecValidator(found).validate()
    for reference in references(found["paths"]):
        resolve(found, reference)
    used = set(references(found))
    for section in ("responses", "examples", "schemas"):
        unused = {f"#/components/{section}/{name}" for name in found["components"][section]} - used
        assert unused == set()


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_answered_as_it_says(kind: str) -> None:
    pipeline = pipelines()[kind]
    found = document(pipeline)
    (row,) = found["components"]["schemas"]["Row"]["examples"]
    (answer,) = found["components"]["schemas"]["Answer"]["examples"]
    assert sent(pipeline.live().one(row)) == answer
    assert sent(pipeline.predict_one(row)) == answer
    assert set(row) == set(found["components"]["schemas"]["Row"]["properties"]) - (
        {"flight"} if kind == "bare" else set()
    )
    for path in ("/predict", "/invocations"):
        operation = found["paths"][path]["post"]
        given = operation["requestBody"]["content"]["application/json"]["examples"]
        made = operation["responses"]["200"]["content"]["application/json"]["examples"]
        assert resolve(found, given["row"]["$ref"])["value"] == row
        assert resolve(found, given["rows"]["$ref"])["value"] == [row]
        assert resolve(found, made["row"]["$ref"])["value"] == answer
        assert resolve(found, made["rows"]["$ref"])["value"][0] == answer


@pytest.mark.parametrize("kind", KINDS)
def test_examples_are_of_their_schemas(kind: str) -> None:
    found = document(pipelines()[kind])
    for name in ("Row", "Rows", "Answer", "Answers"):
        checker(found, name).validate(found["components"]["examples"][name]["value"])
    for name in ("Row", "Answer", "Error"):
        checker(found, name).validate(found["components"]["schemas"][name]["examples"][0])
    for path, item in found["paths"].items():
        if path.endswith("/infer"):
            request = item["post"]["requestBody"]["content"]["application/json"]["examples"]["row"]["value"]
            checker(found, "InferRequest").validate(request)


def test_the_golden_row_is_the_example() -> None:
    pipeline = described()
    assert pipeline.fitted and pipeline.fitted.golden
    golden = pipeline.fitted.golden.to_pylist()[0]
    (row,) = document(pipeline)["components"]["schemas"]["Row"]["examples"]
    for name in ("n", "r", "c", "u", "w", "flight"):
        value = golden["row"][name]
        assert row[name] == (None if value != value else value)
    assert datetime.fromisoformat(row["t"]) == golden["row"]["t"]


def test_an_example_that_is_refused_has_no_answer() -> None:
    config = {
        "name": "refusing",
        "inputs": {"a": "number", "c": {"kind": "category", "unknown": "reject"}},
        "stages": {
            "made": {"use": "expr", "value": "a * 2"},
            "guard": {"use": "refuse_beyond", "columns": ["a"], "bound": 0.5},
        },
        "outputs": ["made"],
    }
    pipeline = engine.build(Config({**config, "plugins": [FILTERS]}))
    with pytest.raises(RowError):
        pipeline.predict_one({"a": 1})
    found = document(pipeline)
    OpenAPIV31SpecValidator(found).validate()
    assert "Answer" not in found["components"]["examples"]
    assert found["components"]["schemas"]["Row"]["examples"] == [{"a": 1, "c": "text"}]


def test_what_may_be_missing_and_what_is_known() -> None:
    row = document(described())["components"]["schemas"]["Row"]
    assert row["required"] == ["r", "s"]
    known = ["", HOSTILE, "blue", "green", "red"]
    assert row["properties"]["c"]["examples"] == known and "enum" not in row["properties"]["c"]
    assert row["properties"]["u"]["enum"] == ["green", "red", None]
    kinds = {name: field["x-kind"] for name, field in row["properties"].items()}
    assert kinds == {
        **{name: kind if isinstance(kind, str) else kind["kind"] for name, kind in ALL["inputs"].items()},
        "flight": "any",
    }
    assert {name for name, field in row["properties"].items() if field.get("x-kept")} == {"n", "flight"}


def test_the_answer_has_the_outputs_in_order() -> None:
    pipeline = described()
    answer = document(pipeline)["components"]["schemas"]["Answer"]
    assert list(answer["properties"]) == list(pipeline.outputs) == answer["required"]
    dtypes = {name: field["x-dtype"] for name, field in answer["properties"].items()}
    # what is kept comes back as it was sent, whatever it would be in a table
    assert dtypes == {**pipeline.outputs, "n": "any"}
    assert {"float32", "float64", "bool", "int64", "string", "timestamp[us, UTC]"} <= set(dtypes.values())


def test_many_known_values_are_not_all_listed() -> None:
    from engine.runtime.serve.openapi.schemas import MOST_CHOICES, MOST_EXAMPLES, input_schema
    from engine.schema import Input, Kind

    texts = [f"text {i}" for i in range(MOST_CHOICES + 1)]
    found = input_schema(Input("x", Kind.CATEGORY), texts)
    assert found["examples"] == texts[:MOST_EXAMPLES] and f"{MOST_CHOICES + 1:,}" in found["description"]
    strict = Input("x", Kind.CATEGORY, unknown="fail", missing="fail")
    assert input_schema(strict, texts[:-1])["enum"] == texts[:-1]
    assert "enum" not in input_schema(strict, texts)


# -- values


json_values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["red", "green", "inf", "-inf", "nan", "12", "", [1], {"a": 1}])
    | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda d: d.replace(tzinfo=UTC).isoformat())
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
)
rows = st.fixed_dictionaries({}, optional=dict.fromkeys([*ALL["inputs"], "flight", "other"], json_values))


def test_the_schema_takes_what_the_pipeline_takes() -> None:
    """Of each input, value by value; a date without a time is taken, and the schema has no word for it."""
    pipeline = described()
    check, live = checker(document(pipeline), "Row"), pipeline.live()
    names = list(ALL["inputs"])

    @settings(max_examples=400, deadline=None)
    @given(st.sampled_from(names), json_values | st.just(...))
    def same(name: str, value: Any) -> None:
        row = accepted(names)
        row.pop(name) if value is ... else row.update({name: value})
        try:
            live.one(row)
            refused = None
        except RowError as error:
            refused = error
        found = [error.message for error in check.iter_errors(row)]
        assert bool(found) == bool(refused), (row, found, refused)

    same()


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, max_size=4))
def test_answers_are_of_their_schema(rows: list[dict[str, Any]]) -> None:
    pipeline = described()
    found = checkers()
    made = []
    for row, answer in zip(rows, pipeline.live().many(rows), strict=True):
        if isinstance(answer, RowError):
            answer = {"error": str(answer), "code": answer.code, "column": answer.column}
            found["Error"].validate(answer)
            made.append(answer)
        else:
            made.append(sent(answer))
            found["Answer"].validate(made[-1])
            assert made[-1]["flight"] == row.get("flight")
    found["Answers"].validate(made)


@cache
def checkers() -> dict[str, Any]:
    found = document(described())
    return {name: checker(found, name) for name in ("Error", "Answer", "Answers")}


@pytest.mark.parametrize("kind", TASKS)
def test_answers_of_each_task_are_of_their_schema(kind: str) -> None:
    pipeline = of_task(kind)
    check, live = checker(document(pipeline), "Answer"), pipeline.live()
    for a in (1, -2.5, "inf", "-inf", None, True, 1e300):
        check.validate(sent(live.one({"a": a, "b": a})))


def test_wrong_answers_are_not_of_the_schema() -> None:
    found = document(described())
    check = checker(found, "Answer")
    (answer,) = found["components"]["schemas"]["Answer"]["examples"]
    for name, value in (("far", None), ("place", 1.5), ("t", "yesterday"), ("ratio", "nan"), ("w", 1)):
        assert list(check.iter_errors({**answer, name: value})), name
    for name in answer:
        assert list(check.iter_errors({key: value for key, value in answer.items() if key != name}))
    assert list(check.iter_errors({**answer, "more": 1}))


# -- routes


def test_every_route_names_the_version_and_how_it_refuses() -> None:
    found = document(described(), limits=Limits(1 << 20, 1000, 5.0))
    statuses = {
        (path, method): set(operation["responses"])
        for path, item in found["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post")
    }
    posted = {"200", "400", "408", "413", "415", "422", "429", "500", "503"}
    assert statuses["/predict", "post"] == statuses["/invocations", "post"] == posted
    tensors = (posted | {"404"}) - {"422"}
    for path in ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"):
        assert statuses[path, "post"] == tensors
    assert {path for path, method in statuses if method == "get"} == {
        "/ping",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/{name}",
        "/v2/models/{name}/ready",
        "/v2/models/{name}/versions/{version}",
        "/v2/models/{name}/versions/{version}/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
    }
    for item in found["paths"].values():
        for operation in (item.get("get"), item.get("post")):
            for response in (operation or {}).get("responses", {}).values():
                whole = resolve(found, response["$ref"]) if "$ref" in response else response
                assert whole["headers"].keys() >= {"Engine-Version", "X-Request-Id"}
                for header in whole["headers"].values():
                    assert "$ref" not in header or resolve(found, header["$ref"])["description"]
    responses = found["components"]["responses"]
    assert "1,048,576 bytes and 1,000 rows" in responses["TooLarge"]["description"]
    assert "5 s" in responses["Timeout"]["description"]
    assert (
        "Retry-After" in responses["TooMany"]["headers"]
        and "Retry-After" in responses["Unavailable"]["headers"]
    )
    assert found["components"]["schemas"]["Rows"]["maxItems"] == 1000


def test_keys_are_asked_for_where_they_are() -> None:
    open_ = document(described())
    assert "security" not in open_ and "securitySchemes" not in open_["components"]
    assert "Unauthorized" not in open_["components"]["responses"]
    found = document(described(), keys=True)
    schemes = found["components"]["securitySchemes"]
    assert schemes["bearer"]["type"] == "http" and schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["header"]["in"], schemes["header"]["name"]) == ("header", "X-API-Key")
    assert [list(one) for one in found["security"]] == [["bearer"], ["header"]]
    assert resolve(found, "#/components/responses/Unauthorized")["headers"]["WWW-Authenticate"]
    for path, item in found["paths"].items():
        for method in ("get", "post"):
            operation = item.get(method)
            if operation is not None:
                assert (operation.get("security") == []) == (path in PUBLIC)
                assert ("401" in operation["responses"]) == (path not in PUBLIC)
    mine = document(described(), keys=True, public=["/metrics"])["paths"]
    assert mine["/metrics"]["get"]["security"] == [] and "security" not in mine["/ping"]["get"]


def test_odd_names_are_names() -> None:
    pipeline = described("names")
    found = document(pipeline)
    assert list(found["components"]["schemas"]["Row"]["properties"])[:3] == [HOSTILE, SCRIPT, ODD]
    path = found["paths"]["/v2/models/{name}"]
    assert path["parameters"][0]["schema"]["enum"] == [pipeline.plan.name]
    version = found["paths"]["/v2/models/{name}/versions/{version}"]["parameters"][1]
    assert version["schema"]["enum"] == [pipeline.version] == [found["info"]["version"]]
