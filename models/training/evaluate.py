"""Runs GGUF models over the held-out items with llama.cpp.

    python evaluate.py ../heldout.jsonl ../dgrid-*-q8_0.gguf --out work/replies

Prints a Markdown table of exact matches per task and of token F1, format, stopping and speed. JSON counts as right
when it parses to the reference.
"""

import argparse
import collections
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xllamacpp

REPLY_TOKENS_MAX = 96
BEHAVIOUR = ("small talk", "out of scope", "handwritten out of scope")


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply to an item, with its marks and times."""

    item: dict[str, Any]
    text: str
    stopped: bool
    prompt_ms: float
    prompt_tokens: int
    reply_ms: float
    reply_tokens: int

    @property
    def exact(self) -> bool:
        reference = self.item["reference"]
        return (
            parsed(self.text) == parsed(reference) if "schema" in self.item else normal(self.text) == normal(reference)
        )

    @property
    def f1(self) -> float:
        ours, theirs = normal(self.text), normal(self.item["reference"])
        common = sum((collections.Counter(ours) & collections.Counter(theirs)).values())
        return 2 * common / (len(ours) + len(theirs)) if common else 0.0


def normal(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.sub(r"[^\w\s]", " ", text.lower()).split()


def parsed(text: str) -> Any:
    """The JSON value of a text, or None."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def serve(path: Path, *, threads: int) -> xllamacpp.Server:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = 512
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.warmup = False
    parameters.verbosity = -1
    return xllamacpp.Server(parameters)


def ask(server: xllamacpp.Server, item: dict[str, Any]) -> Reply:
    """One greedy reply."""
    answer = server.handle_chat_completions(
        {"messages": item["messages"], "max_tokens": REPLY_TOKENS_MAX, "temperature": 0.0, "cache_prompt": False}
    )
    choice, timings = answer["choices"][0], answer["timings"]
    return Reply(
        item,
        (choice["message"]["content"] or "").strip(),
        choice["finish_reason"] == "stop",
        timings["prompt_ms"],
        timings["prompt_n"],
        timings["predicted_ms"],
        timings["predicted_n"],
    )


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else float("nan")


def summary(replies: list[Reply]) -> dict[str, float]:
    """The rows of the table for one model."""
    by_task: dict[str, list[Reply]] = collections.defaultdict(list)
    for reply in replies:
        by_task[reply.item["task"]].append(reply)
    rows = {task: mean(r.exact for r in found) for task, found in by_task.items()}
    generated = [r for r in replies if not r.item["task"].startswith("handwritten")]
    rows["**in-scope tasks, exact**"] = mean(r.exact for r in generated if r.item["task"] not in BEHAVIOUR)
    rows["**identity and out of scope, exact**"] = mean(r.exact for r in replies if r.item["task"] in BEHAVIOUR)
    rows["**all, exact**"] = mean(r.exact for r in replies)
    rows["all, token F1"] = mean(r.f1 for r in replies)
    rows["JSON that parses"] = mean(parsed(r.text) is not None for r in by_task["json"])
    rows["stopped by itself"] = mean(r.stopped for r in replies)
    rows["prompt tokens per second"] = 1000 * sum(r.prompt_tokens for r in replies) / sum(r.prompt_ms for r in replies)
    rows["reply tokens per second"] = 1000 * sum(r.reply_tokens for r in replies) / sum(r.reply_ms for r in replies)
    return rows


def table(columns: dict[str, dict[str, float]], counts: collections.Counter[str]) -> str:
    lines = ["| task | items | " + " | ".join(columns) + " |", "|---|---|" + "---|" * len(columns)]
    for row in next(iter(columns.values())):
        cells = [f"{column[row]:.2f}" if column[row] <= 1 else f"{column[row]:.0f}" for column in columns.values()]
        lines.append(f"| {row} | {counts[row] or ''} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the replies")
    arguments = parser.parse_args()
    items = [json.loads(line) for line in arguments.items.read_text(encoding="utf-8").splitlines()]
    columns = {}
    for path in arguments.models:
        server = serve(path, threads=arguments.threads)
        replies = [ask(server, item) for item in items]
        columns[path.stem] = summary(replies)
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            lines = [
                json.dumps(
                    {
                        "id": r.item["id"],
                        "task": r.item["task"],
                        "exact": r.exact,
                        "reference": r.item["reference"],
                        "reply": r.text,
                    },
                    ensure_ascii=False,
                )
                for r in replies
            ]
            (arguments.out / f"{path.stem}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(table(columns, collections.Counter(item["task"] for item in items)))


if __name__ == "__main__":
    main()
