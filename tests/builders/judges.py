"""What Flux and Argo CD make of objects: kstatus as Flux has it, Lua as Argo CD runs it."""

import json
import subprocess

import yaml

from tests.builders.own_chart import ROOT
from tools.controlplane import programs

CUSTOMIZATIONS = yaml.safe_load(
    (ROOT / "deploy" / "examples" / "argocd" / "health.yaml").read_text(encoding="utf-8")
)["data"]


def kstatus(bodies):
    """Give the status of each object, as Flux waits for it."""
    answers = _asked([{"judge": "kstatus", "object": body} for body in bodies])
    return [answer["status"] for answer in answers]


def health(bodies):
    """Give (status, message) of each object of our kinds, as Argo CD shows it."""
    answers = _asked(
        [
            {"judge": "lua", "object": body, "script": CUSTOMIZATIONS[_key("health", body)]}
            for body in bodies
        ]
    )
    return [(answer["returned"]["status"], answer["returned"]["message"]) for answer in answers]


def offered(body):
    """Give the names of the actions that Argo CD's menu offers for an object."""
    script = _actions(body)["discovery.lua"]
    (answer,) = _asked([{"judge": "lua", "object": body, "script": script}])
    return {name for name, told in answer["returned"].items() if not told["disabled"]}


def acted(body, action, **parameters):
    """Give the object as an action of Argo CD's menu returns it, or what the action says."""
    scripts = {each["name"]: each["action.lua"] for each in _actions(body)["definitions"]}
    asked = {"judge": "lua", "object": body, "script": scripts[action], "parameters": parameters}
    (answer,) = _asked([asked])
    return answer.get("returned", answer.get("error"))


def merge_patch(before, after):
    """Give the JSON merge patch between two objects, which is how Argo CD writes an action."""
    patch = {}
    for name in before.keys() | after.keys():
        if name not in after:
            patch[name] = None
        elif name not in before:
            patch[name] = after[name]
        elif isinstance(before[name], dict) and isinstance(after[name], dict):
            if inner := merge_patch(before[name], after[name]):
                patch[name] = inner
        # Lua has one empty table for both kinds, and Argo CD takes the one that was there.
        elif before[name] != after[name] and (before[name] or after[name]):
            patch[name] = after[name]
    return patch


def _actions(body):
    return yaml.safe_load(CUSTOMIZATIONS[_key("actions", body)])


def _key(what, body):
    group = body["apiVersion"].split("/")[0]
    return f"resource.customizations.{what}.{group}_{body['kind']}"


def _asked(questions):
    program = programs.find(module=programs.JUDGES)["judges"]
    done = subprocess.run(
        [program],
        input=json.dumps(questions),
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)
