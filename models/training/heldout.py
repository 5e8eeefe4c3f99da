"""Writes the held-out items: ``python heldout.py --out ../heldout.jsonl``.

The names, cities, nouns and phrasings of the generated items were kept out of training. The handwritten items follow
no template at all.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from draw import Draw
from generator import item
from small_talk import NOT_SAID, OUT_OF_SCOPE
from turns import Conversation, Turn

SEED = 20_261_120
COUNTS = {
    "short answer": 60,
    "sentence answer": 40,
    "yes or no": 40,
    "multiple choice": 30,
    "json": 50,
    "not in the text": 30,
    "find sentence": 25,
    "several turns": 40,
    "summary": 40,
    "risk class": 30,
    "sentiment": 20,
    "topic": 20,
    "small talk": 40,
    "out of scope": 40,
}
READING = (
    (
        "The Hague office was opened by Ms. Jansen in 1998. It moved to a larger building ten years later.",
        "Who opened the office?",
        "Ms. Jansen",
    ),
    ("Our cat Momo sleeps on the sofa. Momo eats fish twice a day.", "Where does Momo sleep?", "on the sofa"),
    ("Pedro sold his car to Lucille for 900 dollars.", "Who sold the car?", "Pedro"),
    ("The shop opens at 9:00 and closes at 18:00.", "When does the shop open?", "9:00"),
    ("Maria lives in Oslo and works as a nurse.", "Where does Maria live?", "Oslo"),
    ("Maria lives in Oslo and works as a nurse.", "What does Maria work as?", "nurse"),
    (
        "The package for Mr. Singh was delivered to the reception on Friday.",
        "When was the package delivered?",
        "Friday",
    ),
    (
        "Kepler Robotics is based in Ghent. It was founded in 2016 by Anouk Peeters.",
        "Where is Kepler Robotics based?",
        "Ghent",
    ),
    (
        "Kepler Robotics is based in Ghent. It was founded in 2016 by Anouk Peeters.",
        "When was Kepler Robotics founded?",
        "2016",
    ),
    ("Wallet 0x91bc sent 40 USDC to wallet 0x77aa. The fee was small.", "Who sent 40 USDC?", "0x91bc"),
    ("Tim has a blue bicycle. Ann has a red bicycle.", "Who has a red bicycle?", "Ann"),
    ("The old mill burned down in 1911. A school stands there today.", "When did the old mill burn down?", "1911"),
    ("Leila speaks Farsi. Her brother speaks Finnish.", "Which language does Leila speak?", "Farsi"),
    ("Sven is 41 years old. Maja is 38 years old.", "How old is Maja?", "38"),
    ("Sven is 41 years old. Maja is 38 years old.", "How old is Sven?", "41"),
    ("The director of the museum is Paulette Dubois.", "Who is the director of the museum?", "Paulette Dubois"),
    ("The ticket costs 25 euros. Children pay 10 euros.", "What does the ticket cost?", "25 euros"),
    ("Greg plays the cello. Moira plays the drums.", "Which instrument does Moira play?", "drums"),
    ("Greg plays the cello. Moira plays the drums.", "Does Greg play the cello?", "Yes."),
    ("Greg plays the cello. Moira plays the drums.", "Does Greg play the drums?", "No."),
    ("Greg plays the cello. Moira plays the drums.", "How old is Greg?", NOT_SAID),
    ("The node in Reykjavik was offline on Tuesday.", "When was the node offline?", "Tuesday"),
    (
        "Ines Marquez moved to Cordoba in March. She works for Altair Foods.",
        "Which company does Ines Marquez work for?",
        "Altair Foods",
    ),
    ("The conference will be held in Tartu. The speaker is Dr. Okoye.", "Where will the conference be held?", "Tartu"),
    ("Freya sent 310 DGT to Magnus.", "How much did Freya send?", "310 DGT"),
)
BEYOND = (
    "can u tell me how vaccines work",
    "whats the tallest building in dubai",
    "import numpy as np",
    "Who won the world cup in 2018?",
    "Tell me a bedtime story about a dragon.",
    "what is 17 times 4",
    "Summarize the plot of Hamlet",
    "Is it going to rain tomorrow?",
    "I need help with my homework",
    "Explain transformers like I'm five.",
    "What's your favourite colour?",
    "Give me a lasagna recipe",
    "def fib(n):",
    "Which is heavier, a kilo of feathers or a kilo of iron?",
    "How many moons does Jupiter have?",
    "Write a haiku.",
    "Translate 'good morning' into Spanish",
    "Why did Rome fall?",
    "Should I buy ETH now?",
    "Name three US presidents.",
    "What is the boiling point of water?",
    "asdkjh qwe",
    "make me laugh",
    "How do I center a div?",
    "What year is it?",
    "prove that there are infinitely many primes",
    "I feel lonely tonight.",
    "Generate a password",
    "SELECT * FROM users;",
    "Give me a business idea for students",
    "What should I cook tonight?",
    "Who painted the Mona Lisa?",
    "Tell me about the Roman empire.",
    "how to fix error 404",
    "What is a zero-knowledge proof?",
    "Which GPU is best for inference?",
    "Please write a cover letter for a data analyst.",
    "How long does it take to fly to Mars?",
    "What do cats eat?",
    "Continue: once upon a time",
)


def record(identity: str, made: Conversation) -> dict[str, Any]:
    last = made.turns[-1]
    return {"id": identity, "task": last.task, "messages": made.messages(), "reference": last.reply} | (
        {"schema": last.schema} if last.schema else {}
    )


def items() -> list[dict[str, Any]]:
    """All held-out items; the same at every call."""
    draw = Draw(SEED, held=True)
    made = [
        (f"{task.replace(' ', '-')}-{number}", item(draw, task))
        for task, count in COUNTS.items()
        for number in range(count)
    ]
    made += [
        (f"reading-{n}", Conversation([Turn(f"{text}\n{asked}", answer, "handwritten reading")]))
        for n, (text, asked, answer) in enumerate(READING)
    ]
    made += [
        (f"beyond-{n}", Conversation([Turn(asked, OUT_OF_SCOPE, "handwritten out of scope")]))
        for n, asked in enumerate(BEYOND)
    ]
    return [record(identity, conversation) for identity, conversation in made]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in items()), encoding="utf-8")


if __name__ == "__main__":
    main()
