"""Through which proxy a client goes, and how it is led past it: the variables in both their spellings."""

from __future__ import annotations

import pytest

from mockserver.core.web_address import Proxy, bare_host, https_proxy, in_url, past_proxy

URL = "http://127.0.0.1:8777"
PROXY = Proxy("proxy", 3128, "")
THROUGH: dict[str, tuple[dict[str, str], Proxy | None]] = {
    "none": ({}, None),
    "upper": ({"HTTPS_PROXY": "proxy:3128"}, PROXY),
    "lower": ({"https_proxy": "proxy:3128"}, PROXY),
    "lower wins": ({"https_proxy": "proxy:3128", "HTTPS_PROXY": "other:1"}, PROXY),
    "an empty one is not set": ({"https_proxy": "", "HTTPS_PROXY": "proxy:3128"}, PROXY),
    "upper excepts": ({"https_proxy": "proxy:3128", "NO_PROXY": "a, example.com"}, None),
    "lower excepts": ({"HTTPS_PROXY": "proxy:3128", "no_proxy": ".example.com"}, None),
    "lower counts": ({"HTTPS_PROXY": "proxy:3128", "no_proxy": "a", "NO_PROXY": "example.com"}, PROXY),
}
PAST: dict[str, tuple[dict[str, str], str | None]] = {
    "no proxy": ({"HTTPS_PROXY": "http://proxy"}, None),
    "empty": ({"http_proxy": ""}, None),
    "first": ({"http_proxy": "http://proxy"}, "127.0.0.1"),
    "all": ({"ALL_PROXY": "socks5://proxy"}, "127.0.0.1"),
    "further": ({"HTTP_PROXY": "http://proxy", "NO_PROXY": "localhost, .corp"}, "localhost,.corp,127.0.0.1"),
    "further, lower case": ({"http_proxy": "http://proxy", "no_proxy": "localhost"}, "localhost,127.0.0.1"),
    "lower case wins": ({"HTTP_PROXY": "x", "no_proxy": "a", "NO_PROXY": "b"}, "a,127.0.0.1"),
    "named": ({"HTTP_PROXY": "http://proxy", "no_proxy": "127.0.0.1"}, None),
    "named in both": ({"HTTP_PROXY": "x", "no_proxy": "a,127.0.0.1", "NO_PROXY": "127.0.0.1"}, None),
    "named in upper case alone": ({"HTTP_PROXY": "x", "no_proxy": "a", "NO_PROXY": "127.0.0.1"}, "a,127.0.0.1"),
    "named in lower case alone": ({"HTTP_PROXY": "x", "no_proxy": "127.0.0.1,b", "NO_PROXY": "a"}, "127.0.0.1,b"),
    "everything": ({"HTTP_PROXY": "http://proxy", "NO_PROXY": "*"}, None),
}


@pytest.mark.parametrize(("environ", "proxy"), THROUGH.values(), ids=THROUGH)
def test_through_a_proxy(environ: dict[str, str], proxy: Proxy | None) -> None:
    """Both spellings are read, lower case first."""
    assert https_proxy("api.example.com", environ) == proxy


@pytest.mark.parametrize(("environ", "names"), PAST.values(), ids=PAST)
def test_past_a_proxy(environ: dict[str, str], names: str | None) -> None:
    """What was excepted stays so; nothing is set without need."""
    assert past_proxy(environ, URL) == ({} if names is None else {"NO_PROXY": names, "no_proxy": names})


@pytest.mark.parametrize(
    ("given", "bare", "written"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1", "[::1]"),
        ("::", "::", "[::]"),
        ("[fe80::1%eth0]", "fe80::1%eth0", "[fe80::1%25eth0]"),
        ("mock.local", "mock.local", "mock.local"),
        ("[mock]", "[mock]", "[mock]"),
        ("[::1", "[::1", "[[::1]"),
    ],
)
def test_a_host_for_sockets_and_for_urls(given: str, bare: str, written: str) -> None:
    """Brackets belong to a URL, around an IPv6 address alone; what is no address is left to be refused as it is."""
    assert bare_host(given) == bare
    assert in_url(bare) == written
