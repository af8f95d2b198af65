"""What lies in `deploy/`: the manifests' shape and how they hang together, and what a release refuses.

`make manifests` holds the manifests to the schemas of Kubernetes, which are too large for everybody's environment.
"""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # published without type hints

from mockserver.settings.config import SETTINGS
from tests.command import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOLDER = ROOT / "deploy"
release = SimpleNamespace(**runpy.run_path(str(FOLDER / "release.py")))

LABEL = {"app.kubernetes.io/name": "genstudio-mock"}


def read(name: str) -> Any:
    """A manifest."""
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


def test_each_manifest_is_listed_and_has_its_kind() -> None:
    """Kustomize applies what its list names."""
    kinds = {
        "deployment.yaml": ("apps/v1", "Deployment"),
        "service.yaml": ("v1", "Service"),
        "hpa.yaml": ("autoscaling/v2", "HorizontalPodAutoscaler"),
        "pdb.yaml": ("policy/v1", "PodDisruptionBudget"),
    }
    assert set(read("kubernetes/kustomization.yaml")["resources"]) == set(kinds)
    for name, kind in kinds.items():
        made = read(f"kubernetes/{name}")
        assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == (*kind, "genstudio-mock")


def test_the_pod_is_probed_drained_and_locked_down() -> None:
    """Probes ask paths that are open to all; the grace of the pod is longer than the pause and the mock's own."""
    spec = read("kubernetes/deployment.yaml")["spec"]
    pod = spec["template"]["spec"]
    (box,) = pod["containers"]
    grace = float(box["args"][box["args"].index("--grace-seconds") + 1])

    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == LABEL
    assert pod["terminationGracePeriodSeconds"] > 5 + grace
    assert {box[f"{one}Probe"]["httpGet"]["path"] for one in ("startup", "readiness", "liveness")} == {
        "/_mock/health", "/_mock/ready",
    }  # fmt: skip
    assert box["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert {one["name"] for one in box["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    assert all(one["valueFrom"]["secretKeyRef"]["optional"] for one in box["env"])


def test_what_points_at_the_pods_finds_them() -> None:
    """The selectors name the label of the pods, and the scaler their Deployment."""
    service, budget, scaler = (read(f"kubernetes/{name}.yaml")["spec"] for name in ("service", "pdb", "hpa"))
    assert service["selector"] == budget["selector"]["matchLabels"] == LABEL
    assert service["ports"][0]["targetPort"] == "http"
    assert (scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"]) == ("Deployment", "genstudio-mock")


def test_the_compose_files_say_what_serve_takes() -> None:
    """Flags that are settings; services that wait for health; a read-only root."""
    mock = read("compose.yaml")["services"]["genstudio-mock"]
    more = read("compose.redis.yaml")["services"]
    known = {row.flag for row in SETTINGS.values()} | {"--state", "--workers"}
    for command in (mock["command"], more["genstudio-mock"]["command"]):
        assert {word for word in command if word.startswith("--")} <= known
    assert mock["read_only"]
    assert read("compose.yaml")["services"]["client"]["depends_on"]["genstudio-mock"]["condition"] == "service_healthy"
    assert "healthcheck" in more["redis"]


SCHEMAS: Final = {
    "deploy/compose.yaml": ("compose-spec",),
    "deploy/compose.redis.yaml": ("compose-spec",),
    "action.yml": ("github-actions",),
    "deploy/action/summary/action.yml": ("github-actions",),
    "docs/ci-three-systems.yml": ("github-workflows",),
    "docs/ci.md: on: ": ("github-workflows",),
    "docs/ci.md: after_script:": ("gitlab-ci", "--data-transform", "gitlab-ci"),
    "docs/ci.md: UsePythonVersion": ("azure-pipelines", "--data-transform", "azure-pipelines"),
}
"""What is held to which schema, as check-jsonschema has them from SchemaStore; of a page the snippet with a word."""


def held_to(schema: Sequence[str], text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What check-jsonschema says."""
    (folder / "file.yaml").write_text(text, "utf-8")
    words = ["-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema[0]}", *schema[1:], "file.yaml"]
    return subprocess.run([sys.executable, *words], cwd=folder, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", SCHEMAS)
def test_files_for_other_systems_are_valid(name: str, tmp_path: Path) -> None:
    """By the schema of the system that reads them; what is no such file is found, so it was looked at."""
    path, _, word = name.partition(": ")
    text = (ROOT / path).read_text("utf-8")
    if word:
        (text,) = (one for one in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if word in one)

    done = held_to(SCHEMAS[name], text, tmp_path)
    assert done.returncode == 0, done.stdout
    wrong = "runs: 1\n" if path.endswith("action.yml") else "jobs: 1\nservices: 1\nsteps: 1\nscript: {a: 1}\n"
    assert held_to(SCHEMAS[name], wrong, tmp_path).returncode == 1


def repository(folder: Path) -> Path:
    """A checkout with one commit."""
    (folder / "mockserver").mkdir()
    (folder / "mockserver" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    for words in (
        ["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):  # fmt: skip
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return folder


def test_a_release_wants_a_clean_checkout_and_a_new_version(tmp_path: Path) -> None:
    """Nothing is made of what is not committed, and no tag moves."""
    root = repository(tmp_path)
    assert release.check(root) == "1.2.3"

    (root / "more").write_text("x")
    with pytest.raises(release.ReleaseError, match=r"^the checkout is not clean \(\?\? more\); commit or remove"):
        release.check(root)
    (root / "more").unlink()

    subprocess.run(["git", "tag", "v1.2.3"], cwd=root, check=True)
    with pytest.raises(release.ReleaseError, match=r"^v1\.2\.3 is tagged already; raise __version__"):
        release.check(root)


def test_the_changelogs_section() -> None:
    """What was unreleased becomes the version's; a version twice, or nothing new, is refused."""
    made = release.released("# C\n\n## Unreleased\n\nThis will be 1.2.3, new.\n", "1.2.3", "2026-01-02")
    assert made == "# C\n\n## Unreleased\n\n## 1.2.3 (2026-01-02)\n\n1.2.3 is new.\n"
    with pytest.raises(release.ReleaseError, match="nothing stands under"):
        release.released(made, "1.2.4", "2026-01-02")
    with pytest.raises(release.ReleaseError, match=r"has a section 1\.2\.3 already"):
        release.released(made, "1.2.3", "2026-01-02")
