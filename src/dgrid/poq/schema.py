"""Whether a JSON value has the shape that a request's schema demands.

The part of JSON Schema that engines can be held to: types, properties, required, items, enum, const, bounds, anyOf,
oneOf, allOf and references inside the schema. Schemas come from strangers, so what could cost an evaluator time or
fetch something is left out on purpose: patterns, formats and references to elsewhere demand nothing here, and depth
and work are bounded. Validators that compile a schema to code or follow its references are not used for that reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

DEPTH_MAX: Final = 32
STEPS_MAX: Final = 20_000
Schema = Any  # whatever a stranger wrote


@dataclass(slots=True)
class Steps:
    """What a check may still cost."""

    left: int = field(default=STEPS_MAX)

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def fits_schema(value: Any, schema: Schema) -> bool:
    """Whether `value` has the demanded shape. Beyond the bounds nothing more is demanded."""
    return Check(schema, Steps()).fits(value, schema, depth=0)


@dataclass(frozen=True, slots=True)
class Check:
    """One check against a whole schema, which references start from."""

    root: Schema
    steps: Steps

    def fits(self, value: Any, schema: Schema, *, depth: int) -> bool:
        """Whether a value has the shape of a part of the schema, `depth` levels below the whole."""
        if schema is False:
            return False
        if not isinstance(schema, dict) or depth > DEPTH_MAX or not self.steps.take():
            return True
        if isinstance(reference := schema.get("$ref"), str):
            return self.fits(value, self.resolve(reference), depth=depth + 1)
        return (
            fits_type(value, schema.get("type"))
            and fits_values(value, schema)
            and fits_bounds(value, schema)
            and self.fits_combined(value, schema, depth=depth)
            and self.fits_inside(value, schema, depth=depth)
        )

    def resolve(self, reference: str) -> Schema:
        """The part of the schema that a "#/…" names; anything else demands nothing."""
        part = self.root if reference.startswith("#") else None
        for name in reference.removeprefix("#").split("/")[1:]:
            part = part.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(part, dict) else None
        return part

    def fits_combined(self, value: Any, schema: Mapping[str, Any], *, depth: int) -> bool:
        """Whether enough of the cases under anyOf, oneOf and allOf fit."""
        for word, enough in COMBINATIONS.items():
            cases = schema.get(word)
            fitting = [self.fits(value, case, depth=depth + 1) for case in cases] if isinstance(cases, list) else []
            if fitting and not enough(sum(fitting), len(fitting)):
                return False
        return True

    def fits_inside(self, value: Any, schema: Mapping[str, Any], *, depth: int) -> bool:
        """Whether what an object or a list holds fits."""
        if isinstance(value, dict):
            return self.fits_object(value, schema, depth=depth)
        if isinstance(value, list) and isinstance(schema.get("items"), dict | bool):
            return all(self.fits(each, schema["items"], depth=depth + 1) for each in value)
        return True

    def fits_object(self, value: dict[str, Any], schema: Mapping[str, Any], *, depth: int) -> bool:
        """Whether all required names are there, and each value fits. Names that only a pattern allows are let be."""
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        if isinstance(required, list) and any(isinstance(name, str) and name not in value for name in required):
            return False
        others = schema.get("additionalProperties", True)
        others = True if "patternProperties" in schema else others
        return all(self.fits(each, properties.get(name, others), depth=depth + 1) for name, each in value.items())


COMBINATIONS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "anyOf": lambda fitting, cases: fitting >= 1,
    "oneOf": lambda fitting, cases: fitting == 1,
    "allOf": lambda fitting, cases: fitting == cases,
}


def fits_type(value: Any, wanted: Any) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    known = [TYPES[name] for name in names if isinstance(name, str) and name in TYPES]
    return not known or any(is_type(value) for is_type in known)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": lambda value: is_number(value) and value == value // 1,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def fits_values(value: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(allowed := schema.get("enum"), list) and not any(is_equal(value, each) for each in allowed):
        return False
    return "const" not in schema or is_equal(value, schema["const"])


def is_equal(left: Any, right: Any) -> bool:
    """JSON's equality: true is not 1."""
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def fits_bounds(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a number, or the length of a text or a list, lies between its bounds, these included."""
    size: float | None = None
    words: Sequence[str] = ()
    if is_number(value):
        size, words = value, ("minimum", "maximum")
    elif isinstance(value, str):
        size, words = len(value), ("minLength", "maxLength")
    elif isinstance(value, list):
        size, words = len(value), ("minItems", "maxItems")
    if size is None:
        return True
    low, high = (number_or(schema.get(word), size) for word in words)
    return low <= size <= high


def number_or(value: Any, otherwise: float) -> float:
    return value if is_number(value) else otherwise
