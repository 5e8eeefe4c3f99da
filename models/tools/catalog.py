"""Writes the digests of the model files into the catalogue: ``python catalog.py`` (needs safe-pysha3).

Run it after a file was replaced. Prices, names and the order are kept as they stand; a test compares the digests.
"""

import json
from pathlib import Path

from sha3 import keccak_256

MODELS = Path(__file__).resolve().parent.parent


def main() -> None:
    path = MODELS / "catalog.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    for entry in entries:
        content = (MODELS / entry["file"]).read_bytes()
        entry["digest"] = "0x" + keccak_256(content).hexdigest()
        entry["bytes"] = len(content)
    path.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
