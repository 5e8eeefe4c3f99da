"""What a wheel carries beside the code: the built-in models, as dgrid/models/.

An editable install of a checkout gets none of it: there the models are found in models/ itself, and a copy would
go stale unseen.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = (
    "catalog.json",
    "MODEL_CARD.md",
    "tokenizer.json",
    "dgrid-nano-q8_0.gguf",
    "dgrid-micro-q8_0.gguf",
    "dgrid-mini-q8_0.gguf",
)


class ModelsHook(BuildHookInterface[Any]):
    """Adds the models to wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling with `version` "standard" or "editable"."""
        if version != "editable":
            build_data["force_include"].update({f"models/{name}": f"dgrid/models/{name}" for name in CARRIED})
