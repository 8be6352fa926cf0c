"""charts/whipstaff: what it installs, and that values, schema and README name the same."""

import json
import re
import tomllib

import pytest
import yaml

from tests.builders.own_chart import CHART, NAMESPACE, ROOT, objects, rendered
from whipstaff.cli.gateway import gateway
from whipstaff.settings import VERSION, Settings

VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
README = (CHART / "README.md").read_text(encoding="utf-8")
FREE = (
    *("resources", "podSecurityContext", "securityContext", "livenessProbe", "readinessProbe"),
    "gateway.resources",
)
SCOPED = ("Role", "RoleBinding", "ServiceAccount", "Service", "Deployment")
NAMESPACED = ("watchNamespaces={shop,blog}", "crds.install=false", "rbac.aggregate.enabled=false")


def leaves(values, path=()):
    """Name each value with dots; tables of free form count as one."""
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict) and value and ".".join(here) not in FREE:
            yield from leaves(value, here)
        else:
            yield ".".join(here), value


LEAVES = dict(leaves(VALUES))
ROWS = dict(re.findall(r"^\| `([^`]+)` \| ([^|]*?) \|", README, re.MULTILINE))


def pod(*settings):
    return objects(*settings)["Deployment", "whipstaff"]["spec"]["template"]["spec"]


def container(*settings):
    (found,) = pod(*settings)["containers"]
    return found


def environment(*settings):
    return {each["name"]: each.get("value") for each in container(*settings)["env"]}


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert {project["version"], chart["version"], chart["appVersion"]} == {VERSION}


def test_the_readme_explains_each_value_once():
    assert sorted(ROWS) == sorted(LEAVES)


@pytest.mark.parametrize("name", sorted(set(LEAVES) - set(FREE)))
def test_the_readme_tells_the_default(name):
    shown = re.fullmatch(r"`(.*)`", ROWS[name])[1]
    assert yaml.safe_load(shown) == LEAVES[name]


def test_the_schema_knows_each_value():
    for name in LEAVES:
        schema = SCHEMA
        for key in name.split("."):
            schema = schema["properties"][key]


@pytest.mark.parametrize(
    "setting",
    [
        "typo=1",
        "image.typo=x",
        "image.digest=latest",
        "storageDriver=sql",
        "historyLimit=-1",
        "watchNamespaces={Shop}",
        "service.type=ExternalName",
        "rbac.unrestricted=perhaps",
        "terminationGracePeriodSeconds=5",
    ],
)
def test_a_wrong_value_is_refused(setting):
    with pytest.raises(ValueError, match="values don't meet the specifications"):
        rendered(setting)


def test_each_definition_is_rendered_and_kept_on_uninstall():
    found = objects()
    for path in (CHART / "files" / "crds").glob("*.yaml"):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        body = found["CustomResourceDefinition", definition["metadata"]["name"]]
        assert body == definition
        assert body["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_two_operators_never_run_at_once():
    spec = objects()["Deployment", "whipstaff"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_container_may_do_nothing_that_it_need_not():
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_probes_ask_the_port_that_the_operator_listens_at():
    found = container()
    (port,) = found["ports"]
    assert environment()["WHIPSTAFF_PROBE_PORT"] == str(port["containerPort"])
    for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert found[probe]["httpGet"] == {"path": path, "port": port["name"]}


def test_the_operator_ends_before_it_is_killed():
    assert pod()["terminationGracePeriodSeconds"] >= 10


def test_what_the_operator_writes_to_is_a_volume():
    mounted = {each["mountPath"] for each in container()["volumeMounts"]}
    assert {str(Settings().cache_folder), "/tmp"} == mounted


@pytest.mark.parametrize("extra", [(), ("watchNamespaces={shop,blog}",)], ids=["all", "some"])
def test_the_environment_is_of_settings_that_there_are(extra):
    known = {name: value or "whipstaff-system" for name, value in environment(*extra).items()}
    settings = Settings.from_environment(known)
    assert {f"WHIPSTAFF_{field.upper()}" for field in Settings.__slots__} >= set(known)
    assert settings.watch_namespaces == (("shop", "blog") if extra else ())


def test_the_webhook_is_served_where_the_api_server_asks():
    settings = ("admission.enabled=true", "fullnameOverride=helm", "admission.timeoutSeconds=20")
    found = objects(*settings, "watchNamespaces={shop}")
    (webhook,) = found["ValidatingWebhookConfiguration", "helm"]["webhooks"]
    service = found["Service", "helm-admission"]
    assert webhook["clientConfig"]["service"] == {
        "name": "helm-admission",
        "namespace": NAMESPACE,
        "port": service["spec"]["ports"][0]["port"],
    }
    (own,) = found["Deployment", "helm"]["spec"]["template"]["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in own["ports"]}
    known = {each["name"]: each.get("value") or NAMESPACE for each in own["env"]}
    name = known["WHIPSTAFF_ADMISSION_NAMES"].replace("$(WHIPSTAFF_LEASE_NAMESPACE)", NAMESPACE)
    read = Settings.from_environment({**known, "WHIPSTAFF_ADMISSION_NAMES": name})
    assert read.admission_names == (f"helm-admission.{NAMESPACE}.svc",)
    assert read.admission_port == ports[service["spec"]["ports"][0]["targetPort"]]
    assert ("Secret", read.admission_secret) in found
    assert read.admission_configuration == "helm"
    assert read.admission_seconds < webhook["timeoutSeconds"] == 20


def test_the_webhook_is_asked_about_edits_of_spec_alone_and_blocks_nothing_unless_told():
    (webhook,) = objects("admission.enabled=true", "watchNamespaces={shop}")[
        "ValidatingWebhookConfiguration", "whipstaff"
    ]["webhooks"]
    assert (webhook["failurePolicy"], webhook["sideEffects"]) == ("Ignore", "None")
    (rule,) = webhook["rules"]
    assert (rule["operations"], rule["resources"]) == (["CREATE", "UPDATE"], ["helmreleases"])
    chosen = [
        (each["operator"], each["values"])
        for each in webhook["namespaceSelector"]["matchExpressions"]
    ]
    assert chosen == [("NotIn", ["kube-system"]), ("In", ["shop"])]
    assert not [kind for kind, *_ in objects() if kind == "ValidatingWebhookConfiguration"]


def test_settings_reach_the_operator():
    known = environment("historyLimit=3", "storageDriver=configmap", "concurrency=5")
    wanted = {"HISTORY_LIMIT": "3", "STORAGE_DRIVER": "configmap", "CONCURRENCY": "5"}
    assert {name: known[f"WHIPSTAFF_{name}"] for name in wanted} == wanted
    assert "--log-level=debug" in container("logLevel=debug")["args"]
    more = environment("extraEnv[0].name=WHIPSTAFF_WORKER_COUNT", "extraEnv[0].value=four")
    assert more["WHIPSTAFF_WORKER_COUNT"] == "four"


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        pytest.param((), f"ghcr.io/whipstaff/whipstaff:{VERSION}", id="default"),
        pytest.param(("image.repository=r.test/w", "image.tag=v9"), "r.test/w:v9", id="tag"),
        pytest.param(
            (f"image.digest=sha256:{'a' * 64}", "image.tag=v9"),
            f"ghcr.io/whipstaff/whipstaff@sha256:{'a' * 64}",
            id="digest",
        ),
    ],
)
def test_the_image_is_named(settings, image):
    assert container(*settings)["image"] == image


def test_pods_go_where_values_say():
    found = pod(
        "nodeSelector.disk=ssd",
        "tolerations[0].key=gpu",
        "affinity.nodeAffinity.a=b",
        "imagePullSecrets[0].name=registry",
        "priorityClassName=high",
    )
    assert found["nodeSelector"] == {"disk": "ssd"}
    assert found["tolerations"] == [{"key": "gpu"}]
    assert found["affinity"] == {"nodeAffinity": {"a": "b"}}
    assert found["imagePullSecrets"] == [{"name": "registry"}]
    assert found["priorityClassName"] == "high"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(("service.nodePort=30080",), ("ClusterIP", None), id="has no node port"),
        pytest.param(("service.type=NodePort",), ("NodePort", None), id="any node port"),
        pytest.param(
            ("service.type=NodePort", "service.nodePort=30080"), ("NodePort", 30080), id="this one"
        ),
    ],
)
def test_the_service_is_as_values_say(settings, expected):
    spec = objects(*settings)["Service", "whipstaff"]["spec"]
    assert (spec["type"], spec["ports"][0].get("nodePort")) == expected


def test_nothing_of_the_namespaced_mode_is_of_the_whole_cluster():
    found = objects(*NAMESPACED)
    assert {kind for kind, *_ in found} <= set(SCOPED)
    places = {key[2] for key in found if key[0] == "Role" and len(key) > 2}
    assert places == {"shop", "blog"}


def test_every_binding_binds_the_account_of_the_operator_to_a_role_that_is_there():
    for settings in ((), NAMESPACED):
        found = objects(*settings)
        account = {"kind": "ServiceAccount", "name": "whipstaff", "namespace": "whipstaff-system"}
        bindings = [key for key in found if key[0].endswith("RoleBinding")]
        assert bindings
        for kind, *rest in bindings:
            binding = found[kind, *rest]
            role = binding["roleRef"]
            assert binding["subjects"] == [account]
            assert (role["kind"], role["name"], *rest[1:]) in found
            assert role["kind"] == kind.removesuffix("Binding")


def test_without_unrestricted_rights_no_rule_has_a_star():
    text = rendered("rbac.unrestricted=false", "crds.install=false")
    assert "*" not in text.replace("# ", "")
    assert "*" in rendered("crds.install=false")


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        pytest.param((), ["view"], id="who may write could do everything"),
        pytest.param(
            ("rbac.unrestricted=false",), ["admin", "edit", "view"], id="nobody gets mightier"
        ),
        pytest.param(("rbac.aggregate.writes=true",), ["admin", "edit", "view"], id="asked for"),
        pytest.param(
            ("rbac.unrestricted=false", "rbac.aggregate.writes=false"), ["view"], id="not wanted"
        ),
    ],
)
def test_the_roles_for_people_become_parts_of_the_cluster_s_own(settings, parts):
    found = objects(*settings)
    aggregated = []
    for name in ("view", "edit", "admin"):
        labels = found["ClusterRole", f"whipstaff-{name}"]["metadata"]["labels"]
        if labels.get(f"rbac.authorization.k8s.io/aggregate-to-{name}") == "true":
            aggregated.append(name)
    assert sorted(aggregated) == parts


def test_a_release_of_another_name_shares_nothing_with_it():
    one = {key for key in objects() if key[0] != "CustomResourceDefinition"}
    other = objects("crds.install=false", name="second")
    assert not one & set(other)
    assert ("Deployment", "second-whipstaff") in other


GATEWAY = ("gateway.enabled=true",)


def gateway_container(*settings):
    found = objects(*GATEWAY, *settings)["Deployment", "whipstaff-gateway"]
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return container


def test_the_gateway_is_there_only_if_it_is_asked_for():
    added = set(objects(*GATEWAY)) - set(objects())
    assert {kind for kind, *_ in added} == {
        *("Deployment", "Service", "ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    }
    assert all(name.startswith("whipstaff-gateway") for _, name, *_ in added)


def test_no_service_leads_to_the_pods_of_the_other():
    found = objects(*GATEWAY)
    for one, other in (("whipstaff", "whipstaff-gateway"), ("whipstaff-gateway", "whipstaff")):
        selector = found["Service", one]["spec"]["selector"]
        labels = found["Deployment", other]["spec"]["template"]["metadata"]["labels"]
        assert not selector.items() <= labels.items()
        own = found["Deployment", one]["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= own.items()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param((), id="as it comes"),
        pytest.param(("gateway.tls.secretName=tls", "gateway.tls.clientCA=ca.crt"), id="TLS"),
        pytest.param(
            (
                *("gateway.oidc.issuerURL=https://sso", "gateway.oidc.clientID=me"),
                *("gateway.oidc.usernamePrefix=-", "gateway.oidc.groupsClaim=groups"),
                "gateway.oidc.groupsPrefix=sso:",
            ),
            id="an issuer",
        ),
        pytest.param(("watchNamespaces={shop,blog}",), id="in some namespaces"),
        pytest.param(
            ("gateway.clusters.enabled=true", "gateway.clusters.privateRepositories=true"),
            id="of several clusters",
        ),
    ],
)
def test_the_gateway_is_started_with_options_that_there_are(settings):
    known = {option for one in gateway.params for option in one.opts}
    command, *flags = gateway_container(*settings)["args"]
    assert command == "gateway"
    assert {flag.partition("=")[0] for flag in flags} <= known


def test_the_gateway_s_service_says_that_it_is_the_cluster_s():
    service = objects(*GATEWAY)["Service", "whipstaff-gateway"]
    assert service["metadata"]["labels"]["kubernetes.io/cluster-service"] == "true"


def test_the_gateway_may_do_nothing_that_it_need_not():
    found = gateway_container()["securityContext"]
    assert found["readOnlyRootFilesystem"] is True
    assert found["capabilities"] == {"drop": ["ALL"]}


def test_the_reader_of_the_gateway_reads_where_releases_are_watched_alone():
    found = objects(*GATEWAY, *NAMESPACED)
    bound = [key[2:] for key in found if key[:2] == ("RoleBinding", "whipstaff-gateway-reader")]
    places = {place for (place,) in bound}
    assert places == {"shop", "blog"}
