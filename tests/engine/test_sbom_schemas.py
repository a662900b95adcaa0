"""Bills of materials of a bundle of every format, judged by the official schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from tests.cli import Cli
from tests.formats.samples import SAMPLES
from tests.formats.served import pack_samples


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Where a bundle of every format's sample lies."""
    return pack_samples(tmp_path_factory.mktemp("sbom"), SAMPLES)


def facts(component: dict[str, Any], name: str) -> set[str]:
    return {p["value"] for p in component["properties"] if p["name"] == f"vendorpack:{name}"}


def test_cyclonedx_is_valid(cli: Cli) -> None:
    done = cli.ok("sbom", "deps.tar.zst")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(done.out) is None
    components = done.json["components"]
    assert {name for each in components for name in facts(each, "format")} == set(SAMPLES)
    assert cli.ok("sbom", "deps.tar.zst").out == done.out


def test_the_validator_of_cyclonedx_sees_faults(cli: Cli) -> None:
    text = cli.ok("sbom", "deps.tar.zst").out
    for good, bad in (('"scope":', '"scoop":'), ("SHA-256", "SHA-257"), ('"library"', '"book"')):
        broken = text.replace(good, bad)
        assert broken != text
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None, bad


def spdx_faults(folder: Path, text: str) -> list[str]:
    path = folder / "made.spdx.json"
    path.write_text(text, encoding="utf-8")
    return [each.validation_message for each in validate_full_spdx_document(parse_file(str(path)))]


def test_spdx_is_valid(cli: Cli, tmp_path: Path) -> None:
    done = cli.ok("sbom", "deps.tar.zst", "--format", "spdx")
    assert spdx_faults(tmp_path, done.out) == []
    shown = cli.ok("show", "deps.tar.zst", "--json").json
    files = {(record["purl"], record["sha256"]) for record in shown["artifacts"]}
    assert len(done.json["packages"]) == 1 + len(files)
    assert cli.ok("sbom", "deps.tar.zst", "--format", "spdx").out == done.out


def test_the_validator_of_spdx_sees_faults(cli: Cli, tmp_path: Path) -> None:
    text = cli.ok("sbom", "deps.tar.zst", "--format", "spdx").out
    for good, bad in (("urn:uuid:", "uuid "), ("SPDXRef-Bundle", "Bundle"), ("pkg:", "pkg ")):
        broken = text.replace(good, bad)
        assert broken != text
        assert spdx_faults(tmp_path, broken), bad
