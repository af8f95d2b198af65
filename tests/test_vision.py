"""The stage `vision`: images and videos, for the models that take them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mockserver.core.data import shipped
from mockserver.core.errors import Refusal
from mockserver.pipeline.vision import IMAGE_BYTES, check_media
from mockserver.profile.edition import load_edition


def image(data: bytes = b"pixels", opening: str = "data:image/png;base64,") -> dict[str, Any]:
    """A part with an image in base64."""
    return {"type": "image_url", "image_url": {"url": opening + base64.b64encode(data).decode(), "detail": "low"}}


def video(url: str = "https://example.com/a.mp4") -> dict[str, Any]:
    """A part with a video."""
    return {"type": "video_url", "video_url": {"url": url}}


def dialogue(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    """A dialogue whose last message has a text and these parts."""
    return [
        {"role": "system", "content": "看图说话"},
        {"role": "user", "content": [{"type": "text", "text": "图里有什么？"}, *parts]},
    ]


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (image(),),
        (image(opening="data:image/svg+xml;base64,"),),
        (image(b"\0" * IMAGE_BYTES),),
        (image(),) * 10,
        (video(),) * 10,
        (video("data:video/mp4;base64,AAAA"),),
        (*(image(),) * 10, *(video(),) * 10),
    ],
    ids=["text", "png", "svg", "5-MB", "ten-images", "ten-videos", "video-data", "ten-of-both"],
)
def test_a_vision_model_takes_media(parts: tuple[dict[str, Any], ...]) -> None:
    """Up to ten images in base64 of up to 5 MB and up to ten videos are taken; `detail` is ignored."""
    check_media(dialogue(*parts), "sees", vision=True)


AT = "messages[1].content[1]"


@pytest.mark.parametrize(
    ("parts", "param", "detail"),
    [
        (
            (image(opening="https://example.com/"),),
            f"{AT}.image_url.url",
            "allowed: an image as data:image/<type>;base64,<data>",
        ),
        (
            (image(opening="data:text/plain;base64,"),),
            f"{AT}.image_url.url",
            "'data:text/plain;base64,cGl4ZWxz' is not allowed",
        ),
        (
            ({"type": "image_url", "image_url": {"url": "data:image/png;base64,a b!"}},),
            f"{AT}.image_url.url",
            "the data after data:image/png;base64, is not base64: only base64 data is allowed",
        ),
        (
            (image(b""),),
            f"{AT}.image_url.url",
            "there is no data after data:image/png;base64,; send the image in base64",
        ),
        (
            (image(b"\0" * (IMAGE_BYTES + 1)),),
            f"{AT}.image_url.url",
            "the image has 5242881 bytes; allowed: at most 5242880",
        ),
        (
            (image(),) * 11,
            "messages[1].content[11].image_url",
            "this is image number 11; allowed: at most 10 in a request",
        ),
        (
            (video(),) * 11,
            "messages[1].content[11].video_url",
            "this is video number 11; allowed: at most 10 in a request",
        ),
        (
            (video("ftp://x"),),
            f"{AT}.video_url.url",
            "'ftp://x' is not allowed; allowed: an http(s) or a data:video URL",
        ),
    ],
    ids=["http", "not-an-image", "not-base64", "empty", "too-large", "eleven-images", "eleven-videos", "ftp"],
)
def test_what_a_vision_model_does_not_take(parts: tuple[dict[str, Any], ...], param: str, detail: str) -> None:
    """The refusal names the part and says what is allowed."""
    with pytest.raises(Refusal) as refused:
        check_media(dialogue(*parts), "sees", vision=True)

    assert (refused.value.kind, refused.value.param) == ("invalid-field", param)
    assert refused.value.detail.startswith(f"{param}: ")
    assert detail in refused.value.detail


@pytest.mark.parametrize("part", [image(), video()], ids=["image", "video"])
def test_other_models_read_text_only(part: dict[str, Any]) -> None:
    """A model without vision refuses media, and reads parts of text."""
    check_media(dialogue(), "blind", vision=False)

    with pytest.raises(Refusal, match=r"model blind reads text only; send text, or ask a model for vision") as refused:
        check_media(dialogue(part), "blind", vision=False)

    assert refused.value.param == AT


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("qwen2.5-vl-7b-instruct", True),
        ("qwen2.5-72b-instruct", False),
        ("added-by-a-flag", True),
        ("mif-deployed", True),
    ],
    ids=["catalogue-vision", "catalogue-text", "added", "self-deployed"],
)
def test_what_nobody_knows_is_not_refused(model: str, takes: bool) -> None:
    """The catalogue says which of its models read text only; any other may see, so its pictures are let in."""
    edition = load_edition("2025-reference", [shipped("profiles")], extra_models=["added-by-a-flag"])

    assert edition.rules.takes_media(model) is takes
