"""A configuration made into a mock: the one place where edition, sources, review, keys, speed and clock meet.

Every door (the command line, a live server in a thread, a test's fixture) builds its mock here. Nothing here listens,
and uvicorn is not imported.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final, Literal

from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.core.exchange import texts_of
from mockserver.pipeline.moderate import ModerationRules
from mockserver.pipeline.respond import Service
from mockserver.profile.edition import default_edition, load_edition
from mockserver.server.beside import beside
from mockserver.server.clock import FixedClock, RealClock, unix_s
from mockserver.server.mock import Mock
from mockserver.settings.value_kinds import size_range
from mockserver.sources.fixtures import Fixtures
from mockserver.sources.source_order import Sources
from mockserver.sources.synthetic import Synthetic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mockserver.core.exchange import ChatRequest, Exchange
    from mockserver.pipeline.pace import PaceSettings
    from mockserver.profile.edition import Edition
    from mockserver.profile.edition_file import Moderation
    from mockserver.server.namespace import Namespaces
    from mockserver.settings.config import Config
    from mockserver.sources.recording_folders import RecordingFolders

STEPS_AT_START: Final = 40
"""Steps of about a millisecond in which an early start waits for files of answers; a thread reads the others."""


def build(
    config: Config,
    on_exchange: Callable[[Exchange], None] | None = None,
    figures: Path | None = None,
    *,
    early: bool = False,
) -> Mock:
    """The mock that a configuration describes; `App` makes it an ASGI application.

    Args:
        config: What is wanted.
        on_exchange: Told of each finished exchange; None costs nothing.
        figures: Where several processes keep theirs; None where one serves.
        early: Whether many files of answers need not all be read before it serves: then a thread reads on, and a chat
            waits until it is done.

    Raises:
        OperatorError: a profile is wrong, a folder of fixtures is missing, or the edition is unknown;
            or figures are asked for and cannot be had.
    """
    edition = edition_of(config)
    origin = sources(config, edition)
    unread = origin.begin(STEPS_AT_START if early else None)
    served = edition.serving(origin.named())
    service = service_of(config, served, origin)
    clock = RealClock() if config.clock == "real" else FixedClock(edition.file.defaults.created)
    mock = Mock(served, service, clock, on_exchange, shared_namespaces(config, served, service))
    if unread is not None:
        mock.reading = beside(_read_on(unread, mock, origin, config, edition))
    if config.metrics:
        if not config.control:
            raise OperatorError("--metrics: lies below /_mock/, which --no-control leaves out; drop one of them")
        from mockserver.server.metrics import Metrics

        mock.metrics = Metrics(served.chips, figures)
    return mock


def service_of(config: Config, edition: Edition, origin: Sources) -> Service:
    """An edition made ready to answer with what there is."""
    return Service(
        edition.rules,
        origin.answer,
        texts,
        moderation(edition, config.moderation),
        keys=frozenset(config.api_key) or None,
        seed=config.seed,
        paces=paces(config.pace, edition),
        forget=origin.forget,
        generation=origin.generation,
    )


def _read_on(unread: Iterator[None], mock: Mock, origin: Sources, config: Config, edition: Edition) -> Iterator[None]:
    """The steps from a mock that has read some of its answers to one that has read all and serves what they name."""
    yield from unread
    served = edition.serving(origin.named())
    mock.edition, mock.service = served, service_of(config, served, origin)
    gc.freeze()  # they stay: streams need not wait while the collector looks through all of them


def shared_namespaces(config: Config, edition: Edition, service: Service) -> Namespaces | None:
    """What this mock has in common with others; None where it keeps all to itself."""
    if config.state is None:
        return None
    from mockserver.server.state.check import check, served_by
    from mockserver.server.state.shared import SharedNamespaces

    check(config.state, served_by(edition, service.seed))
    return SharedNamespaces(config.state, config.state_ttl, edition, service.seed, service.forget)


def profile_roots(config: Config) -> list[Path]:
    """Where profiles are looked for, the most important first."""
    return [*config.profiles, shipped("profiles")]


def edition_of(config: Config) -> Edition:
    """The edition that is served."""
    roots = profile_roots(config)
    return load_edition(config.edition or default_edition(roots), roots, extra_models=config.model)


def sources(config: Config, edition: Edition, now_s: Callable[[], float] = unix_s) -> Sources:
    """Where answers come from, in order, before any file is read; `now_s` gives seconds since the Unix epoch."""
    calls = None
    if config.state is not None:
        from mockserver.server.state.shared_calls import SharedCalls

        calls = SharedCalls()
    recorded = recordings(config, edition)
    fixtures = Fixtures([*config.fixtures, shipped("fixtures")], calls, recorded)
    size = None if config.answer_tokens is None else size_range(config.answer_tokens)
    synthetic = Synthetic(edition, config.seed, size=size)
    return Sources(
        edition, fixtures, recorded, synthetic, strict=config.strict,
        strict_requests=config.strict_requests, now_s=now_s, beside=beside,
    )  # fmt: skip


def recordings(config: Config, edition: Edition) -> RecordingFolders | None:
    """The recordings of the operator's directories and how they are played; None where there are no directories."""
    if not config.fixtures:
        return None
    from mockserver.sources.recording_folders import RecordingFolders
    from mockserver.sources.replay import ReplaySettings

    speed = config.speed if config.speed is not None else float(config.pace == "recorded")
    identity: Literal["kept", "fresh"] = "fresh" if config.clock == "real" else "kept"
    settings = ReplaySettings(config.replay, speed, identity, config.match_on, config.strict_requests)
    return RecordingFolders(len(config.fixtures), settings, edition.default_chip)


def texts(request: ChatRequest) -> Sequence[str]:
    """What the text review reads of a request."""
    if request.texts is not None:
        return request.texts
    return [text for message in request.messages for text in texts_of(message)]


def moderation(edition: Edition, added: Moderation | None) -> ModerationRules:
    """The edition's triggers of the text review, and the operator's beside them."""
    rules = edition.file.moderation.rules(f"edition {edition.name}: moderation")
    if added is None:
        return rules
    more = added.rules("moderation")
    return ModerationRules(
        rules.input_words + more.input_words,
        rules.input_patterns + more.input_patterns,
        rules.output_words + more.output_words,
        rules.output_patterns + more.output_patterns,
        rules.after_pieces if more.after_pieces is None else more.after_pieces,
    )


def paces(pace: str | PaceSettings, edition: Edition) -> Mapping[str, PaceSettings]:
    """The speed of each chip; none sends all at once, and what was recorded brings its own."""
    if pace in {"off", "recorded"}:
        return {}
    return {name: chip.pace if isinstance(pace, str) else pace for name, chip in edition.chips.items()}
