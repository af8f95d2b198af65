"""Stage `vision`: the images and videos of a request, refused where the model or the service does not take them.

Documented (vision tutorial of late 2025): only models for vision take `image_url` and `video_url`; an image is a
`data:` URL in base64; at most ten images and ten videos in a request; `detail` is not supported, and ignored. That an
image has at most 5 MB is known from a client's documents of 2026.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_IMAGES = 10
MOST_VIDEOS = 10
IMAGE_BYTES = 5 * 2**20
_DATA_URL = re.compile(r"data:image/[A-Za-z0-9.+-]{1,64};base64,")
_VIDEO_URL = re.compile(r"https?://.|data:video/[A-Za-z0-9.+-]{1,64};base64,.")


def check_media(messages: Sequence[Mapping[str, Any]], model: str, vision: bool) -> None:  # noqa: FBT001
    """Refuse media that the model or the service does not take.

    Args:
        messages: The dialogue, its shape checked by the admit stage.
        model: The model that answers, for the message.
        vision: Whether the model takes images and videos.

    Raises:
        Refusal: `invalid-field`, naming `messages[i].content[j]`.
    """
    seen = {"image_url": 0, "video_url": 0}
    for i, message in enumerate(messages):
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for j, part in enumerate(content):
            kind = part["type"]
            if kind not in seen:
                continue
            where = f"messages[{i}].content[{j}]"
            if not vision:
                raise _refused(
                    where, f"{kind} was sent, but model {model} reads text only; send text, or ask a model for vision"
                )
            seen[kind] += 1
            check = _check_image if kind == "image_url" else _check_video
            check(f"{where}.{kind}", part[kind]["url"], seen[kind])


def _check_image(where: str, url: str, number: int) -> None:
    if number > MOST_IMAGES:
        raise _refused(where, f"this is image number {number}; allowed: at most {MOST_IMAGES} in a request")
    where += ".url"
    opening = _DATA_URL.match(url)
    if opening is None:
        raise _refused(where, f"{_start(url)} is not allowed; allowed: an image as data:image/<type>;base64,<data>")
    try:
        data = binascii.a2b_base64(url[opening.end() :], strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise _refused(where, f"the data after {opening[0]} is not base64: {str(error).lower()}") from None
    if not data:
        raise _refused(where, f"there is no data after {opening[0]}; send the image in base64")
    if len(data) > IMAGE_BYTES:
        raise _refused(where, f"the image has {len(data)} bytes; allowed: at most {IMAGE_BYTES}")


def _check_video(where: str, url: str, number: int) -> None:
    if number > MOST_VIDEOS:
        raise _refused(where, f"this is video number {number}; allowed: at most {MOST_VIDEOS} in a request")
    if _VIDEO_URL.match(url) is None:
        raise _refused(f"{where}.url", f"{_start(url)} is not allowed; allowed: an http(s) or a data:video URL")


def _start(url: str) -> str:
    return repr(url if len(url) <= 40 else url[:37] + "...")


def _refused(where: str, why: str) -> Refusal:
    return Refusal("invalid-field", f"{where}: {why}", param=where)
