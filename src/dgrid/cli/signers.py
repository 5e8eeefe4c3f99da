"""Whose key a command signs with: one of the home by its name, or a key file. Its journal is the one its role uses."""

from dataclasses import dataclass
from pathlib import Path

from dgrid.chain.events import Role
from dgrid.config import ConfigError
from dgrid.core.errors import InvalidRequest
from dgrid.core.identity import Address, address_from_hex
from dgrid.processes.home import Home
from dgrid.wire.signatures import SigningKey

USER = "user"


@dataclass(frozen=True, slots=True)
class Signer:
    """A key, what it is called here, and the folder of its transactions."""

    name: str
    key: SigningKey
    folder: Path

    @property
    def address(self) -> Address:
        return self.key.address


def role_of(text: str) -> Role:
    """A role by its name. Raises InvalidRequest."""
    try:
        return Role[text.upper()]
    except KeyError:
        names = ", ".join(map(name_of, Role))
        raise InvalidRequest(f"there is no role {text!r}; there are {names}") from None


def name_of(role: Role) -> str:
    """A role as it is typed."""
    return role.name.lower()


def user_of(home: Path) -> Signer:
    """The home's user."""
    return _of_home(Home(home), USER)


def address_of(text: str) -> Address:
    """An address as it was typed. Raises InvalidRequest."""
    try:
        return address_from_hex(text)
    except ValueError as error:
        raise InvalidRequest(f"{text} is no address: {error}") from None


def key_names(home: Path) -> dict[Address, str]:
    """The addresses behind the keys of a home, by what they are called here."""
    return {Home(home).key(file.stem).address: file.stem for file in sorted((home / "keys").glob("*.key"))}


def signer_of(home: Path, given: str, *, role: Role | None = None) -> Signer:
    """The key that was named; else the home's only one of the role, or its user without a role.

    Raises ConfigError where nothing or too much fits.
    """
    place = Home(home)
    if not given:
        return user_of(home) if role is None else _only_of(place, role)
    if place.key_file(given).exists():
        return _of_home(place, given)
    path = Path(given)
    try:
        key = SigningKey.from_hex(path.read_text())
    except (OSError, ValueError):
        known = ", ".join(file.stem for file in sorted(place.key_file("*").parent.glob("*.key"))) or "none"
        raise ConfigError(f"{given} is neither a key of this home ({known}) nor a key file") from None
    return Signer(path.stem, key, place.role_folder(f"key-{key.address.hex()[:8]}"))


def _only_of(home: Home, role: Role) -> Signer:
    found = sorted(home.key_file("*").parent.glob(f"{name_of(role)}-*.key"))
    if not found:
        made_by = "dgrid node run --model" if role is Role.NODE else f"dgrid new {name_of(role)}"
        hint = f"`{made_by}` makes one; --from names a key file"
        raise ConfigError(f"{home.path} has no key of a {name_of(role)}", hint=hint)
    if len(found) > 1:
        names = ", ".join(file.stem for file in found)
        reason = f"this home has {len(found)} keys of the role {name_of(role)}: {names}"
        raise ConfigError(reason, hint="name one with --from")
    return _of_home(home, found[0].stem)


def _of_home(home: Home, name: str) -> Signer:
    return Signer(name, home.key(name), home.role_folder(name))
