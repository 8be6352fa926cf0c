"""Fields of Flux's HelmRelease that have no sense here: refused with what to say instead.

Those that ask for what is done anyway are let through, so that a manifest needs no edit for them.
"""

from enum import StrEnum

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.fields import Fields

ELSEWHERE = {
    "chart.spec": "is Flux's: say chart.name, chart.version, and chart.repository, repositoryRef or"
    " sourceRef",
    "chartRef": "is Flux's: say chart.sourceRef, with kind and name",
}


class ServerSideApply(StrEnum):
    """How Flux sends objects; here they are always applied server-side."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    AUTO = "auto"  # as the revision before


class ChartNameChange(StrEnum):
    """What Flux does about a chart with another name; here it is an upgrade like any other."""

    REINSTALL = "Reinstall"
    IN_PLACE_UPDATE = "InPlaceUpdate"


def refuse_what_is_fluxs(spec: Fields) -> None:
    """Raise InvalidSpec for a field of Flux that would not be done as it says."""
    chart, install = spec.table("chart"), spec.table("install")
    upgrade, rollback = spec.table("upgrade"), spec.table("rollback")
    for fields, name in ((chart, "spec"), (spec, "chartRef")):
        if fields.content.get(name) is not None:
            where = fields.at(name)
            raise InvalidSpec(f"{where} {ELSEWHERE[where.removeprefix('spec.')]}", where)
    spec.flag("persistentClient")  # connections are kept in either case
    if install.flag("skipCRDs"):
        raise _unread(install, "skipCRDs", f"say {install.at('crds')}: Skip")
    if rollback.flag("recreate"):
        instead = f"it does nothing in Helm and Flux: leave it out, or say {rollback.at('force')}"
        raise _unread(rollback, "recreate", f"{instead}: true")
    always = "objects are always applied server-side: leave it out"
    if not install.switch("serverSideApply", on=True):
        raise _unread(install, "serverSideApply", always)
    for block in (upgrade, rollback):
        how = block.choice("serverSideApply", ServerSideApply.AUTO)
        if how is ServerSideApply.DISABLED:
            raise _unread(block, "serverSideApply", always)
    change = upgrade.choice("chartNameChangeStrategy", ChartNameChange.IN_PLACE_UPDATE)
    if change is ChartNameChange.REINSTALL:
        instead = "nothing is uninstalled for a name: leave it out, or delete the HelmRelease first"
        raise _unread(upgrade, "chartNameChangeStrategy", instead)


def _unread(fields: Fields, name: str, instead: str) -> InvalidSpec:
    return InvalidSpec(f"{fields.at(name)} is not done: {instead}", fields.at(name))
