"""A chart with an object of nearly every kind and hooks of every event, to see in which order."""

from tests.builders.small_charts import a_packed_chart

EVENTS = (
    "pre-install",
    "post-install",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "pre-delete",
    "post-delete",
)
BEFORES = "pre-install,pre-upgrade,pre-rollback,pre-delete"
POD = "{terminationGracePeriodSeconds: 0, containers: [{name: main, image: busybox}]}"
ENDING_POD = POD.replace("{", "{restartPolicy: Never, ", 1)
TEMPLATE = f"{{metadata: {{labels: {{app: x}}}}, spec: {POD}}}"
JOB = f"{{backoffLimit: 0, template: {{spec: {ENDING_POD}}}}}"
SELECTOR = "{matchLabels: {app: x}}"

# (apiVersion, kind, further fields), in no order.
OBJECTS = (
    ("apps/v1", "Deployment", f"spec: {{selector: {SELECTOR}, template: {TEMPLATE}}}"),
    ("coordination.k8s.io/v1", "Lease", "spec: {holderIdentity: nobody}"),
    ("v1", "Service", "spec: {selector: {app: x}, ports: [{port: 80}]}"),
    ("networking.k8s.io/v1", "Ingress", "spec: {rules: [{host: x.test}]}"),
    ("v1", "ConfigMap", "data: {a: b}"),
    ("apps/v1", "StatefulSet",
     f"spec: {{serviceName: object, selector: {SELECTOR}, template: {TEMPLATE}}}"),
    ("batch/v1", "Job", f"spec: {JOB}"),
    ("v1", "Secret", "stringData: {a: b}"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding",
     "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: object}"),
    ("rbac.authorization.k8s.io/v1", "Role", "rules: []"),
    ("v1", "PersistentVolumeClaim",
     "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"),
    ("batch/v1", "CronJob",
     f"spec: {{schedule: '0 0 1 1 *', jobTemplate: {{spec: {JOB}}}}}"),
    ("discovery.k8s.io/v1", "EndpointSlice", "addressType: IPv4\nendpoints: []"),
    ("v1", "ServiceAccount", ""),
    ("policy/v1", "PodDisruptionBudget", f"spec: {{minAvailable: 0, selector: {SELECTOR}}}"),
    ("v1", "LimitRange", "spec: {limits: [{type: Container, default: {cpu: 1m}}]}"),
    ("v1", "ResourceQuota", "spec: {hard: {count/configmaps: '100'}}"),
    ("networking.k8s.io/v1", "NetworkPolicy", f"spec: {{podSelector: {SELECTOR}}}"),
    ("autoscaling/v2", "HorizontalPodAutoscaler",
     "spec: {maxReplicas: 1, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: none}}"),
    ("v1", "Pod", f"spec: {POD}"),
    ("apps/v1", "ReplicaSet",
     f"spec: {{selector: {SELECTOR}, template: {TEMPLATE}}}".replace("app: x", "app: other")),
    ("apps/v1", "DaemonSet", f"spec: {{selector: {SELECTOR}, template: {TEMPLATE}}}"),
)  # fmt: skip
# Named after the namespace, for two may be there at once.
CLUSTER_OBJECTS = (
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "webhooks: []"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding",
     "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: none}"),
    ("storage.k8s.io/v1", "StorageClass", "provisioner: nobody.test/none"),
    ("scheduling.k8s.io/v1", "PriorityClass", "value: 1"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "rules: []"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "webhooks: []"),
    ("networking.k8s.io/v1", "IngressClass", "spec: {controller: nobody.test/none}"),
    ("v1", "PersistentVolume",
     "spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /none}}"),
)  # fmt: skip

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {plural}.{group}
  annotations: {annotations}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: {plural}, singular: {singular}, kind: {kind}}}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""
GROUP = "{{ .Release.Namespace }}.test"


def an_object(api_version, kind, fields="", name="object", **annotations):
    """Write an object as YAML; annotations by the part of their name after `helm.sh/`."""
    marks = "".join(
        f'    helm.sh/{key.replace("_", "-")}: "{value}"\n' for key, value in annotations.items()
    )
    head = f"apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n"
    return f"{head}{'  annotations:' if marks else ''}\n{marks}{fields}\n"


def a_hook(name, events, api_version="v1", kind="ConfigMap", fields="", **policies):
    return an_object(api_version, kind, fields, f"hook-{name}", hook=events, **policies)


def a_definition(plural, kind, group=GROUP, annotations="{}"):
    return DEFINITION.format(
        plural=plural, singular=kind.lower(), kind=kind, group=group, annotations=annotations
    )


def documents(*texts):
    return "---\n" + "---\n".join(texts)


def ordered_chart(version):
    """Pack `ordered`; 1.0.0 has a hook that 1.1.0 drops."""
    hooks = HOOKS if version == "1.0.0" else HOOKS[1:]
    return a_packed_chart(
        "ordered",
        version,
        objects=documents(*(an_object(*facts) for facts in OBJECTS)),
        others=documents(
            *(
                an_object(*facts, name="{{ .Release.Namespace }}-object")
                for facts in CLUSTER_OBJECTS
            ),
            a_definition("objects", "Object"),
        ),
        hooks=documents(*hooks),
    )


HOOKS = (
    a_hook("dropped", "pre-install"),
    *(a_hook(event, event) for event in EVENTS),
    a_hook("tested", "test"),
    a_hook("unknown", "pre-install,whenever"),
    # Of several kinds, and with several events.
    a_hook("job", "pre-install,post-upgrade,pre-rollback,post-delete", "batch/v1", "Job",
           f"spec: {JOB}", hook_weight="5", hook_delete_policy="hook-succeeded"),
    a_hook("pod", "pre-install,pre-delete", "v1", "Pod", f"spec: {ENDING_POD}", hook_weight="-5",
           hook_delete_policy="before-hook-creation"),
    a_hook("account", "pre-install,pre-upgrade", kind="ServiceAccount", hook_weight="-5"),
    # Weights are numbers, what is none is 0; those of a weight go by name, not by kind.
    a_hook("ten", BEFORES, hook_weight="10"),
    a_hook("nine", BEFORES, hook_weight="9"),
    a_hook("no-number", BEFORES, hook_weight="heavy"),
    a_hook("tie-a", BEFORES, hook_weight="3"),
    a_hook("tie-b", BEFORES, kind="ServiceAccount", hook_weight="3"),
    a_hook("tie-c", BEFORES, hook_weight="3"),
    # What happens to them afterwards.
    a_hook("policy-none", BEFORES),
    a_hook("policy-before", BEFORES, hook_delete_policy="before-hook-creation"),
    a_hook("policy-succeeded", BEFORES, hook_delete_policy="hook-succeeded"),
    a_hook("policy-failed", BEFORES, hook_delete_policy="hook-failed"),
    a_hook("policy-all", BEFORES,
           hook_delete_policy="before-hook-creation, hook-succeeded ,hook-failed"),
    a_definition("hooks", "Hooked", annotations="{helm.sh/hook: 'pre-install,pre-upgrade', "
                 "helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'}"),
)  # fmt: skip

FAILING_JOB = JOB.replace(
    "{spec:", "{metadata: {annotations: {pods.whipstaff.dev/outcome: fails}}, spec:"
)
HANGING_JOB = FAILING_JOB.replace("fails", "hangs")


def failing_chart(version, job=FAILING_JOB):
    """Pack `failing`: an object, and hooks at `.Values.event` of which the third one fails."""
    at = "{{ .Values.event }}"
    return a_packed_chart(
        "failing",
        version,
        "event: test\n",
        object=an_object("v1", "ConfigMap", "data: {version: {{ .Chart.Version }}}"),
        hooks=documents(
            a_hook("a", at, hook_weight="1", hook_delete_policy="hook-succeeded"),
            a_hook("b", at, hook_weight="2"),
            a_hook("c", at, "batch/v1", "Job", f"spec: {job}", hook_weight="3",
                   hook_delete_policy="{{ .Values.policy }}"),
            a_hook("d", at, hook_weight="4"),
        ),
    )  # fmt: skip
