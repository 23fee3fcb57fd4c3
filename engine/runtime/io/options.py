"""Sources and sinks as a config states them: ``{use: auto, path: …}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.config.bind import Place, bind
from engine.config.convert import shown
from engine.errors import ConfigError, DataError, Mistake, did_you_mean, listing
from engine.registry import PluginError, Registry
from engine.runtime.io.address import file_ending, name_of
from engine.runtime.io.files import format_of
from engine.runtime.io.finding import DataFiles, ending_of, endings, find
from engine.runtime.io.pipe import PIPE
from engine.runtime.io.storage import address_of, options_of, storage_of
from engine.sink import Sink, SinkPlugin
from engine.source import Address, Source, SourcePlugin

SetBy = Callable[[str], str]


def open_source(config: Any, registry: Registry | None = None, set_by: SetBy | None = None) -> Source:
    """The source that a config states.

    Parameters
    ----------
    config : mapping
        ``use`` (``auto``, by extension, unless given), and the plugin's own options.
    registry : Registry, optional
        Where plugins are looked up; else the built-in ones and those of packages.
    set_by : callable, optional
        Who set a key.

    Raises
    ------
    ConfigError
        An option is unknown, missing or of the wrong type.
    DataError
        There is nothing to read.
    """
    return bind_source(config, registry, set_by).open()


def bind_source(config: Any, registry: Registry | None = None, set_by: SetBy | None = None) -> SourcePlugin:
    """The plugin of a source with its options, not opened; as `open_source`."""
    reader = _Section("source", config, registry or Registry(), set_by)
    use = reader.use()
    if use == "auto":
        reader.check_told("standard input")
        found = reader.found()
        reader.check_sole(str(found.files[0]))
        use = found.format
    bound: SourcePlugin = reader.bound(use)
    return bound


def open_sink(config: Any, registry: Registry | None = None, set_by: SetBy | None = None) -> Sink:
    """The sink that a config states; nothing is written yet.

    Parameters
    ----------
    config : mapping
        ``use`` (``auto``, by extension, unless given), for a folder ``format``, and the plugin's own options.
    registry, set_by
        As for `open_source`.

    Raises
    ------
    ConfigError
        An option is unknown, missing or of the wrong type.
    DataError
        The extension is of no format.
    """
    return bind_sink(config, registry, set_by).open()


def bind_sink(config: Any, registry: Registry | None = None, set_by: SetBy | None = None) -> SinkPlugin:
    """The plugin of a sink with its options, not opened; as `open_sink`."""
    reader = _Section("sink", config, registry or Registry(), set_by)
    use = reader.use()
    chosen = reader.options.pop("format", None)
    if chosen is not None and chosen not in reader.registry.names("sink"):
        names = listing(reader.registry.names("sink"))
        raise reader.mistake("format", f"expected one of {names}, found {shown(chosen)}")
    if use == "auto":
        reader.check_told("standard output")
        path = address_of(reader.path())
        formats = reader.formats()
        _check_name(reader, path, formats)
        reader.check_sole(str(path))
        use = format_of(path, formats) if file_ending(path) else chosen or "parquet"
        if chosen not in (None, use):
            message = f"{path} is one file, of the format that its ending tells, {use}; found {shown(chosen)}"
            raise reader.mistake(
                "format", message, "leave it out, or write a path without an ending: a folder"
            )
    elif chosen not in (None, use):
        raise reader.mistake(
            "format", f"sink.use={use} tells the format; found {shown(chosen)}: leave one out"
        )
    elif isinstance(reader.options.get("path"), str):
        _check_name(reader, address_of(reader.path()), reader.formats())
    bound: SinkPlugin = reader.bound(use)
    return bound


def open_both(source: Any, sink: Any, registry: Registry, set_by: SetBy) -> tuple[Source, Sink]:
    """The source and the sink of a config, with the mistakes of both."""
    mistakes: list[Mistake] = []
    read: Source | None = None
    written: Sink | None = None
    try:
        read = open_source(source, registry, set_by)
    except ConfigError as error:
        mistakes += error.mistakes
    try:
        written = open_sink(sink, registry, set_by)
    except ConfigError as error:
        mistakes += error.mistakes
    if read is None or written is None:
        raise ConfigError(mistakes)
    return read, written


class _Section:
    """The section ``source`` or ``sink`` of a config, which is the kind of plugin, too."""

    def __init__(self, kind: str, config: Any, registry: Registry, set_by: SetBy | None) -> None:
        self.kind = kind
        self.registry = registry
        self.set_by = set_by
        if config is not None and not isinstance(config, Mapping):
            raise self.mistake("", f"must be a mapping such as {{path: rows.parquet}}, not {shown(config)}")
        self.options: dict[str, Any] = dict(config or {})
        self._use = self.options.pop("use", None)

    def mistake(self, key: str, message: str, *notes: str) -> ConfigError:
        where = f"{self.kind}.{key}" if key else self.kind
        told = (*notes, f"set by: {self.set_by(where)}") if self.set_by else notes
        return ConfigError([Mistake(where, message, told)])

    def use(self) -> str:
        """``auto``, or the name of a plugin."""
        use = "auto" if self._use is None else self._use
        known = self.registry.names(self.kind)
        if not isinstance(use, str):
            raise self.mistake("use", f"expected one of auto, {listing(known)}, found {shown(use)}")
        if use != "auto" and use not in known:
            hint = did_you_mean(use, known)
            there = f"there are: auto, {listing(known)}"
            raise self.mistake("use", f"there is no {self.kind} {use!r}.{hint}", there)
        return use

    def path(self) -> str:
        path = self.options.get("path")
        if not isinstance(path, str) or not path:
            kinds = endings(self.formats()).replace(", ", " or ")
            # the null of conf/source/auto.yaml was set by nobody
            raise ConfigError(
                [Mistake(f"{self.kind}.path", f"a path is needed: a file ({kinds}) or a folder")]
            )
        return path

    def formats(self) -> Mapping[str, str]:
        """The plugin for each extension."""
        return {extension: names[0] for extension, names in self._claims().items()}

    def check_told(self, what: str) -> None:
        """Refuse to guess the format of what has no name."""
        if self.path() == PIPE:
            uses = f"{self.kind}.use=jsonl or {self.kind}.use=csv"
            raise self.mistake("use", f"{what} has no ending that tells the format; say which: {uses}")

    def found(self) -> DataFiles:
        """The files that the path stands for, of the one format that they have."""
        self.path()
        address = address_of(self.options["path"])
        try:
            options = options_of(self.options.get("storage"))
        except DataError as error:
            raise self.mistake("storage", str(error)) from None
        return find(address, storage_of(address, options), self.formats())

    def check_sole(self, file: str) -> None:
        """Refuse to choose among several plugins that all take a file's extension."""
        claims = self._claims()
        ending = ending_of(file, claims)
        names = claims.get(ending, [])
        if len(names) > 1:
            message = f"{file}: {listing(names)} all take files that end in {ending}"
            raise self.mistake("use", message, f"say which: {self.kind}.use={names[0]}")

    def _claims(self) -> Mapping[str, list[str]]:
        """The plugins by the extensions they take; one that can't be imported stops only who names it."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.registry.names(self.kind), key=lambda name: (name != "parquet", name)):
            try:
                extensions = self.registry.load(name, self.kind).extensions
            except PluginError:
                continue
            for extension in extensions:
                found.setdefault(extension.lower(), []).append(name)
        return found

    def bound(self, use: str) -> Any:
        """The plugin with its options."""
        try:
            cls = self.registry.load(use, self.kind)
            defined = self.registry.definition(use, self.kind).defined
        except PluginError as error:
            first, *rest = str(error).splitlines()
            raise self.mistake("use", first, *(line.strip() for line in rest)) from None
        # conf/source/auto.yaml has the key for everybody; null is as good as absent
        given = {key: value for key, value in self.options.items() if key != "path" or value is not None}
        set_by = self.set_by or (lambda key: "the call")
        bound = bind(cls, given, Place(self.kind, use, set_by, defined, ("use",)))
        if bound.value is None:
            raise ConfigError(bound.mistakes)
        mistakes = [self._told(sentence, cls) for sentence in bound.value.check()]
        if mistakes:
            raise ConfigError(mistakes)
        return bound.value

    def _told(self, sentence: str, cls: type[Any]) -> Mistake:
        option, colon, rest = sentence.partition(": ")
        its = bool(colon) and option in cls.__dataclass_fields__
        (mistake,) = self.mistake(option if its else "", rest if its else sentence).mistakes
        return mistake


def _check_name(reader: _Section, path: Address, formats: Mapping[str, str]) -> None:
    """Refuse a sink that could be neither a file nor a folder of its own."""
    name = name_of(path)
    if name in ("", ".."):
        raise reader.mistake(
            "path",
            f"{str(path)!r} is a folder that a batch can't make or replace",
            "add a name: scores.parquet for one file, scores for a folder of parts",
        )
    if name.lower() in formats:
        raise reader.mistake("path", f"a file's name is due in front of its ending, found {str(path)!r}")
