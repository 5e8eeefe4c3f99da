"""Write the one generated file: what Python needs to know of each contract, so that nothing is compiled at run time.

With ``--check`` it compiles again, compares, and exits 1 on a difference. It reads no network and no environment.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

CONTRACTS = (
    "Cases",
    "Challenges",
    "ChannelEscrow",
    "DGAI",
    "DGridGovernor",
    "Demands",
    "Listings",
    "Parameters",
    "QualityCourt",
    "Registry",
    "Settlement",
    "Splits",
    "TimelockController",
)
MAX_RUNTIME_BYTES = 24_576

HERE = Path(__file__).resolve().parent.parent
TARGET = HERE.parent / "src" / "dgrid" / "chain" / "artifacts.json"
BUNDLED_FORGE = HERE / "node_modules" / "@foundry-rs" / "forge-linux-amd64" / "bin" / "forge"


def forge() -> str:
    found = str(BUNDLED_FORGE) if BUNDLED_FORGE.exists() else shutil.which("forge")
    if found is None:
        sys.exit("forge is missing: run npm ci in contracts/, or put Foundry's forge on PATH")
    return found


def compile_sources() -> None:
    subprocess.run([forge(), "build", "src", "--quiet"], cwd=HERE, check=True)


def describe(name: str) -> dict[str, object]:
    """One contract's interface, deployment code and size; refuses one too large for the chain or not yet linked."""
    built = json.loads((HERE / "out" / f"{name}.sol" / f"{name}.json").read_text())
    bytecode, runtime = built["bytecode"], built["deployedBytecode"]
    if bytecode["linkReferences"]:
        sys.exit(f"{name}: unlinked libraries")
    runtime_bytes = len(runtime["object"]) // 2 - 1
    if runtime_bytes > MAX_RUNTIME_BYTES:
        sys.exit(f"{name}: {runtime_bytes} bytes of runtime code, {MAX_RUNTIME_BYTES} allowed")
    immutables = sorted(
        (place["start"], place["start"] + place["length"])
        for places in runtime.get("immutableReferences", {}).values()
        for place in places
    )
    abi = sorted(built["abi"], key=lambda entry: json.dumps(entry, sort_keys=True))
    return {
        "abi": abi,
        "bytecode": bytecode["object"],
        "immutables": " ".join(f"{start}-{end}" for start, end in immutables),  # in the runtime code: zero until then
        "runtime_bytes": runtime_bytes,
        "runtime_sha256": hashlib.sha256(bytes.fromhex(runtime["object"][2:])).hexdigest(),
        "source": f"contracts/{next(iter(built['metadata']['settings']['compilationTarget']))}",
    }


def settings() -> dict[str, object]:
    locked = json.loads((HERE / "package-lock.json").read_text())["packages"]
    profile = tomllib.loads((HERE / "foundry.toml").read_text())["profile"]["default"]
    return {
        "evm_version": profile["evm_version"],
        "openzeppelin": locked["node_modules/@openzeppelin/contracts"]["version"],
        "optimizer_runs": profile["optimizer_runs"],
        "solc": locked["node_modules/solc"]["version"],
    }


def render() -> str:
    document = {
        "compiler": settings(),
        "contracts": {name: describe(name) for name in CONTRACTS},
        "schema": "dgrid.artifacts/1",
    }
    return json.dumps(document, sort_keys=True, indent=1) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check: bool = parser.parse_args().check
    compile_sources()
    document = render()
    if not check:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(document)
        return 0
    if TARGET.exists() and TARGET.read_text() == document:
        return 0
    sys.stderr.write(f"{TARGET} is not what the sources compile to: run contracts/tools/build_artifacts.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
