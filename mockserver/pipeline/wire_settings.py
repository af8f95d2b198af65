"""The settings of the stages that decide the wire form, put together: what a chip's profile says of its bytes."""

from __future__ import annotations

from dataclasses import field

from mockserver.core.immutable import immutable
from mockserver.pipeline.chunk import ChunkSettings
from mockserver.pipeline.frame import FrameSettings
from mockserver.pipeline.head import HeadSettings
from mockserver.pipeline.keys import KeySettings
from mockserver.pipeline.shape import ShapeSettings
from mockserver.pipeline.tool_deltas import ToolSettings


@immutable(frozen=True, slots=True)
class WireSettings:
    """The settings of the stages that decide the wire form."""

    head: HeadSettings = field(default_factory=HeadSettings)
    chunk: ChunkSettings = field(default_factory=ChunkSettings)
    shape: ShapeSettings = field(default_factory=ShapeSettings)
    tools: ToolSettings = field(default_factory=ToolSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    frame: FrameSettings = field(default_factory=FrameSettings)
