"""The image as an engine would run it: `make image-check`, beside the suite since it needs buildah, root and an image.

A container here is a process with the image's root, read-only, as its root, the first of its own process namespace, in
the network of the test, which the make target makes: there is nothing but loopback in it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # published without type hints

from mockserver import __version__
from tests.command import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IMAGE: Final = os.environ.get("IMAGE", f"localhost/genstudio-mock:{__version__}")
MOST_BYTES: Final = 90_000_000
QUESTION: Final = {"messages": [{"role": "user", "content": "你是谁?"}], "stream": True}
CHAT: Final = "/maas/mt-infini-3b/nvidia/chat/completions"
HEADERS: Final = {"Authorization": "Bearer k", "Content-Type": "application/json"}
DEAD_PROXY: Final = "http://127.0.0.1:9"
USERS: Final = ("65534:65534", "12345:0", "12345:12345", "0:0")

pytestmark = pytest.mark.skipif(
    not shutil.which("buildah") or os.geteuid() != 0 or len(socket.if_nameindex()) != 1,
    reason="needs buildah, root and a network of its own: make image-check",
)


def buildah(*words: str) -> str:
    """What buildah prints."""
    return subprocess.run(["buildah", *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@dataclass
class Image:
    """An image that is mounted.

    Attributes:
        root: Its files.
        config: What it says of itself, as `docker inspect` shows it.
        hosts: A file for `/etc/hosts`, in which the services of the compose files are this machine.
    """

    root: Path
    config: dict[str, Any]
    hosts: Path

    def start(
        self,
        *command: str,
        user: str = "",
        tmp: bool = True,
        entrypoint: Sequence[str] | None = None,
        mounts: dict[str, str] | None = None,
        environ: dict[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """A container: its first process is the child of what is given back, and its exit code is given on.

        Args:
            command: What is run instead of the image's command.
            user: Numbers of user and group; empty for the image's.
            tmp: Whether something can be written at /tmp.
            entrypoint: What is run instead of the image's entrypoint.
            mounts: Paths in it to paths here, read-only.
            environ: Variables beside those of the image.
        """
        said = dict(one.split("=", 1) for one in self.config["Env"]) | (environ or {})
        words = [*(self.config["Entrypoint"] if entrypoint is None else entrypoint), *(command or self.config["Cmd"])]
        binds = {"/etc/hosts": str(self.hosts), **(mounts or {})}
        lines = [f"mount --bind {self.root} {self.root}"]
        if tmp:
            lines.append(f"mount -t tmpfs -o mode=1777 tmpfs {self.root}/tmp")  # noqa: S108 - in the container
        for inside, outside in binds.items():
            lines += [
                f"mount --bind {outside} {self.root}{inside}", f"mount -o remount,bind,ro {self.root}{inside}"
            ]  # fmt: skip
        lines += [
            f"mount -t proc proc {self.root}/proc", f"mount --rbind /dev {self.root}/dev",
            f"mount -o remount,bind,ro {self.root}", 'exec "$@"',
        ]  # fmt: skip
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", "\n".join(lines), "sh",
             "chroot", f"--userspec={user or self.config['User']}", str(self.root),
             "env", "-i", "-C", self.config["WorkingDir"], *(f"{name}={text}" for name, text in said.items()), *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *command: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """A container that ends by itself."""
        process = self.start(*command, **more)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def healthy(self, **environ: str) -> bool:
        """Whether the health check is content, asked beside a container with these variables."""
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command[1:], entrypoint=command[:1], environ=environ).returncode == 0


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image that `make image` made."""
    try:
        container = buildah("from", "--pull-never", IMAGE)
    except subprocess.CalledProcessError:
        pytest.fail(f"{IMAGE} is not there; make it with `make image`, or name another one in IMAGE")
    hosts = tmp_path_factory.mktemp("image") / "hosts"
    hosts.write_text("127.0.0.1 localhost genstudio-mock redis\n", "ascii")
    try:
        root = Path(buildah("mount", container))
        (root / "fixtures").mkdir(exist_ok=True)  # an engine makes what something is mounted on
        (root / "etc" / "hosts").touch()
        config = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
        yield Image(root, config, hosts)
    finally:
        buildah("rm", container)


@contextlib.contextmanager
def serving(image: Image, *command: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A container that accepts connections; it is killed at the latest at the end."""
    process = image.start(*command, **more)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert " is ready at " in line, process.communicate(timeout=10)
        yield process
    finally:
        send(process, signal.SIGKILL)
        process.communicate(timeout=10)


def send(process: subprocess.Popen[str], what: signal.Signals) -> None:
    """Send a signal to a container's first process, where it has not ended."""
    if process.poll() is None:
        for first in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split():
            os.kill(int(first), what)


def end(process: subprocess.Popen[str]) -> tuple[int, int]:
    """Exit code of, and lines in the log of, a container that gets SIGTERM, as `docker stop` sends it."""
    send(process, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.count("\n")


@contextlib.contextmanager
def asking(method: str, path: str) -> Iterator[http.client.HTTPResponse]:
    """An answer whose head has come."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", 8777, timeout=20)) as connection:
        connection.request(method, path, json.dumps(QUESTION) if method == "POST" else None, HEADERS)
        yield connection.getresponse()


def ask(method: str, path: str) -> tuple[int, str]:
    """Status and body of an answer."""
    with asking(method, path) as answer:
        return answer.status, answer.read().decode()


def said() -> bool:
    """Whether a chat is answered whole."""
    status, body = ask("POST", CHAT)
    return status == 200 and body.endswith("data: [DONE]\n\n")


def test_its_size_and_labels(image: Image) -> None:
    """Below 90 MB on its base, where it adds nothing outside /opt; what it is and of which state."""
    added = sum(path.lstat().st_size for path in (image.root / "opt").rglob("*") if not path.is_dir())

    assert 30_000_000 < added < MOST_BYTES, added
    labels = {name.rpartition(".")[2]: text for name, text in image.config["Labels"].items()}
    assert labels["version"] == __version__
    assert len(labels["revision"]) == 40
    assert {"title", "description", "licenses"} <= labels.keys()


def test_nothing_is_compiled_at_the_start(image: Image) -> None:
    """Nothing can be written there, so what is not compiled would be at each start."""
    code = (
        "import mockserver.cli.serve, mockserver.server.app, mockserver.server.state.shared, mockserver.server.metrics"
    )
    done = image.run("-v", "-c", f"{code}, redis, trustme", entrypoint=["python3"])

    assert done.returncode == 0, done.stderr
    compiled = [line for line in done.stderr.splitlines() if "# code object from '/opt/" in line]
    assert compiled
    assert [line for line in compiled if not line.endswith(".pyc'")] == []


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("tmp", [True, False], ids=["tmp", "no-tmp"])
def test_it_runs_as_any_user_with_a_read_only_root(image: Image, user: str, *, tmp: bool) -> None:
    """A chat is answered, health is told, SIGTERM is exit code 0; where nothing at all can be written too."""
    with serving(image, user=user, tmp=tmp) as process:
        assert said()
        assert image.healthy()
        assert end(process) == (0, 1)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--workers", "2"], "--workers 2: no temporary file can be made"),
        (["--tls", "self-signed"], "--tls self-signed: no temporary file can be made"),
        (["--port-file", "port"], "--port-file "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_written_is_one_line(image: Image, flags: list[str], told: str) -> None:
    """Without a tmpfs what needs a file says so."""
    done = image.run("serve", *flags, tmp=False)

    assert (done.returncode, done.stdout if done.returncode else "") == (2, ""), done
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "environ"),
    {
        "plain": ((), {}),
        "another port": ((), {"GENSTUDIO_MOCK_PORT": "8778"}),
        "tls by a flag": (("serve", "--tls", "self-signed"), {}),
        "tls by a variable": ((), {"GENSTUDIO_MOCK_TLS": "self-signed"}),
        "tls said to be off": ((), {"GENSTUDIO_MOCK_TLS": "off"}),
    }.values(),
    ids=["plain", "another port", "tls by a flag", "tls by a variable", "tls said to be off"],
)
@pytest.mark.parametrize("proxy", ["", "HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_it_is_healthy(image: Image, command: tuple[str, ...], environ: dict[str, str], proxy: str) -> None:
    """However it is served, and past any proxy; the checks leave nothing in log and journal."""
    environ = environ | ({proxy: DEAD_PROXY} if proxy else {})
    with serving(image, *command, environ={**environ, "GENSTUDIO_MOCK_CONTROL_TOKEN": "t"}) as process:
        assert image.healthy(**environ)
        assert end(process) == (0, 0)
    assert not image.healthy(**environ)


def test_without_the_control_api_it_is_healthy_too(image: Image) -> None:
    """Health is told all the same."""
    with serving(image, "serve", "--no-control"):
        assert image.healthy()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stream_in_flight_ends_whole(image: Image, workers: str) -> None:
    """SIGTERM in the middle of a stream: its last byte comes, no new connection is taken, exit code 0."""
    with serving(image, "serve", "--workers", workers, "--pace", "first_token_ms=10,inter_token_ms=100") as process:
        with asking("POST", CHAT) as answer:
            began = answer.read1(10)
            assert end(process) == (0, 1)
            assert (began + answer.read()).endswith(b"data: [DONE]\n\n")
        with pytest.raises(ConnectionRefusedError):
            ask("GET", "/_mock/health")


def compose(*names: str) -> dict[str, Any]:
    """The services of compose files, those of a later one over those of an earlier one."""
    services: dict[str, Any] = {}
    for name in names:
        for service, rows in yaml.safe_load((ROOT / "deploy" / name).read_text("utf-8"))["services"].items():
            services[service] = {**services.get(service, {}), **rows}
    return services


def test_the_compose_file(image: Image) -> None:
    """Its command line serves the mounted fixtures and figures; who depends on it reaches it by its name."""
    services = compose("compose.yaml")
    mock, client = services["genstudio-mock"], services["client"]
    outside, inside, mode = mock["volumes"][0].split(":")
    assert (inside, mode, mock["ports"]) == ("/fixtures", "ro", ["127.0.0.1:8777:8777"])
    mounts = {"/fixtures": str((ROOT / "deploy" / outside).resolve())}
    with serving(image, *mock["command"], mounts=mounts, environ={"GENSTUDIO_MOCK_CONTROL_TOKEN": "local"}) as process:
        assert image.healthy()
        told = image.run(*client["command"], entrypoint=client["entrypoint"])
        assert (told.returncode, json.loads(told.stdout)["status"]) == (0, "ok"), told
        assert said()
        assert "genstudio_mock_exchanges_total" in ask("GET", "/_mock/metrics")[1]
        assert end(process) == (0, 1)


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_the_compose_files_with_redis(image: Image) -> None:
    """Both command lines: Redis by its name, three workers of one state."""
    services = compose("compose.yaml", "compose.redis.yaml")
    mock, redis = services["genstudio-mock"], services["redis"]
    with subprocess.Popen(redis["command"], cwd="/tmp", stdout=subprocess.PIPE, text=True) as server:  # noqa: S108
        try:
            assert server.stdout is not None
            next(line for line in server.stdout if "eady to accept connections" in line)
            assert subprocess.run(redis["healthcheck"]["test"][1:], check=False, capture_output=True).returncode == 0
            mounts = {"/fixtures": str(ROOT / "fixtures")}
            with serving(image, *mock["command"], mounts=mounts) as process:
                assert image.healthy()
                assert said()
                assert "genstudio_mock_exchanges_total" in ask("GET", "/_mock/metrics")[1]
                assert end(process) == (0, 1)
        finally:
            server.terminate()


def test_the_pods_container(image: Image) -> None:
    """Its arguments, probes and the pause before its end work with the image."""
    pod = yaml.safe_load((ROOT / "deploy/kubernetes/deployment.yaml").read_text("utf-8"))["spec"]["template"]["spec"]
    (box,) = pod["containers"]
    user = str(pod["securityContext"]["runAsUser"])
    pause = box["lifecycle"]["preStop"]["exec"]["command"]
    with serving(
        image, *box["args"], user=f"{user}:0", mounts={"/fixtures": str(ROOT / "deploy/kubernetes")}
    ) as process:
        for name in ("startup", "readiness", "liveness"):
            assert ask("GET", box[f"{name}Probe"]["httpGet"]["path"])[0] == 200, name
        began = time.monotonic()
        assert image.run(*pause[1:], entrypoint=pause[:1]).returncode == 0
        assert time.monotonic() - began < pod["terminationGracePeriodSeconds"]
        assert end(process) == (0, 0)
