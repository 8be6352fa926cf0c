"""Stored revisions with defaults."""

from typing import Any

from whipstaff.release.revision import (
    Hook,
    HookDeletePolicy,
    HookEvent,
    ReleaseStatus,
    Revision,
    RevisionNumber,
)

CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"a": "1"},
}
CONFIG_MAP_TEXT = """\
---
# Source: blog/templates/settings.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  a: "1"
"""
HOOK_TEXT = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    helm.sh/hook: pre-upgrade
"""
HOOK_BODY = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-upgrade"}},
}


def a_hook(**changes: Any) -> Hook:
    facts: dict[str, Any] = {
        "name": "migrate",
        "kind": "Job",
        "path": "blog/templates/migrate.yaml",
        "manifest": HOOK_TEXT,
        "body": HOOK_BODY,
        "events": (HookEvent.PRE_UPGRADE,),
        "delete_policies": (HookDeletePolicy.HOOK_SUCCEEDED,),
    }
    return Hook(**facts | changes)


def a_chart(**changes: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "blog", "version": "1.2.3", "apiVersion": "v2"},
        "lock": None,
        "templates": [{"name": "templates/settings.yaml", "data": "YQ=="}],
        "values": {"replicas": 1},
        "schema": None,
        "schemamodtime": "0001-01-01T00:00:00Z",
        "files": [],
    } | changes


def a_revision(number: int = 1, **changes: Any) -> Revision:
    facts: dict[str, Any] = {
        "name": "shop",
        "namespace": "web",
        "number": RevisionNumber(number),
        "status": ReleaseStatus.DEPLOYED,
        "chart": a_chart(),
        "config": {"title": "A <b> & c"},
        "manifest": CONFIG_MAP_TEXT,
        "objects": (CONFIG_MAP,),
        "hooks": (a_hook(),),
        "description": "Install complete",
        "notes": "It runs.",
        "first_deployed": "2026-01-02T03:04:05.123456789Z",
        "last_deployed": "2026-01-02T03:04:06.5Z",
    }
    return Revision(**facts | changes)
