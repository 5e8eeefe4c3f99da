"""The process in which llama.cpp runs: started by `llama_process`, alone with its model, gone with its parent.

Started as `python -m dgrid.engines.llama_child`. One JSON line of `Options` comes in on standard input; one line of
`Report` goes out on standard output; then it serves until its input ends. It imports next to nothing, so that it
costs little more than llama.cpp does, and the key that its server demands never stands in its arguments or
environment.
"""

import contextlib
import json
import os
import signal
import sys
from typing import Any, Final

from dgrid.machine.parent import end_with_parent

LOG_WARNINGS: Final = 2  # llama.cpp's verbosity: errors and warnings, nothing a request
HTTP_THREADS_SPARE: Final = 6  # a kept connection holds a thread of the server; requests in flight need theirs besides
SERVER_BATCH_TOKENS: Final = 512


def main() -> None:
    die_with_parent()
    options = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever the library prints is log, not report
    server, report = serve(options)
    with contextlib.suppress(BrokenPipeError), answers:
        answers.write(json.dumps(report) + "\n")
    if server is not None:
        sys.stdin.read()
    os._exit(0)  # the server's threads have nothing to save


def die_with_parent() -> None:
    """Linux ends this process with its parent at once; elsewhere the end of its input does."""
    end_with_parent(by=signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when this ends


def serve(options: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    """The running server and the report on it. A report with `error` names what failed: "import" or "model"."""
    try:
        import xllamacpp
    except (ImportError, OSError) as error:
        return None, {"error": "import", "reason": str(error)}
    try:
        server = xllamacpp.Server(parameters(xllamacpp, options))
    except (RuntimeError, ValueError, OSError) as error:
        return None, {"error": "model", "reason": str(error)}
    return server, {"address": server.listening_address, "build": f"llama.cpp xllamacpp {xllamacpp.__version__}"}


def parameters(xllamacpp: Any, options: dict[str, Any]) -> Any:
    """llama.cpp's parameters for one model behind a locked door on loopback."""
    chosen = xllamacpp.CommonParams()
    chosen.model.path = options["model"]
    chosen.model_alias = {options["alias"]}  # else the file's path stands in every reply
    chosen.api_keys = [options["api_key"]]
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = 0
    chosen.ui = False
    chosen.endpoint_slots = False
    chosen.cache_prompt = (
        False  # a warm prefix changes results in the last digits, and tells others by its speed what was asked
    )
    chosen.cache_idle_slots = False
    chosen.cache_ram_mib = 0
    chosen.n_parallel = options["parallel"]
    chosen.n_ctx = options["context"] * options["parallel"]
    chosen.n_batch = SERVER_BATCH_TOKENS
    chosen.n_threads_http = options["parallel"] + HTTP_THREADS_SPARE
    chosen.cpuparams.n_threads = options["threads"]
    chosen.cpuparams_batch.n_threads = options["threads"]
    chosen.sampling.temp = options["temperature"]
    chosen.embedding = options["embeds"]
    chosen.verbosity = LOG_WARNINGS
    return chosen


if __name__ == "__main__":
    main()
