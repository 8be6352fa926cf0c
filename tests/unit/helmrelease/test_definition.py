"""The definition in crds/, its parser and its documentation name the same fields."""

from pathlib import Path

import pytest
import yaml

from tests.builders.helmreleases import a_body, with_field
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease import charts, depends_on, names, parsing, texts
from whipstaff.helmrelease.drift_detection import MOST_PATHS, MOST_RULES, DriftMode
from whipstaff.helmrelease.health_checks import MOST_CHECKS, WaitStrategy
from whipstaff.helmrelease.of_flux import ChartNameChange, ServerSideApply
from whipstaff.helmrelease.post_rendering import (
    IMAGES_LIMIT,
    MARKS_LIMIT,
    PATCH_CHARACTERS_LIMIT,
    PATCHES_LIMIT,
    RENDERERS_LIMIT,
    PostRenderStrategy,
)
from whipstaff.helmrelease.types import (
    Approval,
    CRDPolicy,
    DeletionPolicy,
    DeletionPropagation,
    ImmutableFieldPolicy,
    RemediationStrategy,
    RetryStrategy,
    SourceKind,
    StoredKind,
    VerificationProvider,
)
from whipstaff.helmrelease.values_from import MOST_REFERENCES, ValuesKind

ROOT = Path(__file__).parents[3]
DEFINITION = yaml.safe_load((ROOT / "crds" / "helmreleases.yaml").read_text(encoding="utf-8"))
[VERSION] = DEFINITION["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
REFERENCE = (ROOT / "docs" / "helmrelease.md").read_text(encoding="utf-8")

# A value that no field of that type takes.
WRONG = {"string": 7, "integer": "x", "boolean": "x", "object": "x", "array": "x"}


def fields_of(schema, path=()):
    """Walk a schema: (path, schema) of every field, items of lists under their list."""
    for name, child in schema.get("properties", {}).items():
        yield (*path, name), child
        yield from fields_of(child, (*path, name))
    if "items" in schema:
        yield from fields_of(schema["items"], (*path, FIRST))


FIRST = 0  # in a path: the first item of a list
SPEC = list(fields_of(SCHEMA["properties"]["spec"], ("spec",)))
STATUS = list(fields_of(SCHEMA["properties"]["status"], ("status",)))
ALL = [*SPEC, *STATUS]


TEXTS = [(path, schema) for path, schema in SPEC if schema.get("type") == "string"]


def dotted(path):
    return ".".join(part for part in path if part is not FIRST)


@pytest.mark.parametrize(("path", "schema"), SPEC, ids=[dotted(path) for path, _ in SPEC])
def test_every_field_has_a_parser(path, schema):
    """A field that nobody reads would take any value."""
    body = with_field(a_body(), path, WRONG[schema.get("type", "integer")])

    with pytest.raises(InvalidSpec) as caught:
        parsing.parse(body)

    assert caught.value.field == ".".join(map(str, path)).replace(".0", "[0]")


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=dotted)
def test_every_field_is_in_the_reference(path):
    assert f"`{dotted(path[1:])}`" in REFERENCE, f"add {dotted(path)} to docs/helmrelease.md"


def test_the_reference_names_no_field_that_is_not_served():
    rows = [line for line in REFERENCE.splitlines() if line.startswith("| `")]

    assert {row.split("`")[1] for row in rows} == {dotted(path[1:]) for path, _ in ALL}


@pytest.mark.parametrize(("path", "schema"), ALL, ids=[dotted(path) for path, _ in ALL])
def test_every_field_is_explained_in_a_sentence(path, schema):
    description = schema.get("description", "")

    assert description.endswith("."), dotted(path)
    assert "\n" not in description, "kubectl explain wraps lines itself"


@pytest.mark.parametrize(
    ("path", "schema"),
    TEXTS,
    ids=[dotted(path) for path, _ in TEXTS],
)
def test_every_text_of_spec_has_bounds(path, schema):
    """The API server counts the cost of a rule from the longest text that it may meet."""
    assert schema["maxLength"] <= (PATCH_CHARACTERS_LIMIT if path[-1] == "patch" else 2048)


@pytest.mark.parametrize(("path", "schema"), SPEC, ids=[dotted(path) for path, _ in SPEC])
def test_no_field_has_a_default_of_its_own(path, schema):
    """What is stored is what someone wrote: a diff against Git shows nothing else."""
    assert "default" not in schema


def test_the_definition_and_the_parser_choose_among_the_same_words():
    enums = {dotted(path): schema["enum"] for path, schema in SPEC if "enum" in schema}

    assert enums == {
        "spec.chart.sourceRef.kind": [kind.value for kind in SourceKind],
        "spec.chart.archiveFrom.kind": [kind.value for kind in StoredKind],
        "spec.chart.verify.provider": [provider.value for provider in VerificationProvider],
        "spec.valuesFrom.kind": [kind.value for kind in ValuesKind],
        "spec.approval": [one.value for one in Approval],
        "spec.upgrade.serverSideApply": [how.value for how in ServerSideApply],
        "spec.upgrade.chartNameChangeStrategy": [one.value for one in ChartNameChange],
        "spec.rollback.serverSideApply": [how.value for how in ServerSideApply],
        "spec.waitStrategy.name": [strategy.value for strategy in WaitStrategy],
        "spec.driftDetection.mode": [mode.value for mode in DriftMode],
        "spec.postRenderStrategy": [strategy.value for strategy in PostRenderStrategy],
        "spec.install.crds": [policy.value for policy in CRDPolicy],
        "spec.install.strategy.name": [strategy.value for strategy in RetryStrategy],
        "spec.upgrade.crds": [policy.value for policy in CRDPolicy],
        "spec.upgrade.strategy.name": [strategy.value for strategy in RetryStrategy],
        "spec.upgrade.remediation.strategy": [strategy.value for strategy in RemediationStrategy],
        "spec.upgrade.immutableFieldPolicy": [policy.value for policy in ImmutableFieldPolicy],
        "spec.upgrade.immutableFieldPolicies.policy": [
            policy.value for policy in ImmutableFieldPolicy
        ],
        "spec.uninstall.deletionPolicy": [policy.value for policy in DeletionPolicy],
        "spec.uninstall.deletionPropagation": [kind.value for kind in DeletionPropagation],
    }


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("releaseName", parsing.RELEASE_NAME),
        ("targetNamespace", parsing.NAMESPACE),
        ("storageNamespace", parsing.NAMESPACE),
        ("serviceAccountName", parsing.SERVICE_ACCOUNT),
        ("dependsOn.apiVersion", depends_on.VERSION),
        ("dependsOn.kind", depends_on.OBJECT_KIND),
        ("dependsOn.name", depends_on.OBJECT),
        ("dependsOn.readyExpr", depends_on.EXPRESSION),
        ("chart.name", charts.CHART_NAME),
        ("chart.version", charts.CHART_VERSION),
        ("chart.repository", charts.REPOSITORY),
        ("chart.digest", charts.DIGEST),
        ("chart.path", charts.PATH),
        ("chart.sourceRef.apiVersion", charts.SOURCE_VERSION),
        ("chart.archiveFrom.key", texts.DATA_KEY),
    ],
)
def test_the_definition_and_the_parser_have_the_same_bounds(field, rule):
    schemas = {dotted(path): schema for path, schema in SPEC}

    assert schemas[f"spec.{field}"]["maxLength"] == rule.longest


def test_the_definition_and_the_parser_have_the_same_numbers():
    schemas = {dotted(path): schema for path, schema in SPEC}

    assert schemas["spec.revision"]["maximum"] == parsing.HIGHEST_REVISION
    assert schemas["spec.dependsOn"]["maxItems"] == depends_on.MOST_DEPENDENCIES
    assert schemas["spec.valuesFrom"]["maxItems"] == MOST_REFERENCES
    assert schemas["spec.chart.valuesFiles"]["maxItems"] == charts.MOST_VALUES_FILES
    assert schemas["spec.driftDetection.ignore"]["maxItems"] == MOST_RULES
    assert schemas["spec.driftDetection.ignore.paths"]["maxItems"] == MOST_PATHS
    assert schemas["spec.maxHistory"]["maximum"] == parsing.HIGHEST_MAX_HISTORY


def test_the_definition_and_the_parser_take_as_many_changes_of_what_is_rendered():
    schemas = {dotted(path): schema for path, schema in SPEC}

    assert schemas["spec.postRenderers"]["maxItems"] == RENDERERS_LIMIT
    assert schemas["spec.postRenderers.kustomize.patches"]["maxItems"] == PATCHES_LIMIT
    assert schemas["spec.postRenderers.kustomize.images"]["maxItems"] == IMAGES_LIMIT
    assert schemas["spec.healthCheckExprs"]["maxItems"] == MOST_CHECKS
    assert schemas["spec.commonMetadata.labels"]["maxProperties"] == MARKS_LIMIT
    assert schemas["spec.commonMetadata.annotations"]["maxProperties"] == MARKS_LIMIT


def test_the_definition_has_our_names():
    spec = DEFINITION["spec"]

    assert DEFINITION["metadata"]["name"] == names.CRD_NAME
    assert (spec["group"], VERSION["name"]) == (names.GROUP, names.VERSION)
    assert (spec["names"]["kind"], spec["names"]["plural"]) == (names.KIND, names.PLURAL)


def test_helm_never_deletes_the_definition():
    assert DEFINITION["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_short_name_is_not_that_of_flux():
    assert spec_names("shortNames") == ["whr"]


def spec_names(field):
    return DEFINITION["spec"]["names"][field]
