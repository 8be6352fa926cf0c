"""All that is converted at once: objects refer to each other, across files too."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from whipstaff.cli.conversion.drafts import Draft
from whipstaff.cli.conversion.originals import Original, Path
from whipstaff.release.secrecy import LAST_APPLIED


@dataclass(slots=True)
class Surroundings:
    """The objects that were read, by kind and name, and who refers to whom."""

    known: Mapping[tuple[str, str, str], Original]
    # By kind and name of what is referred to: the drafts that do.
    users: dict[tuple[str, str, str], list[Draft]] = field(default_factory=dict)

    @classmethod
    def of(cls, originals: Iterable[Original]) -> "Surroundings":
        return cls({_key(one): one for one in originals})

    def find(self, kind: str, namespace: str, name: str) -> Original | None:
        """Return an object by its group and kind, such as `example.com/Thing`."""
        return self.known.get((kind, namespace, name))

    def use(self, kind: str, namespace: str, name: str, user: Draft) -> Original | None:
        """Return an object, and note who refers to it."""
        self.users.setdefault((kind, namespace, name), []).append(user)
        return self.find(kind, namespace, name)

    def users_of(self, original: Original) -> list[Draft]:
        return self.users.get(_key(original), [])


def _key(original: Original) -> tuple[str, str, str]:
    kind = f"{original.group}/{original.kind}"
    return kind, original.namespace, str(original.table("metadata").get("name"))


def carry_marks(draft: Draft, original: Original, whose: str, kept: tuple[str, ...] = ()) -> None:
    """Take labels and annotations over, but for those of a tool, which ends in `whose`.

    `kept` are names, or domains, of that tool which go on counting.
    """
    for table in ("labels", "annotations"):
        for name in list(original.table("metadata", table)):
            source = ("metadata", table, name)
            domain = name.partition("/")[0] if "/" in name else ""
            if name == LAST_APPLIED:
                original.take(*source)
            elif f".{domain}".endswith(f".{whose}") and not {name, f"{table}:{domain}"} & set(kept):
                original.take(*source)
                text = f"was left out: it is for {whose} alone"
                draft.tell(original, source, text, place=("metadata",), lost=False)
            else:
                draft.move(original, source)


def without_login(draft: Draft, original: Original, source: Path, path: Path) -> str:
    """Take a URL over; a name and password in it are left out, and not repeated anywhere."""
    url = original.text(*source)
    scheme, _, rest = url.partition("://")
    host, slash, tail = rest.partition("/")
    user = host.rpartition("@")[0]
    if user and not (scheme == "ssh" and ":" not in user):
        url = f"{scheme}://{host.rpartition('@')[2]}{slash}{tail}"
        text = (
            "the name and password in the URL were left out: they go into a Secret, and a"
            " HelmRepository names it in spec.secretRef"
        )
        draft.tell(original, source, text, place=path[:-1])
    if url:
        draft.put(path, url, (original, source))
    return url
