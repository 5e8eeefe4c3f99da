"""`python -m dgrid.processes ROLE CONFIG PARENT_PID`: how the supervisor starts a role, quickly."""

import logging
import sys
from pathlib import Path

from dgrid.core.errors import DGridError
from dgrid.machine.parent import end_with_parent
from dgrid.processes.roles import run_role


def main() -> int:
    """Runs one supervised role on the dev network."""
    kind, config_file, parent = sys.argv[1:4]
    end_with_parent(int(parent))
    try:
        run_role(kind, Path(config_file), dev=True)
    except DGridError as error:
        logging.getLogger("dgrid").error("%s: %s %s", error.code, error.message, error.hint)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
