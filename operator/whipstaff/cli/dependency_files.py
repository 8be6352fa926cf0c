"""The charts/ folder of a chart: filled from what it declares, or from its lock, as helm does.

Nothing in the folder changes before every chart is there.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from whipstaff.chart import archive, lock, packing
from whipstaff.chart import folder as chart_folder
from whipstaff.chart.lock import constraint
from whipstaff.chart.model import Chart, Dependency, Lock, Metadata
from whipstaff.cli import chart_source
from whipstaff.cli.chart_options import ChartOptions
from whipstaff.cli.chart_source import Retrieved
from whipstaff.cli.dependency_sources import (
    LOCAL,
    REGISTRY,
    Say,
    Sources,
    unknown_names,
)
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_home import HelmHome, Refused, write_whole
from whipstaff.cli.helm_logs import log
from whipstaff.errors import OperatorError
from whipstaff.golang.semver import Version
from whipstaff.golang.values import go_bytes


class Verify(Enum):
    """Whether charts that are downloaded must be signed."""

    NEVER = "nobody asks"
    IF_SIGNED = "a signature that is there must be right"
    ALWAYS = "there must be one"


class Manager:
    """The dependencies of the chart in one folder."""

    def __init__(
        self,
        folder: str,
        home: HelmHome,
        options: ChartOptions,
        say: Say,
        *,
        skip_refresh: bool = False,
        verify: Verify = Verify.NEVER,
    ) -> None:
        """Take a folder; `options` say how registries are asked, and the keys to verify with."""
        self._folder = folder
        self._options = options
        self._sources = Sources.of(home, options)
        self._say = say
        self._skip_refresh = skip_refresh
        self._verify = verify

    def build(self) -> None:
        """Fill charts/ as the lock says; without a lock this is an update. Refused if it fails."""
        try:
            self._build()
        except OperatorError as error:
            raise Refused(error.text) from error

    def update(self) -> None:
        """Settle on versions anew, fill charts/ and write the lock; Refused if that fails."""
        try:
            self._update(self._chart())
        except OperatorError as error:
            raise Refused(error.text) from error

    def _build(self) -> None:
        chart = self._chart()
        if chart.lock is None:
            self._update(chart)
            return
        requirements = self._with_urls(chart.metadata.dependencies)
        if chart.metadata.api_version == lock.V1 and chart.lock.digest != lock.digest(
            requirements, chart.lock.dependencies
        ):
            log(
                "INFO",
                "warning: a valid Helm v3 hash was not found. Checking against Helm v2 hash...",
            )
        lock.check(chart.metadata, chart.lock, requirements)
        locked = chart.lock.dependencies or ()
        self._sources.check_known(locked)
        self._refresh()
        self._fill(locked)

    def _update(self, chart: Chart) -> None:
        requirements = self._with_urls(chart.metadata.dependencies)
        if requirements is None:
            return
        others = self._sources.unmanaged(requirements)
        if others and not self._skip_refresh:
            self._say("Getting updates for unmanaged Helm repositories...")
            self._sources.refresh(others, self._say)
        self._refresh()
        locked = self._fill(lock.choose(requirements, self._versions))
        digest = lock.digest(requirements, locked)
        if chart.lock is None or chart.lock.digest != digest:
            now = datetime.now(UTC).astimezone().isoformat()  # noqa: TID251 - no pass of the operator
            self._write_lock(chart.metadata, Lock(now.replace("+00:00", "Z"), digest, locked))

    def _chart(self) -> Chart:
        try:
            Path(self._folder).stat()
        except OSError as error:
            why = os_text(self._folder, error, verb="stat")
            raise Refused(f"could not find {self._folder}: {why}") from error
        if not Path(self._folder).is_dir():
            raise Refused("only unpacked charts can be updated")
        return chart_folder.load(Path(self._folder))

    def _with_urls(
        self, requirements: Sequence[Dependency] | None
    ) -> tuple[Dependency, ...] | None:
        """The declared charts with the URLs of repositories that are named; else Refused."""
        urls: dict[str, str] = {}
        unknown = []
        for one in requirements or ():
            if one.repository.startswith(LOCAL):
                self._local(one.repository)
            elif one.repository and not one.repository.startswith(REGISTRY):
                found = self._sources.url_of(one.repository)
                if found is None:
                    unknown.append(one.repository)
                else:
                    urls[one.repository] = found
        if unknown:
            raise unknown_names(unknown)
        return lock.relocated(requirements, urls)

    def _refresh(self) -> None:
        if self._sources.entries and not self._skip_refresh:
            self._say("Hang tight while we grab the latest from your chart repositories...")
            self._sources.refresh(self._sources.entries, self._say)
            self._say("Update Complete. ⎈Happy Helming!⎈")

    def _versions(self, one: Dependency) -> Sequence[str] | None:
        if not one.repository:
            self._local(f"charts/{one.name}")
            return None
        if one.repository.startswith(LOCAL):
            return [chart_folder.load(self._local(one.repository)).metadata.version]
        return self._sources.versions(one)

    def _local(self, repository: str) -> Path:
        """Return the folder of a `file://` repository; Refused if there is none."""
        path = repository.removeprefix(LOCAL)
        place = Path(os.path.normpath(Path(self._folder) / path))
        if not place.exists():
            raise Refused(f"directory {place} not found")
        return place

    def _fill(self, locked: Sequence[Dependency]) -> tuple[Dependency, ...]:
        """Put charts into charts/ and take others away; return them with what they turned out."""
        self._sources.check_indexes()
        charts = Path(self._folder) / "charts"
        if charts.exists() and not charts.is_dir():
            raise Refused(f'"{charts}" is not a directory')
        charts.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="tmpcharts-", dir=self._folder))
        try:
            self._say(f"Saving {len(locked)} charts")
            found = self._fetch_all(locked, charts, temporary)
            self._move(found, temporary, charts)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return found

    def _fetch_all(
        self, locked: Sequence[Dependency], charts: Path, target: Path
    ) -> tuple[Dependency, ...]:
        found = []
        downloaded: set[str] = set()
        for one in locked:
            if not one.repository:
                self._say(
                    f"Dependency {one.name} did not declare a repository. "
                    "Assuming it exists in the charts directory"
                )
                version = self._carried(charts / one.name)
                if not constraint(one).allows(Version.parse(version)):
                    raise self._failed(
                        f"dependency {one.name} at version {version} "
                        f"does not satisfy the constraint {one.version}"
                    )
                found.append(one)
            elif one.repository.startswith(LOCAL):
                found.append(replace(one, version=self._packed(one, target)))
            else:
                self._download(one, target, downloaded)
                found.append(one)
        return tuple(found)

    def _carried(self, place: Path) -> str:
        """Return the version of a chart that lies in charts/."""
        try:
            place.stat()
            return chart_folder.load(place).metadata.version
        except OSError as error:
            why = os_text(str(place), error, verb="stat")
        except OperatorError as error:
            why = error.text
        raise Refused(f"unable to load chart '{place}': {why}")

    def _packed(self, one: Dependency, target: Path) -> str:
        """Pack a chart of this machine and return its version."""
        try:
            chart = chart_folder.load(self._local(one.repository))
            fits = constraint(one).allows(Version.parse(chart.metadata.version))
            packed = packing.pack(chart)
        except Refused as error:
            raise self._failed(error.message) from error
        except OperatorError as error:
            raise self._failed(error.text) from error
        if not fits:
            raise self._failed(f"can't get a valid version for dependency {one.name}")
        write_whole(target / packing.archive_name(chart), packed)
        return chart.metadata.version

    def _download(self, one: Dependency, target: Path, downloaded: set[str]) -> None:
        try:
            found = self._sources.find(one)
        except Refused as error:
            raise self._failed(error.message) from error
        if (key := f"{found.url}:{one.version}") in downloaded:
            self._say(f"Already downloaded {one.name} from repo {one.repository}")
            return
        downloaded.add(key)
        self._say(f"Downloading {one.name} from repo {one.repository}")
        try:
            retrieved = self._sources.retrieve(found, provenance=self._verify is not Verify.NEVER)
            if retrieved.notes:
                self._say(retrieved.notes.removesuffix("\n"))
            self._check_signature(retrieved, found.url)
        except Refused as error:
            raise self._failed(f"could not download {found.url}: {error.message}") from error
        write_whole(target / retrieved.file_name, retrieved.archive)

    def _check_signature(self, retrieved: Retrieved, url: str) -> None:
        if self._verify is Verify.NEVER:
            return
        if self._verify is Verify.IF_SIGNED and retrieved.provenance is None:
            self._say(f"WARNING: Verification not found for {url}: {retrieved.problem}")
            return
        chart_source.checked(retrieved, self._options)

    def _failed(self, text: str) -> Refused:
        """Say what helm says before it gives up, and return what it says then."""
        self._say(f"Save error occurred:  {text}")
        return Refused(text)

    def _move(self, locked: Sequence[Dependency], source: Path, target: Path) -> None:
        """Move what was fetched into charts/, and remove the archives that are no longer meant."""
        before = [one for one in sorted(target.iterdir()) if not one.is_dir()]
        fetched = {one.name for one in source.iterdir()}
        for one in sorted(source.iterdir()):
            try:
                archive.load(one.read_bytes())
            except OperatorError as error:
                # Helm goes on as if nothing had failed, and without the chart.
                raise self._failed(f"{one.name} is no chart: {error.text}") from error
        for one in sorted(source.iterdir()):
            one.replace(target / one.name)
        self._say("Deleting outdated charts")
        own = {one.name for one in locked if not one.repository}
        for one in before:
            if one.name not in fetched:
                self._delete(one, own)

    def _delete(self, file: Path, own: set[str]) -> None:
        try:
            name = archive.load(file.read_bytes()).name
        except OperatorError as error:
            self._say(f"Could not verify {file} for deletion: {error.text} (Skipping)")
            return
        if name not in own:
            file.unlink(missing_ok=True)

    def _write_lock(self, metadata: Metadata, held: Lock) -> None:
        file = Path(self._folder) / lock.file_name(metadata)
        if file.is_symlink():
            raise Refused(f'the {file.name} file is a symlink to "{file.readlink()}"')
        write_whole(file, go_bytes(lock.dump(held)))
