"""The service's paths: read and built in one place."""

from __future__ import annotations

import ast
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mockserver
from mockserver.core.route import PATH_TEMPLATE, Route, filled, parse, parse_decoded

ROOT = Path(mockserver.__file__).parent


@pytest.mark.parametrize(
    ("path", "route"),
    [
        pytest.param("/maas/m/c/chat/completions", Route("m", "c"), id="model-and-chip"),
        pytest.param("/maas/v1/chat/completions", Route(), id="by-body"),
        pytest.param("/maas/deployment/mif-a1/chat/completions", Route(deployment="mif-a1"), id="deployment"),
        pytest.param("/maas/m/c/chat/completions/", Route("m", "c"), id="trailing-slash"),
        pytest.param("/maas/v1/c/chat/completions", Route("v1", "c"), id="a-model-named-v1"),
        pytest.param("/maas/qwen2.5-72b/c/chat/completions", Route("qwen2.5-72b", "c"), id="dots-and-dashes"),
        pytest.param("/maas/m/c/chat/completions//", None, id="two-slashes"),
        pytest.param("/maas//c/chat/completions", None, id="no-model"),
        pytest.param("/maas/m//chat/completions", None, id="no-chip"),
        pytest.param("/maas/m/chat/completions", None, id="model-alone"),
        pytest.param("/maas/chat/completions", None, id="nobody"),
        pytest.param("/maas/m/c/d/chat/completions", None, id="one-name-more"),
        pytest.param("/maas/deployment/a1/chat/completions", None, id="no-id-of-a-deployment"),
        pytest.param("/maas/deployment/chat/completions", None, id="deployment-without-id"),
        pytest.param("/maas/v1/v1/chat/completions/x", None, id="more-behind"),
        pytest.param("//maas/m/c/chat/completions", None, id="double-slash"),
        pytest.param("/v1/chat/completions", None, id="another-server"),
        pytest.param("/maas/v1/models", None, id="no-chat"),
        pytest.param("", None, id="empty"),
    ],
)
def test_which_paths_are_routes(path: str, route: Route | None) -> None:
    """The three forms, with a slash behind them or not, and nothing else; read as a URL has it, and decoded."""
    assert (parse(path), parse_decoded(path)) == (route, route)


@pytest.mark.parametrize(
    ("path", "encoded", "decoded"),
    [
        pytest.param("/maas/a%20b/c/chat/completions", Route("a b", "c"), Route("a%20b", "c"), id="space"),
        pytest.param("/maas/a%2Fb/c/chat/completions", Route("a/b", "c"), Route("a%2Fb", "c"), id="slash"),
        pytest.param("/maas/a%252Fb/c/chat/completions", Route("a%2Fb", "c"), Route("a%252Fb", "c"), id="twice"),
        pytest.param("/maas/%76%31/chat/completions", Route(), None, id="by-body"),
        pytest.param("/maas/模型/c/chat/completions", Route("模型", "c"), Route("模型", "c"), id="readable"),
    ],
)
def test_names_are_decoded_once(path: str, encoded: Route, decoded: Route | None) -> None:
    """A URL's names are decoded, and what a server has decoded is left as it is."""
    assert (parse(path), parse_decoded(path)) == (encoded, decoded)


NAMES = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("./-%2Fé模 "), min_size=1)
ROUTES = st.one_of(
    st.tuples(NAMES.filter(lambda name: name != "deployment"), NAMES).map(lambda names: Route(*names)),
    st.just(Route()),
    NAMES.map(lambda name: Route(deployment=f"mif-{name}")),
)


@given(ROUTES)
@example(Route("Qwen/Qwen2.5-7B", "c"))
@example(Route("a%2Fb", "c"))
@example(Route("..", "."))
@example(Route("v1", "models"))
def test_what_is_built_is_read_back(route: Route) -> None:
    """For any names: from the path as a URL has it, from the readable one, and with a slash behind it."""
    assert parse(route.path) == route
    assert parse(route.readable_path) == route
    assert parse(route.path + "/") == route
    assert route.path.isascii()


@given(ROUTES.filter(lambda route: "/" not in route.named + route.chip))
def test_a_server_that_decodes_reads_the_same(route: Route) -> None:
    """Names without a slash come through a server's decoding; with one, a path has a part too many."""
    assert parse_decoded(unquote(route.path)) == route


@pytest.mark.parametrize(
    ("route", "readable"),
    [
        pytest.param(Route("模型", "chip3"), "/maas/模型/chip3/chat/completions", id="chinese"),
        pytest.param(Route("a/b", "chip3"), "/maas/a%2Fb/chip3/chat/completions", id="slash"),
        pytest.param(Route("100%25", "chip3"), "/maas/100%2525/chip3/chat/completions", id="percent"),
    ],
)
def test_a_readable_path_says_the_same(route: Route, readable: str) -> None:
    """Names stand as people write them, unless they would then be read as others."""
    assert route.readable_path == readable


def test_a_template_is_filled_with_encoded_names() -> None:
    """A name in a template cannot add a part to the path."""
    assert filled(PATH_TEMPLATE, "a/b", "ü") == "/maas/a%2Fb/%C3%BC/chat/completions"
    assert filled("/v1/{model}", "m", "c") == "/v1/m"


def test_one_file_alone_names_the_paths() -> None:
    """All others take the service's paths from it; what they say in docstrings is for people."""
    assert {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py") if names_a_path(path)} == {"core/route.py"}


def names_a_path(path: Path) -> bool:
    """Whether a text of a file, other than a docstring, holds a path of the service."""
    tree = ast.parse(path.read_text("utf-8"))
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in prose]
    return any("chat/completions" in text or "/maas" in text for text in texts if isinstance(text, str))
