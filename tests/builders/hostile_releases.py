"""A release all of whose texts are one and the same text."""

import json

from tests.builders.little_api_server import a_release
from tests.builders.releases import a_chart, a_hook, a_revision


def a_release_that_says(text, name="blog", **status):
    """A HelmRelease each of whose fields that people see is this text, or has it."""
    body = a_release(name)
    body["metadata"]["annotations"] = {"team": text}
    body["metadata"]["labels"] = {"team": text}
    body["spec"]["chart"] = {"name": text, "version": text, "repository": text}
    body["spec"]["values"] = {text: text}
    body["spec"]["valuesFrom"] = [{"kind": text, "name": text}]
    an_object = dict.fromkeys(("apiVersion", "kind", "namespace", "name"), text)
    condition = {"type": text, "status": text, "reason": text, "message": text}
    entry = dict.fromkeys(
        ("status", "action", "chart", "version", "appVersion", "description", "trigger"), text
    )
    times = {"started": text, "finished": text}
    body["status"] |= {
        "conditions": [
            {"type": "Ready", "status": "False", "reason": text, "message": text},
            {**condition, "lastTransitionTime": text},
        ],
        "chartVersion": text,
        "release": {"name": name, "namespace": "web", "storageNamespace": "web"},
        "history": [{"revision": one, **entry, **times} for one in (2, 1)],
        "unready": [{**an_object, "cause": text}],
        "drift": [
            {**an_object, "standing": text, "fields": [text], "managers": [text], "why": text}
        ],
        "plan": {"digest": text, "summary": text, "chart": text, "version": text, "action": text},
        "unusedValues": [text],
        **status,
    }
    return body


def a_stored_revision_that_says(text, number, name="blog"):
    """A revision whose manifest, values, notes, hooks and chart say it as well."""
    # What YAML cannot hold is shown as JSON, which has other lines.
    readable = "".join(letter for letter in text if letter.isprintable())
    manifest = "".join(
        f"---\n# Source: blog/templates/{one}.yaml\n"
        + json.dumps(
            {
                "apiVersion": text,
                "kind": text,
                "metadata": {"name": text, "namespace": text, "annotations": {"n": str(number)}},
                "data": {"key": text},
            },
            ensure_ascii=False,
        )
        + "\n"
        for one in ("a",)
    )
    hook = json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": text}}, ensure_ascii=False
    )
    metadata = {
        "apiVersion": "v2",
        **dict.fromkeys(("name", "version", "description", "appVersion", "home", "icon"), text),
        "sources": [text],
    }
    return a_revision(
        number,
        name=name,
        namespace="web",
        manifest=manifest,
        notes=text,
        description=text,
        config={"given": f"{readable} {number}", f"key {readable[:40]}": readable},
        chart=a_chart(metadata=metadata, values={"own": text}),
        hooks=(a_hook(manifest=hook, name=text, kind="Pod", path="blog/templates/h.yaml"),),
    )


def an_event_that_says(text):
    facts = dict.fromkeys(("type", "reason", "message"), text)
    return {**facts, "firstTimestamp": text, "lastTimestamp": text}
