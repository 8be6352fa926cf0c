"""What a child can do, each job a function of JSON to JSON; failures are OperatorErrors.

The engine and the chart pipeline are imported by the first job that needs them: a child that only
decodes stored releases stays small.
"""

import base64
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from whipstaff.errors import ManifestInvalid, StorageCorrupt
from whipstaff.release import codec
from whipstaff.release.packed import PackedText
from whipstaff.workers import documents
from whipstaff.workers.protocol import JobKind, JsonObject, Limits

if TYPE_CHECKING:
    from whipstaff.workers.compiled import CompiledCharts
    from whipstaff.workers.rendering import Charts, Lookup, Releases

_OBJECTS_LIMIT = 10_000  # as of a rendering


class Workshop:
    """Holds what jobs share: limits, the way to ask the cluster, charts loaded before."""

    def __init__(self, limits: Limits, lookup: "Lookup") -> None:
        self._limits = limits
        self._lookup = lookup
        self.template = ""  # that is being rendered

    @cached_property
    def _kept(self) -> "CompiledCharts | None":
        from whipstaff.workers.compiled import CompiledCharts  # noqa: PLC0415

        folder = self._limits.compiled_folder
        return CompiledCharts(Path(folder)) if folder else None

    @cached_property
    def _charts(self) -> "Charts":
        from whipstaff.workers.rendering import Charts  # noqa: PLC0415

        return Charts(self._limits.archive_bytes, self._kept)

    @cached_property
    def _releases(self) -> "Releases":
        from whipstaff.workers.rendering import Releases  # noqa: PLC0415

        return Releases(self._kept)

    def run(self, kind: JobKind, arguments: JsonObject) -> JsonObject:  # noqa: PLR0911 - jobs
        """Do one job."""
        self._begin("")
        match kind:
            case JobKind.DECODE | JobKind.ENCODE:
                return decode(**arguments) if kind is JobKind.DECODE else encode(**arguments)
            case JobKind.INDEX:
                from whipstaff.workers import index  # noqa: PLC0415

                return index.compact(**arguments)
            case JobKind.INSPECT:
                from whipstaff.workers import rendering  # noqa: PLC0415

                return rendering.inspect(self._charts, **arguments)
            case JobKind.LIST | JobKind.SHOW | JobKind.COMPLETE:
                return self._of_archives(kind, arguments)
            case JobKind.VERIFY:
                return verify(**arguments)
            case JobKind.KUBECONFIG | JobKind.CERTIFICATE:
                return of_servers(kind, arguments)
            case JobKind.READ_RELEASE | JobKind.COMPARE:
                return of_people(kind, arguments)
            case JobKind.VALUES | JobKind.EVALUATE:
                return of_spec(kind, arguments)
            case JobKind.RENDER:
                from whipstaff.workers import rendering  # noqa: PLC0415

                scope = rendering.scope(self._limits, self._lookup, self._begin)
                return rendering.render(self._charts, self._releases, scope, arguments)
            case _:
                assert_never(kind)

    def _of_archives(self, kind: JobKind, arguments: JsonObject) -> JsonObject:
        from whipstaff.workers import chart_entries  # noqa: PLC0415

        limit = self._limits.archive_bytes
        if kind is JobKind.COMPLETE:
            from whipstaff.workers import completion  # noqa: PLC0415

            return completion.complete(arguments, limit)
        if kind is JobKind.LIST:
            return chart_entries.entries(**arguments, archive_bytes=limit)
        match arguments["what"]:
            case "values":
                return chart_entries.values(arguments["path"], limit)
            case "templates":
                return chart_entries.templates(arguments["path"], limit)
            case _:
                return chart_entries.contents(arguments["path"], limit)

    def _begin(self, template: str) -> None:
        self.template = template


def of_spec(kind: JobKind, arguments: JsonObject) -> JsonObject:
    """Read what a spec refers to, or the expressions in it."""
    if kind is JobKind.EVALUATE:
        from whipstaff.workers import expressions  # noqa: PLC0415

        return expressions.evaluate(**arguments)
    from whipstaff.workers import composing  # noqa: PLC0415

    return composing.compose(**arguments)


def of_people(kind: JobKind, arguments: JsonObject) -> JsonObject:
    """Show stored releases to people."""
    from whipstaff.workers import showing  # noqa: PLC0415

    if kind is JobKind.COMPARE:
        return showing.compare(**arguments)
    return showing.show(**arguments)


def of_servers(kind: JobKind, arguments: JsonObject) -> JsonObject:
    """Read how another server is reached, or make what a server of ours proves itself with."""
    if kind is JobKind.CERTIFICATE:
        from whipstaff.workers import serving  # noqa: PLC0415

        return serving.make(**arguments)
    from whipstaff.workers import remote_kubeconfig  # noqa: PLC0415

    return remote_kubeconfig.read(**arguments)


def encode(record: JsonObject, manifest: str) -> JsonObject:
    """Return a release as it is stored; `manifest` is that of the record, packed, in base64."""
    record["manifest"] = str(PackedText(base64.b64decode(manifest)))
    return {"payload": codec.encode(record)}


def verify(provider: str, **evidence: Any) -> JsonObject:  # noqa: ANN401 - the pool's own JSON
    """Check a signature; errors say what is wrong with it."""
    from whipstaff.workers import verifying  # noqa: PLC0415

    if provider == "pgp":
        return verifying.provenance(**evidence)
    return verifying.cosign(**evidence)


def decode(data: str, name: str) -> JsonObject:
    """Return a stored release in pieces, its manifest and hooks parsed; or StorageCorrupt.

    The pieces are the long members of its record, and `record` with the short ones.
    """
    record = codec.decode(data, name)
    manifest, hooks = codec.texts(record, name)
    try:
        objects = tuple(islice(documents.each(documents.split(manifest)), _OBJECTS_LIMIT + 1))
        bodies = [documents.parse_one(documents.Document(path, text)) for path, text in hooks]
    except ManifestInvalid as error:
        raise _corrupt(name, error.text) from error
    if len(objects) > _OBJECTS_LIMIT:
        raise _corrupt(name, f"more than {_OBJECTS_LIMIT} objects")
    pieces = {key: record[key] for key in codec.LONG_MEMBERS if key in record}
    short = {key: record[key] for key in codec.SHORT_MEMBERS if key in record}
    return {**pieces, "record": short, "objects": objects, "hook_bodies": bodies}


def _corrupt(name: str, problem: str) -> StorageCorrupt:
    return StorageCorrupt(f"the stored release {name} cannot be read: {problem}", name)
